// Options from words, for the tool that has no argument-parsing library.
import Bytes
import CPlatform
import Monitor
import Reporting
import Telemetry

extension RunOptions {
  /// The most that `--threads` and `--repeat` take.
  public static var maximumThreads: Int { 1024 }
  public static var maximumRepeats: Int { 1 << 30 }
  public static var maximumSampleRate: Int { 768_000 }

  /// A number above 0; nil for anything else.
  public static func positive(_ text: String, upTo limit: Double) -> Double? {
    guard let x = NumberText.double(Array(text.utf8)), x > 0, x <= limit else { return nil }
    return x
  }

  /// Options and the words that are none. An unknown option, a missing or a wrong value is a usage
  /// failure that names it.
  public static func parse(
    _ arguments: [String], name: String, repeatCount: Int
  ) throws(Failure) -> (RunOptions, [String]) {
    var options = RunOptions()
    options.name = name
    options.repeatCount = repeatCount
    var words: [String] = []
    var i = 0
    func value() throws(Failure) -> String {
      i += 1
      guard i < arguments.count else {
        throw Failure(.usage, "\(arguments[i - 1]) needs a value")
      }
      return arguments[i]
    }
    func count(upTo limit: Int) throws(Failure) -> Int {
      let option = arguments[i]
      let text = try value()
      guard let n = Int(text), n >= 1, n <= limit else {
        throw Failure(.usage, "\(option) takes a number from 1 to \(limit), not '\(text)'")
      }
      return n
    }
    func number(upTo limit: Double) throws(Failure) -> Double {
      let option = arguments[i]
      let text = try value()
      guard let x = positive(text, upTo: limit) else {
        throw Failure(.usage, "\(option) takes a number above 0, not '\(text)'")
      }
      return x
    }
    var onlyWords = false
    while i < arguments.count {
      let argument = arguments[i]
      if onlyWords {
        words.append(argument)
      } else {
        switch argument {
        case "--": onlyWords = true
        case "--value":
          let text = try value()
          guard let typed = TypedValue(text) else {
            throw Failure(.usage, "--value takes INPUT=VALUE, not '\(text)'")
          }
          options.values.append(typed)
        case "--input": options.inputFile = try value()
        case "--output": options.outputFile = try value()
        case "--format":
          let text = try value()
          guard let format = OutputFormat(rawValue: text) else {
            throw Failure(.usage, "--format takes text, json or ndjson, not '\(text)'")
          }
          options.format = format
          options.isFormatGiven = true
        case "--threads": options.threads = try count(upTo: maximumThreads)
        case "--repeat": options.repeatCount = try count(upTo: maximumRepeats)
        case "--memory-limit":
          let text = try value()
          guard let bytes = byteCount(text) else {
            throw Failure(.usage, "--memory-limit takes a size such as 64MiB, not '\(text)'")
          }
          options.memoryLimit = bytes
        case "--power-from": options.power.meterPath = try value()
        case "--grid-intensity":
          let text = try value()
          guard let grams = PowerSettings.gridIntensity(text) else {
            throw Failure(.usage, "--grid-intensity takes grams from 0 to 5000, not '\(text)'")
          }
          options.power.gridGramsPerKilowattHour = grams
        case "--on-hangup":
          let text = try value()
          guard let action = HangupAction(rawValue: text) else {
            throw Failure(.usage, "--on-hangup takes stop or continue, not '\(text)'")
          }
          options.continuesOnHangup = action == .continue
        case "--detach": options.isDetached = true
        case "--record": options.recordFile = try value()
        case "--metrics-interval":
          let text = try value()
          guard let seconds = ReportingOptions.seconds(text) else {
            throw Failure(
              .usage, "--metrics-interval takes seconds from 0.1 to 86400, not '\(text)'")
          }
          options.reporting.metricsIntervalSeconds = seconds
        case "--metrics-file": options.reporting.metricsFile = try value()
        case "--metrics-listen":
          let text = try value()
          guard let address = ListenAddress(text) else {
            throw Failure(.usage, "--metrics-listen takes [ADDRESS:]PORT, not '\(text)'")
          }
          options.reporting.metricsListen = address
        case "--report-file": options.reporting.reportFile = try value()
        case "--no-report": options.reporting.writesReport = false
        case "--trace": options.reporting.traceFile = try value()
        case "--trace-count":
          options.reporting.traceCount = try count(upTo: ReportingOptions.traceCounts.upperBound)
        case "--theme":
          let text = try value()
          guard let theme = Theme(name: Array(text.utf8)) else {
            throw Failure(
              .usage, "--theme takes dark, light, high-contrast or mono, not '\(text)'")
          }
          options.theme = theme
        case "--loop": options.loops = true
        case "--rate": options.ratePerSecond = try number(upTo: 1e6)
        case "--deadline": options.deadlineNanoseconds = UInt64(try number(upTo: 1e7) * 1e6)
        case "--duration": options.durationSeconds = try number(upTo: 1e8)
        case "--sample-rate": options.sampleRate = try count(upTo: maximumSampleRate)
        case "--fail-fast": options.failsFast = true
        case "--tui": options.usesDashboard = true
        case "--no-tui": options.usesDashboard = false
        default:
          let isOption = argument.utf8.count > 1 && argument.utf8.first == UInt8(ascii: "-")
          if isOption { throw Failure(.usage, "unknown option '\(argument)'") }
          words.append(argument)
        }
      }
      i += 1
    }
    if options.isDetached { options.usesDashboard = false }
    return (options, words)
  }
}

extension RunOptions {
  /// The bytes of a size: digits, then nothing or one of the units kB, MB, GB (thousands) and KiB, MiB,
  /// GiB (1,024). nil for anything else, and for more than 2^50.
  public static func byteCount(_ text: String) -> Int? {
    var number = 0
    var unit: [UInt8] = []
    for c in text.utf8 {
      if unit.isEmpty, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(c) {
        number = number * 10 + Int(c - UInt8(ascii: "0"))
        guard number <= 1 << 50 else { return nil }
      } else {
        unit.append(c)
      }
    }
    guard let first = text.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
    else { return nil }
    let units: [(String, Int)] = [
      ("", 1), ("B", 1), ("kB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000),
      ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
    ]
    for (name, factor) in units where Array(name.utf8) == unit {
      let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
      return overflow || bytes > 1 << 50 ? nil : bytes
    }
    return nil
  }
}

/// Ends the process with a command's exit code.
public func endProcess(_ code: ExitCode) -> Never { exit(code.rawValue) }
