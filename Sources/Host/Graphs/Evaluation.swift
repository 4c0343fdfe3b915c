// A graph at one binding of its symbols: every value's type and shape, and the values that are known.
import Kernels
import Operators
import Tensors

/// Shapes and known values of a graph for one choice of its open extents, found by the operators' own
/// shape rules and arithmetic.
public final class Evaluation {
  public let tensors: TensorTable
  /// Values that follow from constants and shapes. Those that would be too large have no bytes here.
  public private(set) var isKnown: [Bool]
  /// Values whose shapes follow from data: nothing is said of them but, maybe, their element type.
  public private(set) var isOpen: [Bool]
  /// What it has in common with other evaluations.
  private let shared: SharedValues
  /// What the references in `tensors` lead to.
  public var texts: TextPool { shared.texts }

  /// bindings: a number for every symbol.
  /// shared: what the evaluations of one graph have in common; the first that succeeds fills it.
  public init(
    _ graph: Graph, bindings: [String: Int], shared: SharedValues? = nil
  ) throws(GraphError) {
    let shared = shared ?? SharedValues(room: SharedValues.room(for: graph))
    self.shared = shared
    tensors = TensorTable(count: graph.values.count)
    var kinds = StepKinds(graph)
    isKnown = kinds.isKnown
    isOpen = []
    for (i, value) in graph.values.enumerated() {
      if let constant = value.constant {
        tensors[i] =
          constant.bytes.count <= 4096 || constant.texts != nil
          ? shared.view(of: constant) : constant.view
      }
    }
    for input in graph.inputs {
      var shape = Shape()
      for d in input.dimensions {
        switch d {
        case .constant(let n): shape.append(n)
        case .symbol(let name): shape.append(bindings[name] ?? 1)
        }
      }
      tensors[input.value.index] = TensorView(elementType: input.elementType, shape: shape)
    }
    var types: [Int: ElementType] = [:]
    for input in graph.inputs where input.isOpen {
      types[input.value.index] = input.elementType
    }
    let compute = Compute(kernels: KernelSet.best.table, pool: nil, texts: shared.texts)
    var isFixed = graph.values.map { $0.constant != nil }
    let limit = shared.room
    for node in graph.nodes {
      let kind = kinds.add(node)
      if kind == .ahead, node.inputs.allSatisfy({ $0.map { isFixed[$0.index] } ?? true }) {
        for output in node.outputs { isFixed[output.index] = true }
        // The same at every binding: once is enough.
        if let fixed = shared.fixed {
          for output in node.outputs { tensors[output.index] = fixed[output.index] }
          continue
        }
      }
      if kind == .dynamic {
        let given = node.inputs.map {
          $0.flatMap { v in
            kinds.isOpen[v.index] ? types[v.index] : tensors[v.index].elementType
          }
        }
        for (i, output) in node.outputs.enumerated() {
          types[output.index] = node.op.outputType(i, given)
          tensors[output.index] = TensorView(
            elementType: types[output.index] ?? .f32, shape: Shape())
        }
        continue
      }
      let hasValues =
        node.op.dependsOnShapesOnly
        || node.inputs.allSatisfy { $0.map { tensors[$0.index].hasValue } ?? true }
      if kind == .ahead, hasValues {
        for v in node.inputs {
          if let v, let constant = graph[v].constant {
            tensors[v.index] = shared.view(of: constant)
          }
        }
      }
      do throws(ShapeError) {
        try tensors.prepare(
          node.op, inputs: node.inputs.map { $0?.index ?? -1 }, outputs: node.outputs.map(\.index),
          compute: compute, evaluates: kind == .ahead && hasValues, maximumBytes: limit,
          isOptional: true)
      } catch {
        throw GraphError(node: node.name, message: error.description)
      }
    }
    (isKnown, isOpen) = (kinds.isKnown, kinds.isOpen)
    shared.add(tensors)
  }

  /// The shape of a value that is not open.
  public func shape(_ id: ValueID) -> Shape { tensors[id.index].shape }
  public func elementType(_ id: ValueID) -> ElementType { tensors[id.index].elementType }
}

/// What the evaluations of one graph have in common: values that are the same at every binding, copies of
/// constants that a file does not align, texts, and the memory that all may take.
public final class SharedValues {
  private var copies: [ObjectIdentifier: (constant: Constant, copy: Constant)] = [:]
  /// The texts of constants and of what follows from them.
  let texts = TextPool(maximumBytes: 1 << 28)
  /// The first evaluation, and from then on the bytes that others may still hold.
  private(set) var fixed: TensorTable?
  private(set) var room: Int

  /// room: bytes that the first evaluation may hold.
  public init(room: Int) { self.room = room }

  /// A small file must not make us compute large values: room for turning its constants, no more. Int8
  /// ones take four times as much as f32, in each of the three steps that make them so.
  public static func room(for graph: Graph) -> Int {
    let constantBytes = graph.values.reduce(0) { $0 + ($1.constant?.bytes.count ?? 0) }
    return max(64 << 20, 16 * min(constantBytes, 64 << 20) + 4 * constantBytes)
  }

  /// What follows from constants alone is taken from the first; the others hold what bindings change.
  fileprivate func add(_ tensors: TensorTable) {
    room = fixed == nil ? 128 << 20 : max(room - tensors.ownedByteCount, 0)
    if fixed == nil { fixed = tensors }
  }

  /// A view that operators can read.
  func view(of constant: Constant) -> TensorView {
    let address = Int(bitPattern: constant.bytes.baseAddress)
    guard address % constant.elementType.byteCount != 0 || constant.texts != nil else {
      return constant.view
    }
    let id = ObjectIdentifier(constant)
    if let known = copies[id] { return known.copy.view }
    let copy =
      constant.texts == nil ? Constant(copying: constant.view) : constant.moved(to: texts)
    copies[id] = (constant, copy)
    return copy.view
  }
}

extension StepKinds {
  /// Before the first node of `graph`: constants are known, inputs of any shape open.
  public init(_ graph: Graph) {
    self.init(tensorCount: graph.values.count)
    for (i, value) in graph.values.enumerated() where value.constant != nil { setKnown(i) }
    for input in graph.inputs where input.isOpen { setOpen(input.value.index) }
  }

  /// Takes the next node in running order.
  public mutating func add(_ node: Node) -> StepKind {
    add(
      node.op, inputs: node.inputs.map { $0?.index ?? -1 }, outputs: node.outputs.map(\.index))
  }
}
