// Reads FlatBuffers tables: every offset, vtable and vector is checked against the file.

/// One table of a FlatBuffers file. Fields are asked for by their number in the schema; one that is
/// not there has its default.
struct FlatTable {
  let file: ModelFile
  /// Where the table starts.
  let position: Int
  private let vtable: Int
  private let vtableBytes: Int
  private let tableBytes: Int

  /// The table at `position`.
  init(_ file: ModelFile, at position: Int) throws(ImportError) {
    self.file = file
    self.position = position
    let distance = Int(try FlatTable.load(file, position, as: Int32.self))
    vtable = position - distance
    vtableBytes = Int(try FlatTable.load(file, vtable, as: UInt16.self))
    tableBytes = Int(try FlatTable.load(file, vtable + 2, as: UInt16.self))
    guard vtableBytes >= 4, vtableBytes % 2 == 0, vtable + vtableBytes <= file.count else {
      throw file.malformed(vtable, "a vtable of \(vtableBytes) bytes")
    }
    guard tableBytes >= 4, position + tableBytes <= file.count else {
      throw file.malformed(position, "a table of \(tableBytes) bytes")
    }
  }

  /// The table that the file starts with.
  init(rootOf file: ModelFile) throws(ImportError) {
    try self.init(file, at: Int(try FlatTable.load(file, 0, as: UInt32.self)))
  }

  /// A little-endian number anywhere in the file.
  static func load<T: FixedWidthInteger & BitwiseCopyable>(
    _ file: ModelFile, _ offset: Int, as: T.Type
  ) throws(ImportError) -> T {
    guard offset >= 0, offset <= file.count - MemoryLayout<T>.size else {
      throw file.malformed(offset, "an offset that leaves the file of \(file.count) bytes")
    }
    return T(littleEndian: file.bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  /// Where field `id` is, or nil where the table leaves it out.
  private func place(_ id: Int, _ bytes: Int) throws(ImportError) -> Int? {
    let slot = 4 + 2 * id
    guard slot + 2 <= vtableBytes else { return nil }
    let offset = Int(try FlatTable.load(file, vtable + slot, as: UInt16.self))
    guard offset != 0 else { return nil }
    guard offset >= 4, offset + bytes <= tableBytes else {
      throw file.malformed(vtable + slot, "field \(id) lies outside of its table")
    }
    return position + offset
  }

  /// A number field.
  func number<T: FixedWidthInteger & BitwiseCopyable>(
    _ id: Int, _ fallback: T
  ) throws(ImportError) -> T {
    guard let at = try place(id, MemoryLayout<T>.size) else { return fallback }
    return try FlatTable.load(file, at, as: T.self)
  }

  func integer(_ id: Int, _ fallback: Int = 0) throws(ImportError) -> Int {
    Int(try number(id, Int32(truncatingIfNeeded: fallback)))
  }

  func byte(_ id: Int, _ fallback: Int = 0) throws(ImportError) -> Int {
    Int(try number(id, Int8(truncatingIfNeeded: fallback)))
  }

  func bool(_ id: Int, _ fallback: Bool = false) throws(ImportError) -> Bool {
    try number(id, UInt8(fallback ? 1 : 0)) != 0
  }

  func float(_ id: Int, _ fallback: Float = 0) throws(ImportError) -> Float {
    Float(bitPattern: try number(id, fallback.bitPattern))
  }

  /// What an offset field leads to.
  private func target(_ id: Int) throws(ImportError) -> Int? {
    guard let at = try place(id, 4) else { return nil }
    return at + Int(try FlatTable.load(file, at, as: UInt32.self))
  }

  func table(_ id: Int) throws(ImportError) -> FlatTable? {
    guard let at = try target(id) else { return nil }
    return try FlatTable(file, at: at)
  }

  /// The range of a vector's elements of `bytes` each, and their count.
  private func vector(_ id: Int, _ bytes: Int) throws(ImportError) -> (start: Int, count: Int)? {
    guard let at = try target(id) else { return nil }
    let count = Int(try FlatTable.load(file, at, as: UInt32.self))
    // Both factors are below 2^33.
    guard count * bytes <= file.count - at - 4 else {
      throw file.malformed(at, "a vector of \(count) elements of \(bytes) bytes")
    }
    return (at + 4, count)
  }

  /// The range of a vector of bytes in the file; nil where there is none.
  func bytes(_ id: Int) throws(ImportError) -> Range<Int>? {
    guard let v = try vector(id, 1) else { return nil }
    return v.start..<v.start + v.count
  }

  func text(_ id: Int) throws(ImportError) -> String? {
    guard let range = try bytes(id) else { return nil }
    return try file.text(range)
  }

  /// The elements of a vector of numbers; at most `limit`.
  func numbers<T: FixedWidthInteger & BitwiseCopyable>(
    _ id: Int, _: T.Type, limit: Int = 1 << 20
  ) throws(ImportError) -> [T] {
    let size = MemoryLayout<T>.size
    guard let v = try vector(id, size) else { return [] }
    guard v.count <= limit else {
      throw file.malformed(v.start, "\(v.count) numbers, at most \(limit) are taken")
    }
    return (0..<v.count).map {
      T(
        littleEndian: file.bytes.loadUnaligned(
          fromByteOffset: v.start + $0 * size, as: T.self))
    }
  }

  func integers(_ id: Int) throws(ImportError) -> [Int] {
    try numbers(id, Int32.self).map { Int($0) }
  }

  func floats(_ id: Int) throws(ImportError) -> [Float] {
    try numbers(id, UInt32.self).map { Float(bitPattern: $0) }
  }

  /// The tables of a vector of tables.
  func tables(_ id: Int) throws(ImportError) -> [FlatTable] {
    guard let v = try vector(id, 4) else { return [] }
    var list: [FlatTable] = []
    for i in 0..<v.count {
      let at = v.start + 4 * i
      list.append(
        try FlatTable(file, at: at + Int(try FlatTable.load(file, at, as: UInt32.self))))
    }
    return list
  }
}
