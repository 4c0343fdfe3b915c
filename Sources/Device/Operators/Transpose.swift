// Axes in another order.
import Tensors

/// y[i₀, i₁, …] = x with axis `permutation[j]` as axis j of y.
///
/// input: any element type → output: permuted extents. An empty permutation turns the axes around, however
/// many there are.
public struct Transpose: OperatorDefinition {
  public static var code: Int { 24 }
  public static var name: StaticString { "Transpose" }

  public var permutation: IntegerList

  public init(_ permutation: IntegerList) { self.permutation = permutation }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    permutation = try attributes.list(in: 0...7)
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(permutation) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    let x = step.input(0)
    guard permutation.count == x.shape.rank || permutation.count == 0 else {
      throw ShapeError(
        "permutation has another rank", input: 0, expected: permutation.count, found: x.shape.rank)
    }
    let permutation = order(x.shape)
    var shape = Shape()
    for i in 0..<permutation.count {
      guard permutation[i] < x.shape.rank, permutation.contains(i) else {
        throw ShapeError("not a permutation")
      }
      shape.append(x.shape[permutation[i]])
    }
    step.setOutput(0, x.elementType, shape)
  }

  /// The permutation of this shape's axes.
  private func order(_ shape: Shape) -> IntegerList {
    guard permutation.count == 0 else { return permutation }
    var list = IntegerList()
    for i in 0..<shape.rank { list.append(shape.rank - 1 - i) }
    return list
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    switch x.elementType.byteCount {
    case 1: permute(x.elements(UInt8.self), y.elements(UInt8.self), x.shape)
    case 2: permute(x.elements(UInt16.self), y.elements(UInt16.self), x.shape)
    case 4: permute(x.elements(UInt32.self), y.elements(UInt32.self), x.shape)
    default: permute(x.elements(UInt64.self), y.elements(UInt64.self), x.shape)
    }
  }

  /// How the elements move: which lie together, and over which axes they are walked.
  private struct Walk {
    /// Elements that stay together.
    var run = 1
    /// Axes of y, outermost first, without those of one element; axes that lie one in the other in x are one.
    var counts = Shape()
    /// From one to the next in x.
    var steps = IntegerList()

    mutating func dropLast() {
      var (counts, steps) = (Shape(), IntegerList())
      for i in 0..<(self.counts.rank - 1) {
        counts.append(self.counts[i])
        steps.append(self.steps[i])
      }
      (self.counts, self.steps) = (counts, steps)
    }

    /// Axis `i` from behind, one element where there is none.
    func axis(fromLast i: Int, step: Int) -> Axis {
      let at = counts.rank - 1 - i
      return at < 0 ? Axis() : Axis(count: counts[at], from: steps[at], to: step)
    }
  }

  /// An axis: how many there are, and from one to the next in x and in y.
  private struct Axis {
    var count = 1
    var (from, to) = (0, 0)
  }

  private func walk(_ shape: Shape) -> Walk {
    let permutation = order(shape)
    let strides = shape.strides
    var walk = Walk()
    var outer = shape.rank
    while outer > 0, permutation[outer - 1] == outer - 1 { outer -= 1 }
    walk.run = shape.elementCount(of: outer..<shape.rank)
    for i in 0..<outer where shape[permutation[i]] != 1 {
      let (count, step) = (shape[permutation[i]], strides[permutation[i]])
      let last = walk.counts.rank - 1
      if last >= 0, walk.steps[last] == count * step {
        walk.counts[last] *= count
        walk.steps[last] = step
      } else {
        walk.counts.append(count)
        walk.steps.append(step)
      }
    }
    // Axes at the end that lie together, behind axes of one element.
    while walk.counts.rank > 0, walk.steps[walk.counts.rank - 1] == walk.run {
      walk.run *= walk.counts[walk.counts.rank - 1]
      walk.dropLast()
    }
    return walk
  }

  /// Elements that move together, and how often they do in the innermost loop.
  package func innermostLoop(_ shape: Shape) -> (run: Int, count: Int) {
    let walk = walk(shape)
    let (rows, columns) = (walk.axis(fromLast: 1, step: 0), walk.axis(fromLast: 0, step: 0))
    guard walk.run == 1 else { return (walk.run, columns.count) }
    let (long, short) = (max(rows.count, columns.count), min(rows.count, columns.count))
    return (1, min(long, Transpose.tile(short)))
  }

  private func permute<T: BitwiseCopyable>(_ x: Elements<T>, _ y: Elements<T>, _ shape: Shape) {
    guard y.count > 0 else { return }
    let walk = walk(shape)
    let run = walk.run
    // The two innermost axes are done at once, the others around them.
    let columns = walk.axis(fromLast: 0, step: run)
    let rows = walk.axis(fromLast: 1, step: run * columns.count)
    let around = max(walk.counts.rank - 2, 0)
    let block = rows.count * columns.count * run
    var position = Shape(repeating: 0, count: around)
    var at = 0
    let begin = unsafe x.pointer(0, count: x.count)
    var target = unsafe y.pointer(0, count: x.count)
    for _ in 0..<(y.count / block) {
      let source = unsafe begin + at
      if run == 1 {
        unsafe Transpose.turn(source, target, rows, columns)
      } else {
        for r in 0..<rows.count {
          let (from, to) = unsafe (source + r * rows.from, target + r * rows.to)
          for i in 0..<columns.count {
            unsafe (to + i * run).update(from: from + i * columns.from, count: run)
          }
        }
      }
      unsafe target += block
      var axis = around - 1
      while axis >= 0 {
        position[axis] += 1
        at += walk.steps[axis]
        if position[axis] < walk.counts[axis] { break }
        at -= walk.steps[axis] * walk.counts[axis]
        position[axis] = 0
        axis -= 1
      }
    }
  }

  /// So much of the longer axis goes with all of the shorter one that a near cache holds what both reach.
  private static func tile(_ shorter: Int) -> Int { max(2048 / max(shorter, 1), 16) }

  /// All elements of two axes, the longer in the inner loop, by tiles.
  private static func turn<T: BitwiseCopyable>(
    _ x: UnsafeMutablePointer<T>, _ y: UnsafeMutablePointer<T>, _ rows: Axis, _ columns: Axis
  ) {
    let isFlat = columns.count >= rows.count
    let (inner, outer) = isFlat ? (columns, rows) : (rows, columns)
    let tile = tile(outer.count)
    var begin = 0
    while begin < inner.count {
      let end = min(begin &+ tile, inner.count)
      for o in 0..<outer.count {
        var from = unsafe x + (o &* outer.from &+ begin &* inner.from)
        var to = unsafe y + (o &* outer.to &+ begin &* inner.to)
        for _ in begin..<end {
          unsafe to.pointee = from.pointee
          unsafe from += inner.from
          unsafe to += inner.to
        }
      }
      begin = end
    }
  }
}
