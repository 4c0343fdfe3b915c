// Rows of real numbers quantized by their own range, while the model runs.
import CKernels
import Tensors

/// How a row's scale is found. Raw values are part of the bundle format.
public enum RowQuantization: Int, Sendable, CaseIterable {
  /// scale = max |x| / 127, ties away from zero: TFLite's hybrid kernels.
  case symmetric = 0
  /// Range and zero point of 8 bits, 0 in it: XNNPACK.
  case asymmetric
  /// The same found in double precision and with ties away from zero: TFLite's own hybrid kernels.
  case asymmetricWide
}

/// x ≈ scale (code − zero point), row by row along the last `width` elements.
///
/// input: f32, a whole number of rows of `width` → outputs: codes i8 of x's shape; scales f32 [rows];
/// zero points i8 [rows].
public struct QuantizeRows: OperatorDefinition {
  public static var code: Int { 110 }
  public static var name: StaticString { "QuantizeRows" }

  public var kind: RowQuantization
  /// How many leading axes count rows; the others lie in a row.
  public var rowAxes: Int

  public init(_ kind: RowQuantization, rowAxes: Int) {
    self.kind = kind
    self.rowAxes = rowAxes
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = RowQuantization(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown kind")
    }
    self.kind = kind
    rowAxes = try attributes.integer(in: 0...8)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kind.rawValue)
    attributes.put(rowAxes)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1, outputs: 3)
    try step.requirePlain(0)
    try step.require(0, is: .f32)
    let x = step.input(0).shape
    guard rowAxes <= x.rank else {
      throw ShapeError("wrong rank", input: 0, expected: rowAxes, found: x.rank)
    }
    let rows = Shape([x.elementCount(of: 0..<rowAxes)])
    step.setOutput(0, .i8, x)
    step.setOutput(1, .f32, rows)
    step.setOutput(2, .i8, rows)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0).floats
    let codes = step.output(0).elements(Int8.self)
    let scales = step.output(1).floats
    let zeros = step.output(2).elements(Int8.self)
    let rows = scales.count
    guard rows > 0 else { return }
    let width = x.count / rows
    let kernels = unsafe step.compute.kernels
    for row in 0..<rows {
      let values = unsafe UnsafePointer(x.pointer(row * width, count: width))
      let out = unsafe codes.pointer(row * width, count: width)
      var (low, high): (Float, Float) = (0, 0)
      unsafe kernels.pointee.range_f32(values, width, &low, &high)
      let (scale, inverse, zero) =
        kind == .asymmetricWide ? wideParameters(low, high) : parameters(low, high)
      scales[row] = scale
      zeros[row] = Int8(zero)
      if kind == .asymmetric {
        unsafe kernels.pointee.quantize_f32(
          values, out, width, inverse, 0, Int32(zero), Int32(KN_I8.rawValue))
      } else {
        unsafe kernels.pointee.quantize_away_i8(
          values, out, width, inverse, Float(zero), kind == .symmetric ? -127 : -128)
      }
    }
  }

  /// Scale, its inverse and the zero point of a range that holds 0.
  private func parameters(_ low: Float, _ high: Float) -> (Float, Float, Int) {
    guard kind == .asymmetric else {
      let most = max(-low, high)
      guard most > 0, most.isFinite else { return (1, 0, 0) }
      return (most / 127, 127 / most, 0)
    }
    guard low != high, low.isFinite, high.isFinite else { return (1, low == high ? 1 : 0, 0) }
    let inverse = 255 / (high - low)
    let (least, most) = (low * inverse, high * inverse)
    // The end whose rounding errs less decides.
    let zero = (-128 + least) + (127 + most) > 0 ? -128 - least : 127 - most
    guard zero.isFinite else { return (1, 0, 0) }
    let nudged = min(max(zero, -128), 127).rounded(.toNearestOrEven)
    return (1 / inverse, inverse, Int(nudged))
  }

  private func wideParameters(_ low: Float, _ high: Float) -> (Float, Float, Int) {
    guard low != high, low.isFinite, high.isFinite else { return (1, low == high ? 1 : 0, 0) }
    let (least, most) = (Double(low), Double(high))
    let scale = (most - least) / 255
    let (fromLeast, fromMost) = (-128 - least / scale, 127 - most / scale)
    // The end whose rounding errs less decides.
    let errs = 128 + (least / scale).magnitude < 127 + (most / scale).magnitude
    let zero = min(max(errs ? fromLeast : fromMost, -128), 127)
    let narrow = Float(scale)
    guard zero.isFinite, narrow > 0 else { return (1, 0, 0) }
    return (narrow, 1 / narrow, Int(zero.rounded(.toNearestOrAwayFromZero)))
  }
}
