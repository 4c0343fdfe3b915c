// Whether the machine is as fast as it can be, at the moment.
import Kernels

/// One and the same step, timed before and after what is measured: one of integers, of what a near cache
/// holds, which a busy neighbour makes half as long again where products of floats hardly show one.
///
/// Neighbours on a processor take execution units and caches for seconds at a time, as other programs do:
/// what is measured meanwhile says nothing of the machine, however often it is measured.
final class ProbePace {
  private let models: [Int: ProbeModel]
  /// The shortest time so far, by the number of threads.
  private var best: [Int: Double] = [:]
  private var looks = 0
  private var slowLooks = 0

  /// A pace may be so much longer than the best and is the machine's own.
  private static let tolerance = 1.08

  /// Steps for each number of threads, on their pools.
  init(_ threadCounts: [Int], _ pools: [Int: ThreadPool]) throws {
    var models: [Int: ProbeModel] = [:]
    for threads in threadCounts {
      // Long enough that how threads meet does not count.
      let made = ProbeCase.integerDepthwise(64, threads == 1 ? 28 : 80)
      models[threads] = try ProbeModel(made, threads: threads, pool: pools[threads])
    }
    self.models = models
  }

  /// How long the step takes now; isRecord: less by much than ever, what was full pace may be none.
  func look(_ threads: Int) throws -> (seconds: Double, isRecord: Bool) {
    guard let model = models[threads] else { return (1, false) }
    let seconds = try model.shortest(of: 3)
    let before = best(threads)
    best[threads] = min(before, seconds)
    looks += 1
    if !isFull(seconds, threads) { slowLooks += 1 }
    return (seconds, seconds < before * 0.99)
  }

  func best(_ threads: Int) -> Double { best[threads] ?? .infinity }

  /// Whether that is the machine's full pace.
  func isFull(_ seconds: Double, _ threads: Int) -> Bool {
    ProbePace.isFull(seconds, best: best(threads))
  }

  static func isFull(_ seconds: Double, best: Double) -> Bool { seconds <= best * tolerance }

  /// The share of looks that found it slower than it can be.
  var disturbedShare: Double { Double(slowLooks) / Double(max(looks, 1)) }
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
