// Columns of blocks added up to the image they were cut from.
import Tensors

/// The inverse of cutting an image into overlapping blocks: every block is added where it came from.
///
/// inputs: x f32 [n, c · block elements, blocks]; the image's extents and the block's extents, i64, one
/// per spatial axis, known before the program runs → output f32 [n, c, image extents].
public struct Col2Im: OperatorDefinition {
  public static var code: Int { 87 }
  public static var name: StaticString { "Col2Im" }

  /// How blocks lie over the image.
  public var window: Window

  public init(window: Window = Window()) { self.window = window }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    window = try Window(from: &attributes)
  }

  public func encode(into attributes: inout AttributeWriter) { window.encode(into: &attributes) }

  private struct Extents {
    var axes: InlineArray<6, WindowAxis>
    var count: Int
    var channels: Int
    var taps = 1
    var blocks = 1
    var shape: Shape
  }

  private func extents(_ step: StepContext) throws(ShapeError) -> Extents {
    let x = step.input(0).shape
    guard x.rank == 3 else {
      throw ShapeError("expected columns of blocks", input: 0, expected: 3, found: x.rank)
    }
    let image = try step.integers(1)
    let kernel = try step.integers(2)
    guard image.count >= 1, image.count <= 6, kernel.count == image.count else {
      throw ShapeError("expected one to six spatial axes", input: 1, found: image.count)
    }
    var shape = Shape([x[0], 1])
    for i in 0..<image.count {
      guard image[i] >= 1, image[i] <= 1 << 31, kernel[i] >= 1 else {
        throw ShapeError("extent is out of range", input: 1, found: image[i])
      }
      shape.append(image[i])
    }
    var e = Extents(
      axes: try window.allAxes(over: shape, kernel: kernel), count: image.count, channels: 1,
      shape: shape)
    for i in 0..<e.count {
      e.taps = e.taps.saturatingProduct(kernel[i])
      e.blocks = e.blocks.saturatingProduct(e.axes[i].output)
    }
    guard x[1] % e.taps == 0, x[2] == e.blocks else {
      throw ShapeError("blocks do not cover the image", input: 0, expected: e.blocks, found: x[2])
    }
    e.channels = x[1] / e.taps
    e.shape[1] = e.channels
    guard e.shape.checkedElementCount != nil else { throw ShapeError("output is too large") }
    return e
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...3)
    for i in 0..<3 { try step.requirePlain(i) }
    try step.require(0, is: .f32)
    step.setOutput(0, .f32, try extents(step).shape)
  }

  public func readsValue(ofInput i: Int) -> Bool { i > 0 }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    step.input(0).shape.elementCount
  }

  public func run(_ step: StepContext) {
    guard let e = try? extents(step) else { return }
    let x = step.input(0).floats
    let y = step.output().floats
    y.fill(0)
    guard y.count > 0 else { return }
    let area = e.shape.elementCount(of: 2..<e.shape.rank)
    for plane in 0..<(e.shape[0] * e.channels) {
      for tap in 0..<e.taps {
        for block in 0..<e.blocks {
          let place = Col2Im.place(e.axes, e.count, tap, block)
          guard place >= 0 else { continue }
          let at = plane * area + place
          y[at] += x[(plane * e.taps + tap) * e.blocks + block]
        }
      }
    }
  }

  /// Where in its plane element `tap` of a block lies; −1 for the padding.
  private static func place(
    _ axes: InlineArray<6, WindowAxis>, _ count: Int, _ tap: Int, _ block: Int
  ) -> Int {
    var (tap, block) = (tap, block)
    var place = 0
    var step = 1
    var axis = count - 1
    while axis >= 0 {
      let a = axes[axis]
      let at = block % a.output * a.stride - a.begin + tap % a.kernel * a.dilation
      guard at >= 0, at < a.input else { return -1 }
      place += at * step
      step *= a.input
      tap /= a.kernel
      block /= a.output
      axis -= 1
    }
    return place
  }
}
