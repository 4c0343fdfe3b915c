// What the monitor watches before and after there is a model.
import BundleFormat
import Monitor
import Synchronization
import Telemetry

/// A run that is opening its model, and then the run itself.
package final class OpeningRun: MonitorSource, @unchecked Sendable {
  private let run = AtomicLazyReference<ServedRun>()
  private let progress: LoadProgress
  private let begin: UInt64
  private var opening = Snapshot()

  /// name: of the model, as given.
  package init(_ name: [UInt8], _ progress: LoadProgress, startNanoseconds begin: UInt64) {
    self.progress = progress
    self.begin = begin
    opening.facts.bundleName = EscapedText(name)
    opening.phase = EscapedText(name)
  }

  /// From now on this is watched; its collector began when the opening did. Any thread, once.
  package func become(_ served: ServedRun) { _ = run.storeIfNil(served) }

  package var runState: RunState { run.load()?.runState ?? .loading }
  package var stopsWithView: Bool { true }
  package var secondOfDay: Int? { run.load()?.secondOfDay }
  package func setPaused(_ isPaused: Bool) { run.load()?.setPaused(isPaused) }
  package func poll(nowNanoseconds now: UInt64) { run.load()?.poll(nowNanoseconds: now) }

  package func snapshot(nowNanoseconds now: UInt64, windowSeconds: Int?) -> Snapshot {
    if let run = run.load() {
      return run.snapshot(nowNanoseconds: now, windowSeconds: windowSeconds)
    }
    opening.number += 1
    opening.progress = progress.share
    opening.elapsedSeconds = Double(now &- begin) / 1e9
    opening.windowSeconds = windowSeconds
    return opening
  }

  package func exclude(fromNanoseconds from: UInt64, toNanoseconds to: UInt64) {
    run.load()?.exclude(fromNanoseconds: from, toNanoseconds: to)
  }

  package func addEvent(_ level: EventLevel, _ text: StaticString, nowNanoseconds now: UInt64) {
    run.load()?.addEvent(level, text, nowNanoseconds: now)
  }

  package func reset(nowNanoseconds now: UInt64) { run.load()?.reset(nowNanoseconds: now) }

  package func beginTrace(inferenceCount: Int, nowNanoseconds now: UInt64) -> Bool {
    run.load()?.beginTrace(inferenceCount: inferenceCount, nowNanoseconds: now) ?? false
  }

  package func setPictureShown(_ isShown: Bool) { run.load()?.setPictureShown(isShown) }

  package func addMonitorCost(nanoseconds: UInt64) {
    run.load()?.addMonitorCost(nanoseconds: nanoseconds)
  }
}
