// A ring through which one thread hands timings to another without locks: full means dropped and
// counted.
import Synchronization

/// One timing: of a whole inference, of one step of it, or of something else in the way of an item.
public struct Sample: Equatable, Sendable {
  /// When it began on the monotonic clock, in nanoseconds; 0 for a step.
  public var startNanoseconds: UInt64
  /// How long it took, in nanoseconds.
  public var durationNanoseconds: UInt64
  /// Which step; negative for anything else, -1 for a whole inference.
  public var step: Int32
  /// What else there is to say; 0 for nothing. Of an inference a `SlowMark`, of a prompt or a request its
  /// tokens.
  public var detail: UInt32

  public init(
    startNanoseconds: UInt64, durationNanoseconds: UInt64, step: Int32 = -1, detail: UInt32 = 0
  ) {
    self.startNanoseconds = startNanoseconds
    self.durationNanoseconds = durationNanoseconds
    self.step = step
    self.detail = detail
  }
}

/// What a sample is of that is no step.
enum SampleKind: Equatable {
  case inference
  /// A prompt that was read; its tokens are the detail.
  case prompt
  /// From the arrival of a request to its first token.
  case firstToken
  /// A whole request; the tokens it gave are the detail.
  case request
  case stage(ItemStage)

  static var inferenceCode: Int32 { -1 }
  private static var firstStage: Int32 { -16 }

  /// What stands in `Sample.step`.
  var code: Int32 {
    switch self {
    case .inference: Self.inferenceCode
    case .prompt: -2
    case .firstToken: -3
    case .request: -4
    case .stage(let stage): Self.firstStage - Int32(stage.rawValue)
    }
  }

  /// nil for steps and for codes of nothing.
  init?(code: Int32) {
    switch code {
    case Self.inferenceCode: self = .inference
    case -2: self = .prompt
    case -3: self = .firstToken
    case -4: self = .request
    default:
      guard code <= Self.firstStage, code > Self.firstStage - 256,
        let stage = ItemStage(rawValue: UInt8(Self.firstStage - code))
      else { return nil }
      self = .stage(stage)
    }
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

  /// How many samples can wait.
  var capacity: Int { mask + 1 }

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

  /// Removes the oldest samples, at most 256 of them, and has them looked at as they lie there: the two
  /// threads then share a cache line once for many. False when there is none. Reading thread only.
  func takeSome(_ body: (Span<Sample>) -> Void) -> Bool {
    let next = read.load(ordering: .relaxed)
    let waiting = written.load(ordering: .acquiring) &- next
    guard waiting > 0 else { return false }
    let first = next & mask
    let count = min(waiting, mask + 1 - first, 256)
    unsafe body(Span(_unsafeStart: slots + first, count: count))
    read.store(next &+ count, ordering: .releasing)
    return true
  }
}
