// The extents of a tensor, held inline so that shape arithmetic never allocates.

/// Up to eight extents, each at least zero.
public struct Shape: Sendable {
  /// The most axes a tensor may have.
  public static var maximumRank: Int { 8 }

  private var extents: InlineArray<8, Int>
  /// Number of axes; 0 for a scalar.
  public private(set) var rank: Int

  /// A scalar.
  public init() {
    extents = InlineArray(repeating: 1)
    rank = 0
  }

  /// Traps past eight axes: a caller that reads shapes from a file checks first.
  public init(_ dimensions: [Int]) {
    self.init()
    for d in dimensions { append(d) }
  }

  /// `count` axes of `extent`.
  public init(repeating extent: Int, count: Int) {
    self.init()
    for _ in 0..<count { append(extent) }
  }

  public subscript(axis: Int) -> Int {
    get {
      precondition(axis >= 0 && axis < rank)
      return extents[axis]
    }
    set {
      precondition(axis >= 0 && axis < rank && newValue >= 0)
      extents[axis] = newValue
    }
  }

  /// Adds an axis behind the others.
  public mutating func append(_ extent: Int) {
    precondition(rank < Shape.maximumRank && extent >= 0)
    extents[rank] = extent
    rank += 1
  }

  /// Elements in all. Traps on overflow: `checkedElementCount` is for shapes from outside.
  public var elementCount: Int { elementCount(of: 0..<rank) }

  /// Elements in all, or nil where the product of any axes overflows: an axis of 0 does not hide
  /// that the others are too long to be multiplied.
  public var checkedElementCount: Int? {
    var product = 1
    var isEmpty = false
    for axis in 0..<rank {
      if extents[axis] == 0 { isEmpty = true }
      let (next, overflow) = product.multipliedReportingOverflow(by: max(extents[axis], 1))
      if overflow { return nil }
      product = next
    }
    return isEmpty ? 0 : product
  }

  /// The product of some axes' extents.
  public func elementCount(of axes: Range<Int>) -> Int {
    var product = 1
    for axis in axes { product *= self[axis] }
    return product
  }

  /// Row-major strides in elements.
  public var strides: Shape {
    var result = Shape(repeating: 1, count: rank)
    var step = 1
    var axis = rank - 1
    while axis >= 0 {
      result.extents[axis] = step
      step *= extents[axis]
      axis -= 1
    }
    return result
  }

  /// `axis` counted from the front; nil when it is out of -rank..<rank.
  public func normalized(axis: Int) -> Int? {
    let a = axis < 0 ? axis + rank : axis
    return a >= 0 && a < rank ? a : nil
  }

  /// The extents as an array, for hosts and messages.
  public var dimensions: [Int] { (0..<rank).map { extents[$0] } }

  /// The shape both broadcast to by NumPy's rule; nil where they do not.
  public static func broadcast(_ a: Shape, _ b: Shape) -> Shape? {
    let rank = max(a.rank, b.rank)
    var result = Shape(repeating: 1, count: rank)
    for i in 0..<rank {
      let x = i < rank - a.rank ? 1 : a.extents[i - (rank - a.rank)]
      let y = i < rank - b.rank ? 1 : b.extents[i - (rank - b.rank)]
      guard x == y || x == 1 || y == 1 else { return nil }
      result.extents[i] = x == 1 ? y : x
    }
    return result
  }
}

extension Shape: Equatable {
  public static func == (a: Shape, b: Shape) -> Bool {
    guard a.rank == b.rank else { return false }
    for axis in 0..<a.rank where a.extents[axis] != b.extents[axis] { return false }
    return true
  }
}

extension Shape: CustomStringConvertible {
  /// `[1, 128, 384]`.
  public var description: String {
    var text = "["
    for axis in 0..<rank {
      if axis > 0 { text += ", " }
      text += "\(extents[axis])"
    }
    return text + "]"
  }
}
