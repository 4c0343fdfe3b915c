// One tensor as a bundle stores it: a head, pieces, and what they come to.
import Bytes
import Tensors
import WeightCoding

/// A coded tensor. The head says how the pieces become the bytes of the weight's stored form.
public struct CodedTensor: Sendable {
  /// How it is coded.
  public var kind: WeightCodingKind
  public var head: [UInt8]
  /// Each can be decoded by itself.
  public var pieces: [[UInt8]]

  public init(kind: WeightCodingKind, head: [UInt8], pieces: [[UInt8]]) {
    self.kind = kind
    self.head = head
    self.pieces = pieces
  }

  /// Bytes of head and pieces.
  public var byteCount: Int { pieces.reduce(head.count) { $0 + $1.count } }

  /// The bytes of the stored form, as a device decodes them.
  public func decoded(
    _ encoding: WeightEncoding?, _ shape: Shape, byteCount: Int
  ) throws -> [UInt8] {
    let weight = try CodedWeight(
      head: head.span.bytes, encoding: encoding, shape: shape, byteCount: byteCount)
    guard weight.pieceCount == pieces.count else {
      throw WeightCodingError(offset: 0, reason: .mismatch("\(pieces.count) pieces"))
    }
    let decoder = PieceDecoder()
    var bytes = [UInt8](repeating: 0, count: byteCount)
    try bytes.withUnsafeMutableBytes { target in
      for (i, piece) in pieces.enumerated() {
        try decoder.decode(i, of: weight, bytes: piece.span.bytes, into: target)
      }
    }
    return bytes
  }
}
