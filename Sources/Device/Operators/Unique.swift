// The different elements, or slices, of a tensor.
import CKernels
import Tensors

/// inputs: x, any element type but real numbers of 8 bits and less → outputs: the different elements as a vector, or the different slices
/// along `axis`, in rising order or as they first come; and as i64 vectors the place where each first
/// comes, the place in output 0 of each of x's, and how often each comes.
///
/// Slices are compared element by element from their first on; NaN counts as larger than every number
/// and equal to itself.
public struct Unique: OperatorDefinition {
  public static var code: Int { 62 }
  public static var name: StaticString { "Unique" }

  /// nil takes x as one vector.
  public var axis: Int?
  public var isSorted: Bool

  public init(axis: Int? = nil, isSorted: Bool = true) {
    self.axis = axis
    self.isSorted = isSorted
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    let hasAxis = try attributes.bool()
    let place = try attributes.integer(in: -8...7)
    axis = hasAxis ? place : nil
    isSorted = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(axis != nil)
    attributes.put(axis ?? 0)
    attributes.put(isSorted)
  }

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    i == 0 ? inputs.first ?? nil : .i64
  }

  /// Elements in front of the axis, along it, and behind it.
  private func extents(_ shape: Shape) -> (outer: Int, count: Int, inner: Int)? {
    guard let axis else { return (1, shape.elementCount, 1) }
    guard let a = shape.normalized(axis: axis) else { return nil }
    return (
      shape.elementCount(of: 0..<a), shape[a], shape.elementCount(of: (a + 1)..<shape.rank)
    )
  }

  /// The shape of output 0 for so many slices.
  private func shape(_ x: Shape, _ count: Int) -> Shape {
    guard let axis, let a = x.normalized(axis: axis) else { return Shape([count]) }
    var shape = x
    shape[a] = count
    return shape
  }

  /// Sets the shapes for as many as there can be; `run` says how many there are.
  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1, outputs: 4)
    try step.requirePlain(0)
    let x = step.input(0)
    guard !x.elementType.isFloatingPoint || x.elementType.byteCount > 1 else {
      throw ShapeError("element type is not taken here", input: 0)
    }
    guard let (_, count, _) = extents(x.shape) else {
      throw ShapeError("axis is out of range", input: 0, expected: x.shape.rank)
    }
    step.setOutput(0, x.elementType, shape(x.shape, count))
    for i in 1..<4 { step.setOutput(i, .i64, Shape([count])) }
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    2 * Unique.listBytes(step.output(1).shape[0])
  }

  private static func listBytes(_ count: Int) -> Int {
    (count * MemoryLayout<Int>.size + 63) & ~63
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    guard let (outer, n, inner) = extents(x.shape) else { return }
    let order = step.scratch(Int.self, count: n)
    let group = step.scratch(Int.self, count: n, at: Unique.listBytes(n))
    func compare(_ i: Int, _ j: Int) -> Int {
      for o in 0..<outer {
        for k in 0..<inner {
          let c = x.compare((o * n + i) * inner + k, (o * n + j) * inner + k, step.compute.texts)
          if c != 0 { return c }
        }
      }
      return 0
    }
    for i in 0..<n { order[i] = i }
    order.heapSort { i, j in
      let c = compare(i, j)
      return c != 0 ? c < 0 : i < j
    }
    let (first, inverse, counts) = (
      step.output(1).elements(Int64.self), step.output(2).elements(Int64.self),
      step.output(3).elements(Int64.self)
    )
    // Each group's first place is its smallest: equals are in order of their places.
    var found = 0
    for r in 0..<n {
      if r == 0 || compare(order[r - 1], order[r]) != 0 {
        first[found] = Int64(order[r])
        found += 1
      }
      group[order[r]] = found - 1
    }
    if !isSorted { inOrderOfPlaces(first, group, order, found) }
    for g in 0..<found { counts[g] = 0 }
    for i in 0..<n {
      inverse[i] = Int64(group[i])
      counts[group[i]] += 1
    }
    gather(x, step.output(), first, (outer, n, inner), found)
    step.setOutput(0, x.elementType, shape(x.shape, found))
    step.setOutput(1, .i64, Shape([found]))
    step.setOutput(3, .i64, Shape([found]))
  }

  /// Numbers the groups anew by their first places.
  private func inOrderOfPlaces(
    _ first: Elements<Int64>, _ group: Elements<Int>, _ number: Elements<Int>, _ found: Int
  ) {
    // A place is its group's first one where that says so: walked in order, they get new numbers.
    var next = 0
    for i in 0..<group.count where first[group[i]] == Int64(i) {
      number[group[i]] = next
      next += 1
    }
    for i in 0..<group.count { group[i] = number[group[i]] }
    var seen = 0
    for i in 0..<group.count where group[i] == seen {
      first[seen] = Int64(i)
      seen += 1
    }
  }

  private func gather(
    _ x: TensorView, _ y: TensorView, _ first: Elements<Int64>,
    _ extents: (outer: Int, count: Int, inner: Int), _ found: Int
  ) {
    let bytes = extents.inner * x.elementType.byteCount
    guard bytes > 0, found > 0 else { return }
    precondition(x.plainByteCount <= x.byteCount && extents.outer * found * bytes <= y.byteCount)
    let source = unsafe x.pointer
    let target = unsafe y.pointer
    for o in 0..<extents.outer {
      for g in 0..<found {
        unsafe (target + (o * found + g) * bytes).copyMemory(
          from: source + (o * extents.count + Int(first[g])) * bytes, byteCount: bytes)
      }
    }
  }
}

extension TensorView {
  /// How elements `i` and `j` compare: negative where the first is smaller. NaN is the largest.
  func compare(_ i: Int, _ j: Int, _ pool: TextPool) -> Int {
    switch elementType {
    case .string: pool.compare(pool.range(texts[i]), pool.range(texts[j]))
    case .f32: order(elements(Float.self)[i], elements(Float.self)[j])
    case .f64: order(elements(Double.self)[i], elements(Double.self)[j])
    case .f16:
      order(kn_f16_to_f32(elements(UInt16.self)[i]), kn_f16_to_f32(elements(UInt16.self)[j]))
    case .bf16:
      order(
        Float(bitPattern: UInt32(elements(UInt16.self)[i]) << 16),
        Float(bitPattern: UInt32(elements(UInt16.self)[j]) << 16))
    case .u64: order(elements(UInt64.self)[i], elements(UInt64.self)[j])
    default: order(integer(at: i), integer(at: j))
    }
  }

  private func order<T: Comparable>(_ a: T, _ b: T) -> Int {
    if a < b { return -1 }
    if a > b { return 1 }
    if a == b { return 0 }
    return a == a ? -1 : b == b ? 1 : 0
  }
}

extension Elements where T == Int {
  /// Sorts in place by `precedes`, a strict order of all elements.
  func heapSort(_ precedes: (Int, Int) -> Bool) {
    func sift(_ root: Int, _ end: Int) {
      var at = root
      while 2 * at + 1 < end {
        var child = 2 * at + 1
        if child + 1 < end, precedes(self[child], self[child + 1]) { child += 1 }
        guard precedes(self[at], self[child]) else { return }
        let value = self[at]
        self[at] = self[child]
        self[child] = value
        at = child
      }
    }
    var root = count / 2 - 1
    while root >= 0 {
      sift(root, count)
      root -= 1
    }
    var end = count - 1
    while end > 0 {
      let value = self[0]
      self[0] = self[end]
      self[end] = value
      sift(0, end)
      end -= 1
    }
  }
}
