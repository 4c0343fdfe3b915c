// What goes into a run's statistics beside timings and texts: looks at the run and at the machine.
import Platform

/// What a run says of itself at one moment.
struct RunStatus: Equatable {
  var state = RunState.loading
  /// Share of the loading that is done, 0…1; nil when that is not known.
  var progress: Double?
  var labelledCount: UInt64 = 0
  var correctCount: UInt64 = 0
  /// Timings and texts that were dropped because nobody took them in time.
  var lostSampleCount = 0
  /// Items that came while the model had no time for them.
  var droppedCount: UInt64 = 0
  /// Tokens in the context, and bytes of the KV cache that hold anything; nil is unknown.
  var contextUsed: UInt64?
  var keyValueBytes: UInt64?
}

/// One look at the power meter.
struct PowerLook {
  var sample = PowerSample()
  /// How long the machine has slept since it started.
  var asleepNanoseconds: UInt64 = 0
}

/// One look at everything else.
struct SystemLook {
  var reading = SystemReading()
  /// The part of the weights that is in memory.
  var weightsResident: UInt64?
}

extension RunFacts {
  /// The part of the weights that is in memory now; nil where that is not known.
  var residentWeightBytes: UInt64? {
    guard !weightRanges.isEmpty else { return nil }
    var sum: UInt64 = 0
    for range in weightRanges {
      guard let bytes = range.residentBytes else { return nil }
      sum += UInt64(bytes)
    }
    return sum
  }
}
