// Matrix products over a thread pool: cut by size, small ones on the calling thread.

public import CKernels

extension ThreadPool {
  /// C = activation(alpha A B + bias (+ C)) in f32, shapes as `kn_gemm` says. Does not allocate; C does
  /// not depend on the number of threads.
  @unsafe
  public func gemmF32(_ gemm: kn_gemm, with kernels: KernelSet) {
    unsafe product(gemm, kernels, kn_gemm_f32_job)
  }

  /// The same for int8 codes with scales.
  @unsafe
  public func gemmI8(_ gemm: kn_gemm, with kernels: KernelSet) {
    unsafe product(gemm, kernels, kn_gemm_i8_job)
  }

  private func product(
    _ gemm: kn_gemm, _ kernels: KernelSet,
    _ job: @convention(c) (UnsafeMutableRawPointer?, Int, Int) -> Void
  ) {
    unsafe withUnsafePointer(to: gemm) { gemm in
      var work = unsafe kn_gemm_work(
        kernels: kernels.table, gemm: gemm, row_parts: 1, panel_parts: 1)
      let parts = unsafe kn_gemm_split(&work, threadCount)
      unsafe run(job, &work, parts: parts)
    }
  }
}
