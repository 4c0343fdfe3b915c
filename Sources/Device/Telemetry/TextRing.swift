// A ring of bytes through which one thread hands short texts to another without locks.
import Synchronization

/// A fixed ring of texts, each with a tag and a number, with one writing and one reading thread.
///
/// `push` never waits, allocates or locks: a text that does not fit is dropped and counted, one
/// longer than `longestText` is cut at a UTF-8 boundary.
@safe public final class TextRing: @unchecked Sendable {
  /// The most bytes of one text that are kept.
  public static var longestText: Int { 1024 }
  private static var headerBytes: Int { 11 }

  private let storage: UnsafeMutablePointer<UInt8>
  private let mask: Int
  private let written = Atomic<Int>(0)
  private let read = Atomic<Int>(0)
  private let lost = Atomic<Int>(0)
  /// Where a text begins that at least so many have followed.
  private let behind = Atomic<Int>(0)
  private static let behindCount = 256
  // Writing thread only.
  private var pushedCount = 0
  private var behindNext = 0

  /// A ring of at least `byteCount` bytes, rounded up to a power of two of at least 4096.
  public init(byteCount: Int) {
    precondition(byteCount <= 1 << 28)
    var size = 4096
    while size < byteCount { size *= 2 }
    mask = size - 1
    unsafe storage = UnsafeMutablePointer.allocate(capacity: size)
    unsafe storage.initialize(repeating: 0, count: size)
  }

  deinit { unsafe storage.deallocate() }

  /// How many texts were dropped because the ring was full.
  public var lostCount: Int { lost.load(ordering: .relaxed) }

  /// Adds a text. Writing thread only.
  public func push(tag: UInt8, number: UInt64 = 0, _ text: Span<UInt8>) {
    var count = text.count
    if count > Self.longestText {
      count = Self.longestText
      // Not in the middle of a character.
      while count > Self.longestText - 4, text[count] & 0xC0 == 0x80 { count -= 1 }
    }
    let start = written.load(ordering: .relaxed)
    let used = start &- read.load(ordering: .acquiring)
    guard used + Self.headerBytes + count <= mask + 1 else {
      lost.wrappingAdd(1, ordering: .relaxed)
      return
    }
    unsafe storage[start & mask] = tag
    unsafe storage[(start &+ 1) & mask] = UInt8(truncatingIfNeeded: count)
    unsafe storage[(start &+ 2) & mask] = UInt8(truncatingIfNeeded: count >> 8)
    for i in 0..<8 {
      unsafe storage[(start &+ 3 &+ i) & mask] = UInt8(truncatingIfNeeded: number >> UInt64(8 * i))
    }
    for i in 0..<count {
      unsafe storage[(start &+ Self.headerBytes &+ i) & mask] = text[i]
    }
    if pushedCount % Self.behindCount == 0 {
      behind.store(behindNext, ordering: .releasing)
      behindNext = start
    }
    pushedCount &+= 1
    written.store(start &+ Self.headerBytes &+ count, ordering: .releasing)
  }

  /// The oldest text with its tag and number, removed; nil when there is none. Reading thread only.
  public func pop() -> (tag: UInt8, number: UInt64, text: [UInt8])? {
    let start = read.load(ordering: .relaxed)
    guard start != written.load(ordering: .acquiring) else { return nil }
    let tag = unsafe storage[start & mask]
    let low = unsafe storage[(start &+ 1) & mask]
    let high = unsafe storage[(start &+ 2) & mask]
    let count = Int(low) | Int(high) << 8
    var number: UInt64 = 0
    for i in 0..<8 { number |= UInt64(unsafe storage[(start &+ 3 &+ i) & mask]) << UInt64(8 * i) }
    var text: [UInt8] = []
    text.reserveCapacity(count)
    for i in 0..<count {
      text.append(unsafe storage[(start &+ Self.headerBytes &+ i) & mask])
    }
    read.store(start &+ Self.headerBytes &+ count, ordering: .releasing)
    return (tag, number, text)
  }

  /// Removes the oldest texts unread until at most `count` are left of those that wait: what nobody
  /// would see need not be copied. Reading thread only.
  public func dropOldest(keeping count: Int) {
    // First: what is written by then lies behind it.
    let behind = behind.load(ordering: .acquiring)
    let end = written.load(ordering: .acquiring)
    if count <= Self.behindCount, behind &- read.load(ordering: .relaxed) > 0 {
      read.store(behind, ordering: .releasing)
    }
    var waiting = 0
    var at = read.load(ordering: .relaxed)
    while at != end {
      waiting += 1
      at = next(after: at)
    }
    guard waiting > count else { return }
    at = read.load(ordering: .relaxed)
    for _ in 0..<waiting - max(0, count) { at = next(after: at) }
    read.store(at, ordering: .releasing)
  }

  /// Where the text behind the one at `start` begins.
  private func next(after start: Int) -> Int {
    let low = unsafe storage[(start &+ 1) & mask]
    let high = unsafe storage[(start &+ 2) & mask]
    return start &+ Self.headerBytes &+ (Int(low) | Int(high) << 8)
  }
}
