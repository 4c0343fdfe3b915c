// How NumPy keeps texts: as many places for each, of a byte or of a scalar, zeros at the end.
import Bytes

/// The places of one text, `<U12` or `|S12`.
public struct NpyTextLayout: Equatable, Sendable {
  /// Bytes of a place: 4 for scalars, 1 for bytes.
  public var unit: Int
  /// Places of each text, at least one.
  public var width: Int

  /// nil for what is no name of texts.
  init?(npyName name: String) {
    let bytes = Array(name.utf8)
    guard bytes.count > 2, bytes.count < 12 else { return nil }
    if bytes[0] == UInt8(ascii: "<"), bytes[1] == UInt8(ascii: "U") {
      unit = 4
    } else if bytes[0] == UInt8(ascii: "|"), bytes[1] == UInt8(ascii: "S") {
      unit = 1
    } else {
      return nil
    }
    guard let count = NumberText.integer(Array(bytes[2...])), count >= 1, count <= 1 << 24
    else { return nil }
    width = Int(count)
  }

  /// Bytes of a whole array; nil where they are too many to be counted.
  func byteCount(of dimensions: [Int]) -> Int? {
    var product = unit * width
    for extent in dimensions {
      let (next, overflow) = product.multipliedReportingOverflow(by: extent)
      if overflow { return nil }
      product = next
    }
    return product
  }

  /// Text `i` of the array's `bytes`, as UTF-8.
  public func text(_ i: Int, in bytes: UnsafeRawBufferPointer) -> [UInt8] {
    let start = i * width * unit
    var count = width
    func place(_ k: Int) -> UInt32 {
      unit == 1
        ? UInt32(unsafe bytes[start + k])
        : unsafe bytes.loadUnaligned(fromByteOffset: start + 4 * k, as: UInt32.self)
    }
    while count > 0, place(count - 1) == 0 { count -= 1 }
    var text: [UInt8] = []
    for k in 0..<count {
      if unit == 1 {
        text.append(UInt8(place(k)))
      } else {
        // What is no scalar becomes U+FFFD.
        text += Array(String(Unicode.Scalar(place(k)) ?? "\u{FFFD}").utf8)
      }
    }
    return text
  }
}
