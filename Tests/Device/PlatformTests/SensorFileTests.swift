// Files that are read again and again, folders in order, and the firmware's messages.
import Foundation
import Platform
import Testing

@Suite struct SensorFileTests {
  private func temporary() -> String {
    FileManager.default.temporaryDirectory.appendingPathComponent("sensors-\(UUID().uuidString)")
      .path
  }

  private func text(_ file: PolledFile) -> String? {
    file.read { span in String(decoding: (0..<span.count).map { span[$0] }, as: UTF8.self) }
  }

  @Test func polledFilesAreReadAnew() throws {
    let path = temporary()
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data("71300\n".utf8).write(to: URL(fileURLWithPath: path))
    let file = try PolledFile(path: path, capacity: 16)
    #expect(text(file) == "71300\n")
    try Data("9\n".utf8).write(to: URL(fileURLWithPath: path))
    #expect(text(file) == "9\n")
    // Sixteen bytes do not fit with their end.
    try Data("0123456789abcdef".utf8).write(to: URL(fileURLWithPath: path))
    #expect(text(file) == nil)
    try Data("0123456789abcde".utf8).write(to: URL(fileURLWithPath: path))
    #expect(text(file) == "0123456789abcde")
  }

  @Test func whatCannotBePolled() throws {
    do {
      _ = try PolledFile(path: "/nonexistent/x")
      Issue.record("opened what is not there")
    } catch {
      #expect(error.isNotFound)
    }
    // A folder opens and does not read; a pipe without a writer does not block.
    #expect(text(try PolledFile(path: "/")) == nil)
    let pipe = temporary()
    defer { try? FileManager.default.removeItem(atPath: pipe) }
    try #require(mkfifo(pipe, 0o600) == 0)
    #expect(text(try PolledFile(path: pipe)) == nil)
  }

  @Test func tailedFilesGiveWhatIsNew() throws {
    let path = temporary()
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data("old line\nlast\n".utf8).write(to: URL(fileURLWithPath: path))
    let file = try TailedFile(path: path, tailBytes: 5)
    #expect(file.readNew() == Array("last\n".utf8))
    #expect(file.readNew().isEmpty)
    let writer = try #require(FileHandle(forWritingAtPath: path))
    _ = try writer.seekToEnd()
    try writer.write(contentsOf: Data("new".utf8))
    #expect(file.readNew() == Array("new".utf8))
    // Cut and begun again.
    try Data("a\n".utf8).write(to: URL(fileURLWithPath: path))
    #expect(file.readNew() == Array("a\n".utf8))
  }

  @Test func pipesAreTailedWithoutWaiting() throws {
    let pipe = temporary()
    defer { try? FileManager.default.removeItem(atPath: pipe) }
    try #require(mkfifo(pipe, 0o600) == 0)
    let file = try TailedFile(path: pipe, tailBytes: 100)
    #expect(file.readNew().isEmpty)
    let writer = try #require(FileHandle(forWritingAtPath: pipe))
    try writer.write(contentsOf: Data("6.82\n".utf8))
    #expect(file.readNew() == Array("6.82\n".utf8))
    #expect(file.readNew().isEmpty)
  }

  @Test func foldersAreInTheOrderOfTheirNumbers() throws {
    let folder = temporary()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let names = ["hwmon10", "hwmon2", "hwmon02a", "a", "hwmon", "intel-rapl:0:1", "intel-rapl:0"]
    for name in names {
      try FileManager.default.createDirectory(
        atPath: folder + "/" + name, withIntermediateDirectories: true)
    }
    #expect(
      try Folder.names(folder) == [
        "a", "hwmon", "hwmon2", "hwmon02a", "hwmon10", "intel-rapl:0", "intel-rapl:0:1",
      ])
    do {
      _ = try Folder.names(folder + "/none")
      Issue.record("listed what is not there")
    } catch {
      #expect(error.isNotFound)
    }
  }

  /// The message's layout, word by word, as the firmware's documentation gives it.
  @Test func firmwareMessages() {
    var message = FirmwareMessage(command: "pmic_read_adc")
    #expect(message.words.count == 263)
    #expect(message.words[0] == 1052)
    #expect(message.words[1...5] == [0, 0x30080, 1024, 0, 0])
    #expect(message.words[6] == 0x6369_6D70)
    #expect(message.words[262] == 0)
    #expect(message.answer == nil)
    message.words[1] = 0x8000_0000
    message.words[6] = 0x0041_3D61
    #expect(message.answer == Array("a=A".utf8))
    message.words[5] = 1
    #expect(message.answer == nil)
    message.words[5] = 0
    message.words[1] = 0x8000_0001
    #expect(message.answer == nil)
    // An answer without an end ends with the message.
    message.words[1] = 0x8000_0000
    for i in 6..<262 { message.words[i] = 0x6161_6161 }
    #expect(message.answer?.count == 1024)
    let long = FirmwareMessage(command: String(repeating: "x", count: 5000))
    #expect(long.words.count == 263)
    #expect(long.words[261] == 0x0078_7878)
  }

  @Test func firmwareThatIsNotThere() throws {
    do {
      _ = try FirmwareChannel(path: "/nonexistent/vcio")
      Issue.record("opened what is not there")
    } catch {
      #expect(error.isNotFound)
    }
    // Not the firmware: it answers to no question.
    #expect(try FirmwareChannel(path: "/dev/null").ask("get_throttled") == nil)
  }
}

@Suite struct MemoryRangeTests {
  @Test func stretchesThatTouchAreOne() {
    let ranges = [
      MemoryRange(address: 90_000, byteCount: 10), MemoryRange(address: 10_000, byteCount: 100),
      MemoryRange(address: 10_050, byteCount: 5000), MemoryRange(address: 18_000, byteCount: 64),
      MemoryRange(address: 50, byteCount: 0),
    ]
    #expect(
      MemoryRange.merged(ranges) == [
        MemoryRange(address: 10_000, byteCount: 8064), MemoryRange(address: 90_000, byteCount: 10),
      ])
  }

  /// Pages that were never touched are not there; those that were, are.
  @Test func residenceFollowsTouching() throws {
    let memory = try AnonymousMemory(count: 64 * 4096)
    let start = memory.buffer.baseAddress
    let range = MemoryRange(address: UInt(bitPattern: start), byteCount: 64 * 4096)
    let before = try #require(range.residentBytes)
    for page in 0..<16 { memory.buffer[page * 4096] = 1 }
    let after = try #require(range.residentBytes)
    #expect(after >= 16 * 4096)
    #expect(after > before || before == 64 * 4096)
    #expect(MemoryRange(address: 4096, byteCount: 4096).residentBytes == nil)
    #expect(MemoryRange(address: UInt.max - 10, byteCount: 100).residentBytes == nil)
    #expect(MemoryRange(address: 1, byteCount: -5).residentBytes == 0)
  }
}
