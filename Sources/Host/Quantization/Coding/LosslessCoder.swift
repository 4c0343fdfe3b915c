// The bytes of a weight's stored form in fewer bytes, without changing one of them.
import Bytes
import Tensors
import WeightCoding

/// A weight's coding whose pieces are somewhere else.
public struct CodedPieces<Place: Sendable>: Sendable {
  public var kind: WeightCodingKind
  public var head: [UInt8]
  /// Where each piece is, and its bytes.
  public var pieces: [(place: Place, byteCount: Int)]

  public init(
    kind: WeightCodingKind, head: [UInt8], pieces: [(place: Place, byteCount: Int)]
  ) {
    self.kind = kind
    self.head = head
    self.pieces = pieces
  }

  /// Bytes of head and pieces.
  public var byteCount: Int { pieces.reduce(head.count) { $0 + $1.byteCount } }
}

/// Codes stored forms. Only a few pieces at a time are in memory.
public final class LosslessCoder: Sendable {
  private let compressors: CompressorPool

  public init() throws { compressors = try CompressorPool() }

  /// The smallest coding of a weight's bytes; nil where none is smaller than `share` of them.
  ///
  /// encoding: nil for plain elements, of `elementByteCount` bytes each.
  public func code(
    _ bytes: UnsafeRawBufferPointer, _ encoding: WeightEncoding?, _ shape: Shape,
    elementByteCount: Int, share: Double = 0.98
  ) throws -> CodedTensor? {
    try code(
      StoredForm(bytes), encoding, shape, elementByteCount: elementByteCount, share: share
    ) { $0 }.map(CodedTensor.init)
  }

  /// The same with pieces that go to `keep` one after the other and are found again at the places that it
  /// gives. Some of what is kept may not be part of the coding in the end.
  public func code<Place>(
    _ form: StoredForm, _ encoding: WeightEncoding?, _ shape: Shape, elementByteCount: Int,
    share: Double = 0.98, keep: ([UInt8]) throws -> Place
  ) throws -> CodedPieces<Place>? {
    guard form.byteCount >= 64 else { return nil }
    let level = ZstdCompressor.level(forByteCount: form.byteCount)
    let best: CodedPieces<Place>
    switch encoding?.scheme {
    case .f16, .bf16: best = try planes(form, width: 2, level, keep)
    case .f32: best = try planes(form, width: 4, level, keep)
    case nil: best = try planes(form, width: elementByteCount, level, keep)
    case .some(let scheme):
      let codes = try integers(
        form, encoding!, shape, scheme.block == nil ? .rows : .blocks, level, keep)
      best = try orPlanes(codes, form, width: 1, level, keep)
    }
    return Double(best.byteCount) < Double(form.byteCount) * share ? best : nil
  }

  /// All of a weight's bytes as planes.
  private func planes<Place>(
    _ form: StoredForm, width: Int, _ level: Int32, _ keep: ([UInt8]) throws -> Place
  ) throws -> CodedPieces<Place> {
    CodedPieces(
      kind: .planes, head: try CodedHead(planeWidth: width).bytes(columns: 0),
      pieces: try BytePlanes.pieces(form, width: width, level: level, compressors) {
        (try keep($0), $0.count)
      })
  }

  /// `coded`, or zstd over the bytes as they are where that is smaller. A fast level tells first
  /// whether the slow one has a chance.
  private func orPlanes<Place>(
    _ coded: CodedPieces<Place>, _ form: StoredForm, width: Int, _ level: Int32,
    _ keep: ([UInt8]) throws -> Place
  ) throws -> CodedPieces<Place> {
    let quick = try planes(form, width: width, 1) { _ in }
    guard quick.byteCount * 10 < coded.byteCount * 11 else { return coded }
    let slow = try planes(form, width: width, level, keep)
    return slow.byteCount < coded.byteCount ? slow : coded
  }

  /// The same of what is in memory.
  func orPlanes(
    _ coded: CodedTensor, _ bytes: UnsafeRawBufferPointer, width: Int, _ level: Int32
  ) throws -> CodedTensor {
    let pieces = CodedPieces(
      kind: coded.kind, head: coded.head, pieces: coded.pieces.map { ($0, $0.count) })
    return CodedTensor(try orPlanes(pieces, StoredForm(bytes), width: width, level) { $0 })
  }

  /// Codes of rows or blocks by their contexts, their scales as planes.
  private func integers<Place>(
    _ form: StoredForm, _ encoding: WeightEncoding, _ shape: Shape, _ kind: WeightCodingKind,
    _ level: Int32, _ keep: ([UInt8]) throws -> Place
  ) throws -> CodedPieces<Place> {
    let codes = StoredCodes(form, encoding, shape)
    let integers = codes.integers
    let layout = RunLayout(
      rows: codes.rows, columns: codes.columns, group: RunLayout.group(shape, codes.columns),
      granule: kind == .blocks ? BlockFormat.length : 1)
    let coder = try IntegerCoder(
      integers, ValueRule(isDependent: false), layout, try ScaleLevels(integers, layout),
      limit: encoding.scheme.block?.middle ?? 127)
    let head = try CodedHead(kind, coder.coding).bytes(columns: layout.columns)
    let pieces = try coder.pieces { (try keep($0), $0.count) }
    let scales = try codes.scales()
    let scalePieces = try scales.withUnsafeBytes {
      try BytePlanes.pieces(
        StoredForm($0), width: kind == .blocks ? 2 : 4, level: level, compressors
      ) { (try keep($0), $0.count) }
    }
    return CodedPieces(kind: kind, head: head, pieces: pieces + scalePieces)
  }
}

extension CodedTensor {
  init(_ coded: CodedPieces<[UInt8]>) {
    self.init(kind: coded.kind, head: coded.head, pieces: coded.pieces.map(\.place))
  }
}
