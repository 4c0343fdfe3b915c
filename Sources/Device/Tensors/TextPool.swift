// The bytes of texts, and how an element of a string tensor says which of them are its own.

/// An element of a `.string` tensor: bytes `offset`..<`offset + count` of a pool. Zero is the empty text.
///
/// A reference owns nothing and is not believed: one that leads outside of its pool is the empty text.
public struct TextReference: Equatable, Hashable, Sendable, BitwiseCopyable {
  public var offset: UInt32
  public var count: UInt32

  public init(offset: UInt32 = 0, count: UInt32 = 0) {
    self.offset = offset
    self.count = count
  }
}

/// Texts one behind another, UTF-8 by convention and bytes as far as the pool is concerned. It grows
/// while a program runs and is cut back to what is still referred to before the next run; memory once
/// taken is kept.
public final class TextPool {
  /// All bytes.
  public private(set) var bytes: [UInt8]
  /// The pool takes no more bytes than this; what does not fit is the empty text.
  public let maximumBytes: Int
  /// Something did not fit.
  public private(set) var hasOverflowed = false
  /// Texts that outlive a compaction, until it ends.
  private var kept: [UInt8] = []

  /// bytes: texts that references of constants lead to.
  public init(_ bytes: [UInt8] = [], maximumBytes: Int = .max) {
    self.bytes = bytes
    self.maximumBytes = min(maximumBytes, Int(UInt32.max))
  }

  /// Where the text is in `bytes`.
  public func range(_ text: TextReference) -> Range<Int> {
    let end = Int(text.offset) + Int(text.count)
    return end <= bytes.count ? Int(text.offset)..<end : 0..<0
  }

  /// A copy of the text.
  public func text(_ text: TextReference) -> [UInt8] { Array(bytes[range(text)]) }

  public func areEqual(_ a: TextReference, _ b: TextReference) -> Bool {
    a == b || compare(range(a), range(b)) == 0
  }

  /// Below 0 where the bytes at `a` sort before those at `b`, above where behind, 0 for equal ones.
  public func compare(_ a: Range<Int>, _ b: Range<Int>) -> Int {
    for i in 0..<min(a.count, b.count) {
      let (x, y) = (bytes[a.lowerBound + i], bytes[b.lowerBound + i])
      if x != y { return x < y ? -1 : 1 }
    }
    return a.count - b.count
  }

  // MARK: Adding

  /// Where the next byte comes to.
  public var end: Int { bytes.count }

  /// Adds a byte to the text that is being put together; one too many is lost, and remembered.
  public func append(_ byte: UInt8) {
    guard bytes.count < maximumBytes else {
      hasOverflowed = true
      return
    }
    bytes.append(byte)
  }

  /// Adds a text, or part of one, that is in the pool.
  public func append(_ range: Range<Int>) {
    for i in range { append(bytes[i]) }
  }

  /// The text of all bytes from `start` on.
  public func text(from start: Int) -> TextReference {
    TextReference(offset: UInt32(start), count: UInt32(bytes.count - start))
  }

  /// A part of the pool as a text.
  public func text(_ range: Range<Int>) -> TextReference {
    TextReference(offset: UInt32(range.lowerBound), count: UInt32(range.count))
  }

  /// Adds a whole text.
  public func add(_ text: some Swift.Sequence<UInt8>) -> TextReference {
    let start = bytes.count
    for byte in text { append(byte) }
    return self.text(from: start)
  }

  // MARK: Cutting back

  /// Forgets the bytes from `start` on, which nothing may refer to.
  public func cut(to start: Int) {
    if bytes.count > start { bytes.removeLast(bytes.count - start) }
  }

  /// Takes over a text that stays, between `beginCompaction` and `endCompaction`: its new place.
  public func keep(_ text: TextReference, behind base: Int) -> TextReference {
    let range = range(text)
    guard range.upperBound > base else { return text }
    let start = base + kept.count
    guard start + range.count <= maximumBytes else {
      hasOverflowed = true
      return TextReference()
    }
    for i in range { kept.append(bytes[i]) }
    return TextReference(offset: UInt32(start), count: UInt32(range.count))
  }

  /// Forgets what stands behind `base` but for the texts that were kept, which follow it from now on.
  public func endCompaction(behind base: Int) {
    if bytes.count > base { bytes.removeLast(bytes.count - base) }
    bytes.append(contentsOf: kept)
    kept.removeAll(keepingCapacity: true)
    hasOverflowed = false
  }
}

extension TensorView {
  /// The elements of a string tensor.
  public var texts: Elements<TextReference> { elements(TextReference.self) }

  /// Puts `change` of each reference in its place, of those in a sequence's items too. Does nothing to
  /// tensors of numbers.
  public func changeTexts(_ change: (TextReference) -> TextReference) {
    // A sequence may claim to hold itself: a bound on all items ends that.
    var budget = 1 << 20
    changeTexts(change, depth: 0, &budget)
  }

  private func changeTexts(
    _ change: (TextReference) -> TextReference, depth: Int, _ budget: inout Int
  ) {
    guard hasValue, encoding == nil else { return }
    if elementType == .string {
      let list = texts
      for i in list.indices { list[i] = change(list[i]) }
    } else if let sequence = SequenceView(self), depth < 8 {
      for i in 0..<sequence.count where budget > 0 {
        budget -= 1
        sequence[i].changeTexts(change, depth: depth + 1, &budget)
      }
    }
  }

  /// True where both have one type, one shape and the same elements; texts count by their bytes.
  public func hasSameElements(
    as other: TensorView, _ pool: TextPool?, _ otherPool: TextPool?
  ) -> Bool {
    var budget = 1 << 20
    return hasSameElements(as: other, pool, otherPool, depth: 0, &budget)
  }

  private func hasSameElements(
    as other: TensorView, _ pool: TextPool?, _ otherPool: TextPool?, depth: Int,
    _ budget: inout Int
  ) -> Bool {
    guard elementType == other.elementType, shape == other.shape, hasValue, other.hasValue,
      encoding == nil, other.encoding == nil
    else { return false }
    if elementType == .string {
      let (a, b) = (texts, other.texts)
      for i in a.indices where (pool?.text(a[i]) ?? []) != (otherPool?.text(b[i]) ?? []) {
        return false
      }
      return true
    }
    if elementType == .sequence, let a = SequenceView(self), let b = SequenceView(other) {
      guard a.count == b.count, a.isOptional == b.isOptional, depth < 8 else { return false }
      for i in 0..<a.count {
        budget -= 1
        guard budget > 0, a[i].hasSameElements(as: b[i], pool, otherPool, depth: depth + 1, &budget)
        else { return false }
      }
      return true
    }
    let count = plainByteCount
    guard count <= byteCount, count <= other.byteCount else { return false }
    return unsafe UnsafeRawBufferPointer(start: pointer, count: count)
      .elementsEqual(UnsafeRawBufferPointer(start: other.pointer, count: count))
  }
}
