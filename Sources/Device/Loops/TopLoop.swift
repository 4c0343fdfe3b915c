// Attaching to a run in another process: which ones there are, and the dashboard of one.
import Bytes
import Monitor
import Platform
import Telemetry

/// What `top` is asked to do, the same for both tools.
public struct TopOptions: Sendable {
  /// A process, or the path of a socket; nil where there is only one run, or somebody chooses.
  public var target: String?
  /// Only list the runs there are.
  public var lists = false
  /// nil: where standard input and output are terminals.
  public var usesDashboard: Bool?

  public init() {}

  /// Options from words, for the tool that has no argument-parsing library.
  public static func parse(_ arguments: [String]) throws(Failure) -> TopOptions {
    var options = TopOptions()
    for word in arguments {
      switch word {
      case "--list": options.lists = true
      case "--tui": options.usesDashboard = true
      case "--no-tui": options.usesDashboard = false
      default:
        if word.utf8.count > 1, word.utf8.first == UInt8(ascii: "-") {
          throw Failure(.usage, "unknown option '\(word)'")
        }
        guard options.target == nil else { throw Failure(.usage, "expected one process or socket") }
        options.target = word
      }
    }
    return options
  }
}

/// The `top` command of both tools.
public struct TopLoop {
  private static var greetingMilliseconds: Int32 { 2000 }
  private let options: TopOptions

  public init(_ options: TopOptions) { self.options = options }

  /// A run that answered.
  private struct Found {
    var path: String
    var greeting: RunGreeting
  }

  /// Lists runs, or shows one until somebody leaves or it ends.
  public func run() throws(Failure) {
    if options.lists { return list(found()) }
    let run = try attach(to: try socket())
    if let dashboard = try dashboard() {
      dashboard.showUntilLeft(run)
    } else {
      show(run)
    }
  }

  // MARK: Which one

  /// The runs that answer. Sockets that nobody listens at are removed.
  private func found() -> [Found] {
    var all: [Found] = []
    for (_, path) in RuntimeFolder.sockets() {
      do throws(PlatformError) {
        let run = try AttachedRun(path: path)
        if let greeting = run.waitForGreeting(milliseconds: Self.greetingMilliseconds) {
          all.append(Found(path: path, greeting: greeting))
        }
      } catch {
        if error.isRefused { RuntimeFolder.removeStale(path) }
      }
    }
    return all
  }

  private func list(_ runs: [Found]) {
    var text = TextBuffer()
    for run in runs {
      put(run, into: &text)
      text.endLine()
    }
    try? Standard.output.write(text.bytes)
  }

  /// `4711  digits  running  00:12:41`
  private func put(_ run: Found, into text: inout TextBuffer) {
    text.put(run.greeting.process, width: 7)
    text.put("  ")
    text.put(bytes: run.greeting.name.utf8)
    text.put("  ")
    text.put(run.greeting.state.name)
    text.put("  ")
    let seconds = UInt64(min(max(run.greeting.elapsedSeconds, 0), 1e9))
    for (i, part) in [seconds / 3600, seconds / 60 % 60, seconds % 60].enumerated() {
      if i > 0 { text.put(":") }
      text.put(part, width: 2, fill: 0x30)
    }
  }

  private func socket() throws(Failure) -> String {
    guard let target = options.target else { return try choose() }
    if target.utf8.contains(0x2F) { return target }
    guard let process = Int32(target), process > 0 else {
      throw Failure(.usage, "expected a process or the path of a socket, not '\(target)'")
    }
    for (number, path) in RuntimeFolder.sockets() where number == Int(process) { return path }
    throw Failure(.missingInput, "no run of process \(process) to attach to")
  }

  private func choose() throws(Failure) -> String {
    let runs = found()
    guard let first = runs.first else {
      throw Failure(.missingInput, "no run to attach to; knapsack run starts one")
    }
    guard runs.count > 1 else { return first.path }
    var text = TextBuffer()
    for (i, run) in runs.enumerated() {
      text.put(i + 1, width: 3)
      put(run, into: &text)
      text.endLine()
    }
    guard Standard.isInputTerminal, Standard.error.isTerminal else {
      let numbers = runs.map { "\($0.greeting.process)" }.joined(separator: ", ")
      throw Failure(.usage, "several runs to attach to: choose one of \(numbers)")
    }
    try? Standard.error.write(text.bytes + Array("which? ".utf8))
    guard let line = Standard.readLine(limit: 16),
      let number = Int(String(decoding: line, as: UTF8.self)), (1...runs.count).contains(number)
    else { throw Failure(.usage, "expected a number from 1 to \(runs.count)") }
    return runs[number - 1].path
  }

  private func attach(to path: String) throws(Failure) -> AttachedRun {
    let run: AttachedRun
    do throws(PlatformError) {
      run = try AttachedRun(path: path)
    } catch {
      if error.isRefused {
        RuntimeFolder.removeStale(path)
        throw Failure(.missingInput, "\(path): the run has ended")
      }
      throw Failure(reading: error)
    }
    guard run.waitForGreeting(milliseconds: Self.greetingMilliseconds) != nil else {
      throw Failure(.unavailable, "\(path): no run answers there")
    }
    return run
  }

  // MARK: Showing it

  private func dashboard() throws(Failure) -> Dashboard? {
    if options.usesDashboard == false { return nil }
    let isAsked = options.usesDashboard == true
    guard isAsked || Standard.output.isTerminal && Standard.isInputTerminal else { return nil }
    return try Dashboard.onTerminal(isAsked: isAsked)
  }

  /// A line every second until the run is over.
  private func show(_ run: AttachedRun) {
    var due: UInt64 = 0
    while true {
      let now = Clock.monotonicNanoseconds
      let snapshot = run.snapshot(nowNanoseconds: now, windowSeconds: RateWindow.seconds)
      let isOver = run.isOver
      if snapshot.number > 0, isOver || now >= due {
        due = now + 1_000_000_000
        do throws(PlatformError) {
          try Standard.output.write(PlainReporter.line(snapshot))
        } catch {
          return
        }
      }
      if isOver { return }
      Clock.sleep(milliseconds: 100)
    }
  }
}
