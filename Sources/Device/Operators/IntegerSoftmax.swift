// Softmax of bytes by a table of exponentials.
import Tensors

/// y = round(e[max − x] / Σ e[max − x] / scale) + zero point along the last axis, ties up; sums in f32
/// from front to back: TFLite's kernel.
///
/// inputs: x i8 or u8 [..., n]; e f32 [256], the exponential of minus so many steps → output: x's type
/// and shape.
public struct IntegerSoftmax: OperatorDefinition {
  public static var code: Int { 108 }
  public static var name: StaticString { "IntegerSoftmax" }

  public var scale: Float
  public var zeroPoint: Int

  public init(scale: Float, zeroPoint: Int) {
    self.scale = scale
    self.zeroPoint = zeroPoint
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    scale = try attributes.float()
    zeroPoint = try attributes.integer(in: -128...255)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(scale)
    attributes.put(zeroPoint)
  }

  public var aliasing: Aliasing { .inPlace }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    try step.requirePlain(0)
    try step.requirePlain(1)
    try step.require(0, is: .i8, .u8)
    try step.require(1, is: .f32)
    guard step.input(1).shape == Shape([256]) else {
      throw ShapeError("a table has 256 elements", input: 1, expected: 256)
    }
    guard step.input(0).shape.rank >= 1 else { throw ShapeError("expected rows", input: 0) }
    step.setOutput(0, step.input(0).elementType, step.input(0).shape)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let width = x.shape[x.shape.rank - 1]
    let source = x.elements(UInt8.self)
    let target = step.output().elements(UInt8.self)
    guard source.count > 0 else { return }
    let flip: UInt8 = x.elementType == .i8 ? 0x80 : 0
    let table = step.input(1).floats
    let (low, high) = x.elementType == .i8 ? (-128, 127) : (0, 255)
    for row in 0..<(source.count / width) {
      let range = (row * width)..<((row + 1) * width)
      var most: UInt8 = 0
      for i in range { most = max(most, source[i] ^ flip) }
      var sum: Float = 0
      for i in range { sum += table[Int(most - (source[i] ^ flip))] }
      let factor = 1 / (sum * scale)
      for i in range {
        let share = table[Int(most - (source[i] ^ flip))] * factor + 0.5
        let whole = share >= 0 ? (share < 65536 ? Int(share) : 65536) : 0
        target[i] = UInt8(truncatingIfNeeded: min(max(whole + zeroPoint, low), high))
      }
    }
  }
}
