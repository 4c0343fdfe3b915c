// What is added up of power: the last second, the run, the power when idle.
import Bytes

/// Sums of what the meter said. Plain data of one thread.
struct PowerTally {
  private static let secondNanoseconds: UInt64 = 1_000_000_000
  private static let sliceNanoseconds: UInt64 = 500_000_000
  private static let historyKept = 480
  /// After a pause begins the machine goes on for a while; then so long is enough for a figure.
  private static let settleNanoseconds: UInt64 = 1_000_000_000
  private static let idleNanoseconds: UInt64 = 3_000_000_000

  private(set) var sample = PowerSample()
  private(set) var history: [UInt64] = []
  /// Joules while inferences were counted, and the time they took.
  private(set) var total = EnergySpan()
  private(set) var idleWatts: Double?
  private(set) var idleMeasuredSeconds: Double?
  /// The least sure grade that is in `total`.
  private(set) var totalGrade = PowerGrade.unknown
  /// Where energy of that grade came from, last.
  private(set) var totalSource = EscapedText("")

  private var recent: [EnergySpan] = []
  private var slice = EnergySpan()
  private var idle = EnergySpan()
  private var pausedNanoseconds: UInt64 = 0
  private var dropsNext = false

  /// Mean power of the last second that was measured; nil without a meter's figure.
  var watts: Double? {
    guard sample.watts != nil else { return nil }
    var sum = EnergySpan()
    for span in recent { sum.add(span) }
    return sum.watts ?? sample.watts
  }

  /// The next energy covers time that does not count: the process was stopped in it.
  mutating func dropNext() { dropsNext = true }

  /// Takes a look at the meter. The energy that counts for the inferences; nil for none.
  mutating func take(
    _ new: PowerSample, isCounting: Bool, isPaused: Bool, atSeconds seconds: Double
  ) -> EnergySpan? {
    if new.grade != sample.grade || new.watts == nil { recent = [] }
    sample = new
    guard let joules = new.joules, new.joulesNanoseconds > 0 else { return nil }
    guard !dropsNext else {
      dropsNext = false
      return nil
    }
    let span = EnergySpan(joules: joules, nanoseconds: new.joulesNanoseconds)
    recent.append(span)
    trimRecent()
    takeIdle(span, isPaused: isPaused, atSeconds: seconds)
    return count(span, grade: new.grade, source: new.source, isCounting: isCounting)
  }

  /// Takes energy that the model made out.
  mutating func takeModel(_ span: EnergySpan, isCounting: Bool) -> EnergySpan? {
    count(span, grade: .model, source: EnergyModel.source, isCounting: isCounting)
  }

  private mutating func count(
    _ span: EnergySpan, grade: PowerGrade, source: EscapedText, isCounting: Bool
  ) -> EnergySpan? {
    slice.add(span)
    if slice.nanoseconds >= Self.sliceNanoseconds {
      if history.count >= Self.historyKept { history.removeFirst(Self.historyKept / 2) }
      history.append(UInt64(min(max(0, slice.watts ?? 0), plausibleWatts) * 1000))
      slice = EnergySpan()
    }
    guard isCounting else { return nil }
    total.add(span)
    if grade.rank >= totalGrade.rank {
      totalGrade = grade
      totalSource = source
    }
    return span
  }

  private mutating func trimRecent() {
    var nanoseconds: UInt64 = 0
    var kept = 0
    while kept < recent.count, nanoseconds < Self.secondNanoseconds {
      nanoseconds += recent[recent.count - 1 - kept].nanoseconds
      kept += 1
    }
    recent.removeFirst(recent.count - kept)
  }

  private mutating func takeIdle(_ span: EnergySpan, isPaused: Bool, atSeconds seconds: Double) {
    guard isPaused else {
      pausedNanoseconds = 0
      idle = EnergySpan()
      return
    }
    pausedNanoseconds &+= span.nanoseconds
    guard pausedNanoseconds > Self.settleNanoseconds else { return }
    idle.add(span)
    guard idle.nanoseconds >= Self.idleNanoseconds else { return }
    idleWatts = idle.watts
    idleMeasuredSeconds = seconds
  }

  /// Forgets the run's sums; the idle power stays.
  mutating func reset() {
    total = EnergySpan()
    totalGrade = .unknown
    totalSource = EscapedText("")
    history = []
    slice = EnergySpan()
  }
}

extension PowerGrade {
  /// Larger is less sure.
  fileprivate var rank: Int {
    switch self {
    case .unknown: 0
    case .meter: 1
    case .partialMeter: 2
    case .battery: 3
    case .model: 4
    }
  }
}
