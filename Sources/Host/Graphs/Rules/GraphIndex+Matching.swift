// What rules look for: arithmetic with numbers, shapes that agree, patterns nobody looks into.
import Operators
import Tensors

extension GraphIndex {
  // MARK: Shapes

  /// True when both values have one shape whatever the symbols are; false for values that an edit
  /// has just made, whose shapes the next round knows.
  func haveSameShape(_ a: ValueID, _ b: ValueID) -> Bool {
    guard let inference = shapes(a), shapes(b) != nil else { return false }
    return inference.haveSameShape(a, b)
  }

  func isFloat(_ id: ValueID) -> Bool { shapes(id)?.base.elementType(id) == .f32 }

  func rank(_ id: ValueID) -> Int? { shapes(id)?.rank(id) }

  func fixedExtent(_ id: ValueID, _ axis: Int) -> Int? { shapes(id)?.fixedExtent(id, axis) }

  /// True when axis `i` of `a` and axis `j` of `b` have one extent whatever the symbols are.
  func haveSameExtent(_ a: ValueID, _ i: Int, _ b: ValueID, _ j: Int) -> Bool {
    guard let inference = shapes(a), shapes(b) != nil else { return false }
    return inference.evaluations.allSatisfy { e in
      let (p, q) = (e.shape(a), e.shape(b))
      return i < p.rank && j < q.rank && p[i] == q[j]
    }
  }

  // MARK: Nodes

  /// Both operands of node `i` where it is this binary function.
  func operands(_ i: Int?, _ kind: BinaryKind) -> (ValueID, ValueID)? {
    guard let i, case .binary(let op) = graph.nodes[i].op, op.kind == kind,
      let a = graph.nodes[i].inputs[0], let b = graph.nodes[i].inputs[1]
    else { return nil }
    return (a, b)
  }

  /// The argument of node `i` where it is this function of one number.
  func argument(_ i: Int?, _ kind: UnaryKind) -> ValueID? {
    guard let i, case .unary(let op) = graph.nodes[i].op, op.kind == kind else { return nil }
    return graph.nodes[i].inputs[0]
  }

  /// The value and the number of `x ∘ number`, in either order where the kind commutes, when the
  /// result has x's shape and is f32.
  func withNumber(_ i: Int?, _ kind: BinaryKind) -> (x: ValueID, number: Float)? {
    guard let i, let (a, b) = operands(i, kind) else { return nil }
    let out = graph.nodes[i].outputs[0]
    if let c = scalar(b), haveSameShape(a, out), isFloat(a) { return (a, c) }
    let commutes = [.add, .mul, .max, .min].contains(kind)
    if commutes, let c = scalar(a), haveSameShape(b, out), isFloat(b) { return (b, c) }
    return nil
  }

  /// x, a and b where node `i` computes a · x + b element by element.
  func linear(_ i: Int?) -> (x: ValueID, a: Float, b: Float)? {
    guard let i else { return nil }
    if let (x, c) = withNumber(i, .add) { return (x, 1, c) }
    if let (x, c) = withNumber(i, .sub) { return (x, 1, -c) }
    if let (x, c) = withNumber(i, .mul) { return (x, c, 0) }
    if let (x, c) = withNumber(i, .div), c != 0 { return (x, 1 / c, 0) }
    if let (c, x) = operands(i, .sub), let number = scalar(c), isFloat(x),
      haveSameShape(x, graph.nodes[i].outputs[0])
    {
      return (x, -1, number)
    }
    if let x = argument(i, .neg), isFloat(x) { return (x, -1, 0) }
    if case .unary(let op) = graph.nodes[i].op, op.kind == .affine, let x = graph.nodes[i].inputs[0]
    {
      return (x, op.p0, op.p1)
    }
    return nil
  }

  /// x and a where node `i` computes a · x.
  func scaled(_ i: Int?) -> (x: ValueID, a: Float)? {
    guard let (x, a, b) = linear(i), b == 0 else { return nil }
    return (x, a)
  }

  // MARK: Patterns

  /// True when nothing outside `nodes` sees what they write, the outputs of the last one apart.
  func isClosed(_ nodes: Set<Int>) -> Bool {
    guard let last = nodes.max() else { return false }
    for i in nodes where i != last {
      for o in graph.nodes[i].outputs {
        guard !isGraphOutput(o), readers(o).allSatisfy(nodes.contains) else { return false }
      }
    }
    return true
  }

  /// An edit in which `op` writes what the last of `nodes` wrote, and they all go.
  func replacing(
    _ nodes: Set<Int>, with op: Operator, _ inputs: [ValueID?], named name: String? = nil
  ) -> GraphEdit {
    let last = graph.nodes[nodes.max() ?? 0]
    var edit = GraphEdit(self, removing: nodes.sorted())
    edit.added = [Node(name: name ?? last.name, op: op, inputs: inputs, outputs: last.outputs)]
    return edit
  }

  /// `constant` as one number per extent of `axis` of `value`, where adding or multiplying it
  /// broadcasts along no other axis and leaves the shape alone.
  func perChannel(_ constant: Constant?, _ value: ValueID, axis: Int) -> [Float]? {
    guard let constant, constant.elementType == .f32, let rank = rank(value),
      constant.shape.rank <= rank, let extent = fixedExtent(value, axis), extent > 0
    else { return nil }
    for i in 0..<constant.shape.rank {
      let isChannel = rank - constant.shape.rank + i == axis
      guard constant.shape[i] == 1 || (isChannel && constant.shape[i] == extent) else { return nil }
    }
    guard let floats = constant.floats else { return nil }
    return floats.count == extent ? floats : [Float](repeating: floats[0], count: extent)
  }
}

/// True within 1e-5 of each other, relative to the second.
func isClose(_ a: Float, _ b: Float) -> Bool { (a - b).magnitude <= 1e-5 * max(b.magnitude, 1e-5) }
