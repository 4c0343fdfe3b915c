// The names in a folder, in an order that does not change.

import CPlatform

/// Folders by their path.
public enum Folder {
  private static var nameBytes: Int { 1 << 16 }
  /// The longest path that the system takes.
  private static var pathBytes: Int { 4096 }

  /// The names in a folder without `.` and `..`, numbers in them in numerical order: hwmon2 comes
  /// before hwmon10. At most 64 KiB of names; what is beyond that is left out.
  public static func names(_ path: String) throws(PlatformError) -> [String] {
    var buffer = [CChar](repeating: 0, count: nameBytes)
    let used = try withPath(path, "list") { path in
      unsafe buffer.withUnsafeMutableBufferPointer {
        unsafe kp_folder_names(path, $0.baseAddress, $0.count)
      }
    }
    guard used >= 0 else {
      throw PlatformError(operation: "list", path: path, errno: Int32(truncatingIfNeeded: -used))
    }
    var names: [[UInt8]] = []
    var name: [UInt8] = []
    for character in buffer[..<Int(used)] {
      if character != 0 {
        name.append(UInt8(bitPattern: character))
      } else {
        names.append(name)
        name = []
      }
    }
    names.sort { isBefore($0, $1) }
    return names.map { String(decoding: $0, as: UTF8.self) }
  }

  /// Makes a folder and those above it that are missing, for this user alone. One that is there stays
  /// as it is.
  public static func create(_ path: String) throws(PlatformError) {
    guard path.utf8.count < pathBytes else {
      throw PlatformError(operation: "create", path: path, errno: ENAMETOOLONG)
    }
    if try File.kind(of: path) == .folder { return }
    try createParent(of: path)
    let isMade = try withPath(path, "create") { unsafe mkdir($0, 0o700) }
    // Somebody else may have been faster.
    if isMade != 0, kp_errno() != EEXIST { throw .last("create", path) }
  }

  /// Makes the folder that a file of this path needs, as `create` does.
  public static func createParent(of path: String) throws(PlatformError) {
    let parent = String(AtomicFile.split(path).folder.dropLast())
    if !parent.isEmpty { try create(parent) }
  }

  /// Whether `a` comes before `b`: runs of digits by their value, everything else byte by byte.
  static func isBefore(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    var i = 0
    var k = 0
    while i < a.count, k < b.count {
      let first = digits(a, at: i)
      let second = digits(b, at: k)
      if !first.isEmpty, !second.isEmpty {
        if first.count != second.count { return first.count < second.count }
        for (x, y) in zip(first, second) where x != y { return x < y }
        i = first.endIndex
        k = second.endIndex
      } else {
        if a[i] != b[k] { return a[i] < b[k] }
        i += 1
        k += 1
      }
    }
    return a.count - i < b.count - k
  }

  /// The digits at `start` without the zeros in front.
  private static func digits(_ text: [UInt8], at start: Int) -> ArraySlice<UInt8> {
    var end = start
    while end < text.count, text[end] >= 0x30, text[end] <= 0x39 { end += 1 }
    var first = start
    while first + 1 < end, text[first] == 0x30 { first += 1 }
    return text[first..<end]
  }
}
