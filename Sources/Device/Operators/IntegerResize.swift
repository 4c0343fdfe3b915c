// Bilinear resizing of bytes, channels last.
import Tensors

/// Linear interpolation between four neighbours with weights of 11 bits, ties up: XNNPACK.
///
/// input: i8 or u8 [n, h, w, c] → output: the same type [n, height, width, c].
public struct IntegerResize: OperatorDefinition {
  public static var code: Int { 109 }
  public static var name: StaticString { "IntegerResize" }

  public var height: Int
  public var width: Int
  /// `halfPixel`, `alignCorners` or `asymmetric`.
  public var coordinates: ResizeCoordinates

  public init(height: Int, width: Int, coordinates: ResizeCoordinates) {
    self.height = height
    self.width = width
    self.coordinates = coordinates
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    height = try attributes.integer(in: 1...(1 << 30))
    width = try attributes.integer(in: 1...(1 << 30))
    guard let kind = ResizeCoordinates(rawValue: try attributes.integer()),
      kind == .halfPixel || kind == .alignCorners || kind == .asymmetric
    else { throw attributes.fail("unknown coordinates") }
    coordinates = kind
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(height)
    attributes.put(width)
    attributes.put(coordinates.rawValue)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    try step.require(0, is: .i8, .u8)
    let x = step.input(0).shape
    guard x.rank == 4, x[1] > 0, x[2] > 0, x[1] <= 1 << 24, x[2] <= 1 << 24 else {
      throw ShapeError("expected pictures", input: 0, expected: 4, found: x.rank)
    }
    step.setOutput(0, step.input(0).elementType, Shape([x[0], height, width, x[3]]))
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    step.output().shape.elementCount.saturatingProduct(4)
  }

  /// Two neighbours along an axis and the share of the second, in 1/2048.
  private func tap(_ i: Int, _ input: Int, _ output: Int) -> (Int, Int, Int32) {
    let isAligned = coordinates == .alignCorners && output > 1
    let scale =
      isAligned ? Float(input - 1) / Float(output - 1) : Float(input) / Float(output)
    var at = Float(i) * scale
    if coordinates == .halfPixel { at += 0.5 * scale - 0.5 }
    at = min(max(at, 0), Float(input - 1))
    let low = min(Int(at), input - 1)
    let share = ((at - Float(low)) * 2048).rounded(.toNearestOrEven)
    return (low, min(low + 1, input - 1), Int32(share))
  }

  public func run(_ step: StepContext) {
    if step.input(0).elementType == .i8 { run(step, Int8.self) } else { run(step, UInt8.self) }
  }

  private func run<T: FixedWidthInteger & BitwiseCopyable>(_ step: StepContext, _: T.Type) {
    let shape = step.input(0).shape
    let c = shape[3]
    let x = step.input(0).elements(T.self)
    let y = step.output().elements(T.self)
    guard y.count > 0 else { return }
    var at = 0
    for image in 0..<shape[0] {
      for oy in 0..<height {
        let (top, bottom, v) = tap(oy, shape[1], height)
        for ox in 0..<width {
          let (left, right, u) = tap(ox, shape[2], width)
          func corner(_ row: Int, _ column: Int) -> UnsafeMutablePointer<T> {
            unsafe x.pointer(((image * shape[1] + row) * shape[2] + column) * c, count: c)
          }
          let (tl, tr) = unsafe (corner(top, left), corner(top, right))
          let (bl, br) = unsafe (corner(bottom, left), corner(bottom, right))
          let out = unsafe y.pointer(at, count: c)
          for k in 0..<c {
            let (p, q) = unsafe (Int32(tl[k]), Int32(bl[k]))
            let above = unsafe (p << 11) &+ (Int32(tr[k]) &- p) &* u
            let below = unsafe (q << 11) &+ (Int32(br[k]) &- q) &* u
            let sum = (above << 11) &+ (below &- above) &* v
            unsafe out[k] = T(truncatingIfNeeded: (sum &+ (1 << 21)) >> 22)
          }
          at += c
        }
      }
    }
  }
}
