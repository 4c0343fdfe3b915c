// One place through which a thread hands the newest of its values to another, without locks.
import Synchronization

/// A slot with one writing and one reading thread: a value that was not taken in time gives way to a newer
/// one. The reader says when it wants one; the writer need not make any before.
///
/// Nothing here ever waits. `put` allocates: it belongs between inferences, and only where one is wanted.
@safe public final class LatestSlot<Value: Sendable>: @unchecked Sendable {
  private final class Box {
    let value: Value
    init(_ value: Value) { self.value = value }
  }

  // A retained box's address; 0 while there is none.
  private let place = Atomic<Int>(0)
  private let wish = Atomic<Bool>(false)

  public init() {}

  deinit { _ = take() }

  /// Asks for a value. Reading thread only.
  public func want() { wish.store(true, ordering: .relaxed) }

  /// Whether one was asked for since the last call. Writing thread only.
  public func takeWish() -> Bool {
    // A load alone is what it costs while nobody asks.
    wish.load(ordering: .relaxed) && wish.exchange(false, ordering: .relaxed)
  }

  /// Leaves a value, in place of one that was not taken. Writing thread only.
  public func put(_ value: Value) {
    let box = unsafe Unmanaged.passRetained(Box(value))
    let address = unsafe Int(bitPattern: box.toOpaque())
    _ = Self.open(place.exchange(address, ordering: .acquiringAndReleasing))
  }

  /// The newest value, once; nil where there is none. Reading thread only.
  public func take() -> Value? { Self.open(place.exchange(0, ordering: .acquiringAndReleasing)) }

  private static func open(_ address: Int) -> Value? {
    guard let raw = unsafe UnsafeRawPointer(bitPattern: address) else { return nil }
    return unsafe Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().value
  }
}
