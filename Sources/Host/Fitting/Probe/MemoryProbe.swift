// How fast memory is read and copied, for working sets from one that a core's cache holds to one that
// no cache does.
import Foundation
import Kernels
import Platform

/// Measures reads by the runtime's own summing kernel, and copies.
package struct MemoryProbe {
  var threadCounts: [Int]

  package init(threadCounts: [Int]) { self.threadCounts = threadCounts }

  private static let workingSets = [128 << 10, 1 << 20, 8 << 20, 96 << 20]

  package func points() -> [MeasuredSpeeds.MemoryPoint] {
    guard let memory = try? AnonymousMemory(count: 2 * Self.workingSets.max()!) else { return [] }
    memory.buffer.initializeMemory(as: UInt8.self, repeating: 1)
    return threadCounts.flatMap { threads in
      Self.workingSets.map { bytes in
        MeasuredSpeeds.MemoryPoint(
          threads: threads, workingSetBytes: bytes,
          readBytesPerSecond: rate(memory, bytes, threads, passes: 4, Self.read),
          copyBytesPerSecond: rate(memory, bytes / 2, threads, passes: 3, Self.copy))
      }
    }
  }

  private typealias Job = @Sendable (UnsafeMutableRawPointer, Int) -> Void

  private static let read: Job = { base, bytes in
    _ = KernelSet.best.table.pointee.sum_f32(
      base.assumingMemoryBound(to: Float.self), bytes / MemoryLayout<Float>.size)
  }

  private static let copy: Job = { base, bytes in
    (base + bytes).copyMemory(from: base, byteCount: bytes)
  }

  /// Bytes per second of the best of `passes`, each thread over a part of its own.
  private func rate(
    _ memory: AnonymousMemory, _ bytes: Int, _ threads: Int, passes: Int, _ job: @escaping Job
  ) -> Double {
    let part = bytes / threads & ~63
    // Copies have their target behind them.
    let stride = memory.buffer.count / threads & ~63
    let repeats = max(1, (64 << 20) / max(bytes, 1))
    nonisolated(unsafe) let base = memory.buffer.baseAddress!
    var best = Double.infinity
    for _ in 0..<passes {
      let start = Clock.monotonicNanoseconds
      if threads == 1 {
        for _ in 0..<repeats { job(base, part) }
      } else {
        DispatchQueue.concurrentPerform(iterations: threads) { thread in
          for _ in 0..<repeats { job(base + thread * stride, part) }
        }
      }
      best = min(best, Double(Clock.monotonicNanoseconds &- start) * 1e-9)
    }
    return Double(part * threads * repeats) / max(best, 1e-9)
  }
}
