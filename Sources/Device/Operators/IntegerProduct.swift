// Matrix products of 8-bit integers.
import CKernels
import CPlatform
import Tensors

/// y = epilogue(Σ_p (x[i, p] − x zero) (w[p, j] − w zero)).
///
/// inputs: x i8 or u8 [..., m, k]; panels and column sums of w as `PackRows` makes them, of one matrix
/// or of one per leading index of x; then those of `IntegerEpilogue`, zero points of x one, or one per
/// row → output: the epilogue's type, [..., m, n].
public struct IntegerProduct: OperatorDefinition {
  public static var code: Int { 101 }
  public static var name: StaticString { "IntegerProduct" }

  public var epilogue: IntegerEpilogue

  public init(_ epilogue: IntegerEpilogue) { self.epilogue = epilogue }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    epilogue = try IntegerEpilogue(from: &attributes)
  }

  public func encode(into attributes: inout AttributeWriter) {
    epilogue.encode(into: &attributes)
  }

  private func geometry(_ step: StepContext) throws(ShapeError) -> IntegerGeometry {
    let x = step.input(0).shape
    let sums = step.input(2).shape
    guard x.rank >= 2 else { throw ShapeError("expected rows", input: 0, expected: 2) }
    guard sums.rank == 2 else { throw ShapeError("wrong rank", input: 2, expected: 2) }
    let k = x[x.rank - 1]
    var g = IntegerGeometry()
    g.outputs = sums[1]
    g.matrices = sums[0]
    let rows = x.elementCount(of: 0..<(x.rank - 1))
    if sums[0] == 1 {
      g.images = 1
      g.axes.width.input = rows
    } else {
      g.images = x.elementCount(of: 0..<(x.rank - 2))
      g.axes.width.input = x[x.rank - 2]
      g.panelsPerImage = true
      guard g.images == sums[0] else {
        throw ShapeError("is not one matrix for each", input: 1, expected: g.images)
      }
    }
    g.axes.width.output = g.axes.width.input
    g.channels = k
    g.zeroCount = rows
    g.zeroRowStep = 1
    return g
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...8)
    try step.requirePlain(0)
    try step.require(0, is: .i8, .u8)
    let g = try geometry(step)
    try g.checkPanels(step)
    try epilogue.check(step, first: 3, outputs: g.tableColumns, rows: g.zeroCount)
    var shape = step.input(0).shape
    shape[shape.rank - 1] = g.outputs
    step.setOutput(0, epilogue.type, shape)
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    guard let g = try? geometry(step) else { return 0 }
    return g.scratchBytes(step)
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    step.output().shape.elementCount.saturatingProduct(
      step.input(0).shape[step.input(0).shape.rank - 1])
  }

  public func run(_ step: StepContext) {
    guard let g = try? geometry(step), step.output().shape.elementCount > 0 else { return }
    g.run(step, epilogue)
  }
}

/// A convolution of bytes or a product seen as one: extents, and how the work is cut.
struct IntegerGeometry {
  var images = 1
  var groups = 1
  /// Matrices of panels: one per group or per image.
  var matrices = 1
  var panelsPerImage = false
  /// Channels and outputs of one group.
  var channels = 0
  var outputs = 0
  var axes = WindowAxes()
  /// How many zero points x may have, and how far they lie apart from image to image and row to row.
  var zeroCount = 1
  var zeroImageStep = 0
  var zeroRowStep = 0

  var k: Int { channels * axes.taps }
  var tableColumns: Int { matrices * outputs }

  func checkPanels(_ step: StepContext) throws(ShapeError) {
    try step.requirePlain(1)
    try step.requirePlain(2)
    try step.require(1, is: .i8)
    try step.require(2, is: .i32)
    let panels = step.input(1).shape
    guard k <= PackRows.maximumLength,
      panels == Shape([matrices, (outputs + 15) / 16, (k + 3) / 4, 64])
    else { throw ShapeError("panels do not fit the input", input: 1, expected: k) }
    guard step.input(2).shape == Shape([matrices, outputs]) else {
      throw ShapeError("is not one sum per output", input: 2, expected: outputs)
    }
  }

  private struct Plan {
    var parts = 1
    var rowBlock = 12
    var columnCuts = 1
  }

  private func plan(_ step: StepContext) -> Plan {
    var p = Plan()
    let pixels = max(axes.outputs, 1)
    let stride = (k + 3) & ~3
    // Rows and their sums stay in a small L2 cache; a tile is at most 12 rows high.
    let fitting = max((1 << 17) / (stride + 4 * outputs + 1) / 12 * 12, 12)
    p.rowBlock = min(fitting, 96, pixels)
    // Below about 20 µs of work, waking threads costs more than they save.
    let isSmall = images * groups * outputs * pixels < (1 << 20) / max(k, 1)
    guard !isSmall, step.compute.threads > 1 else { return p }
    p.parts = step.compute.threads * 2
    let units = images * groups * ((pixels + p.rowBlock - 1) / p.rowBlock)
    if units < p.parts {
      let panels = (outputs + 31) / 32
      p.columnCuts = min(max((p.parts + units - 1) / max(units, 1), 1), max(panels, 1))
    }
    return p
  }

  private func job(_ p: Plan) -> kn_integer_conv {
    var job = unsafe kn_integer_conv()
    let (h, w) = (axes.height, axes.width)
    unsafe job.window = unsafe kn_im2col(
      x: nil, channels: channels, height: h.input, width: w.input, kernel_h: h.kernel,
      kernel_w: w.kernel, stride_h: h.stride, stride_w: w.stride, dilation_h: h.dilation,
      dilation_w: w.dilation, pad_top: h.begin, pad_left: w.begin, out_h: h.output,
      out_w: w.output)
    unsafe job.images = images
    unsafe job.groups = groups
    unsafe job.outputs = outputs
    unsafe job.row_block = p.rowBlock
    unsafe job.column_cuts = p.columnCuts
    return unsafe job
  }

  private func tableBytes() -> Int {
    (IntegerEpilogue.tableBytes(outputs: tableColumns, rows: max(zeroCount, 1)) + 63) & ~63
  }

  func scratchBytes(_ step: StepContext) -> Int {
    let p = plan(step)
    var job = unsafe job(p)
    return unsafe tableBytes() + p.parts * kn_integer_conv_scratch(&job)
  }

  func run(_ step: StepContext, _ epilogue: IntegerEpilogue) {
    let p = plan(step)
    var job = unsafe job(p)
    let x = step.input(0)
    let has = step.has(3)
    let isMany = has ? step.input(3).shape.elementCount > 1 : false
    let tables = unsafe epilogue.tables(
      step, first: 3, outputs: tableColumns, rows: max(zeroCount, 1), k: k, sums: step.input(2),
      at: 0)
    unsafe job.kernels = unsafe step.compute.kernels
    unsafe job.x = UnsafePointer(x.elements(UInt8.self).pointer())
    unsafe job.flip = x.elementType == .u8 ? 0x80 : 0
    unsafe job.x_zeros = unsafe tables.xZeros
    unsafe job.zero_row_step = isMany ? zeroRowStep : 0
    unsafe job.zero_image_step =
      isMany ? (zeroImageStep > 0 ? zeroImageStep : panelsPerImage ? axes.outputs : 0) : 0
    unsafe job.panels = UnsafePointer(step.input(1).elements(Int8.self).pointer())
    unsafe job.panels_per_image = panelsPerImage ? 1 : 0
    unsafe job.to = unsafe tables.requantize
    unsafe job.y = step.output().pointer.assumingMemoryBound(to: CChar.self)
    unsafe job.scratch = UnsafeMutableRawPointer(
      step.scratch(
        UInt8.self, count: p.parts * kn_integer_conv_scratch(&job), at: tableBytes()
      ).pointer()
    ).assumingMemoryBound(to: CChar.self)
    unsafe step.compute.run(kn_integer_conv_job, &job, parts: p.parts)
  }
}
