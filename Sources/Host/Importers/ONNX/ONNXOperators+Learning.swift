// Linear models and support vectors of ai.onnx.ml, decomposed into products.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let learning: [ONNXOperator] = [
    ONNXOperator("LinearClassifier", domain: "ai.onnx.ml", linearClassifier),
    ONNXOperator("LinearRegressor", domain: "ai.onnx.ml", linearRegressor),
    ONNXOperator("SVMClassifier", domain: "ai.onnx.ml", svmClassifier),
    ONNXOperator("SVMRegressor", domain: "ai.onnx.ml", svmRegressor),
  ]

  /// x · coefficientsᵀ + intercepts: coefficients are rows of one number per feature.
  private static func linear(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, outputs: Int
  ) throws(ImportError) -> ValueID {
    let coefficients = try b.floats("coefficients") ?? []
    let intercepts = try b.floats("intercepts") ?? []
    guard outputs > 0, coefficients.count >= outputs, coefficients.count % outputs == 0,
      intercepts.isEmpty || intercepts.count == outputs
    else {
      throw b.fail(
        "\(coefficients.count) coefficients and \(intercepts.count) intercepts for \(outputs) "
          + "outputs")
    }
    let matrix = b.addConstant(
      Constant(floats: coefficients, shape: Shape([outputs, coefficients.count / outputs])))
    let bias = intercepts.isEmpty ? [] : [Optional(b.vector(intercepts))]
    return b.add(.matMul(MatMul(transposeB: true)), [x, matrix] + bias)
  }

  private static func linearRegressor(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.rows(try b.input(0))
    let y = try linear(&b, x, outputs: try b.integer("targets", 1))
    return [b.transformed(y, try b.postTransform())]
  }

  private static func linearClassifier(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.rows(try b.input(0))
    let labels = try b.classLabels("classlabels_ints", "classlabels_strings")
    let intercepts = try b.floats("intercepts")?.count ?? 0
    let outputs = intercepts > 0 ? intercepts : labels.count
    guard outputs == 1 || outputs == labels.count else {
      throw b.fail("\(outputs) intercepts for \(labels.count) classes")
    }
    let scores = try linear(&b, x, outputs: outputs)
    let transform = try b.postTransform()
    guard outputs == 1 else {
      return [b.bestLabel(labels, scores), b.transformed(scores, transform)]
    }
    let label = b.label(labels.count == 2 ? labels : .numbersOfTwo, scores, above: 0)
    guard labels.count == 2 else { return [label, scores] }
    // One score for two classes is taken for a probability, whatever the transform.
    return [label, b.columns(b.unary(.affine, scores, -1, 1), scores)]
  }

  // MARK: Support vectors

  /// The kernel between rows of x and of `vectors`, a constant [count, features]: [rows, count].
  private static func kernel(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ vectors: [Float], count: Int
  ) throws(ImportError) -> ValueID {
    guard count > 0, !vectors.isEmpty, vectors.count % count == 0 else {
      throw b.fail("\(vectors.count) numbers for \(count) support vectors")
    }
    let features = vectors.count / count
    let parameters = try b.floats("kernel_params") ?? []
    func parameter(_ i: Int) -> Float { parameters.indices.contains(i) ? parameters[i] : 0 }
    let (gamma, offset, degree) = (parameter(0), parameter(1), parameter(2))
    let matrix = b.addConstant(Constant(floats: vectors, shape: Shape([count, features])))
    func dot(_ alpha: Float) -> ValueID {
      b.add(.matMul(MatMul(transposeB: true, alpha: alpha)), [x, matrix])
    }
    switch try b.string("kernel_type", "LINEAR") {
    case "LINEAR": return dot(1)
    case "POLY":
      return b.binary(.pow, b.unary(.affine, dot(gamma), 1, offset), b.scalar(degree))
    case "SIGMOID": return b.unary(.tanh, b.unary(.affine, dot(gamma), 1, offset))
    case "RBF":
      // −γ·|x − v|² = 2γ·x·v − γ·|x|² − γ·|v|².
      b.note("radial kernel → product, squares, exponential")
      let squares = (0..<count).map { v in
        Float(
          vectors[v * features..<(v + 1) * features].reduce(0.0) {
            $0 + Double($1) * Double($1)
          } * -Double(gamma))
      }
      let own = b.add(
        .reduce(Reduce(.sumSquare, axes: IntegerList([1]), keepsAxes: true)), [x])
      let sum = b.binary(.add, dot(2 * gamma), b.vector(squares))
      let exponent = b.binary(.add, sum, b.unary(.affine, own, -gamma, 0))
      return b.unary(.exp, exponent)
    case let name: throw b.fail("kernel '\(name)' is not known")
    }
  }

  private static func svmRegressor(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.rows(try b.input(0))
    let coefficients = try b.floats("coefficients") ?? []
    let rho = try b.floats("rho")?.first ?? 0
    let count = try b.integer("n_supports", 0)
    var y: ValueID
    if count > 0 {
      guard count == coefficients.count else {
        throw b.fail("\(coefficients.count) coefficients for \(count) support vectors")
      }
      y = try kernel(&b, x, try b.floats("support_vectors") ?? [], count: count)
    } else {
      y = x
    }
    guard !coefficients.isEmpty else { throw b.fail("has no coefficients") }
    let column = b.addConstant(
      Constant(floats: coefficients, shape: Shape([coefficients.count, 1])))
    y = b.add(.matMul(MatMul()), [y, column, b.vector([rho])])
    if try b.bool("one_class", false) {
      let isInside = b.add(.cast(Cast(to: .f32)), [b.binary(.greater, y, b.scalar(0))])
      return [b.unary(.affine, isInside, 2, -1)]
    }
    return [b.transformed(y, try b.postTransform())]
  }

  private static func svmClassifier(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.rows(try b.input(0))
    let labels = try b.classLabels("classlabels_ints", "classlabels_strings")
    let transform = try b.postTransform()
    let counts = try b.integers("vectors_per_class") ?? []
    guard counts.contains(where: { $0 != 0 }) else {
      return try linearSVM(&b, x, labels, transform)
    }
    guard counts.count == labels.count, (2...1024).contains(labels.count),
      counts.allSatisfy({ (0...1 << 24).contains($0) })
    else { throw b.fail("\(counts.count) numbers of vectors for \(labels.count) classes") }
    let pairs = try SVMPairs(b, counts)
    let kernels = try kernel(
      &b, x, try b.floats("support_vectors") ?? [], count: counts.reduce(0, +))
    let scores = b.add(
      .matMul(MatMul()), [kernels, b.addConstant(pairs.weights), b.vector(pairs.rho)])
    // Each pair of classes casts a vote.
    b.note("SVMClassifier → kernel, product, votes")
    let wins = b.add(.cast(Cast(to: .f32)), [b.binary(.greater, scores, b.scalar(0))])
    let votes = b.add(
      .matMul(MatMul()), [wins, b.addConstant(pairs.votes), b.vector(pairs.votesAgainst)])
    let label = b.bestLabel(labels, votes)
    if let a = try b.floats("prob_a"), !a.isEmpty {
      let offsets = try b.floats("prob_b") ?? []
      guard a.count == pairs.rho.count, offsets.count == a.count else {
        throw b.fail("\(a.count) and \(offsets.count) parameters for \(pairs.rho.count) pairs")
      }
      // 1 / (1 + exp(a · score + b)): how likely the first class of a pair is against the second.
      let steepness = b.binary(.mul, scores, b.vector(a.map { -$0 }))
      let odds = b.binary(.sub, steepness, b.vector(offsets))
      let bounded = b.unary(.clip, b.unary(.sigmoid, odds), 1e-7, 1 - 1e-7)
      let op = PairCoupling(classes: labels.count)
      return [label, b.transformed(b.add(.pairCoupling(op), [bounded]), transform)]
    }
    guard labels.count == 2 else { return [label, b.transformed(scores, transform)] }
    let other =
      transform == .none ? b.unary(.neg, scores) : b.unary(.affine, scores, -1, 1)
    return [label, b.columns(other, scores)]
  }

  /// A row of coefficients per class, as liblinear has them.
  private static func linearSVM(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ labels: ONNXClassLabels,
    _ transform: ONNXPostTransform
  ) throws(ImportError) -> [ValueID] {
    let coefficients = try b.floats("coefficients") ?? []
    guard !coefficients.isEmpty, coefficients.count % labels.count == 0 else {
      throw b.fail("\(coefficients.count) coefficients for \(labels.count) classes")
    }
    let matrix = b.addConstant(
      Constant(
        floats: coefficients, shape: Shape([labels.count, coefficients.count / labels.count])))
    let product = b.add(.matMul(MatMul(transposeB: true)), [x, matrix])
    let scores = b.unary(.affine, product, 1, try b.floats("rho")?.first ?? 0)
    return [b.bestLabel(labels, scores), b.transformed(scores, transform)]
  }
}

/// What pairs of classes make of kernels: a column of weights and a threshold each, and their votes.
private struct SVMPairs {
  var weights: Constant
  var rho: [Float]
  /// [pairs, classes]: what a pair that its first class wins adds, and what it adds otherwise.
  var votes: Constant
  var votesAgainst: [Float]

  init(_ b: ONNXGraphBuilder, _ counts: [Int]) throws(ImportError) {
    let classes = counts.count
    let vectors = counts.reduce(0, +)
    let pairs = classes * (classes - 1) / 2
    let coefficients = try b.floats("coefficients") ?? []
    let given = try b.floats("rho") ?? []
    guard coefficients.count >= (classes - 1) * vectors, given.count >= pairs else {
      throw b.fail("\(coefficients.count) coefficients and \(given.count) rho are too few")
    }
    guard vectors * pairs <= 1 << 26 else { throw b.fail("too many vectors for so many classes") }
    rho = Array(given.prefix(pairs))
    var starts = [0]
    for count in counts { starts.append(starts[starts.count - 1] + count) }
    var matrix = [Float](repeating: 0, count: vectors * pairs)
    var votes = [Float](repeating: 0, count: pairs * classes)
    votesAgainst = [Float](repeating: 0, count: classes)
    var pair = 0
    for i in 0..<classes - 1 {
      for j in i + 1..<classes {
        for v in starts[i]..<starts[i + 1] {
          matrix[v * pairs + pair] = coefficients[(j - 1) * vectors + v]
        }
        for v in starts[j]..<starts[j + 1] {
          matrix[v * pairs + pair] = coefficients[i * vectors + v]
        }
        votes[pair * classes + i] = 1
        votes[pair * classes + j] = -1
        votesAgainst[j] += 1
        pair += 1
      }
    }
    weights = Constant(floats: matrix, shape: Shape([vectors, pairs]))
    self.votes = Constant(floats: votes, shape: Shape([pairs, classes]))
  }
}
