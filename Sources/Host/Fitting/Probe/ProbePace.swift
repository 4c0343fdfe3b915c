// Whether the machine is as fast as it can be, at the moment.
import Kernels
import Platform

/// One and the same work, timed before and after what is measured: a step of integers, of what a near cache
/// holds, which a busy neighbour makes half as long again where products of floats hardly show one. On
/// several threads also a product of floats, which takes twice as long where a virtual machine's processors
/// are two halves of one core, as they are for moments.
///
/// Neighbours on a processor take execution units and caches for seconds at a time, as other programs do:
/// what is measured meanwhile says nothing of the machine, however often it is measured.
final class ProbePace {
  private let models: [Int: [ProbeModel]]
  /// The shortest time so far, by the number of threads.
  private var best: [Int: Double] = [:]
  /// When a look last found the full pace.
  private var lastFull: [Int: UInt64] = [:]
  /// Of one thread: when it was looked last, and nanoseconds until looks that found it slow, and in all.
  private var lastLook: UInt64?
  private var slowTime: UInt64 = 0
  private var time: UInt64 = 0

  /// A pace may be so much longer than the best and is the machine's own.
  private static let tolerance = 1.08
  /// After so long without it the pace of now is the machine's own: a clock that was lowered stays low. Only
  /// of one thread; that of several, which neighbours leave alone for moments only, goes with it.
  private static let memoryNanoseconds: UInt64 = 8_000_000_000

  /// Steps for each number of threads, on their pools.
  init(_ threadCounts: [Int], _ pools: [Int: ThreadPool]) throws {
    var models: [Int: [ProbeModel]] = [:]
    for threads in threadCounts {
      // Long enough that how threads meet does not count.
      let made: [ProbeCase] =
        threads == 1
        ? [.integerDepthwise(64, 28)]
        : [.integerDepthwise(64, 80), .matMul(128, 256, 256, .f32)]
      models[threads] = try made.compactMap {
        try ProbeModel($0, threads: threads, pool: pools[threads])
      }
    }
    self.models = models
  }

  /// How long it takes now; isNew: the full pace is another one than before.
  func look(_ threads: Int) throws -> (seconds: Double, isNew: Bool) {
    guard let models = models[threads], !models.isEmpty else { return (1, false) }
    let seconds = try models.reduce(0) { try $0 + $1.shortest(of: 3) }
    let now = Clock.monotonicNanoseconds
    let before = best(threads)
    best[threads] = min(before, seconds)
    if threads == 1, !isFull(seconds, threads),
      now &- lastFull[threads, default: now] > Self.memoryNanoseconds
    {
      let factor = seconds / best(threads)
      for key in best.keys { best[key]! *= factor }
    }
    if isFull(seconds, threads) { lastFull[threads] = now }
    if threads == 1 {
      let passed = now &- (lastLook ?? now)
      time += passed
      if !isFull(seconds, threads) { slowTime += passed }
      lastLook = now
    }
    return (seconds, abs(best(threads) - before) > 0.01 * before)
  }

  func best(_ threads: Int) -> Double { best[threads] ?? .infinity }

  /// Whether that is the machine's full pace.
  func isFull(_ seconds: Double, _ threads: Int) -> Bool {
    ProbePace.isFull(seconds, best: best(threads))
  }

  static func isFull(_ seconds: Double, best: Double) -> Bool { seconds <= best * tolerance }

  /// The share of the time in which one thread was slower than it can be.
  var disturbedShare: Double { Double(slowTime) / Double(max(time, 1)) }
}

/// Times of one thing, each with how long the pace's step took then.
package struct ProbeSamples {
  private var list: [(seconds: Double, pace: Double)] = []
  /// Of them, those at the full pace.
  package private(set) var fullCount = 0

  package init() {}

  /// best: the shortest that the step has taken.
  package mutating func add(_ seconds: Double, pace: Double, best: Double) {
    list.append((seconds, pace))
    if ProbePace.isFull(pace, best: best) { fullCount += 1 }
  }

  /// After a record.
  package mutating func countAgain(best: Double) {
    fullCount = list.count { ProbePace.isFull($0.pace, best: best) }
  }

  /// The shortest at the full pace. Where there is none, that of the least slow moment, between what it was
  /// and what it were if it was slowed as much as the pace's step; nil without samples.
  package func seconds(best: Double) -> Double? {
    let full = list.filter { ProbePace.isFull($0.pace, best: best) }
    if let shortest = full.map(\.seconds).min() { return shortest }
    return list.min { $0.pace < $1.pace }.map { $0.seconds * (best / $0.pace).squareRoot() }
  }
}

/// What several threads gain, of steps that were measured at the full pace on one and on several.
package struct SharingGains {
  private var list: [(alone: Double, shared: Double)] = []

  package init() {}

  package mutating func add(alone: Double, shared: Double) { list.append((alone, shared)) }

  /// What a step that takes so long on one thread takes on several, going by the median gain of those that take
  /// half to twice as long; nil where there are none.
  package func seconds(alone: Double) -> Double? {
    let gains = list.filter { $0.alone >= alone / 2 && $0.alone <= alone * 2 }
      .map { $0.alone / $0.shared }.sorted()
    return gains.isEmpty ? nil : alone / gains[gains.count / 2]
  }
}
