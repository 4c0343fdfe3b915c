// FlatBuffers, written from values: parents first, what they point to behind them.

/// What a field of a table holds.
indirect enum FlatValue {
  case byte(Int)
  case int32(Int)
  case float(Float)
  case text(String)
  case bytes([UInt8])
  case integers([Int])
  case longs([Int])
  case floats([Float])
  /// Fields by number; those left out have their defaults.
  case table([Int: FlatValue])
  case tables([FlatValue])
}

/// Lays values out; all offsets point forward but those from tables to their vtables.
struct FlatBufferWriter {
  private(set) var bytes: [UInt8] = []

  /// A file whose root is `root`.
  ///
  /// identifier: four letters.
  init(root: FlatValue, identifier: String) {
    bytes = [0, 0, 0, 0] + Array(identifier.utf8)
    let at = append(root)
    patch(0, with: at)
  }

  private mutating func align(to size: Int, after header: Int = 0) {
    while (bytes.count + header) % size != 0 { bytes.append(0) }
  }

  private mutating func put<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// Makes the offset at `place` lead to `target`.
  private mutating func patch(_ place: Int, with target: Int) {
    let offset = UInt32(target - place)
    for i in 0..<4 { bytes[place + i] = UInt8(truncatingIfNeeded: offset >> (8 * i)) }
  }

  /// Writes something that offsets point to, and returns where it stands.
  private mutating func append(_ value: FlatValue) -> Int {
    switch value {
    case .table(let fields): return append(fields)
    case .text(let text): return vector(Array(text.utf8) + [0], count: text.utf8.count, 1)
    // Elements of constants are read in place.
    case .bytes(let list): return vector(list, count: list.count, 16)
    case .integers(let list):
      return vector(list.map { Int32($0) }.withUnsafeBytes { [UInt8]($0) }, count: list.count, 4)
    case .longs(let list):
      return vector(list.map { Int64($0) }.withUnsafeBytes { [UInt8]($0) }, count: list.count, 8)
    case .floats(let list):
      return vector(list.withUnsafeBytes { [UInt8]($0) }, count: list.count, 4)
    case .tables(let list):
      align(to: 4)
      let start = bytes.count
      put(UInt32(list.count))
      for _ in list { put(UInt32(0)) }
      for (i, table) in list.enumerated() {
        let at = append(table)
        patch(start + 4 + 4 * i, with: at)
      }
      return start
    case .byte, .int32, .float: preconditionFailure("a number stands in its table")
    }
  }

  private mutating func vector(_ elements: [UInt8], count: Int, _ alignment: Int) -> Int {
    align(to: max(alignment, 4), after: 4)
    let start = bytes.count
    put(UInt32(count))
    bytes += elements
    return start
  }

  /// A vtable and its table right behind it: fields of four bytes first, single bytes last.
  private mutating func append(_ fields: [Int: FlatValue]) -> Int {
    let order = fields.keys.sorted { a, b in
      let (x, y) = (isByte(fields[a]!), isByte(fields[b]!))
      return x != y ? y : a < b
    }
    let slots = (fields.keys.max() ?? -1) + 1
    align(to: 4)
    // The table behind the vtable is aligned too.
    if slots % 2 != 0 { put(UInt16(0)) }
    let vtable = bytes.count
    var offsets = [UInt16](repeating: 0, count: slots)
    var size = 4
    for f in order {
      offsets[f] = UInt16(size)
      size += isByte(fields[f]!) ? 1 : 4
    }
    put(UInt16(4 + 2 * slots))
    put(UInt16(size))
    for offset in offsets { put(offset) }
    let table = bytes.count
    put(Int32(table - vtable))
    var children: [(place: Int, value: FlatValue)] = []
    for f in order {
      switch fields[f]! {
      case .byte(let value): bytes.append(UInt8(truncatingIfNeeded: value))
      case .int32(let value): put(Int32(truncatingIfNeeded: value))
      case .float(let value): put(value.bitPattern)
      case let value:
        children.append((bytes.count, value))
        put(UInt32(0))
      }
    }
    for child in children {
      let at = append(child.value)
      patch(child.place, with: at)
    }
    return table
  }

  private func isByte(_ value: FlatValue) -> Bool { if case .byte = value { true } else { false } }
}
