// What /proc says of this process: memory and processor time. Parsers take bytes, so that tests
// feed them recorded files.

/// The memory lines of `/proc/self/status`, in bytes; nil where a line is missing.
public struct ProcessStatus: Equatable, Sendable {
  public var residentBytes: UInt64?
  public var anonymousBytes: UInt64?
  public var fileBytes: UInt64?
  public var peakBytes: UInt64?
  public var threadCount: UInt64?
  /// How often the first thread was taken off a core while it had work.
  public var involuntarySwitches: UInt64?

  /// Reads the text of `/proc/self/status`.
  public init(status text: Span<UInt8>) {
    residentBytes = Self.kibibytes("VmRSS:", in: text)
    anonymousBytes = Self.kibibytes("RssAnon:", in: text)
    fileBytes = Self.kibibytes("RssFile:", in: text)
    peakBytes = Self.kibibytes("VmHWM:", in: text)
    threadCount = ProbeText.field(after: "Threads:", in: text).map { $0.value }
    involuntarySwitches = ProbeText.field(after: "nonvoluntary_ctxt_switches:", in: text).map {
      $0.value
    }
  }

  private static func kibibytes(_ key: StaticString, in text: Span<UInt8>) -> UInt64? {
    guard let (value, end) = ProbeText.field(after: key, in: text),
      ProbeText.matches(" kB", in: text, at: end)
    else { return nil }
    let (bytes, overflow) = value.multipliedReportingOverflow(by: 1024)
    return overflow ? nil : bytes
  }
}

/// Resident memory from `/proc/self/statm`, for kernels whose status has no such lines.
public enum ProcessStatm {
  /// Resident pages: the second number. Nil when the text is not of that form.
  public static func residentPages(_ text: Span<UInt8>) -> UInt64? {
    var at = 0
    guard ProbeText.number(in: text, at: &at) != nil else { return nil }
    return ProbeText.number(in: text, at: &at)
  }
}

/// Counters of `/proc/self/stat`.
public struct ProcessStat: Equatable, Sendable {
  /// Page faults that needed no reading, and those that did.
  public var minorFaults: UInt64
  public var majorFaults: UInt64
  /// Processor time in user and kernel mode together, in clock ticks.
  public var cpuTicks: UInt64

  /// Reads the text of `/proc/self/stat`; nil when it is not of that form.
  public init?(stat text: Span<UInt8>) {
    // The command's name may hold anything, parentheses included: the last one ends it.
    var at = text.count - 1
    while at >= 0, text[at] != 0x29 { at -= 1 }
    guard at >= 0 else { return nil }
    at += 1
    // The state letter follows, then numbers.
    while at < text.count, text[at] == 0x20 { at += 1 }
    guard at < text.count else { return nil }
    at += 1
    var fields: [UInt64] = []
    while fields.count < 12, let number = ProbeText.signedNumber(in: text, at: &at) {
      fields.append(number)
    }
    guard fields.count == 12 else { return nil }
    minorFaults = fields[6]
    majorFaults = fields[8]
    let (ticks, overflow) = fields[10].addingReportingOverflow(fields[11])
    guard !overflow else { return nil }
    cpuTicks = ticks
  }
}
