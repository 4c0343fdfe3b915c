// How a window slides over one or two spatial axes: strides, dilations and padding.
import Tensors

/// Who chooses the padding. Raw values are part of the bundle format.
public enum AutoPad: Int, Sendable {
  /// `pads` says it.
  case explicit = 0
  /// ⌈input / stride⌉ outputs; an odd element of padding goes behind.
  case sameUpper
  /// The same; the odd element goes in front.
  case sameLower
  /// No padding.
  case valid
}

/// Attributes that convolution and pooling share, each list one number per spatial axis.
public struct Window: Sendable, Equatable {
  /// Empty for 1 everywhere.
  public var strides: IntegerList
  /// Empty for 1 everywhere.
  public var dilations: IntegerList
  /// Elements added in front of every axis, then behind every axis; empty for none.
  public var pads: IntegerList
  public var autoPad: AutoPad

  public init(
    strides: IntegerList = IntegerList(), dilations: IntegerList = IntegerList(),
    pads: IntegerList = IntegerList(), autoPad: AutoPad = .explicit
  ) {
    self.strides = strides
    self.dilations = dilations
    self.pads = pads
    self.autoPad = autoPad
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    strides = try attributes.list(in: 1...(1 << 20))
    dilations = try attributes.list(in: 1...(1 << 20))
    pads = try attributes.list(in: 0...(1 << 20))
    guard let autoPad = AutoPad(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown kind of padding")
    }
    self.autoPad = autoPad
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(strides)
    attributes.put(dilations)
    attributes.put(pads)
    attributes.put(autoPad.rawValue)
  }

  /// The longest kernel axis and the longest spatial axis: products of both stay far from overflow.
  static var maximumKernel: Int { 1 << 20 }
  static var maximumExtent: Int { 1 << 31 }

  /// The window's two axes over an input [n, c, length] or [n, c, height, width]; `kernel` has one
  /// extent per spatial axis.
  func axes(over x: Shape, kernel: IntegerList, roundsUp: Bool = false) throws(ShapeError)
    -> WindowAxes
  {
    try check(x, kernel)
    let count = x.rank - 2
    var result = WindowAxes()
    result.width = try axis(count - 1, x, kernel, roundsUp)
    if count == 2 { result.height = try axis(0, x, kernel, roundsUp) }
    return result
  }

  /// The same of a transposed convolution, where inputs and outputs change sides.
  func transposedAxes(
    over x: Shape, kernel: IntegerList, outputPadding: IntegerList
  ) throws(ShapeError) -> WindowAxes {
    try check(x, kernel)
    let count = x.rank - 2
    guard outputPadding.count == 0 || outputPadding.count == count else {
      throw ShapeError("output padding has another number of axes", expected: count)
    }
    func extra(_ i: Int) -> Int { outputPadding.count == 0 ? 0 : outputPadding[i] }
    var result = WindowAxes()
    result.width = try transposedAxis(count - 1, x, kernel, extra(count - 1))
    if count == 2 { result.height = try transposedAxis(0, x, kernel, extra(0)) }
    return result
  }

  /// The axes over an input of any number of spatial axes, the first `x.rank − 2` of the result.
  func allAxes(over x: Shape, kernel: IntegerList, roundsUp: Bool = false) throws(ShapeError)
    -> InlineArray<6, WindowAxis>
  {
    guard x.rank >= 3 else {
      throw ShapeError("expected spatial axes", input: 0, expected: 3, found: x.rank)
    }
    try checkCounts(x, kernel)
    var result = InlineArray<6, WindowAxis>(repeating: WindowAxis())
    for i in 0..<(x.rank - 2) { result[i] = try axis(i, x, kernel, roundsUp) }
    return result
  }

  private func check(_ x: Shape, _ kernel: IntegerList) throws(ShapeError) {
    guard x.rank == 3 || x.rank == 4 else {
      throw ShapeError("expected one or two spatial axes", input: 0, expected: 4, found: x.rank)
    }
    try checkCounts(x, kernel)
  }

  private func checkCounts(_ x: Shape, _ kernel: IntegerList) throws(ShapeError) {
    let count = x.rank - 2
    guard kernel.count == count, strides.count == 0 || strides.count == count,
      dilations.count == 0 || dilations.count == count, pads.count == 0 || pads.count == 2 * count
    else { throw ShapeError("window has another number of axes than the input", expected: count) }
  }

  /// Everything but padding and output.
  private func bareAxis(_ i: Int, _ x: Shape, _ kernel: IntegerList) throws(ShapeError)
    -> WindowAxis
  {
    var a = WindowAxis()
    a.input = x[2 + i]
    a.kernel = kernel[i]
    a.stride = strides.count == 0 ? 1 : strides[i]
    a.dilation = dilations.count == 0 ? 1 : dilations[i]
    guard a.input <= Window.maximumExtent else {
      throw ShapeError("spatial axis is too long", input: 0, found: a.input)
    }
    guard a.kernel >= 1, a.kernel <= Window.maximumKernel else {
      throw ShapeError("kernel extent is out of range", found: a.kernel)
    }
    guard a.stride >= 1, a.dilation >= 1, a.stride <= 1 << 20, a.dilation <= 1 << 20 else {
      throw ShapeError("stride or dilation is out of range")
    }
    return a
  }

  private func setExplicitPads(_ a: inout WindowAxis, _ i: Int) throws(ShapeError) {
    if pads.count > 0 {
      a.begin = pads[i]
      a.end = pads[i + pads.count / 2]
    }
    guard a.begin >= 0, a.end >= 0, a.begin <= 1 << 20, a.end <= 1 << 20 else {
      throw ShapeError("padding is out of range")
    }
  }

  private func setSamePads(_ a: inout WindowAxis, total: Int) {
    a.begin = autoPad == .sameUpper ? total / 2 : total - total / 2
    a.end = total - a.begin
  }

  private func axis(
    _ i: Int, _ x: Shape, _ kernel: IntegerList, _ roundsUp: Bool
  ) throws(ShapeError) -> WindowAxis {
    var a = try bareAxis(i, x, kernel)
    switch autoPad {
    case .valid: break
    case .sameUpper, .sameLower:
      let wanted = (a.input + a.stride - 1) / a.stride
      setSamePads(&a, total: max((wanted - 1) * a.stride + a.reach - a.input, 0))
    case .explicit: try setExplicitPads(&a, i)
    }
    let room = a.begin + a.input + a.end - a.reach
    guard room >= 0 else {
      throw ShapeError("window is larger than the padded input", expected: a.reach, found: a.input)
    }
    a.output = (room + (roundsUp ? a.stride - 1 : 0)) / a.stride + 1
    // A window that starts in the padding behind sees nothing.
    if roundsUp, (a.output - 1) * a.stride >= a.input + a.begin { a.output -= 1 }
    return a
  }

  private func transposedAxis(
    _ i: Int, _ x: Shape, _ kernel: IntegerList, _ outputPadding: Int
  ) throws(ShapeError) -> WindowAxis {
    var a = try bareAxis(i, x, kernel)
    guard outputPadding >= 0, outputPadding <= 1 << 20 else {
      throw ShapeError("output padding is out of range")
    }
    // Without inputs there is nothing to spread; the formula below would go negative.
    guard a.input > 0 else { throw ShapeError("spatial axis is empty", input: 0) }
    let full = (a.input - 1) * a.stride + a.reach + outputPadding
    switch autoPad {
    case .valid: break
    case .sameUpper, .sameLower: setSamePads(&a, total: max(full - a.input * a.stride, 0))
    case .explicit: try setExplicitPads(&a, i)
    }
    a.output = full - a.begin - a.end
    guard a.output >= 0 else { throw ShapeError("more padding than output", found: full) }
    return a
  }
}

/// One spatial axis of a window: input and output extents and everything in between.
struct WindowAxis {
  var input = 1
  var kernel = 1
  var stride = 1
  var dilation = 1
  var begin = 0
  var end = 0
  var output = 1

  var isPointwise: Bool { kernel == 1 && stride == 1 && begin == 0 && end == 0 }

  /// Inputs from the first tap to the last.
  var reach: Int { (kernel - 1) * dilation + 1 }
}

/// Both axes; a one-dimensional window has a height of 1.
struct WindowAxes {
  var height = WindowAxis()
  var width = WindowAxis()

  var taps: Int { height.kernel * width.kernel }
  var outputs: Int { height.output * width.output }

  /// A window of one element that visits every input: rows can be taken as one long row.
  var flattened: WindowAxes {
    guard height.isPointwise, width.isPointwise else { return self }
    var one = WindowAxes()
    one.width.input = height.input * width.input
    one.width.output = one.width.input
    return one
  }

  /// [batch, channels, …] with the output's spatial extents, `rank` axes in all.
  func outputShape(_ batch: Int, _ channels: Int, rank: Int) throws(ShapeError) -> Shape {
    var shape = Shape([batch, channels])
    if rank == 4 { shape.append(height.output) }
    shape.append(width.output)
    // An empty batch must not hide an image that is too large.
    guard let one = Shape([channels, height.output, width.output]).checkedElementCount,
      one <= 1 << 46, shape.checkedElementCount != nil
    else { throw ShapeError("output is too large") }
    return shape
  }
}
