// Files read, mapped and written whole, with every refusal the system can give in a test.

import Foundation
import Platform
import Testing

/// A folder of its own for one test, removed with it.
final class ScratchFolder {
  let path: String

  init() {
    path = NSTemporaryDirectory() + "knapsack-test-\(UUID().uuidString)"
    try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String, _ bytes: [UInt8]) -> String {
    let path = self.path + "/" + name
    try! Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  var names: [String] {
    try! FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  /// Whether the file system has files without names: O_TMPFILE, which Swift does not import.
  var takesUnnamedFiles: Bool {
    let descriptor = open(path, 0o20000000 | O_DIRECTORY | O_WRONLY, 0o600)
    if descriptor >= 0 { close(descriptor) }
    return descriptor >= 0
  }
}

@Suite struct FileTests {
  let folder = ScratchFolder()
  static let sample = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

  /// What a mapping holds. (6.3.1 crashes on a span of an object inside `#expect`.)
  func contents(_ file: MappedFile) -> [UInt8] {
    let bytes = file.bytes
    return bytes.withUnsafeBytes { Array($0) }
  }

  @Test func mapsAndReadsTheSameBytes() throws {
    let path = folder.file("a", Self.sample)
    let mapped = try MappedFile(path: path)
    #expect(mapped.count == Self.sample.count)
    #expect(contents(mapped) == Self.sample)
    let reader = try FileReader(path: path)
    #expect(reader.count == Self.sample.count)
    #expect(try reader.bytes(at: 0, count: .max) == Self.sample)
    #expect(try reader.bytes(at: 99_990, count: 100) == Array(Self.sample[99_990...]))
    #expect(try reader.bytes(at: 100_000, count: 1) == [])
    #expect(try reader.bytes(at: -1, count: 1) == [])
    #expect(try reader.bytes(at: .max, count: .max) == [])
    var buffer = [UInt8](repeating: 0xEE, count: 8)
    #expect(try reader.read(at: 10, count: 4, into: &buffer) == 4)
    #expect(buffer == Array(Self.sample[10..<14]) + [0xEE, 0xEE, 0xEE, 0xEE])
    #expect(contents(try MappedFile(mapping: reader)) == Self.sample)
    #expect(try File.read(path, limit: Self.sample.count) == Self.sample)
  }

  @Test func anEmptyFileIsNoError() throws {
    let path = folder.file("empty", [])
    let mapped = try MappedFile(path: path)
    #expect(mapped.count == 0)
    #expect(contents(mapped) == [])
    #expect(try FileReader(path: path).bytes(at: 0, count: 5) == [])
    #expect(try File.read(path, limit: 0) == [])
  }

  @Test func refusesWhatIsNoFile() throws {
    let missing = folder.path + "/none"
    let error = #expect(throws: PlatformError.self) { try MappedFile(path: missing) }
    #expect(error?.isNotFound == true)
    #expect(error?.description == "\(missing): cannot open: No such file or directory")
    #expect(throws: PlatformError(operation: "open", path: folder.path, errno: EISDIR)) {
      try FileReader(path: folder.path)
    }
    #expect(throws: PlatformError(operation: "open", path: "/dev/null", errno: EINVAL)) {
      try MappedFile(path: "/dev/null")
    }
    #expect(throws: PlatformError(operation: "open", path: "a\0b", errno: EINVAL)) {
      try FileReader(path: "a\0b")
    }
    #expect(throws: PlatformError.self) { try File.read(folder.path, limit: 100) }
  }

  @Test func boundsWhatItReads() throws {
    let path = folder.file("a", Self.sample)
    let error = #expect(throws: PlatformError.self) {
      try File.read(path, limit: Self.sample.count - 1)
    }
    #expect(error?.errno == EFBIG)
    // An endless device stops at the limit.
    #expect(throws: PlatformError.self) { try File.read("/dev/zero", limit: 100_000) }
    #expect(try File.read("/proc/self/status", limit: 1 << 16).starts(with: "Name:".utf8))
  }

  @Test func saysWhatAPathIs() throws {
    #expect(try File.kind(of: folder.path) == .folder)
    #expect(try File.kind(of: folder.file("a", [])) == .regular)
    #expect(try File.kind(of: folder.path + "/none") == .nothing)
    #expect(try File.kind(of: "/dev/null") == .other)
    #expect(try File.freeBytes(at: folder.path) > 0)
  }

  @Test(arguments: [false, true]) func writesWholeFiles(isNamed: Bool) throws {
    let path = folder.path + "/out.knap"
    let file = try AtomicFile(path: path, isNamed: isNamed)
    try file.write([9, 9, 9])
    try file.write(Self.sample)
    try file.overwrite(at: 0, [1, 2])
    #expect(file.count == Self.sample.count + 3)
    // Nothing under the name until the end.
    #expect(try File.kind(of: path) == .nothing)
    #expect(folder.names.count == (isNamed || !folder.takesUnnamedFiles ? 1 : 0))
    try file.commit()
    #expect(folder.names == ["out.knap"])
    #expect(try File.read(path, limit: .max) == [1, 2, 9] + Self.sample)
    // Replaces what was there.
    try AtomicFile.write([5], to: path)
    #expect(try File.read(path, limit: .max) == [5])
    #expect(folder.names == ["out.knap"])
    #expect(throws: PlatformError.self) { try file.commit() }
  }

  @Test(arguments: [false, true]) func leavesNothingBehindWhenDropped(isNamed: Bool) throws {
    let path = folder.file("out", [7])
    do {
      let file = try AtomicFile(path: path, isNamed: isNamed)
      try file.write(Self.sample)
    }
    #expect(folder.names == ["out"])
    #expect(try File.read(path, limit: .max) == [7])
  }

  @Test(arguments: [false, true]) func worksBesideTheLeftoverOfAKilledWriter(isNamed: Bool) throws {
    let first = try AtomicFile(path: folder.path + "/out", isNamed: isNamed)
    let second = try AtomicFile(path: folder.path + "/out", isNamed: isNamed)
    try first.write([1])
    try second.write([2])
    try first.commit()
    try second.commit()
    #expect(folder.names == ["out"])
    #expect(try File.read(folder.path + "/out", limit: .max) == [2])
  }

  @Test func refusesToWriteWhereItCannot() throws {
    #expect(throws: PlatformError.self) { try AtomicFile(path: folder.path) }
    #expect(throws: PlatformError.self) { try AtomicFile(path: folder.path + "/") }
    let error = #expect(throws: PlatformError.self) {
      try AtomicFile(path: folder.path + "/no/such/folder/out")
    }
    #expect(error?.isNotFound == true)
    // A file in the place of a folder.
    let file = folder.file("file", [])
    #expect(throws: PlatformError.self) { try AtomicFile(path: file + "/out") }
    // What is no file stays what it is, also for root.
    let pipe = folder.path + "/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(throws: PlatformError(operation: "write", path: pipe, errno: EOPNOTSUPP)) {
      try AtomicFile.write([1], to: pipe)
    }
    #expect(try File.kind(of: pipe) == .other)
    // A link, to whatever standard output is.
    for path in ["/dev/stdout", "/dev/knapsack-none"] {
      #expect(throws: PlatformError(operation: "write", path: path, errno: EOPNOTSUPP)) {
        try AtomicFile(path: path)
      }
    }
  }

  @Test func reportsAFullDiskAndCleansUp() async {
    // A limit on file sizes takes the way through write that a full disk takes. It is set in a
    // process of its own.
    await #expect(processExitsWith: .success) {
      let folder = ScratchFolder()
      let path = folder.file("out", [7])
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 65536, rlim_max: 65536)
      try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
      let file = try AtomicFile(path: path)
      let error = #expect(throws: PlatformError.self) {
        for _ in 0..<100 { try file.write([UInt8](repeating: 1, count: 4096)) }
      }
      #expect(error?.operation == "write")
      #expect(error?.errno == EFBIG)
      #expect(error?.path == path)
      #expect(folder.names == ["out"])
      #expect(throws: PlatformError.self) { try file.commit() }
      #expect(try File.read(path, limit: .max) == [7])
    }
    #expect(PlatformError(operation: "write", path: "x", errno: ENOSPC).isNoSpace)
  }

  @Test func scratchFilesHaveNoName() throws {
    let file = try ScratchFile(beside: folder.path + "/out")
    #expect(folder.names.isEmpty)
    try Self.sample.withUnsafeBytes { try file.write($0, at: 5000) }
    var back = [UInt8](repeating: 0xEE, count: Self.sample.count + 6000)
    try back.withUnsafeMutableBytes { try file.read(at: 0, into: $0) }
    // What was never written is zero, before and behind.
    #expect(back[..<5000].allSatisfy { $0 == 0 })
    #expect(Array(back[5000..<5000 + Self.sample.count]) == Self.sample)
    #expect(back[(5000 + Self.sample.count)...].allSatisfy { $0 == 0 })
    let mapped = try file.mapped()
    #expect(mapped.count == 5000 + Self.sample.count)
    #expect(contents(mapped) == Array(back[..<mapped.count]))
    // Pages that were given back are there again.
    mapped.releasePages(of: mapped.buffer)
    mapped.releasePages(of: UnsafeRawBufferPointer(rebasing: mapped.buffer[7000..<7001]))
    #expect(contents(mapped) == Array(back[..<mapped.count]))
    let error = #expect(throws: PlatformError.self) {
      try ScratchFile(beside: folder.path + "/no/such/folder/out")
    }
    #expect(error?.isNotFound == true)
  }

  @Test func aFullDiskIsAnErrorOfScratchFilesToo() async {
    await #expect(processExitsWith: .success) {
      let folder = ScratchFolder()
      let file = try ScratchFile(beside: folder.path + "/out")
      var limit = rlimit(rlim_cur: 65536, rlim_max: 65536)
      try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
      let error = #expect(throws: PlatformError.self) {
        try FileTests.sample.withUnsafeBytes { try file.write($0, at: 0) }
      }
      #expect(error?.errno == EFBIG && error?.path == folder.path + "/out")
    }
  }

  @Test func givesZeroedMemory() throws {
    let memory = try AnonymousMemory(count: 10_000)
    let bytes = memory.bytes
    #expect(bytes.withUnsafeBytes { Array($0) } == [UInt8](repeating: 0, count: 10_000))
    #expect(UInt(bitPattern: memory.buffer.baseAddress) % 64 == 0)
    #expect(try AnonymousMemory(count: 0).count == 0)
    let error = #expect(throws: PlatformError.self) { try AnonymousMemory(count: 1 << 60) }
    #expect(error?.isOutOfMemory == true)
  }
}
