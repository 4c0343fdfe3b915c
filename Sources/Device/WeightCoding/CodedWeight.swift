// One tensor whose bytes are made while a bundle is loaded: what its pieces are and what they become.

import Bytes
import Tensors

/// How a tensor is coded. Raw values are part of the bundle format.
public enum WeightCodingKind: UInt8, Sendable, CaseIterable {
  /// The stored form's bytes, taken apart into planes, each compressed by itself or raw.
  case planes = 0
  /// Multiples of one step.
  case steps = 1
  /// Codes of int8 rows, and the rows' scales as planes.
  case rows = 2
  /// Codes of blocks, and the blocks' scales as planes.
  case blocks = 3

  /// What `inspect` prints.
  public var name: String {
    switch self {
    case .planes: "planes"
    case .steps: "steps"
    case .rows: "codes"
    case .blocks: "blocks"
    }
  }
}

/// A tensor's head, read and checked against the weight that it is to become.
public final class CodedWeight: Sendable {
  public let kind: WeightCodingKind
  /// The stored form; nil for plain elements.
  public let encoding: WeightEncoding?
  public let shape: Shape
  /// Bytes of the stored form.
  public let byteCount: Int
  /// nil for planes.
  public let integers: IntegerCoding?
  /// What one unit of an integer's value is; of `steps` only.
  public let scale: Float
  /// Bytes that a plane holds one of.
  public let planeWidth: Int

  /// Bytes of one piece of planes, before they are compressed.
  public static var planePieceByteCount: Int { 256 << 10 }

  /// head: all bytes of it. byteCount: what `encoding` makes of `shape`.
  public init(
    head: RawSpan, encoding: WeightEncoding?, shape: Shape, byteCount: Int
  ) throws(WeightCodingError) {
    self.encoding = encoding
    self.shape = shape
    self.byteCount = byteCount
    let placement = WeightPlacement(encoding ?? WeightEncoding(.f32, .rowMajor), shape)
    let coded = try CodedHead(head) { (kind) throws(WeightCodingError) in
      guard CodedWeight.isKind(kind, for: encoding) else {
        let form = encoding?.scheme.name ?? "plain elements"
        throw WeightCodingError(
          offset: 0, reason: .mismatch("\(kind.name) cannot become \(form)"))
      }
      return placement
    }
    kind = coded.kind
    integers = coded.integers
    guard let coding = coded.integers else {
      planeWidth = coded.planeWidth
      scale = 0
      guard byteCount % planeWidth == 0 else {
        throw WeightCodingError(
          offset: 0, reason: .mismatch("\(byteCount) bytes are no \(planeWidth) planes"))
      }
      return
    }
    let pieceLength = coding.runLength * coding.runsPerPiece
    guard coding.pieceCount <= 1 || pieceLength % placement.granule == 0 else {
      throw WeightCodingError(
        offset: 0, reason: .mismatch("pieces of \(pieceLength) integers part a block"))
    }
    planeWidth = kind == .blocks ? 2 : 4
    scale = coded.step.value / Float(coding.rule.subdivision)
  }

  private static func isKind(_ kind: WeightCodingKind, for encoding: WeightEncoding?) -> Bool {
    switch (kind, encoding?.scheme) {
    case (.planes, _), (.rows, .int8): true
    case (.blocks, .some(let scheme)): scheme.block != nil
    case (.steps, .int8), (.steps, .f16), (.steps, .bf16), (.steps, .f32): true
    default: false
    }
  }

  /// Bytes that are stored as planes: all of them, or the scales.
  public var planesByteCount: Int {
    guard let encoding else { return byteCount }
    switch kind {
    case .planes: return byteCount
    case .steps: return 0
    case .rows: return byteCount - encoding.scaleOffset(shape)
    case .blocks: return encoding.scheme.block.map { byteCount / $0.byteCount * 2 } ?? 0
    }
  }

  /// Pieces of integers, which come first, and of planes.
  public var pieceCount: Int {
    (integers?.pieceCount ?? 0)
      + (planesByteCount + CodedWeight.planePieceByteCount - 1) / CodedWeight.planePieceByteCount
  }
}
