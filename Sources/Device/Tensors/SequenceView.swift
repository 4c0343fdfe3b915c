// Several tensors in one piece of memory: what an ONNX sequence, or an optional, is to a program.

/// A look into a tensor of element type `.sequence`, whose bytes describe themselves: a header (count,
/// kind), an entry for each item (element type, rank, extents, place), then the items' elements, each
/// at a multiple of 64 bytes. An optional is a sequence of no or one item that says so.
public struct SequenceView {
  private static var headerBytes: Int { 64 }
  private static var entryBytes: Int { 96 }
  private static var maximumCount: Int { 1 << 24 }

  public let count: Int
  public let isOptional: Bool
  private let view: TensorView

  /// nil where the bytes are no sequence: nothing of them is believed.
  public init?(_ view: TensorView) {
    let bytes = view.plainByteCount
    guard view.elementType == .sequence, view.encoding == nil, view.hasValue,
      bytes <= view.byteCount, bytes >= SequenceView.headerBytes
    else { return nil }
    self.view = view
    count = SequenceView.number(view, 0)
    let kind = SequenceView.number(view, 8)
    isOptional = kind == 1
    guard kind == 0 || kind == 1, count >= 0, count <= (kind == 1 ? 1 : SequenceView.maximumCount),
      count <= (bytes - SequenceView.headerBytes) / SequenceView.entryBytes
    else { return nil }
    for i in 0..<count where !SequenceView.isSound(view, i, bytes) { return nil }
  }

  /// Of bytes that `write` has written.
  private init(trusting view: TensorView, count: Int, isOptional: Bool) {
    self.view = view
    self.count = count
    self.isOptional = isOptional
  }

  private static func number(_ view: TensorView, _ offset: Int) -> Int {
    Int(unsafe view.pointer.loadUnaligned(fromByteOffset: offset, as: Int64.self))
  }

  private static func set(_ view: TensorView, _ offset: Int, _ value: Int) {
    unsafe view.pointer.storeBytes(of: Int64(value), toByteOffset: offset, as: Int64.self)
  }

  private static func isSound(_ view: TensorView, _ i: Int, _ bytes: Int) -> Bool {
    let entry = headerBytes + i * entryBytes
    guard let raw = UInt8(exactly: number(view, entry)), let type = ElementType(rawValue: raw)
    else { return false }
    let rank = number(view, entry + 8)
    guard rank >= 0, rank <= Shape.maximumRank else { return false }
    var shape = Shape()
    for axis in 0..<rank {
      let extent = number(view, entry + 16 + 8 * axis)
      guard extent >= 0, extent <= 1 << 40 else { return false }
      shape.append(extent)
    }
    let place = number(view, entry + 80)
    guard let elements = shape.checkedElementCount, elements <= 1 << 40, place >= 0,
      place % 64 == 0, place <= bytes
    else { return false }
    return elements * type.byteCount <= bytes - place
  }

  /// Item `i`; its elements are the sequence's own bytes.
  public subscript(i: Int) -> TensorView {
    precondition(i >= 0 && i < count)
    let entry = SequenceView.headerBytes + i * SequenceView.entryBytes
    let raw = UInt8(truncatingIfNeeded: SequenceView.number(view, entry))
    var item = TensorView(elementType: ElementType(rawValue: raw) ?? .u8, shape: Shape())
    for axis in 0..<SequenceView.number(view, entry + 8) {
      item.shape.append(SequenceView.number(view, entry + 16 + 8 * axis))
    }
    unsafe item.base = unsafe view.pointer + SequenceView.number(view, entry + 80)
    item.byteCount = item.plainByteCount
    return item
  }

  /// Bytes of a sequence of these items, of whose views only types and shapes count; nil where they
  /// are too many to be told.
  public static func byteCount(_ count: Int, _ item: (Int) -> TensorView) -> Int? {
    guard count >= 0, count <= maximumCount else { return nil }
    var bytes = aligned(headerBytes + count * entryBytes)
    for i in 0..<count {
      let view = item(i)
      guard let elements = view.shape.checkedElementCount, elements <= 1 << 40 else { return nil }
      bytes += aligned(elements * view.elementType.byteCount)
      guard bytes <= 1 << 46 else { return nil }
    }
    return bytes
  }

  private static func aligned(_ bytes: Int) -> Int { (bytes + 63) & ~63 }

  /// Writes everything but the items' elements into `view`, which has `byteCount` of the same items,
  /// and returns what was written, for these to be filled in.
  public static func write(
    into view: TensorView, isOptional: Bool = false, _ count: Int, _ item: (Int) -> TensorView
  ) -> SequenceView {
    let bytes = view.plainByteCount
    precondition(bytes <= view.byteCount && headerBytes + count * entryBytes <= bytes)
    unsafe view.pointer.initializeMemory(
      as: UInt8.self, repeating: 0, count: aligned(headerBytes + count * entryBytes))
    set(view, 0, count)
    set(view, 8, isOptional ? 1 : 0)
    var place = aligned(headerBytes + count * entryBytes)
    for i in 0..<count {
      let (shape, type) = (item(i).shape, item(i).elementType)
      let entry = headerBytes + i * entryBytes
      set(view, entry, Int(type.rawValue))
      set(view, entry + 8, shape.rank)
      for axis in 0..<shape.rank { set(view, entry + 16 + 8 * axis, shape[axis]) }
      set(view, entry + 80, place)
      // What stands between the items is the same every time.
      let end = place + shape.elementCount * type.byteCount
      place = aligned(end)
      precondition(place <= bytes)
      unsafe (view.pointer + end).initializeMemory(as: UInt8.self, repeating: 0, count: place - end)
    }
    return SequenceView(trusting: view, count: count, isOptional: isOptional)
  }

  /// `write` with the items' elements.
  public static func copy(
    into view: TensorView, isOptional: Bool = false, _ count: Int, _ item: (Int) -> TensorView
  ) {
    let sequence = write(into: view, isOptional: isOptional, count, item)
    for i in 0..<count { sequence[i].copyElements(of: item(i)) }
  }
}

extension TensorView {
  /// Takes the elements of a tensor of the same type and as many elements.
  public func copyElements(of source: TensorView) {
    let bytes = source.plainByteCount
    precondition(bytes == plainByteCount && bytes <= source.byteCount && bytes <= byteCount)
    if bytes > 0 { unsafe pointer.copyMemory(from: source.pointer, byteCount: bytes) }
  }
}
