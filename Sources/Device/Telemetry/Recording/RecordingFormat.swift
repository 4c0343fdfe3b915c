// The file format of recordings: a header, then entries in the order in which statistics took them.
//
//     header   "KNAPREC", version (1 byte), then fields: start on the monotonic clock, local time of
//              day at the start (s), grams of CO2e per kWh where they were chosen
//     entry    kind (1 byte), then its fields
//
// Entries of a kind below 16 are short: their LEB128 integers follow at once. The others have the
// length of their fields in front; 128 more than the kind means that they are those of the entry of
// that kind before. Times are nanoseconds.

/// What an entry holds.
enum RecordedKind {
  /// Time since the moment before. What follows happened then.
  static let moment: UInt8 = 1
  /// An inference: when it began, as a zigzag difference from the one before, and how long it took.
  static let inference: UInt8 = 2
  /// A step of the inference that follows: its number, how long it took.
  static let step: UInt8 = 3
  /// What was recorded up to this moment has been taken in.
  static let advance: UInt8 = 4
  /// Any other sample, and an inference with a detail: the negative of its code, when it began as of an
  /// inference, how long it took, its detail.
  static let sample: UInt8 = 5

  static let facts: UInt8 = 16
  static let status: UInt8 = 17
  static let text: UInt8 = 18
  static let output: UInt8 = 19
  static let power: UInt8 = 20
  static let attempts: UInt8 = 21
  static let system: UInt8 = 22
  static let gap: UInt8 = 23
  static let event: UInt8 = 24
  static let reset: UInt8 = 25
  static let count = 26

  static let firstLong: UInt8 = 16
  static let same: UInt8 = 128
}

enum RecordingFormat {
  static let magic: [UInt8] = [0x4B, 0x4E, 0x41, 0x50, 0x52, 0x45, 0x43]
  static let version: UInt8 = 2
  /// The longest entry's fields.
  static let entryLimit = 4 << 20
  /// The latest moment on the monotonic clock: 2^62 ns are 146 years.
  static let latest: UInt64 = 1 << 62
}

/// What a recording begins with.
struct RecordingHeader: Fields {
  var startNanoseconds: UInt64 = 0
  /// 0…86,399.
  var secondOfDay = 0
  var gridGramsPerKilowattHour: Double?

  static var blank: RecordingHeader { RecordingHeader() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&startNanoseconds, limit: RecordingFormat.latest)
    try coder.code(&secondOfDay, limit: 86_399)
    try coder.code(&gridGramsPerKilowattHour)
  }
}

/// One entry of a recording.
enum RecordedEntry {
  /// Nanoseconds of the monotonic clock.
  case moment(UInt64)
  case sample(Sample)
  case advance
  case facts(RunFacts)
  case status(RunStatus)
  case text(RecordedText)
  case output(RecordedText)
  case power(PowerLook)
  case attempts([PowerAttempt])
  case system(SystemLook)
  case gap(RecordedGap)
  case event(RecordedText)
  case reset
}
