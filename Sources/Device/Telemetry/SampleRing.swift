// A ring through which one thread hands timings to another without locks: full means dropped and
// counted.
import Synchronization

/// One timing: of a whole inference, or of one step of it.
public struct Sample: Equatable, Sendable {
  /// When it began on the monotonic clock, in nanoseconds; 0 for a step.
  public var startNanoseconds: UInt64
  /// How long it took, in nanoseconds.
  public var durationNanoseconds: UInt64
  /// Which step; negative for a whole inference.
  public var step: Int32

  public init(startNanoseconds: UInt64, durationNanoseconds: UInt64, step: Int32 = -1) {
    self.startNanoseconds = startNanoseconds
    self.durationNanoseconds = durationNanoseconds
    self.step = step
  }
}

/// A fixed ring of samples with one writing and one reading thread.
///
/// `push` never waits, allocates or locks. The storage is allocated once, 24 bytes a sample.
@safe public final class SampleRing: @unchecked Sendable {
  private let slots: UnsafeMutablePointer<Sample>
  private let mask: Int
  // Both only grow (wrapping); their difference is what waits.
  private let written = Atomic<Int>(0)
  private let read = Atomic<Int>(0)
  private let lost = Atomic<Int>(0)

  /// A ring of at least `capacity` samples, rounded up to a power of two.
  public init(capacity: Int) {
    precondition(capacity > 0 && capacity <= 1 << 24)
    var size = 1
    while size < capacity { size *= 2 }
    mask = size - 1
    unsafe slots = UnsafeMutablePointer.allocate(capacity: size)
    unsafe slots.initialize(
      repeating: Sample(startNanoseconds: 0, durationNanoseconds: 0), count: size)
  }

  deinit { unsafe slots.deallocate() }

  /// How many samples were dropped because the ring was full.
  public var lostCount: Int { lost.load(ordering: .relaxed) }

  /// Adds a sample, or drops and counts it when the ring is full. Writing thread only.
  public func push(_ sample: Sample) {
    let next = written.load(ordering: .relaxed)
    guard next &- read.load(ordering: .acquiring) <= mask else {
      lost.wrappingAdd(1, ordering: .relaxed)
      return
    }
    unsafe slots[next & mask] = sample
    written.store(next &+ 1, ordering: .releasing)
  }

  /// The oldest sample, removed; nil when there is none. Reading thread only.
  public func pop() -> Sample? {
    let next = read.load(ordering: .relaxed)
    guard next != written.load(ordering: .acquiring) else { return nil }
    let sample = unsafe slots[next & mask]
    read.store(next &+ 1, ordering: .releasing)
    return sample
  }
}
