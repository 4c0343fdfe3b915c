// The lines of a LightGBM model: sections of `key=value`, found without copying the file.

/// One section: its keys and where their values lie.
struct LightGBMSection {
  let file: ModelFile
  /// `header`, or `Tree=7`, as errors say it.
  let name: String
  private(set) var values: [String: Range<Int>] = [:]

  init(_ file: ModelFile, _ name: String) {
    self.file = file
    self.name = name
  }

  mutating func add(_ key: String, _ range: Range<Int>) throws(ImportError) {
    guard values.updateValue(range, forKey: key) == nil else {
      throw file.malformed(range.lowerBound, "'\(key)' is there twice in \(name)")
    }
  }

  func refuse(_ key: String, _ what: String) -> ImportError {
    ImportError(file: file.path, .key("\(name): \(key)", what))
  }

  func has(_ key: String) -> Bool { values[key] != nil }

  func text(_ key: String) throws(ImportError) -> String? {
    guard let range = values[key] else { return nil }
    return try file.text(range)
  }

  func integer(
    _ key: String, in range: ClosedRange<Int>, _ fallback: Int? = nil
  ) throws(ImportError) -> Int {
    guard let text = try text(key) else {
      guard let fallback else { throw refuse(key, "is missing") }
      return fallback
    }
    guard let value = Int(text), range.contains(value) else {
      throw refuse(
        key, "expected a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// `count` numbers with spaces between them.
  private func list<T>(
    _ key: String, count: Int, _ parse: (Substring) -> T?
  ) throws(ImportError) -> [T] {
    guard let range = values[key] else {
      guard count == 0 else { throw refuse(key, "is missing") }
      return []
    }
    let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[range])
    let text = String(decoding: bytes, as: UTF8.self)
    var result: [T] = []
    for part in text.split(separator: " ") {
      guard let value = parse(part) else {
        throw refuse(key, "expected numbers, found '\(part.prefix(40))'")
      }
      result.append(value)
    }
    guard result.count == count else {
      throw refuse(key, "expected \(count) numbers, found \(result.count)")
    }
    return result
  }

  func integers(_ key: String, count: Int) throws(ImportError) -> [Int] {
    try list(key, count: count) { Int($0) }
  }

  func numbers(_ key: String, count: Int) throws(ImportError) -> [Double] {
    try list(key, count: count) { Double($0) }
  }
}

extension LightGBMSection {
  /// The header and the trees of a file.
  static func sections(_ file: ModelFile) throws(ImportError) -> [LightGBMSection] {
    var sections = [LightGBMSection(file, "header")]
    var start = 0
    let bytes = file.bytes
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      defer { start = end + 1 }
      var stop = end
      if stop > start, bytes[stop - 1] == UInt8(ascii: "\r") { stop -= 1 }
      guard stop > start else { continue }
      let line = bytes[start..<stop]
      if line.elementsEqual("end of trees".utf8) { break }
      guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else {
        try sections[sections.count - 1].add(
          try file.text(start..<stop), stop..<stop)
        continue
      }
      let key = try file.text(start..<equals, limit: 256)
      if key == "Tree" {
        guard sections.count <= 1 << 24 else { throw file.malformed(start, "too many trees") }
        sections.append(LightGBMSection(file, try file.text(start..<stop, limit: 256)))
      } else {
        try sections[sections.count - 1].add(key, equals + 1..<stop)
      }
    }
    return sections
  }
}
