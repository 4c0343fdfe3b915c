// The matrix product, with bias and activation: MatMul, Gemm, linear layers.
import CKernels
import CPlatform
import Tensors

/// What follows a product or a convolution before it is stored. Raw values are part of the bundle
/// format and equal `kn_activation`.
public enum Activation: Int, Sendable, CaseIterable {
  case linear = 0
  case relu, clip, sigmoid, tanh, gelu, geluTanh, silu, leakyRelu, hardSwish, hardSigmoid

  /// The activation that does what `kind` does; nil for functions that cannot be fused.
  public init?(_ kind: UnaryKind) {
    switch kind {
    case .relu: self = .relu
    case .clip: self = .clip
    case .sigmoid: self = .sigmoid
    case .tanh: self = .tanh
    case .gelu: self = .gelu
    case .geluTanh: self = .geluTanh
    case .silu: self = .silu
    case .leakyRelu: self = .leakyRelu
    case .hardSwish: self = .hardSwish
    case .hardSigmoid: self = .hardSigmoid
    default: return nil
    }
  }
}

/// An activation and its parameters, as attributes of the operator it is fused into.
public struct FusedActivation: Sendable, Equatable {
  public var kind: Activation
  public var p0: Float
  public var p1: Float

  public init(_ kind: Activation = .linear, _ p0: Float = 0, _ p1: Float = 0) {
    self.kind = kind
    self.p0 = p0
    self.p1 = p1
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = Activation(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown activation")
    }
    self.kind = kind
    p0 = try attributes.float()
    p1 = try attributes.float()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kind.rawValue)
    attributes.put(p0)
    attributes.put(p1)
  }
}

/// y = activation(alpha · a b + bias).
///
/// inputs: a f32 [..., m, k]; b [..., k, n], f32 or a weight in panels (then two axes); bias f32 [n],
/// optional → output f32 [..., m, n], leading axes broadcast; a 1-D operand loses its axis again.
public struct MatMul: OperatorDefinition {
  public static var code: Int { 10 }
  public static var name: StaticString { "MatMul" }

  public var transposeA: Bool
  public var transposeB: Bool
  public var alpha: Float
  public var activation: FusedActivation

  public init(
    transposeA: Bool = false, transposeB: Bool = false, alpha: Float = 1,
    activation: FusedActivation = FusedActivation()
  ) {
    self.transposeA = transposeA
    self.transposeB = transposeB
    self.alpha = alpha
    self.activation = activation
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    transposeA = try attributes.bool()
    transposeB = try attributes.bool()
    alpha = try attributes.float()
    activation = try FusedActivation(from: &attributes)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(transposeA)
    attributes.put(transposeB)
    attributes.put(alpha)
    activation.encode(into: &attributes)
  }

  /// The product as `batches` products of [m, k] by [k, n].
  private struct Extents {
    var m = 1
    var n = 1
    var k = 1
    var batchA = Shape()
    var batchB = Shape()
    var batch = Shape()
    var isVectorA = false
    var isVectorB = false
  }

  private func extents(_ step: StepContext) throws(ShapeError) -> Extents {
    let a = step.input(0).shape
    let b = step.input(1).shape
    guard a.rank >= 1, b.rank >= 1 else { throw ShapeError("a scalar has no matrix product") }
    var e = Extents()
    e.isVectorA = a.rank == 1
    e.isVectorB = b.rank == 1
    let k: Int
    if e.isVectorA {
      e.k = a[0]
    } else {
      e.m = a[a.rank - (transposeA ? 1 : 2)]
      e.k = a[a.rank - (transposeA ? 2 : 1)]
      for axis in 0..<(a.rank - 2) { e.batchA.append(a[axis]) }
    }
    if e.isVectorB {
      k = b[0]
    } else {
      e.n = b[b.rank - (transposeB ? 2 : 1)]
      k = b[b.rank - (transposeB ? 1 : 2)]
      for axis in 0..<(b.rank - 2) { e.batchB.append(b[axis]) }
    }
    guard k == e.k else {
      throw ShapeError("inner extents differ", input: 1, expected: e.k, found: k)
    }
    guard let batch = Shape.broadcast(e.batchA, e.batchB) else {
      throw ShapeError("leading extents do not broadcast", input: 1)
    }
    e.batch = batch
    // One matrix on the right serves every row of the left: the leading axes are rows too.
    if e.batchB.elementCount == 1, !transposeA, !e.isVectorA {
      e.m *= e.batchA.elementCount
      e.batchA = Shape()
      e.batchB = Shape()
      e.batch = Shape()
    }
    return e
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...3)
    try step.requirePlain(0)
    try step.require(0, is: .f32)
    try step.require(1, is: .f32)
    let a = step.input(0).shape
    let b = step.input(1).shape
    if let encoding = step.input(1).encoding {
      guard encoding.layout == .panels, b.rank == 2, !transposeB else {
        throw ShapeError("a weight must be one matrix in panels", input: 1)
      }
    }
    let e = try extents(step)
    if step.has(2) {
      try step.require(2, is: .f32)
      try step.requirePlain(2)
      let bias = step.input(2).shape
      guard bias.rank == 1, bias[0] == e.n else {
        throw ShapeError("bias is not one number per column", input: 2, expected: e.n)
      }
    }
    var shape = Shape()
    let leadA = max(a.rank - 2, 0)
    let lead = max(leadA, max(b.rank - 2, 0))
    let batch = e.batch.rank == 0 ? leading(a, leadA) : e.batch
    for axis in 0..<batch.rank { shape.append(batch[axis]) }
    while shape.rank < lead { shape = prepending(1, to: shape) }
    if !e.isVectorA { shape.append(transposeA ? a[a.rank - 1] : a[a.rank - 2]) }
    if !e.isVectorB { shape.append(e.n) }
    guard shape.checkedElementCount != nil else { throw ShapeError("output is too large") }
    step.setOutput(0, .f32, shape)
  }

  private func leading(_ shape: Shape, _ count: Int) -> Shape {
    var result = Shape()
    for axis in 0..<count { result.append(shape[axis]) }
    return result
  }

  private func prepending(_ extent: Int, to shape: Shape) -> Shape {
    var result = Shape()
    result.append(extent)
    for axis in 0..<shape.rank { result.append(shape[axis]) }
    return result
  }

  /// Where each part of the scratch starts, in bytes.
  private struct Layout {
    var a = 0
    var codes = 0
    var scales = 0
    var panels = 0
    var total = 0
  }

  private func parts(_ step: StepContext) -> Int {
    step.compute.threads == 1 ? 1 : step.compute.threads * 2
  }

  private func layout(_ step: StepContext, _ e: Extents) -> Layout {
    var l = Layout()
    func take(_ bytes: Int) -> Int {
      let at = l.total
      l.total += (bytes + 63) & ~63
      return at
    }
    if transposeA { l.a = take(e.m * e.k * 4) }
    switch step.input(1).encoding?.scheme {
    case nil: l.panels = take((e.n + 15) / 16 * 16 * e.k * 4)
    case .f32: break
    case .int8:
      l.codes = take(e.m * WeightEncoding.int8RowBytes(e.k))
      l.scales = take(e.m * 4)
    default: l.panels = take(parts(step) * 32 * e.k * 4)
    }
    return l
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    guard let e = try? extents(step) else { return 0 }
    return layout(step, e).total
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    guard let e = try? extents(step) else { return 0 }
    return (e.batch.elementCount * e.m).saturatingProduct(e.n).saturatingProduct(e.k)
  }

  public func run(_ step: StepContext) {
    guard let e = try? extents(step) else { return }
    let y = step.output().floats
    guard y.count > 0 else { return }
    let l = layout(step, e)
    let a = step.input(0).floats
    let weight = step.input(1)
    let walk = Broadcast(
      e.batchA, e.batchB, to: e.batch)
    walk.forEachRun { firstA, firstB, first in
      for i in 0..<walk.run {
        let ai = (firstA + i * walk.stepA) * e.m * e.k
        let bi = (firstB + i * walk.stepB) * e.k * e.n
        let yi = (first + i) * e.m * e.n
        unsafe one(
          step, e, l, a.pointer(ai, count: e.m * e.k), weight, bi, y.pointer(yi, count: e.m * e.n))
      }
    }
  }

  @unsafe private func one(
    _ step: StepContext, _ e: Extents, _ l: Layout, _ a: UnsafeMutablePointer<Float>,
    _ weight: TensorView, _ offsetB: Int, _ y: UnsafeMutablePointer<Float>
  ) {
    let compute = step.compute
    let kernels = unsafe compute.kernels
    var job = unsafe kn_matmul()
    unsafe job.kernels = unsafe kernels
    unsafe job.gemm.a = UnsafeRawPointer(a)
    unsafe job.gemm.lda = e.k
    unsafe job.gemm.c = y
    unsafe job.gemm.ldc = e.n
    unsafe job.gemm.m = e.m
    unsafe job.gemm.n = e.n
    unsafe job.gemm.k = e.k
    unsafe job.gemm.alpha = alpha
    unsafe job.gemm.p0 = activation.p0
    unsafe job.gemm.p1 = activation.p1
    unsafe job.gemm.activation = Int32(activation.kind.rawValue)
    if step.has(2) {
      unsafe job.gemm.bias = UnsafePointer(step.input(2).floats.pointer(0, count: e.n))
      unsafe job.gemm.bias_axis = Int32(KN_BIAS_COLUMN.rawValue)
    }
    if transposeA {
      let t = step.scratch(Float.self, count: e.m * e.k, at: l.a)
      for p in 0..<e.k {
        for i in 0..<e.m { t[i * e.k + p] = unsafe a[p * e.m + i] }
      }
      unsafe job.gemm.a = UnsafeRawPointer(t.pointer())
    }
    guard let encoding = weight.encoding else {
      let panels = step.scratch(Float.self, count: (e.n + 15) / 16 * 16 * e.k, at: l.panels)
      let b = weight.floats
      unsafe kernels.pointee.pack_f32(
        b.pointer(offsetB, count: e.k * e.n), transposeB ? 1 : e.n, transposeB ? e.k : 1, e.k, e.n,
        panels.pointer())
      unsafe job.gemm.b = UnsafeRawPointer(panels.pointer())
      unsafe job.scheme = Int32(KN_F32.rawValue)
      return unsafe dispatch(&job, step, e)
    }
    unsafe job.scheme = Int32(encoding.scheme.rawValue)
    unsafe job.weights = UnsafeRawPointer(weight.pointer)
    switch encoding.scheme {
    case .f32: unsafe job.gemm.b = UnsafeRawPointer(weight.pointer)
    case .int8:
      let ld = WeightEncoding.int8RowBytes(e.k)
      let codes = step.scratch(Int8.self, count: e.m * ld, at: l.codes)
      let scales = step.scratch(Float.self, count: e.m, at: l.scales)
      var quantize = unsafe kn_quantize(
        kernels: kernels, x: job.gemm.a.assumingMemoryBound(to: Float.self), ld_x: e.k,
        rows: e.m, k: e.k, codes: codes.pointer(), ld_codes: ld, scales: scales.pointer())
      unsafe compute.run(
        kn_quantize_job, &quantize, parts: e.m * e.k < 16384 ? 1 : min(parts(step), e.m))
      unsafe job.gemm.a = UnsafeRawPointer(codes.pointer())
      unsafe job.gemm.lda = ld
      unsafe job.gemm.b = UnsafeRawPointer(weight.pointer)
      unsafe job.gemm.a_scales = UnsafePointer(scales.pointer())
      unsafe job.gemm.b_scales = UnsafeRawPointer(
        weight.pointer + encoding.scaleOffset(weight.shape)
      )
      .assumingMemoryBound(to: Float.self)
    default:
      unsafe job.scratch =
        step.scratch(Float.self, count: parts(step) * 32 * e.k, at: l.panels).pointer()
    }
    unsafe dispatch(&job, step, e)
  }

  @unsafe private func dispatch(_ job: inout kn_matmul, _ step: StepContext, _ e: Extents) {
    let compute = step.compute
    switch unsafe job.scheme {
    case Int32(KN_F32.rawValue): unsafe cut(&job.gemm, kn_gemm_f32_job, compute)
    case Int32(KN_INT8.rawValue): unsafe cut(&job.gemm, kn_gemm_i8_job, compute)
    default:
      // Below about 20 µs of work, waking threads costs more than they save.
      let parts = e.m * e.n < (1 << 19) / max(e.k, 1) ? 1 : parts(step)
      unsafe compute.run(kn_matmul_job, &job, parts: parts)
    }
  }

  /// A product whose panels are there, over the pool.
  @unsafe private func cut(
    _ gemm: UnsafePointer<kn_gemm>, _ job: kp_job, _ compute: Compute
  ) {
    var work = unsafe kn_gemm_work(
      kernels: compute.kernels, gemm: gemm, row_parts: 0, panel_parts: 0)
    let parts = unsafe kn_gemm_split(&work, compute.threads)
    unsafe compute.run(job, &work, parts: parts)
  }
}
