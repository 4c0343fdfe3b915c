// Strict CBOR decoding: accepts exactly what `CBOR.encode` writes.

/// Bounds on what `CBOR.decode` builds.
public struct CBORLimits: Sendable {
  /// Levels of arrays and maps.
  public var maximumDepth: Int
  /// Data items of all kinds, keys included.
  public var maximumItems: Int

  public init(maximumDepth: Int = 64, maximumItems: Int = 1 << 20) {
    self.maximumDepth = maximumDepth
    self.maximumItems = maximumItems
  }
}

extension CBOR {
  /// The value that `bytes` encode, all of them.
  ///
  /// Throws at the first byte where they differ from the deterministic encoding of a value.
  public static func decode(
    _ bytes: [UInt8], limits: CBORLimits = CBORLimits()
  ) throws(CBORError) -> CBORValue {
    var decoder = CBORDecoder(bytes: bytes, limits: limits)
    let value = try decoder.item(depth: 0)
    guard decoder.position == bytes.count else {
      throw CBORError(
        offset: decoder.position, reason: .trailingBytes(bytes.count - decoder.position))
    }
    return value
  }
}

struct CBORDecoder {
  let bytes: [UInt8]
  let limits: CBORLimits
  var position = 0
  var items = 0

  init(bytes: [UInt8], limits: CBORLimits) {
    self.bytes = bytes
    self.limits = limits
  }

  mutating func item(depth: Int) throws(CBORError) -> CBORValue {
    let start = position
    items += 1
    guard items <= limits.maximumItems else {
      throw CBORError(offset: start, reason: .tooManyItems(limit: limits.maximumItems))
    }
    let head = try bigEndian(1, from: start)
    let (major, low) = (UInt8(head) >> 5, UInt8(head) & 0x1F)
    if major == 7 { return try simple(low, from: start) }
    if major == 6 { throw CBORError(offset: start, reason: .unsupported(head: UInt8(head))) }
    let argument = try self.argument(major: major, low: low, from: start)
    switch major {
    case 0, 1:
      guard let value = Int64(exactly: argument) else {
        throw CBORError(offset: start, reason: .integerRange)
      }
      return .integer(major == 0 ? value : ~value)
    case 2: return .bytes([UInt8](bytes[try run(argument, from: start)]))
    case 3:
      let taken = [UInt8](bytes[try run(argument, from: start)])
      if let bad = UTF8Text.firstInvalidOffset(taken) {
        throw CBORError(offset: position - taken.count + bad, reason: .invalidUTF8)
      }
      return .text(String(decoding: taken, as: UTF8.self))
    case 4: return try array(argument, depth: depth, from: start)
    default: return try map(argument, depth: depth, from: start)
    }
  }

  private mutating func array(
    _ argument: UInt64, depth: Int, from start: Int
  ) throws(CBORError) -> CBORValue {
    let count = try elementCount(argument, bytesEach: 1, depth: depth, from: start)
    var elements: [CBORValue] = []
    elements.reserveCapacity(count)
    for _ in 0..<count { elements.append(try item(depth: depth + 1)) }
    return .array(elements)
  }

  private mutating func map(
    _ argument: UInt64, depth: Int, from start: Int
  ) throws(CBORError) -> CBORValue {
    let count = try elementCount(argument, bytesEach: 2, depth: depth, from: start)
    var pairs: [CBORPair] = []
    pairs.reserveCapacity(count)
    var previous = 0..<0
    for _ in 0..<count {
      let keyStart = position
      let key = try item(depth: depth + 1)
      switch key {
      case .text, .integer: break
      default: throw CBORError(offset: keyStart, reason: .keyKind)
      }
      let encoded = keyStart..<position
      if !previous.isEmpty {
        // Two equal keys stand side by side once keys are in order.
        if bytes[previous].elementsEqual(bytes[encoded]) {
          throw CBORError(offset: keyStart, reason: .duplicateKey)
        }
        guard bytes[previous].lexicographicallyPrecedes(bytes[encoded]) else {
          throw CBORError(offset: keyStart, reason: .unsortedKey)
        }
      }
      previous = encoded
      pairs.append(CBORPair(key: key, value: try item(depth: depth + 1)))
    }
    return .map(pairs)
  }

  /// A count of elements that the bytes left could hold, so that it may be reserved.
  private func elementCount(
    _ argument: UInt64, bytesEach: Int, depth: Int, from start: Int
  ) throws(CBORError) -> Int {
    let remaining = bytes.count - position
    guard argument <= UInt64(remaining / bytesEach) else {
      throw CBORError(offset: start, reason: .truncated(needed: argument, remaining: remaining))
    }
    guard depth < limits.maximumDepth else {
      throw CBORError(offset: start, reason: .tooDeep(limit: limits.maximumDepth))
    }
    return Int(argument)
  }

  /// The argument of a head, which must be in its shortest form.
  private mutating func argument(
    major: UInt8, low: UInt8, from start: Int
  ) throws(CBORError) -> UInt64 {
    switch low {
    case 0..<24: return UInt64(low)
    case 24...27:
      let value = try bigEndian(1 << Int(low - 24), from: start)
      let least: UInt64 =
        switch low {
        case 24: 24
        case 25: 0x100
        case 26: 0x1_0000
        default: 0x1_0000_0000
        }
      guard value >= least else { throw CBORError(offset: start, reason: .notShortest) }
      return value
    case 31 where major >= 2: throw CBORError(offset: start, reason: .indefiniteLength)
    default: throw CBORError(offset: start, reason: .unsupported(head: major << 5 | low))
    }
  }

  private mutating func simple(_ low: UInt8, from start: Int) throws(CBORError) -> CBORValue {
    switch low {
    case 20: return .bool(false)
    case 21: return .bool(true)
    case 22: return .null
    case 25:
      let bits = UInt16(try bigEndian(2, from: start))
      let value = HalfFloat.value(bits)
      guard HalfFloat.bits(exactly: value) == bits else {
        throw CBORError(offset: start, reason: .notShortest)
      }
      return .double(value)
    case 26:
      let value = Double(Float(bitPattern: UInt32(try bigEndian(4, from: start))))
      guard HalfFloat.bits(exactly: value) == nil else {
        throw CBORError(offset: start, reason: .notShortest)
      }
      return .double(value)
    case 27:
      let value = Double(bitPattern: try bigEndian(8, from: start))
      guard HalfFloat.bits(exactly: value) == nil, Double(Float(value)) != value else {
        throw CBORError(offset: start, reason: .notShortest)
      }
      return .double(value)
    case 31: throw CBORError(offset: start, reason: .indefiniteLength)
    default: throw CBORError(offset: start, reason: .unsupported(head: 0xE0 | low))
    }
  }

  /// Steps over `argument` bytes and says where they are.
  private mutating func run(_ argument: UInt64, from start: Int) throws(CBORError) -> Range<Int> {
    let remaining = bytes.count - position
    guard argument <= UInt64(remaining) else {
      throw CBORError(offset: start, reason: .truncated(needed: argument, remaining: remaining))
    }
    let first = position
    position += Int(argument)
    return first..<position
  }

  private mutating func bigEndian(_ count: Int, from start: Int) throws(CBORError) -> UInt64 {
    let remaining = bytes.count - position
    guard remaining >= count else {
      throw CBORError(
        offset: start, reason: .truncated(needed: UInt64(count), remaining: remaining))
    }
    var value: UInt64 = 0
    for i in 0..<count { value = value << 8 | UInt64(bytes[position + i]) }
    position += count
    return value
  }
}
