// The calendar against Foundation's, and folders that are made.

import Foundation
import Platform
import Testing

struct TimestampTests {
  @Test func asFoundationHasIt() {
    let formatter = ISO8601DateFormatter()
    var seconds: [Int64] = [0, -1, 951_782_400, 951_868_800, 4_107_542_399, 253_402_300_799]
    var state: UInt64 = 7
    for _ in 0..<2000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      // From 1900 to 2500: the calendar is Gregorian for both.
      seconds.append(Int64(state >> 33) * 8 - 2_208_988_800)
    }
    for second in seconds {
      let expected = formatter.string(from: Date(timeIntervalSince1970: Double(second)))
      let stamp = Timestamp(unixSeconds: second)
      #expect(stamp.text == expected)
      #expect(stamp.compact == expected.filter { $0 != "-" && $0 != ":" })
    }
    #expect(Timestamp(unixSeconds: .max).text == "9999-12-31T23:59:59Z")
    #expect(Timestamp(unixSeconds: .min).year == -9999)
  }

  @Test func foldersAreMade() throws {
    let root = NSTemporaryDirectory() + "knapsack-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }
    try Platform.Folder.create(root + "/a/b/c")
    try Platform.Folder.create(root + "/a/b/c")
    #expect(try File.kind(of: root + "/a/b/c") == .folder)
    try AtomicFile.write([1, 2], to: root + "/a/file", isDurable: false)
    #expect(try File.read(root + "/a/file", limit: 9) == [1, 2])
    for path in [root + "/a/file/d", "/" + String(repeating: "x/", count: 3000), "/proc/none"] {
      #expect(throws: PlatformError.self) { try Platform.Folder.create(path) }
    }
  }
}
