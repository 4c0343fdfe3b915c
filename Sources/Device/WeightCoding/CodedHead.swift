// What stands before a tensor's pieces: one stream of bits, described once to read and to write.

import Bytes

/// A step in two bytes: a float of at least 0 without its sign and its last 15 bits.
public struct CodedStep: Equatable, Sendable {
  public var bits: UInt16

  public init(bits: UInt16) { self.bits = bits }

  /// The smallest one that is not below `step`, a number of at least 0; infinity above 3.4e38.
  public init(above step: Float) {
    bits = UInt16(truncatingIfNeeded: (step.bitPattern + 0x7FFF) >> 15)
  }

  public var value: Float { Float(bitPattern: UInt32(bits) << 15) }
}

/// A tensor's head.
public struct CodedHead: Equatable, Sendable {
  public var kind: WeightCodingKind
  /// Bytes of an element whose planes are told apart: 1, 2, 4 or 8; of `planes` only.
  public var planeWidth: Int
  /// Of `steps` only.
  public var step: CodedStep
  /// nil for planes.
  public var integers: IntegerCoding?

  /// Bytes as planes.
  public init(planeWidth: Int) {
    (kind, step, integers) = (.planes, CodedStep(bits: 0), nil)
    self.planeWidth = planeWidth
  }

  /// step: of `steps` only.
  public init(
    _ kind: WeightCodingKind, _ integers: IntegerCoding, step: CodedStep = CodedStep(bits: 0)
  ) {
    precondition(kind != .planes)
    (self.kind, self.integers, self.step, planeWidth) = (kind, integers, step, 1)
  }

  /// A head out of its bytes, which are used up.
  ///
  /// form: what the integers of a kind become; nil where there is no such weight.
  init(
    _ bytes: RawSpan, _ form: (WeightCodingKind) throws(WeightCodingError) -> WeightPlacement
  ) throws(WeightCodingError) {
    self.init(planeWidth: 1)
    var reader = ByteReader(bytes)
    let all: [UInt8]
    do throws(ByteError) { all = try reader.array(reader.remaining) } catch {
      throw WeightCodingError(error)
    }
    var coder = try AdaptiveBitReader(all)
    try codeKind(&coder)
    let placement = try form(kind)
    if kind != .planes {
      var coding = IntegerCoding(count: placement.count)
      try coding.code(columns: placement.columns, limit: placement.limit, &coder)
      integers = coding
    }
    guard coder.isAtEnd else {
      throw WeightCodingError(offset: coder.offset, reason: .remainder)
    }
  }

  /// The bytes that give the same head back for rows of `columns`.
  public func bytes(columns: Int) throws(WeightCodingError) -> [UInt8] {
    var coder = AdaptiveBitWriter()
    var head = self
    try head.codeKind(&coder)
    try head.integers?.code(columns: columns, limit: .max, &coder)
    return coder.finished()
  }

  private mutating func codeKind(_ coder: inout some BitCoder) throws(WeightCodingError) {
    var code = Int(kind.rawValue)
    try coder.code(bits: 2, &code)
    kind = WeightCodingKind(rawValue: UInt8(code)) ?? .planes
    if kind == .planes {
      var doublings = planeWidth.trailingZeroBitCount
      try coder.code(bits: 2, &doublings)
      planeWidth = 1 << doublings
    }
    guard kind == .steps else { return }
    var bits = Int(step.bits)
    try coder.code(bits: 16, &bits)
    step.bits = UInt16(bits)
    guard step.value.isFinite, step.value >= 0 else {
      throw WeightCodingError(offset: coder.offset, reason: .mismatch("the step is no length"))
    }
  }
}
