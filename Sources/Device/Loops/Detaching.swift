// How a run leaves its terminal, and what its starter says.
import Platform

extension RunOptions {
  /// Goes on without a terminal where that was asked for; in the process that was started says how to
  /// attach to the other one, and ends. To be called before anything else is done.
  public static func detach(name: String) throws(Failure) {
    switch Background.enter() {
    case .isBackground: return
    case .started(let process):
      Standard.output.say("\(process)")
      Standard.error.say("\(name): runs on as process \(process); \(name) top \(process) attaches")
      Background.leave(0)
    case .ended(let status): Background.leave(status)
    case .impossible: throw Failure(.unavailable, "cannot start another process")
    }
  }
}
