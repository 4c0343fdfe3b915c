// A recorded run shown again: on a terminal at its own pace, or one moment of it as text.
import Bytes
import Monitor
import Platform
import Telemetry

/// What `replay` is asked to do, the same for both tools.
public struct ReplayOptions: Sendable {
  /// What moves a replay on.
  public enum Clock: String, Sendable, CaseIterable {
    /// The dashboard on a terminal, at the pace of the recording.
    case real
    /// One frame as text, the same on every machine.
    case virtual
  }
  /// What is printed of a frame.
  public enum Picture: String, Sendable, CaseIterable {
    case text
    /// A letter for what each cell means.
    case styles
  }

  public var path: String
  /// nil: real on a terminal where no moment was chosen.
  public var clock: Clock?
  /// Seconds of the run; nil is its end for a frame, its beginning for the dashboard.
  public var atSeconds: Double?
  public var size = Size(columns: 80, rows: 24)
  /// Typed before the frame is drawn.
  public var keys = ""
  public var picture = Picture.text

  public init(path: String) { self.path = path }

  /// `80x24`: columns and rows from 1 to 1000. nil for anything else.
  public static func size(_ text: String) -> Size? {
    var numbers = [0]
    var digits = 0
    for byte in text.utf8 {
      if byte == UInt8(ascii: "x"), numbers.count == 1, digits > 0 {
        numbers.append(0)
        digits = 0
      } else if byte >= 0x30, byte <= 0x39, digits < 4 {
        numbers[numbers.count - 1] = numbers[numbers.count - 1] * 10 + Int(byte - 0x30)
        digits += 1
      } else {
        return nil
      }
    }
    guard numbers.count == 2, (1...1000).contains(numbers[0]), (1...1000).contains(numbers[1])
    else { return nil }
    return Size(columns: numbers[0], rows: numbers[1])
  }

  /// A moment of a run: seconds from 0 on. nil for anything else.
  public static func seconds(_ text: String) -> Double? {
    guard let value = NumberText.double(Array(text.utf8)), value >= 0, value <= 1e9 else {
      return nil
    }
    return value
  }

  /// Options and the file from words, for the tool that has no argument-parsing library.
  public static func parse(_ arguments: [String]) throws(Failure) -> ReplayOptions {
    var options = ReplayOptions(path: "")
    var path: String?
    var i = 0
    func value() throws(Failure) -> String {
      i += 1
      guard i < arguments.count else {
        throw Failure(.usage, "\(arguments[i - 1]) needs a value")
      }
      return arguments[i]
    }
    while i < arguments.count {
      switch arguments[i] {
      case "--clock":
        let text = try value()
        guard let clock = Clock(rawValue: text) else {
          throw Failure(.usage, "--clock takes real or virtual, not '\(text)'")
        }
        options.clock = clock
      case "--at":
        let text = try value()
        guard let seconds = seconds(text) else {
          throw Failure(.usage, "--at takes seconds of the run, not '\(text)'")
        }
        options.atSeconds = seconds
      case "--size":
        let text = try value()
        guard let size = size(text) else {
          throw Failure(.usage, "--size takes a size such as 80x24, not '\(text)'")
        }
        options.size = size
      case "--keys": options.keys = try value()
      case "--format":
        let text = try value()
        guard let picture = Picture(rawValue: text) else {
          throw Failure(.usage, "--format takes text or styles, not '\(text)'")
        }
        options.picture = picture
      default:
        let word = arguments[i]
        if word.utf8.count > 1, word.utf8.first == UInt8(ascii: "-") {
          throw Failure(.usage, "unknown option '\(word)'")
        }
        guard path == nil else { throw Failure(.usage, "expected one recording") }
        path = word
      }
      i += 1
    }
    guard let path else { throw Failure(.usage, "expected a recording") }
    options.path = path
    return options
  }
}

/// The `replay` command of both tools.
public struct ReplayLoop {
  private let options: ReplayOptions

  public init(_ options: ReplayOptions) { self.options = options }

  /// Shows the recording.
  public func run() throws(Failure) {
    let recording: RecordedRun
    do throws(RecordingError) {
      recording = try RecordedRun(path: options.path)
    } catch {
      throw Failure(recording: error, options.path)
    }
    let dashboard = try dashboard()
    do throws(RecordingError) {
      if let dashboard {
        try show(recording, on: dashboard)
      } else {
        try print(recording)
      }
    } catch {
      throw Failure(recording: error, options.path)
    }
  }

  private func dashboard() throws(Failure) -> Dashboard? {
    if options.clock == .virtual { return nil }
    let isAsked = options.clock == .real
    guard
      isAsked || options.atSeconds == nil && Standard.output.isTerminal && Standard.isInputTerminal
    else { return nil }
    return try Dashboard.onTerminal(isAsked: isAsked)
  }

  private func show(_ recording: RecordedRun, on dashboard: Dashboard) throws(RecordingError) {
    let source = try ReplaySource(recording, fromSeconds: options.atSeconds ?? 0)
    dashboard.showUntilLeft(source)
  }

  private func print(_ recording: RecordedRun) throws(RecordingError) {
    try recording.advance(toSeconds: options.atSeconds ?? .infinity)
    let frame = MonitorView.frame(
      recording, size: options.size, keys: Array(options.keys.utf8))
    if recording.isCut {
      Standard.error.say("\(options.path): the recording ends in the middle of an entry")
    }
    try? Standard.output.write(options.picture == .text ? frame.textBytes : frame.styleBytes)
  }
}

extension Dashboard {
  /// The terminal of this process, in the colours it may have. nil where it can show no dashboard and
  /// nobody asked for one.
  static func onTerminal(isAsked: Bool, theme: Theme? = nil) throws(Failure) -> Dashboard? {
    do throws(TerminalError) {
      return try Dashboard(
        terminalType: Array((Environment.get("TERM") ?? "").utf8),
        allowsColor: Environment.getNonEmpty("NO_COLOR") == nil,
        theme: theme ?? Theme(colorsOfTerminal: Array((Environment.get("COLORFGBG") ?? "").utf8)))
    } catch {
      if isAsked { throw Failure(.unavailable, "cannot draw the monitor: \(error)") }
      return nil
    }
  }

  /// Shows what does not end with its view, until somebody leaves.
  func showUntilLeft(_ source: some MonitorSource) {
    let control = RunControl()
    start(source: source, control: control) { _, _ in }
    while !control.isStopRequested { Clock.sleep(milliseconds: 20) }
    stop()
    if case .signal(let number)? = control.stopReason { RunControl.die(bySignal: number) }
  }
}

extension Failure {
  /// A recording that is none, or is damaged.
  public init(recording error: RecordingError, _ path: String) {
    if case .file(let error) = error.reason {
      self.init(reading: error)
    } else {
      self.init(.badData, "\(path): \(error)")
    }
  }
}
