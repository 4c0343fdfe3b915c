// Standard output of a run, which results and interval objects share line by line.
import Monitor
import Platform

/// Writes whole lines from more than one thread.
///
/// Who stopped the run need not wait long for a reader that takes nothing; a reader that went away ends
/// the run quietly; any other failure ends it, and is told by `failure`.
final class ResultStream: @unchecked Sendable {
  private static let patienceNanoseconds: UInt64 = 1_000_000_000

  private let control: RunControl
  private let continuesOnHangup: Bool
  private let lock = Lock()
  /// When, after somebody stopped the run, its reader was first found to stall.
  private var stallStart: UInt64?
  private var first: Failure?

  /// continuesOnHangup: whether a terminal that is gone is no reason to end.
  init(_ control: RunControl, continuesOnHangup: Bool) {
    self.control = control
    self.continuesOnHangup = continuesOnHangup
  }

  /// Why a line could not be written; nil where all were.
  var failure: Failure? { lock.hold { first } }

  /// Writes lines, waiting for their reader.
  func write(_ bytes: [UInt8]) {
    lock.hold {
      do throws(PlatformError) {
        _ = try Standard.output.write(bytes) { mayWait() }
      } catch {
        if error.isHungUp, continuesOnHangup { return }
        if !error.isBrokenPipe, first == nil { first = Failure(writing: error) }
        control.requestStop(.user)
      }
    }
  }

  private func mayWait() -> Bool {
    guard control.isStopRequested else { return true }
    let now = Clock.monotonicNanoseconds
    let start = stallStart ?? now
    stallStart = start
    return now &- start < Self.patienceNanoseconds
  }
}
