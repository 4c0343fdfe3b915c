// Deterministic CBOR encoding, RFC 8949 section 4.2.1.

/// CBOR both ways.
public enum CBOR {
  /// The one deterministic encoding of `value`: shortest heads and floats, definite lengths, map
  /// keys in the order of their encoded bytes.
  ///
  /// A map that holds one key twice encodes to bytes that `decode` refuses.
  public static func encode(_ value: CBORValue) -> [UInt8] {
    var bytes: [UInt8] = []
    append(value, to: &bytes)
    return bytes
  }

  private static func append(_ value: CBORValue, to bytes: inout [UInt8]) {
    switch value {
    case .integer(let value):
      // -1 - n is the complement of n.
      if value >= 0 {
        appendHead(0, UInt64(value), to: &bytes)
      } else {
        appendHead(1, UInt64(~value), to: &bytes)
      }
    case .bytes(let value):
      appendHead(2, UInt64(value.count), to: &bytes)
      bytes.append(contentsOf: value)
    case .text(let value):
      appendHead(3, UInt64(value.utf8.count), to: &bytes)
      bytes.append(contentsOf: value.utf8)
    case .array(let items):
      appendHead(4, UInt64(items.count), to: &bytes)
      for item in items { append(item, to: &bytes) }
    case .map(let pairs):
      appendHead(5, UInt64(pairs.count), to: &bytes)
      appendSorted(pairs, to: &bytes)
    case .bool(let value): bytes.append(value ? 0xF5 : 0xF4)
    case .null: bytes.append(0xF6)
    case .double(let value): appendFloat(value, to: &bytes)
    }
  }

  private static func appendSorted(_ pairs: [CBORPair], to bytes: inout [UInt8]) {
    var encoded: [(key: [UInt8], index: Int)] = []
    encoded.reserveCapacity(pairs.count)
    for (index, pair) in pairs.enumerated() {
      encoded.append((encode(pair.key), index))
    }
    encoded.sort { $0.key.lexicographicallyPrecedes($1.key) }
    for entry in encoded {
      bytes.append(contentsOf: entry.key)
      append(pairs[entry.index].value, to: &bytes)
    }
  }

  private static func appendHead(_ major: UInt8, _ argument: UInt64, to bytes: inout [UInt8]) {
    let top = major << 5
    switch argument {
    case 0..<24: bytes.append(top | UInt8(argument))
    case 24..<0x100:
      bytes.append(top | 24)
      appendBigEndian(argument, 1, to: &bytes)
    case 0x100..<0x1_0000:
      bytes.append(top | 25)
      appendBigEndian(argument, 2, to: &bytes)
    case 0x1_0000..<0x1_0000_0000:
      bytes.append(top | 26)
      appendBigEndian(argument, 4, to: &bytes)
    default:
      bytes.append(top | 27)
      appendBigEndian(argument, 8, to: &bytes)
    }
  }

  private static func appendFloat(_ value: Double, to bytes: inout [UInt8]) {
    if let half = HalfFloat.bits(exactly: value) {
      bytes.append(0xF9)
      appendBigEndian(UInt64(half), 2, to: &bytes)
    } else if Double(Float(value)) == value {
      bytes.append(0xFA)
      appendBigEndian(UInt64(Float(value).bitPattern), 4, to: &bytes)
    } else {
      bytes.append(0xFB)
      appendBigEndian(value.bitPattern, 8, to: &bytes)
    }
  }

  private static func appendBigEndian(_ value: UInt64, _ count: Int, to bytes: inout [UInt8]) {
    for i in 0..<count {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - i))))
    }
  }
}

/// IEEE 754 half precision by its bits: `Float16` needs run-time support that not every device
/// has.
enum HalfFloat {
  /// The one NaN that deterministic CBOR knows.
  static var quietNaN: UInt16 { 0x7E00 }

  /// The half that has exactly the value; `quietNaN` for every NaN; nil where there is none.
  static func bits(exactly value: Double) -> UInt16? {
    if value.isNaN { return quietNaN }
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    if value.isInfinite { return sign | 0x7C00 }
    if value == 0 { return sign }
    let exponent = Int(value.exponent)
    guard exponent >= -24, exponent <= 15 else { return nil }
    // Units of the last place: 2^-24 in the subnormal range, 2^(exponent - 10) above it.
    let isSubnormal = exponent < -14
    let lastPlace = isSubnormal ? -24 : exponent - 10
    let scaled = value.magnitude * Double(sign: .plus, exponent: -lastPlace, significand: 1)
    let units = UInt16(scaled)
    guard Double(units) == scaled else { return nil }
    return sign | (isSubnormal ? units : UInt16(exponent + 15) << 10 | (units & 0x3FF))
  }

  /// The value that `bits` stand for.
  static func value(_ bits: UInt16) -> Double {
    let exponent = Int(bits >> 10 & 0x1F)
    let fraction = Double(bits & 0x3FF)
    let magnitude: Double
    switch exponent {
    case 0: magnitude = fraction * 0x1p-24
    case 31: magnitude = fraction == 0 ? .infinity : .nan
    default:
      magnitude = (1024 + fraction) * Double(sign: .plus, exponent: exponent - 25, significand: 1)
    }
    return bits & 0x8000 == 0 ? magnitude : -magnitude
  }
}
