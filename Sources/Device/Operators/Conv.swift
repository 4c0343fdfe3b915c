// Convolution over one or two spatial axes, with bias and activation.
import CKernels
import Tensors

/// y = activation(x ∗ w + bias).
///
/// inputs: x f32 [n, c, length] or [n, c, height, width]; w f32 [outputs, c / groups, kernel…], plain or
/// a row-major weight of any scheme; bias f32 [outputs], optional → output f32 [n, outputs, …]. With
/// int8 weights each column of the im2col matrix is quantized on the fly, except where a group is one
/// channel wide.
public struct Conv: OperatorDefinition {
  public static var code: Int { 40 }
  public static var name: StaticString { "Conv" }

  public var window: Window
  public var groups: Int
  public var activation: FusedActivation

  public init(
    window: Window = Window(), groups: Int = 1, activation: FusedActivation = FusedActivation()
  ) {
    self.window = window
    self.groups = groups
    self.activation = activation
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    window = try Window(from: &attributes)
    groups = try attributes.integer(in: 1...(1 << 24))
    activation = try FusedActivation(from: &attributes)
  }

  public func encode(into attributes: inout AttributeWriter) {
    window.encode(into: &attributes)
    attributes.put(groups)
    activation.encode(into: &attributes)
  }

  private struct Extents {
    var batch = 0
    /// Channels and outputs of one group.
    var channels = 0
    var outputs = 0
    var axes = WindowAxes()
    /// Length of a weight row.
    var k: Int { channels * axes.taps }
    /// Few filters per channel: no matrix product to gain from.
    var isDepthwise: Bool { channels == 1 && outputs <= 4 }
  }

  private func extents(_ step: StepContext) throws(ShapeError) -> Extents {
    let x = step.input(0).shape
    let w = step.input(1).shape
    guard w.rank == x.rank, w.rank >= 3 else {
      throw ShapeError("wrong rank", input: 1, expected: x.rank, found: w.rank)
    }
    guard groups >= 1, w[0] >= 1, w[1] >= 1, w[0] % groups == 0 else {
      throw ShapeError("filters do not divide into the groups", input: 1, expected: groups)
    }
    guard x[1] % groups == 0, x[1] / groups == w[1] else {
      throw ShapeError("channels do not fit the weight", input: 0, expected: w[1], found: x[1])
    }
    var kernel = IntegerList()
    for axis in 2..<w.rank { kernel.append(w[axis]) }
    var e = Extents()
    e.batch = x[0]
    e.channels = w[1]
    e.outputs = w[0] / groups
    e.axes = try window.axes(over: x, kernel: kernel)
    guard let count = w.checkedElementCount, count <= 1 << 46 else {
      throw ShapeError("is too large", input: 1)
    }
    return e
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...3)
    try step.requirePlain(0)
    try step.require(0, is: .f32)
    try step.require(1, is: .f32)
    if let encoding = step.input(1).encoding, encoding.layout != .rowMajor {
      throw ShapeError("a convolution weight must be row-major", input: 1)
    }
    let e = try extents(step)
    let outputs = groups * e.outputs
    if step.has(2) {
      try step.require(2, is: .f32)
      try step.requirePlain(2)
      let bias = step.input(2).shape
      guard bias.rank == 1, bias[0] == outputs else {
        throw ShapeError("bias is not one number per filter", input: 2, expected: outputs)
      }
    }
    let shape = try e.axes.outputShape(e.batch, outputs, rank: step.input(0).shape.rank)
    step.setOutput(0, .f32, shape)
  }

  /// How the products are cut.
  private struct Plan {
    var parts = 1
    var chunkPanels = 2
    var rowCuts = 1
    var rowBlock = 12
  }

  /// Floats of scratch that one part fills at a time: about what a small L2 cache holds.
  private static var chunkFloats: Int { 65536 }

  private func plan(_ step: StepContext, _ e: Extents) -> Plan {
    var p = Plan()
    // Below 10 to 20 µs of work, handing it over costs more than it saves. Channel by channel a
    // multiplication takes several times as long as in a product.
    let least = e.isDepthwise ? 1 << 16 : 1 << 19
    let isSmall = e.batch * groups * e.outputs * e.axes.outputs < least / e.k
    p.parts = isSmall || step.compute.threads == 1 ? 1 : step.compute.threads * 2
    let panels = (e.axes.outputs + 15) / 16
    let products = e.batch * groups
    // A tile is as wide as two panels: of an odd one half of its lanes would idle.
    let fitting = Conv.chunkFloats / (16 * e.k)
    let limit = max(2, fitting + fitting % 2)
    let share = (products * panels + p.parts - 1) / p.parts
    p.chunkPanels = max(1, min(limit, panels, max(2, share + share % 2)))
    let units = products * ((panels + p.chunkPanels - 1) / p.chunkPanels)
    if units < p.parts { p.rowCuts = min(p.parts / max(units, 1) + 1, max(1, e.outputs / 24)) }
    let rows = (e.outputs + p.rowCuts - 1) / p.rowCuts
    p.rowBlock = min(max(12, Conv.chunkFloats / e.k / 12 * 12), rows + 11)
    return p
  }

  private func job(_ step: StepContext, _ e: Extents, _ p: Plan) -> kn_conv {
    var job = unsafe kn_conv()
    let axes = e.axes.flattened
    var (h, w) = (axes.height, axes.width)
    // A picture one pixel wide is a line: whole vectors of it stand together.
    if w.input == 1, w.kernel == 1, w.output == 1 { swap(&h, &w) }
    unsafe job.window = unsafe kn_im2col(
      x: nil, channels: e.channels, height: h.input, width: w.input, kernel_h: h.kernel,
      kernel_w: w.kernel, stride_h: h.stride, stride_w: w.stride, dilation_h: h.dilation,
      dilation_w: w.dilation, pad_top: h.begin, pad_left: w.begin, out_h: h.output,
      out_w: w.output)
    unsafe job.scheme = Int32((step.input(1).encoding?.scheme ?? .f32).rawValue)
    unsafe job.batch = e.batch
    unsafe job.groups = groups
    unsafe job.outputs = e.outputs
    unsafe job.p0 = activation.p0
    unsafe job.p1 = activation.p1
    unsafe job.activation = Int32(activation.kind.rawValue)
    unsafe job.chunk_panels = p.chunkPanels
    unsafe job.row_cuts = p.rowCuts
    unsafe job.row_block = p.rowBlock
    return unsafe job
  }

  private func scratchBytes(_ step: StepContext, _ e: Extents, _ p: Plan) -> Int {
    var job = unsafe job(step, e, p)
    return unsafe p.parts * (e.isDepthwise ? kn_depthwise_scratch(&job) : kn_conv_scratch(&job))
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    guard let e = try? extents(step) else { return 0 }
    return scratchBytes(step, e, plan(step, e))
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    guard let e = try? extents(step) else { return 0 }
    return step.output().shape.elementCount.saturatingProduct(e.k)
  }

  public func run(_ step: StepContext) {
    guard let e = try? extents(step) else { return }
    let y = step.output().floats
    guard y.count > 0 else { return }
    let p = plan(step, e)
    let weight = step.input(1)
    var job = unsafe job(step, e, p)
    unsafe job.kernels = unsafe step.compute.kernels
    unsafe job.x = UnsafePointer(step.input(0).floats.pointer())
    unsafe job.y = y.pointer()
    unsafe job.weights = UnsafeRawPointer(weight.pointer)
    if let encoding = weight.encoding, encoding.scheme == .int8 {
      unsafe job.weight_scales = UnsafeRawPointer(
        weight.pointer + encoding.scaleOffset(weight.shape)
      )
      .assumingMemoryBound(to: Float.self)
    }
    if step.has(2) { unsafe job.bias = UnsafePointer(step.input(2).floats.pointer()) }
    unsafe job.scratch = UnsafeMutableRawPointer(
      step.scratch(UInt8.self, count: scratchBytes(step, e, p)).pointer()
    )
    .assumingMemoryBound(to: CChar.self)
    if e.isDepthwise {
      unsafe step.compute.run(kn_depthwise_job, &job, parts: p.parts)
    } else {
      unsafe step.compute.run(kn_conv_job, &job, parts: p.parts)
    }
  }
}
