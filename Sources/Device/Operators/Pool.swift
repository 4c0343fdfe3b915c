// Pooling over one or two spatial axes.
import CKernels
import Tensors

/// What is made of the elements under a window. Raw values are part of the bundle format and equal
/// `kn_pooling_kind`.
public enum PoolKind: Int, Sendable, CaseIterable {
  case max = 0
  case average
  /// (Σ |x|^p)^(1/p).
  case lp
}

/// y = the maximum, average or p-norm of x under each window.
///
/// input: f32 [n, c, length] or [n, c, height, width] → output: f32 [n, c, …]. Padding never wins a
/// maximum; in an average it counts as zeros with `includesPadding`, else not at all. An average of
/// nothing is 0, a maximum of nothing −inf.
public struct Pool: OperatorDefinition {
  public static var code: Int { 41 }
  public static var name: StaticString { "Pool" }

  public var kind: PoolKind
  /// One extent per spatial axis.
  public var kernel: IntegerList
  public var window: Window
  /// Rounds output extents up: the last window may hang over.
  public var roundsUp: Bool
  public var includesPadding: Bool
  /// The exponent of `.lp`.
  public var exponent: Int

  public init(
    _ kind: PoolKind, kernel: IntegerList, window: Window = Window(), roundsUp: Bool = false,
    includesPadding: Bool = false, exponent: Int = 2
  ) {
    self.kind = kind
    self.kernel = kernel
    self.window = window
    self.roundsUp = roundsUp
    self.includesPadding = includesPadding
    self.exponent = exponent
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = PoolKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown kind of pooling")
    }
    self.kind = kind
    kernel = try attributes.list(in: 1...Window.maximumKernel)
    window = try Window(from: &attributes)
    roundsUp = try attributes.bool()
    includesPadding = try attributes.bool()
    exponent = try attributes.integer(in: 1...64)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kind.rawValue)
    attributes.put(kernel)
    window.encode(into: &attributes)
    attributes.put(roundsUp)
    attributes.put(includesPadding)
    attributes.put(exponent)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.require(0, is: .f32)
    try step.requirePlain(0)
    let x = step.input(0).shape
    let axes = try window.axes(over: x, kernel: kernel, roundsUp: roundsUp)
    step.setOutput(0, .f32, try axes.outputShape(x[0], x[1], rank: x.rank))
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    var work = step.output().shape.elementCount
    for i in 0..<kernel.count { work = work.saturatingProduct(kernel[i]) }
    return work
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output().floats
    guard y.count > 0,
      let axes = try? window.axes(over: x.shape, kernel: kernel, roundsUp: roundsUp)
    else { return }
    let (h, w) = (axes.height, axes.width)
    var job = unsafe kn_pooling_run()
    unsafe job.kernels = unsafe step.compute.kernels
    unsafe job.planes = x.shape[0] * x.shape[1]
    unsafe job.pooling = kn_pooling(
      x: UnsafePointer(x.floats.pointer()), y: y.pointer(), height: h.input, width: w.input,
      kernel_h: h.kernel, kernel_w: w.kernel, stride_h: h.stride, stride_w: w.stride,
      dilation_h: h.dilation, dilation_w: w.dilation, pad_top: h.begin, pad_left: w.begin,
      pad_bottom: h.end, pad_right: w.end, out_h: h.output, out_w: w.output,
      kind: Int32(kind.rawValue), include_pad: includesPadding ? 1 : 0, p: Float(exponent))
    unsafe step.compute.run(
      kn_pooling_job, &job, parts: y.count < 1 << 14 ? 1 : step.compute.threads * 2)
  }
}
