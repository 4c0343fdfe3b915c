// The recurrent matrix of a cell, ready to be multiplied with a hidden state at every time step.
import CKernels
import CPlatform
import Tensors

/// A matrix [k, n] that many small products share: f32 panels, made once a run where the weight is
/// stored in another form, or the int8 panels as they are.
struct RecurrentWeight {
  private let shape: Shape
  private let encoding: WeightEncoding?
  /// Where its scratch starts, and how many bytes that takes.
  private let offset: Int
  let scratchBytes: Int

  var n: Int { shape[1] }
  var k: Int { shape[0] }

  /// rows: of the left-hand side of the products.
  init(_ weight: TensorView, rows: Int, scratchAt offset: Int) {
    shape = weight.shape
    encoding = weight.encoding
    self.offset = offset
    let panels = (shape[1] + 15) / 16 * 16 * shape[0] * 4
    switch weight.encoding?.scheme {
    case .f32: scratchBytes = 0
    case .int8:
      let codes = rows * WeightEncoding.int8RowBytes(shape[0])
      scratchBytes = (codes + 63) & ~63 + (rows * 4 + 63) & ~63
    default: scratchBytes = (panels + 63) & ~63
    }
  }

  /// Unpacks the weight; before the first product of a run.
  func load(_ weight: TensorView, _ step: StepContext) {
    let scheme = encoding?.scheme
    guard scheme != .f32, scheme != .int8, k > 0, n > 0 else { return }
    let panels = step.scratch(Float.self, count: (n + 15) / 16 * 16 * k, at: offset)
    let kernels = unsafe step.compute.kernels
    guard let scheme else {
      unsafe kernels.pointee.pack_f32(
        weight.floats.pointer(0, count: k * n), n, 1, k, n, panels.pointer())
      return
    }
    for panel in 0..<((n + 15) / 16) {
      let out = unsafe panels.pointer(panel * 16 * k, count: 16 * k)
      let halves = unsafe weight.pointer.assumingMemoryBound(to: UInt16.self) + panel * 16 * k
      switch scheme {
      case .f16: unsafe kernels.pointee.decode_panel_f16(halves, out, k)
      case .bf16: unsafe kernels.pointee.decode_panel_bf16(halves, out, k)
      default:
        let rowBytes = scheme.block?.rowBytes(k) ?? 0
        unsafe kernels.pointee.decode_panel_blocks(
          Int32(scheme.rawValue), weight.pointer + panel * 16 * rowBytes, BlockFormat.count(k),
          min(n - panel * 16, 16), out, k)
      }
    }
  }

  /// c [rows, ldc] = x [rows, k] w, added to what c holds where `accumulates`.
  @unsafe func multiply(
    _ x: UnsafeMutablePointer<Float>, rows: Int, _ weight: TensorView,
    into c: UnsafeMutablePointer<Float>, ldc: Int, accumulates: Bool, _ step: StepContext
  ) {
    let compute = step.compute
    var gemm = unsafe kn_gemm()
    unsafe gemm.a = UnsafeRawPointer(x)
    unsafe gemm.lda = k
    unsafe gemm.c = c
    unsafe gemm.ldc = ldc
    unsafe gemm.m = rows
    unsafe gemm.n = n
    unsafe gemm.k = k
    unsafe gemm.alpha = 1
    unsafe gemm.accumulate = accumulates ? 1 : 0
    var job: kp_job = unsafe kn_gemm_f32_job
    if let encoding, encoding.scheme == .int8 {
      let ld = WeightEncoding.int8RowBytes(k)
      let codes = step.scratch(Int8.self, count: rows * ld, at: offset)
      let scales = step.scratch(
        Float.self, count: rows, at: offset + (rows * ld + 63) & ~63)
      unsafe compute.kernels.pointee.quantize_rows_i8(
        x, k, rows, k, codes.pointer(), ld, scales.pointer())
      unsafe gemm.a = UnsafeRawPointer(codes.pointer())
      unsafe gemm.lda = ld
      unsafe gemm.b = UnsafeRawPointer(weight.pointer)
      unsafe gemm.a_scales = UnsafePointer(scales.pointer())
      unsafe gemm.b_scales = UnsafeRawPointer(weight.pointer + encoding.scaleOffset(shape))
        .assumingMemoryBound(to: Float.self)
      unsafe job = unsafe kn_gemm_i8_job
    } else if encoding?.scheme == .f32 {
      unsafe gemm.b = UnsafeRawPointer(weight.pointer)
    } else {
      unsafe gemm.b = UnsafeRawPointer(
        step.scratch(Float.self, count: (n + 15) / 16 * 16 * k, at: offset).pointer())
    }
    unsafe withUnsafePointer(to: &gemm) { gemm in
      var work = unsafe kn_gemm_work(
        kernels: compute.kernels, gemm: gemm, row_parts: 0, panel_parts: 0)
      let parts = unsafe kn_gemm_split(&work, compute.threads)
      unsafe compute.run(job, &work, parts: parts)
    }
  }
}
