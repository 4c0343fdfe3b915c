// What is fixed and what is open in a graph's shapes, found by evaluating it at several bindings.
import Tensors

/// Shapes of every value with symbols kept open.
///
/// The operators' shape rules work on numbers, on the device and here. So the graph is evaluated at a
/// base binding and at others that change one symbol at a time: an extent that never changes is fixed,
/// one that always equals a symbol is that symbol. Nothing is written twice for symbols, and what
/// preparing a session will compute is what was inferred here.
public struct ShapeInference {
  public let symbols: [String]
  /// The base binding first.
  public let bindings: [[String: Int]]
  public let evaluations: [Evaluation]
  /// Symbols for which no other value was accepted: the model works at the base value only.
  public let pinned: [String]

  /// limits: the largest values of symbols, where they are known; they are the base binding.
  /// room: bytes of values that may be computed; what the graph's constants call for by default.
  public init(
    _ graph: Graph, limits: [String: Int] = [:], room: Int? = nil
  ) throws(GraphError) {
    symbols = graph.symbols
    let shared = SharedValues(room: room ?? SharedValues.room(for: graph))
    let (base, evaluation) = try ShapeInference.base(graph, limits, shared)
    var bindings = [base]
    var evaluations = [evaluation]
    var pinned: [String] = []
    for symbol in symbols {
      var accepted = 0
      for value in ShapeInference.alternatives(base[symbol] ?? 1, limit: graph.limits[symbol]) {
        var changed = base
        changed[symbol] = value
        guard let e = try? Evaluation(graph, bindings: changed, shared: shared) else { continue }
        bindings.append(changed)
        evaluations.append(e)
        accepted += 1
        if accepted == 2 { break }
      }
      if accepted == 0 { pinned.append(symbol) }
      // Far off too: a bound of 512 shows only beyond it.
      guard accepted > 0,
        let value = ShapeInference.far(base[symbol] ?? 1, limit: graph.limits[symbol])
      else { continue }
      var changed = base
      changed[symbol] = value
      if let e = try? Evaluation(graph, bindings: changed, shared: shared) {
        bindings.append(changed)
        evaluations.append(e)
      }
    }
    self.bindings = bindings
    self.evaluations = evaluations
    self.pinned = pinned
  }

  /// The first binding that the graph accepts: what is asked for, else batches of 1 and usual extents.
  private static func base(
    _ graph: Graph, _ limits: [String: Int], _ shared: SharedValues
  ) throws(GraphError) -> ([String: Int], Evaluation) {
    var leading: Set<String> = []
    for input in graph.inputs {
      if case .symbol(let name)? = input.dimensions.first { leading.insert(name) }
    }
    var first: GraphError?
    var tried: [[String: Int]] = []
    for extent in [128, 32, 64, 224, 256, 320, 640, 16, 8, 1, 48, 512] {
      var binding: [String: Int] = [:]
      for name in graph.symbols {
        let usual = leading.contains(name) ? 1 : min(extent, graph.limits[name] ?? extent)
        binding[name] = limits[name] ?? usual
      }
      guard !tried.contains(binding) else { continue }
      tried.append(binding)
      do throws(GraphError) {
        return (binding, try Evaluation(graph, bindings: binding, shared: shared))
      } catch {
        if first == nil { first = error }
      }
    }
    throw first ?? GraphError(node: "", message: "no binding of its symbols works")
  }

  private static func alternatives(_ value: Int, limit: Int?) -> [Int] {
    guard value < 1 << 40 else { return [value / 2, 7, 2] }
    return [2 * value + 1, value + 3, 2 * value, value + 32, value / 2, 7, 2].filter {
      $0 > 0 && $0 != value && $0 <= limit ?? Int.max
    }
  }

  private static func far(_ value: Int, limit: Int?) -> Int? {
    guard value < 1 << 40 else { return nil }
    let far = min(8 * value + 5, limit ?? Int.max)
    return far > 2 * value + 1 ? far : nil
  }

  public var base: Evaluation { evaluations[0] }

  /// True for values whose shapes follow from data, at whatever binding.
  public func isOpen(_ id: ValueID) -> Bool { base.isOpen[id.index] }

  /// The shape of a value whose extents are all fixed.
  public func fixedShape(_ id: ValueID) -> Shape? {
    guard !isOpen(id) else { return nil }
    let shape = base.shape(id)
    return evaluations.allSatisfy { $0.shape(id) == shape } ? shape : nil
  }

  /// nil where the rank follows from data.
  public func rank(_ id: ValueID) -> Int? { isOpen(id) ? nil : base.shape(id).rank }

  /// The extent of an axis where it is fixed.
  public func fixedExtent(_ id: ValueID, _ axis: Int) -> Int? {
    guard !isOpen(id) else { return nil }
    let shape = base.shape(id)
    guard let a = shape.normalized(axis: axis) else { return nil }
    let fixed = evaluations.allSatisfy {
      $0.shape(id).rank == shape.rank && $0.shape(id)[a] == shape[a]
    }
    return fixed ? shape[a] : nil
  }

  /// True when two values have one shape whatever the symbols are.
  public func haveSameShape(_ a: ValueID, _ b: ValueID) -> Bool {
    guard !isOpen(a), !isOpen(b) else { return a == b }
    return evaluations.allSatisfy { $0.shape(a) == $0.shape(b) }
  }

  /// The bytes of a value that is known and the same at every binding.
  public func knownValue(_ id: ValueID, maximumBytes: Int = Int.max) -> Constant? {
    guard base.isKnown[id.index], base.tensors[id.index].hasValue else { return nil }
    let view = base.tensors[id.index]
    let bytes = view.plainByteCount
    guard bytes <= maximumBytes else { return nil }
    for e in evaluations.dropFirst() {
      let other = e.tensors[id.index]
      guard other.shape == view.shape, other.elementType == view.elementType, other.hasValue else {
        return nil
      }
      guard view.hasSameElements(as: other, base.texts, e.texts) else { return nil }
    }
    return Constant(copying: view, texts: base.texts)
  }

  /// `[batch, 128, 384]`; an extent that is neither fixed nor a symbol is written at the base binding
  /// with a tilde. `[?]` where the shape follows from data.
  public func describe(_ id: ValueID) -> String {
    guard !isOpen(id) else { return "[?]" }
    let shape = base.shape(id)
    let parts = (0..<shape.rank).map { axis -> String in
      if fixedExtent(id, axis) != nil { return "\(shape[axis])" }
      for symbol in symbols {
        let matches = zip(bindings, evaluations).allSatisfy { binding, e in
          e.shape(id).rank == shape.rank && e.shape(id)[axis] == binding[symbol]
        }
        if matches { return symbol }
      }
      return "~\(shape[axis])"
    }
    return "[" + parts.joined(separator: ", ") + "]"
  }
}
