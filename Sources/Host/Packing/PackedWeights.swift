// The weights of a program as a bundle stores them: as they are used, or coded.
import Lowering
import Platform
import Programs
import Quantization
import Tensors
import WeightCoding

/// Which weights a bundle stores coded.
public enum WeightStorage: String, Sendable, CaseIterable {
  /// None: all are used where they are mapped.
  case mapped
  /// Those that every inference reads whole, where that saves enough. Tables of which an inference looks
  /// up some rows stay mapped: decoded they would take memory as a whole.
  case coded
  /// Tables too.
  case smallest
}

/// A weight as it is coded in a bundle.
public struct StoredCoding: Sendable {
  public var kind: WeightCodingKind
  public var head: [UInt8]
  /// Bytes of each piece.
  public var pieceByteCounts: [Int]
  /// Bytes of head and pieces.
  public var byteCount: Int
  /// Where each piece is in the scratch file.
  let places: [Int]

  init(_ coded: CodedPieces<Int>) {
    kind = coded.kind
    head = coded.head
    pieceByteCounts = coded.pieces.map(\.byteCount)
    byteCount = coded.byteCount
    places = coded.pieces.map(\.place)
  }
}

/// A program whose weights have their places. Their bytes are in a scratch file, so that a model of any
/// size takes little memory.
public struct PackedWeights: Sendable {
  /// With the weights' places: first those that are stored as they are, then those that are coded.
  public private(set) var program: Program
  /// The codings, by weight; nil where the weight is stored as it is.
  public let codings: [StoredCoding?]
  /// Bytes of the weights section, and of what is decoded behind it.
  public private(set) var mappedByteCount = 0
  public private(set) var decodedByteCount = 0
  /// The bytes of each weight as it is used.
  let forms: [StoredForm]
  let scratch: WeightScratch

  /// Encodes the weights of `model` and codes those that `storage` lets.
  ///
  /// chosen: weights that are quantized already: their bytes and coding are taken as they are.
  /// path: where the bundle will be. The weights wait for it in a file without a name beside it, which
  /// takes about as much as they do coded and not coded together; with temporary files where none is given.
  package init(
    _ model: LoweredModel, _ storage: WeightStorage,
    chosen: @escaping ChosenWeights = { _ in nil }, for path: String? = nil
  ) throws {
    let scratch = try WeightScratch(beside: path ?? ScratchFile.temporaryPath)
    var maker = WeightMaker(model, storage, chosen, scratch)
    try maker.makeAll()
    // Two sections more take a few hundred bytes: nothing is coded for less than a percent in all.
    var saved = 0
    for (coded, weight) in zip(maker.codings, model.program.weights) {
      if let coded { saved += (weight.byteCount ?? 0) - coded.byteCount }
    }
    codings =
      saved < max(1024, model.weightBytes / 100)
      ? [StoredCoding?](repeating: nil, count: maker.codings.count) : maker.codings
    forms = maker.forms
    self.scratch = scratch
    program = model.program
    place()
  }

  /// Gives every weight its place: first those that are stored as they are, then the coded ones.
  private mutating func place() {
    var end = 0
    for isCoded in [false, true] {
      for i in program.weights.indices where (codings[i] != nil) == isCoded {
        program.weights[i].offset = end
        end = (end + (program.weights[i].byteCount ?? 0) + 63) & ~63
      }
      if isCoded { decodedByteCount = end - mappedByteCount } else { mappedByteCount = end }
    }
    let places = program.weights.map(\.offset)
    for i in program.bodies.indices { PackedWeights.move(&program.bodies[i], to: places) }
  }

  private static func move(_ body: inout Program, to places: [Int]) {
    for (i, shared) in body.sharedWeights.enumerated() { body.weights[i].offset = places[shared] }
    for i in body.bodies.indices { move(&body.bodies[i], to: places) }
  }

  /// The bytes of a weight as it is used.
  public func bytes(of weight: Int) throws -> [UInt8] {
    try forms[weight].bytes(0..<forms[weight].byteCount)
  }

  /// Views of all weights as a session reads them, valid inside of `body`.
  package func withViews<R>(_ body: ([TensorView]) throws -> R) throws -> R {
    let memory = try AnonymousMemory(count: max(mappedByteCount + decodedByteCount, 1))
    let base = memory.buffer.baseAddress!
    let views = try program.weights.indices.map { i in
      let weight = program.weights[i]
      let target = UnsafeMutableRawBufferPointer(
        start: base + weight.offset, count: weight.byteCount ?? 0)
      try forms[i].read(at: 0, into: target)
      return TensorView(
        base: target.baseAddress, byteCount: target.count, elementType: weight.elementType,
        shape: weight.shape, encoding: weight.encoding)
    }
    return try withExtendedLifetime(memory) { try body(views) }
  }

  /// A coded weight as another packing can take it; nil where it is stored as it is.
  func coded(_ weight: Int) throws -> ChosenWeight? {
    guard let coding = codings[weight] else { return nil }
    let pieces = try zip(coding.places, coding.pieceByteCounts).map { place, count in
      try scratch.form(at: place, byteCount: count).bytes(0..<count)
    }
    return ChosenWeight(
      resident: try bytes(of: weight),
      coded: CodedTensor(kind: coding.kind, head: coding.head, pieces: pieces))
  }

  /// Bytes that a coded weight takes in the bundle; nil where it is stored as it is.
  public func codedByteCount(_ weight: Int) -> Int? { codings[weight]?.byteCount }

  /// Bytes that a weight takes in the bundle, but for digests.
  public func storedByteCount(_ weight: Int) -> Int {
    codings[weight]?.byteCount ?? program.weights[weight].byteCount ?? 0
  }

  /// Bytes that all weights take in the bundle, but for digests.
  public var storedByteCount: Int {
    codings.reduce(mappedByteCount) { $0 + ($1?.byteCount ?? 0) }
  }
}
