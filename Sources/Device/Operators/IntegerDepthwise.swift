// Depthwise convolution of 8-bit integers, channels last.
import CKernels
import CPlatform
import Tensors

/// y[…, c] = epilogue(Σ (x[…, c] − x zero) (w[tap, c] − w zero)), every channel for itself; padding
/// stands for zero.
///
/// inputs: x i8 or u8 [n, spatial…, c]; w i8 or u8 [taps, c], at most 256 taps; then those of
/// `IntegerEpilogue`, one zero point of x → output: the epilogue's type, [n, spatial…, c].
public struct IntegerDepthwise: OperatorDefinition {
  public static var code: Int { 103 }
  public static var name: StaticString { "IntegerDepthwise" }

  /// One extent per spatial axis.
  public var kernel: IntegerList
  public var window: Window
  public var epilogue: IntegerEpilogue

  public init(kernel: IntegerList, window: Window, epilogue: IntegerEpilogue) {
    self.kernel = kernel
    self.window = window
    self.epilogue = epilogue
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    kernel = try attributes.list(in: 1...Window.maximumKernel)
    window = try Window(from: &attributes)
    epilogue = try IntegerEpilogue(from: &attributes)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kernel)
    window.encode(into: &attributes)
    epilogue.encode(into: &attributes)
  }

  /// Sums of products of differences of bytes are exact in f32 up to here.
  public static var maximumTaps: Int { 256 }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...7)
    try step.requirePlain(0)
    try step.requirePlain(1)
    try step.require(0, is: .i8, .u8)
    try step.require(1, is: .i8, .u8)
    let x = step.input(0).shape
    let axes = try window.channelsLastAxes(over: x, kernel: kernel)
    guard axes.height.kernel <= IntegerDepthwise.maximumTaps,
      axes.width.kernel <= IntegerDepthwise.maximumTaps,
      axes.taps <= IntegerDepthwise.maximumTaps
    else { throw ShapeError("too many taps", input: 1, expected: IntegerDepthwise.maximumTaps) }
    let channels = x[x.rank - 1]
    guard step.input(1).shape == Shape([axes.taps, channels]) else {
      throw ShapeError("weights do not fit the input", input: 1, expected: channels)
    }
    guard !step.has(3) || step.input(3).elementType == step.input(1).elementType else {
      throw ShapeError("element type is not that of w", input: 3)
    }
    try epilogue.check(step, first: 2, outputs: channels, rows: 1)
    step.setOutput(
      0, epilogue.type, try axes.channelsLastShape(x[0], channels, rank: x.rank))
  }

  private func tableBytes(_ channels: Int) -> Int {
    (IntegerEpilogue.tableBytes(outputs: channels, rows: 1) + 63) & ~63
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    let w = step.input(1).shape
    return tableBytes(w[1]) + w[0] * w[1] * 4
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    step.output().shape.elementCount.saturatingProduct(step.input(1).shape[0])
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    guard step.output().shape.elementCount > 0,
      let axes = try? window.channelsLastAxes(over: x.shape, kernel: kernel)
    else { return }
    let weights = step.input(1)
    let (taps, channels) = (weights.shape[0], weights.shape[1])
    let real = step.scratch(Float.self, count: taps * channels, at: tableBytes(channels))
    putWeights(weights, step.has(3) ? step.input(3) : nil, into: real)
    let tables = unsafe epilogue.tables(
      step, first: 2, outputs: channels, rows: 1, k: taps, sums: nil, at: 0)
    var job = unsafe kn_integer_depthwise()
    let (h, w) = (axes.height, axes.width)
    unsafe job.kernels = unsafe step.compute.kernels
    unsafe job.row = unsafe kn_depthwise_i8(
      x: UnsafePointer(x.elements(UInt8.self).pointer()), w: UnsafePointer(real.pointer()),
      height: h.input, width: w.input, channels: channels, kernel_h: h.kernel,
      kernel_w: w.kernel, stride_h: h.stride, stride_w: w.stride, dilation_h: h.dilation,
      dilation_w: w.dilation, pad_top: h.begin, pad_left: w.begin, out_w: w.output,
      flip: x.elementType == .u8 ? 0x80 : 0, x_zero: tables.xZeros[0], to: tables.requantize)
    unsafe job.y = step.output().pointer.assumingMemoryBound(to: CChar.self)
    unsafe job.images = x.shape[0]
    unsafe job.out_h = h.output
    let isSmall = multiplyAccumulates(step) < 1 << 17
    let parts = isSmall || step.compute.threads == 1 ? 1 : step.compute.threads * 2
    unsafe step.compute.run(kn_integer_depthwise_job, &job, parts: parts)
  }

  /// [taps, channels] as real numbers, their zero points taken off; in every run, so in plain loops.
  private func putWeights(_ w: TensorView, _ zeros: TensorView?, into real: Elements<Float>) {
    let (taps, channels) = (w.shape[0], w.shape[1])
    // Unsigned bytes are signed ones, 128 lower; so are their zero points.
    let flip: UInt8 = w.elementType == .u8 ? 0x80 : 0
    let isMany = (zeros?.shape.elementCount ?? 1) > 1
    let from = unsafe w.elements(UInt8.self).pointer(0, count: taps * channels)
    let to = unsafe real.pointer(0, count: taps * channels)
    let zero = unsafe zeros.map {
      unsafe $0.elements(UInt8.self).pointer(0, count: isMany ? channels : 1)
    }
    for tap in 0..<taps {
      for c in 0..<channels {
        let v = unsafe Int8(bitPattern: from[tap * channels + c] ^ flip)
        let z = unsafe zero.map { unsafe Int8(bitPattern: $0[isMany ? c : 0] ^ flip) }
        unsafe to[tap * channels + c] = Float(Int32(v) - Int32(z ?? Int8(bitPattern: flip)))
      }
    }
  }
}
