// Transposed convolution over one or two spatial axes: the gradient of a convolution, for upsampling.
import CKernels
import Tensors

/// Every element of x adds its multiple of the kernel to y.
///
/// inputs: x f32 [n, c, length] or [n, c, height, width]; w f32 [c, outputs / groups, kernel…]; bias f32
/// [outputs], optional → output f32 [n, outputs, …] with the spatial extents
/// (input − 1) · stride + (kernel − 1) · dilation + 1 + outputPadding − pads; with automatic same
/// padding input · stride.
public struct ConvTranspose: OperatorDefinition {
  public static var code: Int { 47 }
  public static var name: StaticString { "ConvTranspose" }

  public var window: Window
  public var groups: Int
  /// Added behind each spatial axis; empty for none.
  public var outputPadding: IntegerList

  public init(
    window: Window = Window(), groups: Int = 1, outputPadding: IntegerList = IntegerList()
  ) {
    self.window = window
    self.groups = groups
    self.outputPadding = outputPadding
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    window = try Window(from: &attributes)
    groups = try attributes.integer(in: 1...(1 << 24))
    outputPadding = try attributes.list(in: 0...(1 << 20))
  }

  public func encode(into attributes: inout AttributeWriter) {
    window.encode(into: &attributes)
    attributes.put(groups)
    attributes.put(outputPadding)
  }

  private func axes(_ step: StepContext) throws(ShapeError) -> WindowAxes {
    let x = step.input(0).shape
    let w = step.input(1).shape
    guard w.rank == x.rank, w.rank >= 3 else {
      throw ShapeError("wrong rank", input: 1, expected: x.rank, found: w.rank)
    }
    guard groups >= 1, x[1] % groups == 0, w[0] == x[1], w[1] >= 1 else {
      throw ShapeError("channels do not fit the weight", input: 1, expected: x[1], found: w[0])
    }
    var kernel = IntegerList()
    for axis in 2..<w.rank { kernel.append(w[axis]) }
    return try window.transposedAxes(over: x, kernel: kernel, outputPadding: outputPadding)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...3)
    for i in 0..<3 where step.has(i) {
      try step.require(i, is: .f32)
      try step.requirePlain(i)
    }
    let axes = try axes(step)
    let (outputs, overflow) = step.input(1).shape[1].multipliedReportingOverflow(by: groups)
    guard !overflow else { throw ShapeError("output is too large") }
    if step.has(2) {
      let bias = step.input(2).shape
      guard bias.rank == 1, bias[0] == outputs else {
        throw ShapeError("bias is not one number per filter", input: 2, expected: outputs)
      }
    }
    let x = step.input(0).shape
    step.setOutput(0, .f32, try axes.outputShape(x[0], outputs, rank: x.rank))
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    let w = step.input(1).shape
    return step.input(0).shape.elementCount
      .saturatingProduct(w.elementCount(of: 1..<w.rank))
  }

  public func run(_ step: StepContext) {
    guard let axes = try? axes(step) else { return }
    let y = step.output().floats
    guard y.count > 0 else { return }
    let x = step.input(0)
    let w = step.input(1)
    let (high, wide) = (axes.height, axes.width)
    var job = unsafe kn_conv_transpose(
      x: UnsafePointer(x.floats.pointer()), weights: UnsafePointer(w.floats.pointer()),
      bias: step.has(2) ? UnsafePointer(step.input(2).floats.pointer()) : nil, y: y.pointer(),
      batch: x.shape[0], groups: groups, channels: x.shape[1] / groups, outputs: w.shape[1],
      height: high.input, width: wide.input, kernel_h: high.kernel, kernel_w: wide.kernel,
      stride_h: high.stride, stride_w: wide.stride, dilation_h: high.dilation,
      dilation_w: wide.dilation, pad_top: high.begin, pad_left: wide.begin, out_h: high.output,
      out_w: wide.output)
    unsafe step.compute.run(
      kn_conv_transpose_job, &job, parts: y.count < 1 << 12 ? 1 : step.compute.threads * 2)
  }
}
