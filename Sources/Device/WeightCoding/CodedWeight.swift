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
    var reader = ByteReader(head)
    let scale: Float
    let code: UInt8
    var width = 1
    do throws(ByteError) {
      code = try reader.byte()
      if code == WeightCodingKind.planes.rawValue { width = Int(try reader.byte()) }
      scale = code == WeightCodingKind.steps.rawValue ? try reader.float() : 0
    } catch {
      throw WeightCodingError(error)
    }
    guard let kind = WeightCodingKind(rawValue: code) else {
      throw WeightCodingError(
        offset: 0, reason: .field("the coding", found: Int(code), expected: 0...3))
    }
    self.kind = kind
    self.encoding = encoding
    self.shape = shape
    self.byteCount = byteCount
    self.scale = scale
    guard CodedWeight.isKind(kind, for: encoding) else {
      throw WeightCodingError(
        offset: 0,
        reason: .mismatch("\(kind.name) cannot become \(encoding?.scheme.name ?? "plain elements")")
      )
    }
    switch kind {
    case .planes:
      guard [1, 2, 4, 8].contains(width), byteCount % width == 0, reader.isAtEnd else {
        throw WeightCodingError(
          offset: 1, reason: .mismatch("\(byteCount) bytes are no \(width) planes"))
      }
      integers = nil
    case .steps, .rows, .blocks:
      guard scale.isFinite, scale >= 0 else {
        throw WeightCodingError(offset: 1, reason: .mismatch("the step is no length"))
      }
      let placement = WeightPlacement(encoding ?? WeightEncoding(.f32, .rowMajor), shape)
      let coding = try IntegerCoding(
        &reader, count: placement.count, columns: placement.columns, limit: placement.limit)
      let pieceLength = coding.runLength * coding.runsPerPiece
      guard coding.pieceCount <= 1 || pieceLength % placement.granule == 0 else {
        throw WeightCodingError(
          offset: 0, reason: .mismatch("pieces of \(pieceLength) integers part a block"))
      }
      integers = coding
      width = kind == .blocks ? 2 : 4
    }
    planeWidth = width
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
