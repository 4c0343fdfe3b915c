// What follows an integer sum: zero points taken off, bias, and the way to the output's integers.
import CKernels
import Tensors

/// How sums become integers of the output's scale. The element type of the scale decides how: f32
/// multipliers round to the nearest, ties to even, as XNNPACK and ONNX Runtime do; pairs of i32,
/// mantissa and shift, are TFLite's fixed point; without a scale the sums are the output.
///
/// Inputs of an operator from `first` on: zero point of x (i8 or u8, one, or one per row); zero point
/// of w (one, or one per output; must be given where w was unsigned); bias i32, one per output; scale, f32 [1] or [outputs], or i32 [1, 2]
/// or [outputs, 2]; zero point of y. All optional. Bytes of unsigned tensors are computed with as
/// signed ones, 128 lower.
public struct IntegerEpilogue: Sendable, Equatable {
  public var type: ElementType
  /// The output's bounds: what an activation leaves of the type's range.
  public var low: Int
  public var high: Int
  /// Fixed point: rounds once instead of twice.
  public var roundsOnce: Bool

  public init(_ type: ElementType, low: Int? = nil, high: Int? = nil, roundsOnce: Bool = false) {
    self.type = type
    let range = IntegerEpilogue.range(type)
    self.low = max(low ?? range.lowerBound, range.lowerBound)
    self.high = min(high ?? range.upperBound, range.upperBound)
    self.roundsOnce = roundsOnce
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let type = ElementType(rawValue: UInt8(try attributes.integer(in: 0...255))),
      type == .i8 || type == .u8 || type == .i16 || type == .i32
    else { throw attributes.fail("not an integer output") }
    let range = IntegerEpilogue.range(type)
    self.type = type
    low = try attributes.integer(in: range)
    high = try attributes.integer(in: low...range.upperBound)
    roundsOnce = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(Int(type.rawValue))
    attributes.put(low)
    attributes.put(high)
    attributes.put(roundsOnce)
  }

  static func range(_ type: ElementType) -> ClosedRange<Int> {
    switch type {
    case .i8: -128...127
    case .u8: 0...255
    case .i16: -32768...32767
    default: Int(Int32.min)...Int(Int32.max)
    }
  }

  // MARK: Shape rule

  /// Places of the optional inputs behind `first`.
  enum Place: Int {
    case xZero = 0
    case wZero, bias, scale, yZero
  }

  /// outputs: columns of all tables; rows: how many zero points x may have beside one.
  func check(_ step: StepContext, first: Int, outputs: Int, rows: Int) throws(ShapeError) {
    func at(_ place: Place) -> Int { first + place.rawValue }
    func count(_ place: Place, _ allowed: Int) throws(ShapeError) {
      let i = at(place)
      try step.requirePlain(i)
      let n = step.input(i).shape.elementCount
      guard n == 1 || n == allowed else {
        throw ShapeError("is neither one number nor one for each", input: i, expected: allowed)
      }
    }
    if step.has(at(.xZero)) {
      try step.require(at(.xZero), is: .i8, .u8)
      try count(.xZero, rows)
      guard step.input(at(.xZero)).elementType == step.input(0).elementType else {
        throw ShapeError("element type is not that of x", input: at(.xZero))
      }
    }
    if step.has(at(.wZero)) {
      try step.require(at(.wZero), is: .i8, .u8)
      try count(.wZero, outputs)
    }
    if step.has(at(.bias)) {
      try step.require(at(.bias), is: .i32)
      try step.requirePlain(at(.bias))
      guard step.input(at(.bias)).shape.elementCount == outputs else {
        throw ShapeError("is not one number per output", input: at(.bias), expected: outputs)
      }
    }
    guard step.has(at(.scale)) else {
      guard type == .i32 else { throw ShapeError("a narrow output needs a scale") }
      return
    }
    guard type != .i32 else { throw ShapeError("sums have no scale", input: at(.scale)) }
    if step.input(at(.scale)).elementType == .i32 {
      try step.requirePlain(at(.scale))
      let shape = step.input(at(.scale)).shape
      guard shape.rank == 2, shape[1] == 2, shape[0] == 1 || shape[0] == outputs else {
        throw ShapeError("expected pairs of mantissa and shift", input: at(.scale))
      }
    } else {
      try step.require(at(.scale), is: .f32)
      try count(.scale, outputs)
    }
    if step.has(at(.yZero)) {
      try step.require(at(.yZero), is: .i8, .u8, .i16)
      try step.requirePlain(at(.yZero))
      guard step.input(at(.yZero)).elementType == type,
        step.input(at(.yZero)).shape.elementCount == 1
      else { throw ShapeError("is not one number of the output's type", input: at(.yZero)) }
    }
  }

  // MARK: Tables

  /// Bytes of the tables for so many columns and zero points of x.
  static func tableBytes(outputs: Int, rows: Int) -> Int {
    5 * aligned(outputs * 4) + aligned(outputs * 4) + aligned(rows * 4)
  }

  private static func aligned(_ bytes: Int) -> Int { (bytes + 63) & ~63 }

  /// Zero points as the signed bytes have them, one for all or one for each; `missing` without a tensor.
  private static func put(
    zeros: TensorView?, missing: Int32, count: Int, into out: Elements<Int32>
  ) {
    let target = unsafe out.pointer(0, count: count)
    guard let zeros else {
      for i in 0..<count { unsafe target[i] = missing }
      return
    }
    let one = zeros.shape.elementCount == 1
    let source = unsafe zeros.elements(UInt8.self).pointer(0, count: one ? 1 : count)
    let flip: UInt8 = zeros.elementType == .u8 ? 0x80 : 0
    for i in 0..<count {
      unsafe target[i] = Int32(Int8(bitPattern: source[one ? 0 : i] ^ flip))
    }
  }

  /// Fills the tables at `offset` of the step's scratch and points a job at them.
  ///
  /// sums: column sums of w, nil where w has its zero points taken off; k: elements of a sum.
  @unsafe func tables(
    _ step: StepContext, first: Int, outputs: Int, rows: Int, k: Int, sums: TensorView?,
    at offset: Int
  ) -> (requantize: kn_requantize, xZeros: UnsafePointer<Int32>) {
    func has(_ p: Place) -> Bool { step.has(first + p.rawValue) }
    func input(_ p: Place) -> TensorView { step.input(first + p.rawValue) }
    let row = IntegerEpilogue.aligned(outputs * 4)
    let base = step.scratch(Int32.self, count: outputs, at: offset)
    let columns = step.scratch(Int32.self, count: outputs, at: offset + row)
    let wZeros = step.scratch(Int32.self, count: outputs, at: offset + 2 * row)
    let scales = step.scratch(Float.self, count: outputs, at: offset + 3 * row)
    let fixed = step.scratch(Int32.self, count: 2 * outputs, at: offset + 4 * row)
    let zeros = step.scratch(Int32.self, count: rows, at: offset + 6 * row)
    // What x has for zero where it does not say so: 0 of its own type.
    let flipped: Int32 = step.input(0).elementType == .u8 ? -128 : 0
    let count = has(.xZero) ? input(.xZero).shape.elementCount : 1
    IntegerEpilogue.put(
      zeros: has(.xZero) ? input(.xZero) : nil, missing: flipped, count: rows, into: zeros)
    IntegerEpilogue.put(
      zeros: has(.wZero) ? input(.wZero) : nil, missing: 0, count: outputs, into: wZeros)
    // Every run pays this for every output: plain loops over plain numbers.
    let of = unsafe (
      w: wZeros.pointer(0, count: outputs), columns: columns.pointer(0, count: outputs),
      base: base.pointer(0, count: outputs)
    )
    let sum = unsafe sums.map { unsafe $0.elements(Int32.self).pointer(0, count: outputs) }
    let bias =
      unsafe has(.bias)
      ? input(.bias).elements(Int32.self).pointer(0, count: outputs) : nil
    let xZero = count == 1 ? zeros[0] : 0
    var anyZero: Int32 = 0
    for j in 0..<outputs {
      unsafe anyZero |= of.w[j]
      let column = unsafe sum.map { unsafe $0[j] &- Int32(truncatingIfNeeded: k) &* of.w[j] } ?? 0
      unsafe of.columns[j] = column
      unsafe of.base[j] = (bias.map { unsafe $0[j] } ?? 0) &- xZero &* column
    }
    var q = unsafe kn_requantize()
    unsafe q.base = UnsafePointer(base.pointer())
    if sums != nil, count > 1 { unsafe q.column_sums = UnsafePointer(columns.pointer()) }
    if sums != nil, anyZero != 0 { unsafe q.w_zeros = UnsafePointer(wZeros.pointer()) }
    unsafe q.low = Int32(low)
    unsafe q.high = Int32(high)
    unsafe q.y_zero = has(.yZero) ? Int32(input(.yZero).integer(at: 0)) : 0
    unsafe q.type =
      switch type {
      case .i8: Int32(KN_I8.rawValue)
      case .u8: Int32(KN_U8.rawValue)
      case .i16: Int32(KN_I16.rawValue)
      default: Int32(KN_I32.rawValue)
      }
    unsafe q.rounding = Int32(KN_ROUND_NONE.rawValue)
    if has(.scale) { unsafe setScale(&q, input(.scale), outputs, scales, fixed) }
    return unsafe (q, UnsafePointer(zeros.pointer()))
  }

  @unsafe private func setScale(
    _ q: inout kn_requantize, _ scale: TensorView, _ outputs: Int, _ scales: Elements<Float>,
    _ fixed: Elements<Int32>
  ) {
    if scale.elementType == .f32 {
      let one = scale.shape.elementCount == 1
      let from = unsafe scale.floats.pointer(0, count: one ? 1 : outputs)
      let to = unsafe scales.pointer(0, count: outputs)
      for j in 0..<outputs { unsafe to[j] = from[one ? 0 : j] }
      unsafe q.scales = UnsafePointer(scales.pointer())
      unsafe q.rounding = Int32(KN_ROUND_FLOAT.rawValue)
      return
    }
    let pairs = scale.elements(Int32.self)
    for j in 0..<outputs {
      let i = pairs.count == 2 ? 0 : j
      fixed[2 * j] = pairs[2 * i]
      fixed[2 * j + 1] = min(max(pairs[2 * i + 1], -31), 30)
    }
    unsafe q.multipliers = UnsafePointer(fixed.pointer())
    unsafe q.rounding = Int32((roundsOnce ? KN_ROUND_SINGLE : KN_ROUND_DOUBLE).rawValue)
  }
}
