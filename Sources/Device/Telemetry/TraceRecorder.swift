// The timings of a few inferences kept one by one, with what the machine did meanwhile.

/// An inference with its steps. Times on the monotonic clock in nanoseconds.
public struct TracedInference: Equatable, Sendable {
  public var startNanoseconds: UInt64
  public var durationNanoseconds: UInt64
  /// Its steps in the order they ran: a range of the recording's `steps`.
  public var steps: Range<Int>
}

/// What was measured of the machine at a moment; nil is unknown.
public struct TracedMachine: Equatable, Sendable {
  public var atNanoseconds: UInt64
  public var watts: Double?
  public var celsius: Double?
  public var residentBytes: UInt64?
}

/// A finished trace.
public struct TraceRecording: Sendable {
  public internal(set) var inferences: [TracedInference] = []
  /// Which step, and how long it took. A step begins where the one before it ended.
  public internal(set) var steps: [(step: Int, durationNanoseconds: UInt64)] = []
  public internal(set) var machine: [TracedMachine] = []
  /// Whether more steps ran than a trace holds: inferences at the end have none.
  public internal(set) var isCut = false
  /// The run when the trace ended: names of the steps, events.
  public internal(set) var snapshot = Snapshot()
  /// What the seconds of `snapshot.events` count from, on the monotonic clock in nanoseconds.
  public internal(set) var startedAtNanoseconds: UInt64 = 0
}

/// Keeps timings until there are enough. One thread.
final class TraceRecorder {
  /// 16 bytes each.
  private static let mostSteps = 1 << 18
  private static let mostInferences = 1 << 16
  private static let mostMachine = 1 << 14

  private let wanted: Int
  private let from: UInt64
  private var recording = TraceRecording()
  /// Where the steps of the inference that runs begin.
  private var first = 0

  /// inferenceCount: how many are wanted, 1…65,536, of those that begin at `from` or later.
  init(inferenceCount: Int, fromNanoseconds from: UInt64) {
    wanted = min(max(inferenceCount, 1), Self.mostInferences)
    self.from = from
  }

  var isComplete: Bool { recording.inferences.count >= wanted }

  func take(_ sample: Sample) {
    guard !isComplete else { return }
    if sample.step >= 0 {
      guard recording.steps.count < Self.mostSteps else {
        recording.isCut = true
        return
      }
      recording.steps.append((Int(sample.step), sample.durationNanoseconds))
      return
    }
    guard sample.step == SampleKind.inference.code else { return }
    guard sample.startNanoseconds >= from else {
      recording.steps.removeLast(recording.steps.count - first)
      return
    }
    let end = recording.steps.count
    recording.inferences.append(
      TracedInference(
        startNanoseconds: sample.startNanoseconds,
        durationNanoseconds: sample.durationNanoseconds, steps: first..<end))
    first = end
  }

  func take(system: SystemReading, watts: Double?, atNanoseconds now: UInt64) {
    guard recording.machine.count < Self.mostMachine else { return }
    recording.machine.append(
      TracedMachine(
        atNanoseconds: now, watts: watts, celsius: system.thermal.celsius,
        residentBytes: system.memory.resident))
  }

  /// The recording with what is known at its end.
  func finish(_ snapshot: Snapshot, startedAt: UInt64) -> TraceRecording {
    // Steps of an inference that did not end belong to none.
    recording.steps.removeLast(recording.steps.count - first)
    recording.snapshot = snapshot
    recording.startedAtNanoseconds = startedAt
    return recording
  }
}
