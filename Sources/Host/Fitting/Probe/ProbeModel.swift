// A program of one step, made to be measured.
import Foundation
import Graphs
import Kernels
import Lowering
import Operators
import Platform
import Programs
import Quantization
import Runtime
import Tensors

/// One step as a model with random weights, lowered as `pack` would and run by a session.
package final class ProbeModel {
  /// What the cost model knows of the step; of several, the largest.
  package let work: StepWork
  /// All steps.
  let all: [StepWork]
  private let session: Session
  private let memory: AnonymousMemory

  /// Memory that it takes.
  var byteCount: Int { memory.count + session.arenaBytes }

  /// The case at `threads`, on `pool` where one is given; nil where the step is no step of a run.
  package init?(_ made: ProbeCase, threads: Int, pool: ThreadPool? = nil) throws {
    let lowered = try Lowering.lower(made.graph, LoweringOptions(threads: threads)) { _ in
      made.scheme
    }
    // What packs weights runs ahead.
    guard let work = lowered.work.filter({ $0.time == .always }).max(by: { $0.amount < $1.amount })
    else { return nil }
    self.work = work
    all = lowered.work
    memory = try AnonymousMemory(count: max(lowered.weightBytes, 1))
    var views: [TensorView] = []
    for (source, weight) in zip(lowered.sources, lowered.program.weights) {
      let encoder = WeightEncoder(source, weight.encoding)
      let place = memory.buffer[weight.offset..<weight.offset + encoder.byteCount]
      encoder.encode(into: UnsafeMutableRawBufferPointer(rebasing: place))
      views.append(
        TensorView(
          base: memory.buffer.baseAddress! + weight.offset, byteCount: encoder.byteCount,
          elementType: weight.elementType, shape: weight.shape, encoding: weight.encoding))
    }
    session = try Session(
      program: lowered.program, weights: views, threads: threads, sharedPool: pool)
    var random = ProbeRandom()
    for i in lowered.program.inputs.indices {
      let view = session.input(i)
      if view.elementType == .i64, made.indexLimit > 1 {
        let indices = view.elements(Int64.self)
        for n in 0..<indices.count { indices[n] = Int64(n * 7919 % made.indexLimit) }
      }
      guard view.elementType == .f32 else { continue }
      let floats = view.floats
      for n in 0..<floats.count { floats[n] = random.next() }
    }
  }

  /// Whether a run shares any work among the threads of `pool`, which is its own.
  func isShared(on pool: ThreadPool) throws -> Bool {
    let before = pool.sharedJobs
    try session.run()
    return pool.sharedJobs != before
  }

  /// Seconds of one run, the lower quartile of several: others on the machine make runs longer, never
  /// shorter. About `seconds` are spent.
  ///
  /// isLong: the run takes long enough to be disturbed in most samples; the shortest one counts.
  package func measure(
    seconds: Double, atMost samples: Int = 200, isLong: Bool = false
  ) throws -> Double {
    try session.run()
    let first = try time(1)
    // Reading the clock takes 30 ns: short steps are timed several at once.
    let batch = max(1, min(1000, Int(2e-5 / max(first, 1e-8))))
    var times: [Double] = []
    let start = Clock.monotonicNanoseconds
    repeat {
      times.append(try time(batch))
    } while times.count < 3
      || (times.count < samples && Double(Clock.monotonicNanoseconds &- start) < seconds * 1e9)
    return times.sorted()[isLong ? 0 : times.count / 4]
  }

  /// Seconds of the shortest of so many runs, one behind the other.
  func shortest(of runs: Int) throws -> Double {
    try session.run()
    var shortest = Double.infinity
    for _ in 0..<runs { shortest = min(shortest, try time(1)) }
    return shortest
  }

  private func time(_ runs: Int) throws -> Double {
    let start = Clock.monotonicNanoseconds
    for _ in 0..<runs { try session.run() }
    return Double(Clock.monotonicNanoseconds &- start) * 1e-9 / Double(runs)
  }
}

/// Numbers between -1 and 1, the same every time.
struct ProbeRandom {
  private var state: UInt32 = 1

  mutating func next() -> Float {
    state = state &* 1_664_525 &+ 1_013_904_223
    return Float(Int32(bitPattern: state) >> 8) * 0x1p-23
  }

  mutating func floats(_ dimensions: [Int]) -> Constant {
    let shape = Shape(dimensions)
    return Constant(elementType: .f32, shape: shape) { out in
      let floats = out.bindMemory(to: Float.self)
      for i in floats.indices { floats[i] = next() }
    }
  }

  mutating func bytes(_ dimensions: [Int]) -> Constant {
    Constant(elementType: .i8, shape: Shape(dimensions)) { out in
      for i in out.indices { out[i] = UInt8(bitPattern: Int8(next() * 127)) }
    }
  }
}
