// /proc and /sys below a root folder, which tests and bug reports set to a recorded tree.
import Bytes
import Platform

/// The files that sensors are. What is not there, or is no such file, is nil.
struct SensorTree {
  /// Empty for the machine's own.
  let root: String

  /// A whole file.
  func text(_ path: String, limit: Int = 1 << 16) -> [UInt8]? {
    guard let file = open(path, capacity: min(limit, 1 << 16)) else { return nil }
    return file.read { text in (0..<text.count).map { text[$0] } }
  }

  /// A file that is one number.
  func integer(_ path: String) -> Int64? { open(path)?.integer() }

  /// The first line of a file, at most 40 bytes of it, without space around it.
  func word(_ path: String) -> [UInt8]? {
    guard let text = text(path, limit: 4096) else { return nil }
    var line = ArraySlice(text)
    if let end = line.firstIndex(where: { $0 == 0x0A || $0 == 0 }) { line = line[..<end] }
    while let first = line.first, first == 0x20 || first == 0x09 { line.removeFirst() }
    while let last = line.last, last == 0x20 || last == 0x09 { line.removeLast() }
    return Array(line.prefix(40))
  }

  /// The names in a folder; none where there is no such folder.
  func names(_ folder: String) -> [String] { (try? Folder.names(root + folder)) ?? [] }

  /// A file kept open.
  func open(_ path: String, capacity: Int = 128) -> PolledFile? {
    try? PolledFile(path: root + path, capacity: capacity)
  }

  /// Why a file cannot be read; nil where it can.
  func refusal(_ path: String) -> PlatformError? {
    do throws(PlatformError) {
      _ = try PolledFile(path: root + path)
      return nil
    } catch {
      return error
    }
  }
}

extension PolledFile {
  /// The file as one number.
  func integer() -> Int64? { read { ProbeText.integer($0) } }
}

extension EscapedText {
  /// Escapes a text put together here, names from outside included.
  init(string: String) { self.init(Array(string.utf8)) }
}
