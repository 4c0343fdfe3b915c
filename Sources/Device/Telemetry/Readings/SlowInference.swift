// One of the slowest inferences, with what is known of why.

/// A slow inference.
///
/// Its causes are what the kernel counted while it ran and what held the machine back then. The counters
/// are looked at around each inference of 0.1 ms and more, and compared when it took more than twice the
/// median: a look costs 0.3 µs, of all threads 0.6 µs (Benchmarks/monitor/recording).
public struct SlowInference: Equatable, Sendable {
  /// When it began, in seconds of the run.
  public var elapsedSeconds: Double
  public var durationNanoseconds: UInt64
  /// Page faults that had to read, while it ran; nil where nobody looked.
  public var majorFaults: Int?
  /// How often its thread was taken off a core while it ran; nil where nobody looked. Where several
  /// threads compute, both counts are of all threads of the process.
  public var involuntarySwitches: Int?
  /// Whether its steps were timed one by one, which takes time too.
  public var wereStepsTimed: Bool
  /// Whether the machine was held back then; nil where nothing tells.
  public var isThrottled: Bool?

  public init(
    elapsedSeconds: Double, durationNanoseconds: UInt64, majorFaults: Int? = nil,
    involuntarySwitches: Int? = nil, wereStepsTimed: Bool = false, isThrottled: Bool? = nil
  ) {
    self.elapsedSeconds = elapsedSeconds
    self.durationNanoseconds = durationNanoseconds
    self.majorFaults = majorFaults
    self.involuntarySwitches = involuntarySwitches
    self.wereStepsTimed = wereStepsTimed
    self.isThrottled = isThrottled
  }

  /// Whether anything is known that could have slowed it down.
  public var hasCause: Bool {
    majorFaults ?? 0 > 0 || involuntarySwitches ?? 0 > 0 || isThrottled == true || wereStepsTimed
  }
}
