// Real numbers to the integers that stand for them.
import CKernels
import Tensors

/// y = saturate(round(x · multiplier) + zero point), or round(x / multiplier) with `divides`; ties to
/// even. NaN gives the zero point.
///
/// input: f32 or i32 (as floats), any shape → output: i8, u8 or i16, the same shape.
public struct Quantize: OperatorDefinition {
  public static var code: Int { 104 }
  public static var name: StaticString { "Quantize" }

  public var type: ElementType
  public var multiplier: Float
  public var divides: Bool
  public var zeroPoint: Int

  public init(to type: ElementType, multiplier: Float, divides: Bool = false, zeroPoint: Int) {
    self.type = type
    self.multiplier = multiplier
    self.divides = divides
    self.zeroPoint = zeroPoint
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let type = ElementType(rawValue: UInt8(try attributes.integer(in: 0...255))) else {
      throw attributes.fail("unknown element type")
    }
    self.type = type
    multiplier = try attributes.float()
    divides = try attributes.bool()
    zeroPoint = try attributes.integer(in: -32768...65535)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(Int(type.rawValue))
    attributes.put(multiplier)
    attributes.put(divides)
    attributes.put(zeroPoint)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    try step.require(0, is: .f32, .i32)
    guard type == .i8 || type == .u8 || type == .i16 else {
      throw ShapeError("quantizes to 8 or 16 bits only")
    }
    step.setOutput(0, type, step.input(0).shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { type }

  public func run(_ step: StepContext) {
    let (x, y) = (step.input(0), step.output())
    guard x.elementType == .f32 else {
      switch type {
      case .u8: integers(x.elements(Int32.self), y.elements(UInt8.self))
      case .i8: integers(x.elements(Int32.self), y.elements(Int8.self))
      default: integers(x.elements(Int32.self), y.elements(Int16.self))
      }
      return
    }
    let n = x.shape.elementCount
    let type = type == .u8 ? KN_U8 : type == .i8 ? KN_I8 : KN_I16
    var job = unsafe kn_quantize_values(
      kernels: step.compute.kernels, x: UnsafePointer(x.floats.pointer(0, count: n)),
      y: y.pointer, count: n, factor: multiplier, divides: divides ? 1 : 0,
      zero: Int32(zeroPoint), type: Int32(type.rawValue))
    unsafe step.compute.run(
      kn_quantize_values_job, &job, parts: n < 1 << 15 ? 1 : step.compute.threads)
  }

  private func integers<T: FixedWidthInteger & BitwiseCopyable>(
    _ x: Elements<Int32>, _ y: Elements<T>
  ) {
    for i in 0..<y.count { y[i] = quantized(Float(x[i])) }
  }

  private func quantized<T: FixedWidthInteger>(_ x: Float) -> T {
    let scaled = divides ? x / multiplier : x * multiplier
    let low = Float(T.min) - Float(zeroPoint)
    let high = Float(T.max) - Float(zeroPoint)
    // NaN passes neither comparison.
    let bounded = scaled > low ? (scaled < high ? scaled : high) : scaled <= low ? low : 0
    return T(truncatingIfNeeded: Int(bounded.rounded(.toNearestOrEven)) + zeroPoint)
  }
}
