// What a run is asked to do, the same for both tools.
import Monitor
import Platform
import Reporting
import Telemetry

/// How results are printed.
public enum OutputFormat: String, Sendable, CaseIterable {
  case text
  case json
  case ndjson
}

/// What a run does when its terminal is gone.
public enum HangupAction: String, Sendable, CaseIterable {
  case stop
  case `continue`
}

/// The wishes of `run` and `bench`.
public struct RunOptions: Sendable {
  /// Texts, data sets (`.safetensors`), text files (`.txt`, a line each) or `-` for lines of standard
  /// input.
  public var inputs: [String] = []
  /// A value for every input, as typed.
  public var values: [TypedValue] = []
  /// Raw tensors in and out.
  public var inputFile: String?
  public var outputFile: String?
  /// Where everything that the monitor is fed is written, for `replay`.
  public var recordFile: String?
  public var format = OutputFormat.text
  /// Whether the caller chose a format: then nothing is drawn unless asked for.
  public var isFormatGiven = false
  public var threads = 1
  public var repeatCount = 1
  /// Bytes that weights and working memory may take; nil is what the machine has.
  public var memoryLimit: Int?
  public var loops = false
  /// Inferences per second, at most; nil is as fast as it goes.
  public var ratePerSecond: Double?
  /// An inference that takes longer is counted as missed.
  public var deadlineNanoseconds: UInt64?
  /// The run ends after so long, however many items are left.
  public var durationSeconds: Double?
  /// Samples per second that sound is brought to; nil is a file's own, and 16,000 of a microphone.
  public var sampleRate: Int?
  /// Whether the run ends where a device is lost, rather than waits for it.
  public var failsFast = false
  /// nil: where standard input and output are terminals.
  public var usesDashboard: Bool?
  /// Whether the run goes on when its terminal is gone.
  public var continuesOnHangup = false
  /// Whether it leaves its terminal before it begins.
  public var isDetached = false
  /// The monitor's palette; nil is what COLORFGBG tells of the terminal.
  public var theme: Theme?
  /// A bench meter, and the grid's carbon.
  public var power = PowerSettings()
  /// What other programs are told.
  public var reporting = ReportingOptions()
  /// What the tool calls itself in messages.
  public var name = "knapsack"
  /// The bundle or model, which the output must not replace; empty where it is not known.
  public var modelPath = ""

  public init() {}
}

extension RunOptions {
  /// Refuses what cannot be meant, and files that would replace what is read.
  func check() throws(Failure) {
    if reporting.metricsIntervalSeconds != nil, format != .ndjson {
      throw Failure(.usage, "--metrics-interval needs --format ndjson")
    }
    if let outputFile { try refuseOverwriting(outputFile, "--output") }
    for (option, path) in reporting.files { try refuseOverwriting(path, option) }
  }

  /// What is written may be any file but one that is being read.
  func refuseOverwriting(_ path: String, _ option: String) throws(Failure) {
    var sources = inputs
    if let inputFile { sources.append(inputFile) }
    for source in sources + [modelPath] {
      if (try? File.isSame(path, source)) == true {
        throw Failure(.usage, "\(option) \(path) would replace \(source)")
      }
    }
  }
}
