// A constant tensor of a graph: bytes that the model file holds, or that we made.
import Tensors

/// Owns bytes that the system can read again, such as those of a mapped file.
public protocol PageOwner: AnyObject {
  /// Takes the pages of `bytes` out of memory; the next touch brings them back.
  func releasePages(of bytes: UnsafeRawBufferPointer)
}

/// Immutable tensor bytes. Imported constants are views of the mapped model file and never copied
/// while importing; `owner` keeps the mapping alive.
public final class Constant: @unchecked Sendable {
  public let elementType: ElementType
  /// The type that the model's file has the elements in, where they were made of another one.
  public let storedType: ElementType
  public let shape: Shape
  public let bytes: UnsafeRawBufferPointer
  /// What the references of texts lead to, also those in a sequence's items; it is only added to.
  public let texts: TextPool?
  private let owner: AnyObject?
  private let owned: UnsafeMutableRawPointer?

  /// A view of `bytes`, which `owner` keeps alive. The bytes must be what type and shape take.
  public init(
    elementType: ElementType, shape: Shape, viewing bytes: UnsafeRawBufferPointer,
    owner: AnyObject, texts: TextPool? = nil, storedAs storedType: ElementType? = nil
  ) {
    precondition(bytes.count == shape.elementCount * elementType.byteCount)
    self.elementType = elementType
    self.storedType = storedType ?? elementType
    self.shape = shape
    self.bytes = bytes
    self.texts = texts
    self.owner = owner
    owned = nil
  }

  /// Memory of its own, filled by `fill`.
  public init(
    elementType: ElementType, shape: Shape, texts: TextPool? = nil,
    storedAs storedType: ElementType? = nil, _ fill: (UnsafeMutableRawBufferPointer) -> Void
  ) {
    let count = shape.elementCount * elementType.byteCount
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 64)
    let buffer = UnsafeMutableRawBufferPointer(start: memory, count: count)
    fill(buffer)
    self.elementType = elementType
    self.storedType = storedType ?? elementType
    self.shape = shape
    bytes = UnsafeRawBufferPointer(buffer)
    self.texts = texts
    owner = nil
    owned = memory
  }

  deinit { owned?.deallocate() }

  /// Gives the memory of the bytes back where they can be read again from a file.
  public func releasePages() { releasePages(of: bytes) }

  /// The same for some of the bytes.
  public func releasePages(of part: UnsafeRawBufferPointer) {
    if let file = owner as? any PageOwner { return file.releasePages(of: part) }
    (owner as? Constant)?.releasePages(of: part)
  }

  public convenience init(floats: [Float], shape: Shape) {
    precondition(floats.count == shape.elementCount)
    self.init(elementType: .f32, shape: shape) { out in
      floats.withUnsafeBytes { out.copyMemory(from: $0) }
    }
  }

  public convenience init(integers: [Int], shape: Shape) {
    precondition(integers.count == shape.elementCount)
    self.init(elementType: .i64, shape: shape) { out in
      integers.map { Int64($0) }.withUnsafeBytes { out.copyMemory(from: $0) }
    }
  }

  /// Texts, as the bytes of each.
  public convenience init(texts list: [[UInt8]], shape: Shape) {
    precondition(list.count == shape.elementCount)
    let pool = TextPool()
    self.init(elementType: .string, shape: shape, texts: pool) { out in
      for (i, text) in list.enumerated() {
        out.storeBytes(of: pool.add(text), toByteOffset: 8 * i, as: TextReference.self)
      }
    }
  }

  /// A sequence of constants, or an optional of at most one.
  public convenience init(sequence items: [Constant], isOptional: Bool = false) {
    let pool = items.contains { $0.texts != nil } ? TextPool() : nil
    let placed = items.map { item in pool.map { item.moved(to: $0) } ?? item }
    let views = placed.map(\.view)
    guard let count = SequenceView.byteCount(items.count, { views[$0] }) else {
      preconditionFailure("a sequence of constants that exist has a size")
    }
    self.init(elementType: .sequence, shape: Shape([count]), texts: pool) { out in
      let view = TensorView(
        base: out.baseAddress, byteCount: count, elementType: .sequence, shape: Shape([count]))
      withExtendedLifetime(placed) {
        SequenceView.copy(into: view, isOptional: isOptional, items.count) { views[$0] }
      }
    }
  }

  /// The items of a sequence or an optional; nil for anything else.
  public var items: [Constant]? {
    guard let sequence = SequenceView(view) else { return nil }
    return (0..<sequence.count).map { Constant(copying: sequence[$0], texts: texts) }
  }

  /// A copy of what a view holds now. texts: what its references lead to, where it has any.
  public convenience init(copying view: TensorView, texts: TextPool? = nil) {
    let pool = view.elementType.isNumber ? nil : TextPool()
    self.init(elementType: view.elementType, shape: view.shape, texts: pool) { out in
      guard out.count > 0 else { return }
      out.copyMemory(from: UnsafeRawBufferPointer(start: view.pointer, count: out.count))
      guard let pool else { return }
      TensorView(
        base: out.baseAddress, byteCount: out.count, elementType: view.elementType,
        shape: view.shape
      ).changeTexts { pool.add(texts?.text($0) ?? []) }
    }
  }

  /// The same elements with their texts in `pool`; itself where it has none, or they are there.
  public func moved(to pool: TextPool) -> Constant {
    guard let texts, texts !== pool else { return self }
    let copy = Constant(elementType: elementType, shape: shape, texts: pool) { out in
      out.copyMemory(from: bytes)
    }
    copy.view.changeTexts { pool.add(texts.text($0)) }
    return copy
  }

  /// The texts, as the bytes of each; nil for other element types.
  public var textBytes: [[UInt8]]? {
    guard elementType == .string else { return nil }
    return (0..<shape.elementCount).map { i in
      texts?.text(bytes.loadUnaligned(fromByteOffset: 8 * i, as: TextReference.self)) ?? []
    }
  }

  /// True where both are of one type and shape and have the same elements.
  public func isSame(as other: Constant) -> Bool {
    self === other
      || elementType == other.elementType && shape == other.shape
        && (elementType.isNumber
          ? bytes.elementsEqual(other.bytes)
          : view.hasSameElements(as: other.view, texts, other.texts))
  }

  /// The same elements under another shape of the same count.
  public func reshaped(_ shape: Shape) -> Constant {
    Constant(
      elementType: elementType, shape: shape, viewing: bytes, owner: self, texts: texts,
      storedAs: storedType)
  }

  /// A view for operators, which only read it.
  public var view: TensorView {
    TensorView(
      base: UnsafeMutableRawPointer(
        mutating: bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 64)!),
      byteCount: bytes.count, elementType: elementType, shape: shape)
  }

  /// The elements as floats; nil unless the type is f32.
  public var floats: [Float]? {
    guard elementType == .f32 else { return nil }
    return (0..<shape.elementCount).map {
      bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self)
    }
  }

  /// The elements as integers; nil for real numbers and texts.
  public var integers: [Int]? {
    guard !elementType.isFloatingPoint, elementType != .string else { return nil }
    let v = view
    // Files do not align: read through a copy where the view is not aligned.
    if Int(bitPattern: bytes.baseAddress) % elementType.byteCount == 0 {
      return (0..<shape.elementCount).map { v.integer(at: $0) }
    }
    let aligned = Constant(copying: v)
    return (0..<shape.elementCount).map { aligned.view.integer(at: $0) }
  }

  /// The value where all elements are one f32 number.
  public var uniformFloat: Float? {
    guard elementType == .f32, shape.elementCount > 0 else { return nil }
    let first = bytes.loadUnaligned(as: Float.self)
    guard shape.elementCount <= 4096 || shape.elementCount == 1 else { return nil }
    for i in 1..<max(shape.elementCount, 1)
    where bytes.loadUnaligned(fromByteOffset: i * 4, as: Float.self) != first { return nil }
    return first
  }
}
