// A process that goes on without the terminal it was started from.

import CPlatform

/// Leaving the terminal.
public enum Background {
  /// How it went, in the process that was started.
  public enum Outcome: Equatable, Sendable {
    /// This is the process that goes on: no terminal, empty standard input.
    case isBackground
    /// This is the first one, and a process of that number goes on: it has announced its start.
    case started(process: Int)
    /// The other process ended before it announced anything, with this status.
    case ended(status: Int32)
    /// There can be no other process.
    case impossible
  }

  /// Goes on in another process. To be called before any thread begins.
  public static func enter() -> Outcome {
    let result = kp_detach()
    switch result {
    case 0: return .isBackground
    case 1...: return .started(process: Int(result))
    case -1000: return .impossible
    default: return .ended(status: -result)
    }
  }

  /// Ends this process at once, and nothing else of it runs.
  public static func leave(_ status: Int32) -> Never { kp_leave(status) }

  /// Lets the first process end. Does nothing where none waits.
  public static func announceStart() { kp_detached() }
}
