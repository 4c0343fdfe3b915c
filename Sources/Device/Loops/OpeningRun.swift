// What the monitor watches before and after there is a model.
import BundleFormat
import Monitor
import Synchronization
import Telemetry

/// A run that is opening its model, and then the run itself.
package final class OpeningRun: MonitorSource, @unchecked Sendable {
  private let opened = AtomicLazyReference<ServedRun>()
  /// Of the monitor's thread, which asks twenty times a second.
  private var known: ServedRun?
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
  package func become(_ served: ServedRun) { _ = opened.storeIfNil(served) }

  private var run: ServedRun? {
    if known == nil { known = opened.load() }
    return known
  }

  package var runState: RunState { run?.runState ?? .loading }
  package var stopsWithView: Bool { true }
  package var secondOfDay: Int? { run?.secondOfDay }
  package func setPaused(_ isPaused: Bool) { run?.setPaused(isPaused) }
  package var pollNanoseconds: UInt64 { run?.pollNanoseconds ?? 100_000_000 }
  package func poll(nowNanoseconds now: UInt64) { run?.poll(nowNanoseconds: now) }

  package func snapshot(nowNanoseconds now: UInt64, windowSeconds: Int?) -> Snapshot {
    if let run {
      return run.snapshot(nowNanoseconds: now, windowSeconds: windowSeconds)
    }
    opening.number += 1
    opening.progress = progress.share
    opening.elapsedSeconds = Double(now &- begin) / 1e9
    opening.windowSeconds = windowSeconds
    return opening
  }

  package func exclude(fromNanoseconds from: UInt64, toNanoseconds to: UInt64) {
    run?.exclude(fromNanoseconds: from, toNanoseconds: to)
  }

  package func addEvent(_ level: EventLevel, _ text: StaticString, nowNanoseconds now: UInt64) {
    run?.addEvent(level, text, nowNanoseconds: now)
  }

  package func reset(nowNanoseconds now: UInt64) { run?.reset(nowNanoseconds: now) }

  package func beginTrace(inferenceCount: Int, nowNanoseconds now: UInt64) -> Bool {
    run?.beginTrace(inferenceCount: inferenceCount, nowNanoseconds: now) ?? false
  }

  package func setPictureShown(_ isShown: Bool) { run?.setPictureShown(isShown) }

  package func addMonitorCost(nanoseconds: UInt64) {
    run?.addMonitorCost(nanoseconds: nanoseconds)
  }
}
