// Every part of a job runs once, whatever the number of threads, and products come out the same.

import CKernels
import CPlatform
import Kernels
import Randomness
import Testing

struct ThreadPoolTests {
  @Test(arguments: [1, 2, 3, 8])
  func `every part runs exactly once, round after round`(_ threads: Int) throws {
    let pool = try ThreadPool(threads: threads)
    #expect(pool.threadCount == threads)
    // Slot 0 holds what a part adds to its own slot: the number of the round.
    let slots = Memory<Int>(count: 98, of: 0)
    var wanted = [Int](repeating: 0, count: 98)
    for round in 1...2000 {
      let parts = round * 37 % 98
      slots[0] = round
      pool.run(
        { arguments, part, parts in
          let slots = arguments!.assumingMemoryBound(to: Int.self)
          precondition(part < parts)
          slots[part + 1] += slots[0]
        }, slots.base, parts: parts)
      for part in 0..<parts { wanted[part + 1] += round }
    }
    wanted[0] = 2000
    #expect(slots.values == wanted)
    #expect(slots.marginIsIntact)
  }

  /// Threads that went to sleep come late or not at all: nothing is done twice, nothing is left.
  @Test(arguments: [2, 3, 8])
  func `jobs that find the threads asleep are whole`(_ threads: Int) throws {
    let pool = try ThreadPool(threads: threads)
    let slots = Memory<Int>(count: 16, of: 0)
    for round in 1...150 {
      // Longer than idle threads spin, but now and then not at all.
      if round % 4 != 0 { kp_sleep_ms(1) }
      for _ in 0..<2 {
        pool.run(
          { arguments, part, _ in
            arguments!.assumingMemoryBound(to: Int.self)[part] += 1
          }, slots.base, parts: 2 + round % 15)
      }
    }
    let wanted = (0..<16).map { part in 2 * (1...150).count { 2 + $0 % 15 > part } }
    #expect(slots.values == wanted && slots.marginIsIntact)
  }

  /// Within an inference they stay awake for a millisecond: gaps shorter than that, about it, and longer.
  @Test(arguments: [2, 3])
  func `jobs of one inference are whole, whatever lies between them`(_ threads: Int) throws {
    let pool = try ThreadPool(threads: threads)
    let slots = Memory<Int>(count: 16, of: 0)
    for round in 1...60 {
      pool.setBusy(true)
      for _ in 0..<2 {
        pool.run(
          { arguments, part, _ in
            arguments!.assumingMemoryBound(to: Int.self)[part] += 1
          }, slots.base, parts: 2 + round % 15)
        if round % 3 == 1 { kp_sleep_ms(UInt32(round % 2) * 2 + 1) }
      }
      pool.setBusy(false)
      if round % 4 == 0 { kp_sleep_ms(1) }
    }
    let wanted = (0..<16).map { part in 2 * (1...60).count { 2 + $0 % 15 > part } }
    #expect(slots.values == wanted && slots.marginIsIntact)
  }

  @Test func `what one thread does alone does not count as shared`() throws {
    let pool = try ThreadPool(threads: 2)
    let slots = Memory<Int>(count: 4, of: 0)
    func run(_ parts: Int) -> UInt32 {
      let before = pool.sharedJobs
      pool.run(
        { arguments, part, _ in
          arguments!.assumingMemoryBound(to: Int.self)[part] += 1
        }, slots.base, parts: parts)
      return pool.sharedJobs &- before
    }
    #expect(run(1) == 0 && run(2) == 1 && run(4) == 1 && run(0) == 0)
    #expect(slots.values == [3, 2, 1, 1])
  }

  @Test func `pools come and go`() throws {
    for threads in 1...8 {
      for _ in 0..<10 { _ = try ThreadPool(threads: threads) }
    }
  }

  @Test(arguments: [0, -1, 1025, .max, .min])
  func `a pool of no or too many threads is refused`(_ threads: Int) {
    #expect(throws: ThreadPoolError.threadCount(threads)) { try ThreadPool(threads: threads) }
  }

  @Test(arguments: [1, 2, 3, 8])
  func `a product over the pool has the bits of one thread`(_ threads: Int) throws {
    let pool = try ThreadPool(threads: threads)
    for (m, n, k) in [
      (1, 300, 700), (130, 16, 260), (200, 200, 40), (37, 530, 129), (0, 5, 5), (5, 5, 0),
    ] {
      let alone = Product(m: m, n: n, k: k, activation: KN_RELU, bias: KN_BIAS_COLUMN)
      let shared = Product(m: m, n: n, k: k, activation: KN_RELU, bias: KN_BIAS_COLUMN)
      KernelSet.best.table.pointee.gemm_f32(&alone.gemm, 0, m, 0, alone.panelCount)
      run(shared.gemm, kn_gemm_f32_job, pool)
      #expect(shared.c.values == alone.c.values, "\(m) x \(n) x \(k)")
      shared.check()
    }
  }

  @Test(arguments: [1, 2, 3, 8])
  func `an int8 product over the pool has the bits of one thread`(_ threads: Int) throws {
    let pool = try ThreadPool(threads: threads)
    var random = SeededRandom(state: 47)
    for (m, n, k) in [(1, 512, 512), (150, 40, 64), (60, 100, 333)] {
      let (k4, panelCount) = ((k + 3) / 4 * 4, (n + 15) / 16)
      let (a, b) = (random.codes(m * k4), random.codes(panelCount * 16 * k4))
      let (aScales, bScales) = (random.floats(m), random.floats(panelCount * 16))
      let (alone, shared) = (Memory<Float>(count: m * n), Memory<Float>(count: m * n))
      var g = kn_gemm()
      (g.a, g.b) = (UnsafeRawPointer(a.base), UnsafeRawPointer(b.base))
      (g.lda, g.ldc) = (k4, n)
      (g.m, g.n, g.k) = (m, n, k4)
      (g.a_scales, g.b_scales) = (UnsafePointer(aScales.base), UnsafePointer(bScales.base))
      g.alpha = 1
      g.c = alone.base
      KernelSet.best.table.pointee.gemm_i8(&g, 0, m, 0, panelCount)
      g.c = shared.base
      run(g, kn_gemm_i8_job, pool)
      #expect(shared.values == alone.values && shared.marginIsIntact)
    }
  }

  /// A product cut over the pool, as operators cut theirs.
  private func run(_ gemm: kn_gemm, _ job: kp_job, _ pool: ThreadPool) {
    withUnsafePointer(to: gemm) { gemm in
      var work = kn_gemm_work(
        kernels: KernelSet.best.table, gemm: gemm, row_parts: 0, panel_parts: 0)
      let parts = kn_gemm_split(&work, pool.threadCount)
      pool.run(job, &work, parts: parts)
    }
  }

  /// Every element is in exactly one part, and there are no more parts than pieces.
  @Test func `products are cut without gaps`() {
    for m in [1, 23, 24, 25, 100, 4096] {
      for n in [1, 16, 33, 384, 5000] {
        for threads in [1, 2, 3, 8, 64] {
          var g = kn_gemm()
          (g.m, g.n, g.k) = (m, n, 1000)
          withUnsafePointer(to: g) { gemm in
            var work = kn_gemm_work(
              kernels: KernelSet.scalar.table, gemm: gemm, row_parts: 0, panel_parts: 0)
            let parts = kn_gemm_split(&work, threads)
            #expect(parts == work.row_parts * work.panel_parts)
            #expect(parts >= 1 && parts <= 3 * threads)
            #expect(work.panel_parts <= (n + 31) / 32 && work.row_parts <= (m + 23) / 24)
            if threads == 1 { #expect(parts == 1) }
          }
        }
      }
    }
  }
}
