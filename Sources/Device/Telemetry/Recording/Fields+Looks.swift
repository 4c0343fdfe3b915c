// The fields of what goes into a run's statistics.

extension RunState {
  /// In the order of the format.
  static var coded: [RunState] {
    [.loading, .warmingUp, .running, .paused, .stopping, .done, .failed, .inputLost]
  }
}

extension EventLevel {
  /// In the order of the format.
  static var coded: [EventLevel] { [.note, .warning, .critical] }
}

extension RunStatus: Fields {
  static var blank: RunStatus { RunStatus() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&state, among: RunState.coded)
    try coder.code(&progress)
    try coder.code(&labelledCount)
    try coder.code(&correctCount)
    try coder.code(&lostSampleCount)
    try coder.code(&droppedCount)
    try coder.code(&contextUsed)
    try coder.code(&keyValueBytes)
  }
}

extension PowerLook: Fields {
  static var blank: PowerLook { PowerLook() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&sample)
    try coder.code(&asleepNanoseconds)
  }
}

extension SystemLook: Fields {
  static var blank: SystemLook { SystemLook() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&reading)
    try coder.code(&weightsResident)
  }
}

/// A text with what it is.
struct RecordedText: Fields {
  /// A tag of the text ring, or the number of a line of output.
  var number: UInt64 = 0
  var text = EscapedText("")

  static var blank: RecordedText { RecordedText() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&number)
    try coder.code(&text)
  }
}

/// A stretch of time that does not count, in nanoseconds since the start.
struct RecordedGap: Fields {
  var from: UInt64 = 0
  var to: UInt64 = 0

  static var blank: RecordedGap { RecordedGap() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&from)
    try coder.code(&to)
  }
}

/// How every source of power figures did.
struct RecordedAttempts: Fields {
  var list: [PowerAttempt] = []

  static var blank: RecordedAttempts { RecordedAttempts() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) { try coder.code(&list) }
}
