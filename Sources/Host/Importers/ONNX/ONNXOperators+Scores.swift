// From the scores of ai.onnx.ml's classifiers and regressors to their outputs.
import Graphs
import Operators
import Tensors

/// What ai.onnx.ml calls a post transform.
enum ONNXPostTransform: Int {
  // The order is that of TreeEnsemble's integers.
  case none = 0
  case softmax, logistic, softmaxZero, probit

  init?(name: String) {
    switch name {
    case "NONE": self = .none
    case "SOFTMAX": self = .softmax
    case "LOGISTIC": self = .logistic
    case "SOFTMAX_ZERO": self = .softmaxZero
    case "PROBIT": self = .probit
    default: return nil
    }
  }
}

extension ONNXGraphBuilder {
  func postTransform() throws(ImportError) -> ONNXPostTransform {
    let name = try string("post_transform", "NONE")
    guard let transform = ONNXPostTransform(name: name) else {
      throw fail("post_transform '\(name)' is not known")
    }
    return transform
  }

  mutating func vector(_ floats: [Float]) -> ValueID {
    addConstant(Constant(floats: floats, shape: Shape([floats.count])))
  }

  /// Rows of features in f32: [features] counts as one row, other number types are converted.
  mutating func rows(_ x: ValueID, keepsDoubles: Bool = false) throws(ImportError) -> ValueID {
    var y = x
    let type = elementType(x)
    if type != .f32, !(keepsDoubles && type == .f64) { y = add(.cast(Cast(to: .f32)), [y]) }
    switch try rank(x) {
    case 1: return add(.reshape(Reshape(.unsqueeze, IntegerList([0]))), [y])
    case 2: return y
    case let rank: throw fail("expected rows of features, found \(rank) axes")
    }
  }

  /// The transform of scores [rows, classes], row by row.
  mutating func transformed(_ scores: ValueID, _ transform: ONNXPostTransform) -> ValueID {
    switch transform {
    case .none: return scores
    case .softmax: return add(.softmax(Softmax(axis: -1)), [scores])
    case .logistic: return unary(.sigmoid, scores)
    case .softmaxZero: return softmaxOfNonzeros(scores)
    case .probit: return probit(scores)
    }
  }

  /// A softmax in which scores of 0 have no part and stay 0.
  private mutating func softmaxOfNonzeros(_ scores: ValueID) -> ValueID {
    note("SOFTMAX_ZERO → maximum, exponential, quotient")
    let last = IntegerList([-1])
    let top = add(.reduce(Reduce(.max, axes: last, keepsAxes: true)), [scores])
    let powers = unary(.exp, binary(.sub, scores, top))
    let isZero = binary(.lessOrEqual, unary(.abs, scores), scalar(1e-7))
    let parts = add(.select(Select()), [isZero, scalar(0), powers])
    return binary(.div, parts, add(.reduce(Reduce(.sum, axes: last, keepsAxes: true)), [parts]))
  }

  /// √2 · erf⁻¹(2p − 1) by Winitzki's approximation with a = 0.147, as ONNX Runtime has it.
  private mutating func probit(_ p: ValueID) -> ValueID {
    note("PROBIT → logarithm, square roots")
    let x = unary(.affine, p, 2, -1)
    let product = binary(.mul, unary(.affine, x, -1, 1), unary(.affine, x, 1, 1))
    let log = unary(.log, product)
    let v = unary(.affine, log, 0.5, 2 / (3.14159 * 0.147))
    let square = binary(.mul, v, v)
    let root = unary(.sqrt, binary(.sub, square, unary(.affine, log, 1 / 0.147, 0)))
    let size = unary(.affine, unary(.sqrt, binary(.sub, root, v)), 1.41421356, 0)
    let isNegative = binary(.less, x, scalar(0))
    return add(.select(Select()), [isNegative, unary(.neg, size), size])
  }

  // MARK: Labels

  /// What the classes are called. Labels that are text are the graph's labels too.
  mutating func classLabels(
    _ integers: String, _ texts: String
  ) throws(ImportError) -> ONNXClassLabels {
    if let labels = try self.integers(integers), !labels.isEmpty { return ONNXClassLabels(labels) }
    guard let labels = try strings(texts), !labels.isEmpty else {
      throw fail("has no class labels")
    }
    graph.labels = labels
    return ONNXClassLabels(labels)
  }

  /// The labels of class numbers, [rows].
  mutating func labels(_ labels: ONNXClassLabels, at classes: ValueID) -> ValueID {
    guard let list = labels.constant else { return classes }
    return add(.gather(Gather(axis: 0)), [addConstant(list), classes])
  }

  /// The label of each row's highest score; of equals the first.
  mutating func bestLabel(_ labels: ONNXClassLabels, _ scores: ValueID) -> ValueID {
    self.labels(labels, at: add(.argReduce(ArgReduce(axis: -1, keepsAxis: false)), [scores]))
  }

  /// The second label where a score [rows, 1] is above `bound`, else the first.
  mutating func label(
    _ labels: ONNXClassLabels, _ score: ValueID, above bound: Float
  ) -> ValueID {
    let isAbove = binary(.greater, score, scalar(bound))
    let number = add(.cast(Cast(to: .i64)), [isAbove])
    return self.labels(labels, at: add(.reshape(Reshape(.squeeze, IntegerList([1]))), [number]))
  }

  /// Columns side by side.
  mutating func columns(_ a: ValueID, _ b: ValueID) -> ValueID {
    add(.concat(Concat(axis: -1)), [a, b])
  }

  // MARK: Attributes

  /// A tensor in its own element type, where the attribute is there.
  mutating func tensor(_ name: String) throws(ImportError) -> Constant? {
    guard let value = attribute(name) else { return nil }
    guard case .tensor(let tensor) = value else {
      throw fail("expected a tensor as attribute '\(name)'")
    }
    return try tensor.constant(&files).aligned()
  }

  /// Real numbers of a list, or of a tensor under the name and `_as_tensor`.
  mutating func numbers(_ name: String) throws(ImportError) -> [Double] {
    if let tensor = try tensor(name + "_as_tensor") {
      guard let numbers = tensor.realNumbers else {
        throw fail("expected real numbers as attribute '\(name)_as_tensor'")
      }
      return numbers
    }
    return try (floats(name) ?? []).map { Double($0) }
  }
}

extension Constant {
  /// A copy whose elements are aligned.
  func aligned() -> Constant { Constant(copying: view, texts: texts) }

  /// The elements of an aligned constant of real numbers; nil for other types.
  var realNumbers: [Double]? {
    switch elementType {
    case .f64: return (0..<shape.elementCount).map { view.elements(Double.self)[$0] }
    case .f32, .f16, .bf16: return withFloatsAsF32().floats?.map { Double($0) }
    default: return nil
    }
  }
}
