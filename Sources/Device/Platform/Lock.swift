// Mutual exclusion between threads, and what one of them leaves for another.

import CPlatform

/// A lock. Not recursive; never taken by an inference.
@safe public final class Lock: @unchecked Sendable {
  private let lock: OpaquePointer

  public init() {
    guard let made = unsafe kp_lock_create() else { fatalError("out of memory") }
    unsafe lock = made
  }

  deinit { unsafe kp_lock_destroy(lock) }

  /// Runs `body` while no other thread is inside.
  public func hold<T>(_ body: () -> T) -> T {
    unsafe kp_lock_take(lock)
    defer { unsafe kp_lock_release(lock) }
    return body()
  }
}

/// A value that several threads may read and replace.
public final class Shared<Value>: @unchecked Sendable {
  private let lock = Lock()
  private var value: Value

  public init(_ value: Value) { self.value = value }

  /// What `body` makes of the value, which it may change.
  public func use<T>(_ body: (inout Value) -> T) -> T { lock.hold { body(&value) } }
}

/// Wakes a thread that waits, also one that waits for files at the same time.
public final class WakeUp: Sendable {
  /// Can be read while somebody asked to wake.
  public let descriptor: Int32

  /// Nil where the system gives no descriptor.
  public init?() {
    descriptor = kp_wake_up_create()
    guard descriptor >= 0 else { return nil }
  }

  deinit { close(descriptor) }

  /// Ends the wait that is on, or the next one.
  public func call() { kp_wake_up_call(descriptor) }

  /// Waits to be called, at most so long. What was called for is taken.
  public func wait(milliseconds: Int32) {
    _ = kp_wait_in_time(descriptor, 0, milliseconds)
    kp_wake_up_take(descriptor)
  }
}
