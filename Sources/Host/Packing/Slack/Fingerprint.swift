// Whether two constants have the same elements, as they are or with rows and columns exchanged.
import Graphs
import Tensors

/// Numbers that equal constants share.
enum Fingerprint {
  /// Of the elements in their order.
  static func of(_ constant: Constant) -> Int {
    var hasher = Hasher()
    hasher.combine(constant.elementType)
    hasher.combine(bytes: constant.bytes)
    return hasher.finalize()
  }

  /// That of the constant with its two axes exchanged; nil for other ranks, and where nothing changes.
  static func ofTurned(_ constant: Constant) -> Int? {
    guard let (rows, columns) = extents(constant) else { return nil }
    var hasher = Hasher()
    hasher.combine(constant.elementType)
    let width = constant.elementType.byteCount
    // As many bytes as `of` takes, in one piece: a hasher tells pieces apart.
    var turned = [UInt8](repeating: 0, count: constant.bytes.count)
    for r in 0..<rows {
      for c in 0..<columns {
        for byte in 0..<width {
          turned[(c * rows + r) * width + byte] =
            constant.bytes[(r * columns + c) * width + byte]
        }
      }
    }
    turned.withUnsafeBytes { hasher.combine(bytes: $0) }
    return hasher.finalize()
  }

  /// True for the same elements in the same order, whatever the shape.
  static func isSame(_ a: Constant, _ b: Constant) -> Bool {
    a.elementType == b.elementType && a.bytes.elementsEqual(b.bytes)
  }

  /// True where `a` is `b` with its axes exchanged.
  static func isTurned(_ a: Constant, _ b: Constant) -> Bool {
    guard let (rows, columns) = extents(a), a.elementType == b.elementType,
      a.bytes.count == b.bytes.count
    else { return false }
    let width = a.elementType.byteCount
    for r in 0..<rows {
      for c in 0..<columns {
        for byte in 0..<width
        where a.bytes[(r * columns + c) * width + byte]
          != b.bytes[(c * rows + r) * width + byte]
        {
          return false
        }
      }
    }
    return true
  }

  private static func extents(_ constant: Constant) -> (rows: Int, columns: Int)? {
    let shape = constant.shape
    guard shape.rank == 2, shape[0] > 1, shape[1] > 1, constant.elementType.byteCount > 0,
      constant.bytes.count <= 256 << 20
    else { return nil }
    return (shape[0], shape[1])
  }
}
