// Convolution of 8-bit integers, channels last.
import CKernels
import CPlatform
import Tensors

/// y = epilogue(Σ (x − x zero) (w − w zero)) over one or two spatial axes; padding stands for zero.
///
/// inputs: x i8 or u8 [n, spatial…, groups · c]; panels and column sums as `PackRows` makes them of
/// [groups, outputs, taps · c]; then those of `IntegerEpilogue`, zero points of x one, or one per
/// image → output: the epilogue's type, [n, spatial…, groups · outputs].
public struct IntegerConv: OperatorDefinition {
  public static var code: Int { 102 }
  public static var name: StaticString { "IntegerConv" }

  /// One extent per spatial axis.
  public var kernel: IntegerList
  public var window: Window
  public var groups: Int
  public var epilogue: IntegerEpilogue

  public init(
    kernel: IntegerList, window: Window, groups: Int = 1, epilogue: IntegerEpilogue
  ) {
    self.kernel = kernel
    self.window = window
    self.groups = groups
    self.epilogue = epilogue
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    kernel = try attributes.list(in: 1...Window.maximumKernel)
    window = try Window(from: &attributes)
    groups = try attributes.integer(in: 1...(1 << 24))
    epilogue = try IntegerEpilogue(from: &attributes)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kernel)
    window.encode(into: &attributes)
    attributes.put(groups)
    epilogue.encode(into: &attributes)
  }

  private func geometry(_ step: StepContext) throws(ShapeError) -> IntegerGeometry {
    let x = step.input(0).shape
    let sums = step.input(2).shape
    guard sums.rank == 2, sums[0] == groups else {
      throw ShapeError("is not one row per group", input: 2, expected: groups)
    }
    var g = IntegerGeometry()
    g.axes = try window.channelsLastAxes(over: x, kernel: kernel)
    guard x[x.rank - 1] % groups == 0 else {
      throw ShapeError("channels do not divide into the groups", input: 0, expected: groups)
    }
    g.images = x[0]
    g.groups = groups
    g.matrices = groups
    g.channels = x[x.rank - 1] / groups
    g.outputs = sums[1]
    g.zeroCount = max(x[0], 1)
    g.zeroImageStep = 1
    guard g.axes.taps <= PackRows.maximumLength, g.channels <= PackRows.maximumLength else {
      throw ShapeError("sums are too long")
    }
    return g
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...8)
    try step.requirePlain(0)
    try step.require(0, is: .i8, .u8)
    try step.requirePlain(2)
    let g = try geometry(step)
    try g.checkPanels(step)
    try epilogue.check(step, first: 3, outputs: g.tableColumns, rows: g.zeroCount)
    step.setOutput(
      0, epilogue.type,
      try g.axes.channelsLastShape(
        g.images, groups * g.outputs, rank: step.input(0).shape.rank))
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    guard let g = try? geometry(step) else { return 0 }
    return g.scratchBytes(step)
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    guard let g = try? geometry(step) else { return 0 }
    return step.output().shape.elementCount.saturatingProduct(g.k)
  }

  public func run(_ step: StepContext) {
    guard let g = try? geometry(step), step.output().shape.elementCount > 0 else { return }
    g.run(step, epilogue)
  }
}

extension Window {
  /// The axes over [n, spatial…, c].
  func channelsLastAxes(over x: Shape, kernel: IntegerList) throws(ShapeError) -> WindowAxes {
    guard x.rank == 3 || x.rank == 4 else {
      throw ShapeError("expected one or two spatial axes", input: 0, expected: 4, found: x.rank)
    }
    var turned = Shape([x[0], x[x.rank - 1]])
    for axis in 1..<(x.rank - 1) { turned.append(x[axis]) }
    return try axes(over: turned, kernel: kernel)
  }
}

extension WindowAxes {
  /// [batch, spatial…, channels].
  func channelsLastShape(_ batch: Int, _ channels: Int, rank: Int) throws(ShapeError) -> Shape {
    let first = try outputShape(batch, channels, rank: rank)
    var shape = Shape([first[0]])
    for axis in 2..<rank { shape.append(first[axis]) }
    shape.append(channels)
    return shape
  }
}
