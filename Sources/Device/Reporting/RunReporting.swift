// What one run tells other programs, from threads that neither it nor its monitor waits for.
import Bytes
import Platform
import Telemetry

/// Interval objects, a metrics file, a metrics port, traces and the report of one run.
///
/// Snapshots come from the collector on the monitor's thread and are only put aside there; each output
/// has a thread of its own, so that a slow one holds up no other. What cannot be written is said on
/// standard error and does not end the run. `start` and `finish` belong to the loop's thread.
public final class RunReporting: @unchecked Sendable {
  /// How often the metrics file is written again.
  private static let fileSeconds = 5.0
  private static let mostIntervals = 8
  private static let mostTraces = 4

  private struct Interval {
    var number: UInt64
    var snapshot: Snapshot
  }

  private let options: ReportingOptions
  /// What the tool calls itself.
  private let name: String
  private let server: MetricsServer?
  private let latest = Shared<Snapshot?>(nil)
  /// Whether the metrics file could not be written: said once.
  private let hasLostMetrics = Shared(false)

  private var intervals: WorkQueue<Interval>?
  private var metrics: WorkQueue<Snapshot>?
  private var traces: WorkQueue<TraceRecording>?

  /// Opens the port and looks whether the files can be made, so that a wrong name ends the run before it
  /// begins.
  public init(_ options: ReportingOptions, name: String) throws(PlatformError) {
    self.options = options
    self.name = name
    if let address = options.metricsListen {
      server = try MetricsServer(address)
    } else {
      server = nil
    }
    for file in options.files { _ = try AtomicFile(path: file.path) }
  }

  /// Where the metrics are served, such as `http://127.0.0.1:9464/metrics`; nil where they are not.
  public var metricsURL: String? {
    guard let server, let address = options.metricsListen else { return nil }
    return "http://\(address.url(port: server.port))/metrics"
  }

  /// Asks the collector for what is wanted and begins to write it. Call before the monitor's thread
  /// begins.
  ///
  /// takesTraces: whether somebody may ask for traces while it runs. writeLine: puts a line among the
  /// results; it may wait for their reader.
  public func start(
    _ collector: Collector, takesTraces: Bool, writeLine: @escaping @Sendable ([UInt8]) -> Void
  ) {
    serve(collector)
    if let path = options.metricsFile { writeMetrics(collector, to: path) }
    if let seconds = options.metricsIntervalSeconds {
      writeIntervals(collector, everySeconds: seconds, writeLine)
    }
    if takesTraces || options.traceFile != nil { writeTraces(collector) }
  }

  /// Writes what is left of everything. snapshot: the last one, of the whole run.
  public func finish(_ snapshot: Snapshot) {
    intervals?.stop()
    metrics?.put(snapshot)
    metrics?.stop()
    traces?.stop()
    server?.stop()
    (intervals, metrics, traces) = (nil, nil, nil)
  }

  // MARK: Metrics

  private func serve(_ collector: Collector) {
    guard let server else { return }
    let latest = latest
    collector.addSink(everySeconds: 1, windowSeconds: nil) { snapshot in
      latest.use { $0 = snapshot }
    }
    let isServing = server.start(
      page: { PrometheusText.page(latest.use { $0 }.map { Metrics.rows($0) } ?? []) },
      cost: { collector.addMonitorCost(nanoseconds: $0) })
    if !isServing { complain("no metrics are served: the system gives no more threads") }
  }

  private func writeMetrics(_ collector: Collector, to path: String) {
    metrics = WorkQueue(
      limit: 1,
      work: { [self] snapshot in
        do throws(PlatformError) {
          let page = PrometheusText.page(Metrics.rows(snapshot))
          try AtomicFile.write(page, to: path, isDurable: false)
        } catch {
          let isNew = hasLostMetrics.use { lost in
            defer { lost = true }
            return !lost
          }
          if isNew { complain("metrics: \(error)") }
        }
      }, cost: { collector.addMonitorCost(nanoseconds: $0) })
    guard let metrics else {
      return complain("no metrics are written: the system gives no more threads")
    }
    collector.addSink(everySeconds: Self.fileSeconds, windowSeconds: nil) { metrics.put($0) }
  }

  private func writeIntervals(
    _ collector: Collector, everySeconds seconds: Double,
    _ writeLine: @escaping @Sendable ([UInt8]) -> Void
  ) {
    let seen = Shared(-1.0)
    intervals = WorkQueue(
      limit: Self.mostIntervals,
      work: { interval in
        let from = seen.use { seen in
          defer { seen = interval.snapshot.events.last?.elapsedSeconds ?? seen }
          return seen
        }
        let events = interval.snapshot.events.filter { $0.elapsedSeconds > from }
        writeLine(
          SnapshotJSON.interval(interval.snapshot, number: interval.number, events: events))
      }, cost: { collector.addMonitorCost(nanoseconds: $0) })
    guard let intervals else {
      return complain("no intervals are written: the system gives no more threads")
    }
    var number: UInt64 = 0
    let window = Int(min(max(seconds.rounded(.up), 1), Double(RateWindow.longestSeconds)))
    collector.addSink(everySeconds: seconds, windowSeconds: window, isAtOnce: false) { snapshot in
      number += 1
      intervals.put(Interval(number: number, snapshot: snapshot))
    }
  }

  // MARK: Traces

  private func writeTraces(_ collector: Collector) {
    let path = Shared(options.traceFile)
    traces = WorkQueue(
      limit: Self.mostTraces,
      work: { [self] recording in
        // The file that was named is for the first trace.
        let named = path.use { path in
          defer { path = nil }
          return path
        }
        do throws(PlatformError) {
          let path = try Self.path(named, .traces)
          try TraceJSON.write(recording, process: ThisProcess.identifier, to: path)
          let count = recording.inferences.count
          let text = "trace of \(count) \(count == 1 ? "inference" : "inferences"): \(path)"
          collector.announce(.note, Array(text.utf8))
        } catch {
          collector.announce(.warning, Array("no trace: \(error)".utf8))
          complain("no trace: \(error)")
        }
      }, cost: { collector.addMonitorCost(nanoseconds: $0) })
    guard let traces else {
      return complain("no traces are written: the system gives no more threads")
    }
    collector.setTraceSink { traces.put($0) }
    if options.traceFile != nil {
      collector.beginTrace(inferenceCount: options.traceCount, nowNanoseconds: 0)
    }
  }

  // MARK: The report

  /// Writes the report of a run that is over, or is about to end. Its path; nil where none is wanted,
  /// or it could not be written, which is said. Any thread.
  ///
  /// snapshot: the last one, of the whole run. isLasting: whether the run is one that is reported
  /// unasked. stopped, more: as `SnapshotJSON.report` takes them.
  public func writeReport(
    _ snapshot: Snapshot, isLasting: Bool, stopped: String?, more: (inout JSONWriter) -> Void
  ) -> String? {
    let isAsked = options.isReportAsked || options.reportFile != nil
    guard options.writesReport, isLasting || isAsked else { return nil }
    do throws(PlatformError) {
      let path = try Self.path(options.reportFile, .runs)
      let document = SnapshotJSON.report(snapshot, stopped: stopped, more: more)
      try AtomicFile.write(document, to: path, isDurable: options.reportFile != nil)
      return path
    } catch {
      complain("no run report: \(error)")
      return nil
    }
  }

  private static func path(
    _ named: String?, _ kind: StateFolder.Kind
  ) throws(PlatformError) -> String {
    if let named { return named }
    return try StateFolder.newPath(kind, ending: ".json")
  }

  private func complain(_ text: String) {
    var line = TextBuffer()
    line.put("\(name): ")
    line.put(untrusted: Array(text.utf8))
    Standard.error.say(line.text)
  }
}
