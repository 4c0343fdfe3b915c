// A thread beside the one that infers.
import CPlatform

/// A thread that runs one closure and is joined.
@safe public final class MonitorThread {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private var thread: OpaquePointer?

  /// Starts it. Nil when the system has no thread left.
  public init?(_ run: @escaping @Sendable () -> Void) {
    let body = unsafe Unmanaged.passRetained(Body(run))
    let started = unsafe kp_thread_start(
      { raw in
        guard let raw = unsafe raw else { return }
        let body = unsafe Unmanaged<Body>.fromOpaque(raw).takeRetainedValue()
        body.run()
      }, body.toOpaque())
    guard let started = unsafe started else {
      unsafe body.release()
      return nil
    }
    unsafe thread = started
  }

  /// Waits for it to end. Does nothing the second time.
  public func join() {
    guard let running = unsafe thread else { return }
    unsafe kp_thread_join(running)
    unsafe thread = nil
  }

  deinit { join() }
}
