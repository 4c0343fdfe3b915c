// What ONNX Runtime's optimiser makes of a model: several operators in one, taken apart again.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let fused: [ONNXOperator] = [
    microsoft("Gelu") { b throws(ImportError) in [b.unary(.gelu, try b.input(0))] },
    microsoft("BiasGelu") { b throws(ImportError) in
      [b.unary(.gelu, b.binary(.add, try b.input(0), try b.input(1)))]
    },
    microsoft("FastGelu") { b throws(ImportError) in
      let x = try b.input(0)
      let sum = try b.optional(1).map { b.binary(.add, x, $0) } ?? x
      return [b.unary(.geluTanh, sum)]
    },
    microsoft("QuickGelu") { b throws(ImportError) in
      let x = try b.input(0)
      let gate = b.unary(.sigmoid, b.affine(x, try b.float("alpha", 1.702)))
      return [b.binary(.mul, x, gate)]
    },
    microsoft("FusedConv") { b throws(ImportError) in
      var y = try standard(&b, "Conv")
      if let summand = try b.optional(3) { y = b.binary(.add, y, summand) }
      return [try activated(&b, y, try b.floats("activation_params") ?? [])]
    },
    microsoft("FusedGemm") { b throws(ImportError) in
      let y = try standard(&b, "Gemm")
      var parameters: [Float] = []
      for name in ["activation_alpha", "activation_beta", "activation_gamma"] {
        if let p = try b.float(name) { parameters.append(p) }
      }
      return [try activated(&b, y, parameters)]
    },
    microsoft("ExpandDims") { b throws(ImportError) in
      let axis = try b.input(1)
      let axes = try b.integers(axis, "the axis")
      guard axes.count == 1 else { throw b.fail("has \(axes.count) axes") }
      return [b.add(.reshape(Reshape(.unsqueeze, try b.axes(axes))), try b.moved([0]))]
    },
    microsoft("SkipLayerNormalization") { b throws(ImportError) in
      let sum = try skipped(&b, bias: 4)
      let op = LayerNorm(axis: -1, epsilon: try b.float("epsilon", 1e-12))
      let y = b.add(.layerNorm(op), [sum, try b.input(2), try b.optional(3)])
      return [y] + moments(&b, sum, op.epsilon) + [sum]
    },
    microsoft("SkipSimplifiedLayerNormalization") { b throws(ImportError) in
      let sum = try skipped(&b, bias: 3)
      let (y, root) = rmsNorm(&b, sum, try b.input(2), try b.float("epsilon", 1e-12))
      return [y, root, root, sum]
    },
    ONNXOperator("SimplifiedLayerNormalization") { b throws(ImportError) in
      let x = try b.input(0)
      let axis = try b.axis(try b.integer("axis", -1))
      guard axis == -1 || b.facts.rank(x) == axis + 1 else {
        throw b.fail("only the last axis is supported")
      }
      let (y, root) = rmsNorm(&b, x, try b.input(1), try b.float("epsilon", 1e-5))
      return [y, root]
    },
    microsoft("EmbedLayerNormalization", embeddings),
  ]

  static func microsoft(_ name: String, _ build: @escaping Build) -> ONNXOperator {
    ONNXOperator(name, domain: "com.microsoft", build)
  }

  /// The first output of the standard operator of that name on the current node's inputs and
  /// attributes.
  private static func standard(
    _ b: inout ONNXGraphBuilder, _ name: String
  ) throws(ImportError) -> ValueID {
    guard let row = find(domain: "", name: name, opset: supportedOpsets.upperBound) else {
      throw b.fail("\(name) is not supported")
    }
    return try row.build(&b)[0]
  }

  /// The activation that a fused operator names, with its parameters in the order of the operator's
  /// own.
  private static func activated(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ p: [Float]
  ) throws(ImportError) -> ValueID {
    let name = try b.string("activation", "")
    func parameter(_ i: Int, _ usual: Float) -> Float { p.indices.contains(i) ? p[i] : usual }
    switch name {
    case "": return x
    case "Relu": return b.unary(.relu, x)
    case "Tanh": return b.unary(.tanh, x)
    case "Sigmoid": return b.unary(.sigmoid, x)
    case "Softplus": return b.unary(.softplus, x)
    case "Softsign": return b.unary(.softsign, x)
    case "LeakyRelu": return b.unary(.leakyRelu, x, parameter(0, 0.01))
    case "Elu": return b.unary(.elu, x, parameter(0, 1))
    case "Clip":
      return b.unary(
        .clip, x, parameter(0, -.greatestFiniteMagnitude), parameter(1, .greatestFiniteMagnitude))
    case "HardSigmoid": return b.unary(.hardSigmoid, x, parameter(0, 0.2), parameter(1, 0.5))
    default: throw b.fail("activation '\(name)' is not supported")
    }
  }

  /// The input, what skipped the layer before, and a bias.
  private static func skipped(
    _ b: inout ONNXGraphBuilder, bias: Int
  ) throws(ImportError) -> ValueID {
    b.note("\(b.node.type) → sum, normalisation")
    let sum = b.binary(.add, try b.input(0), try b.input(1))
    return try b.optional(bias).map { b.binary(.add, sum, $0) } ?? sum
  }

  /// Mean and 1 / √(variance + epsilon) of the last axis. What nothing reads goes again.
  private static func moments(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ epsilon: Float
  ) -> [ValueID] {
    let mean = b.reduce(.mean, x, [-1])
    let centred = b.binary(.sub, x, mean)
    let variance = b.reduce(.mean, b.binary(.mul, centred, centred), [-1])
    return [mean, b.unary(.reciprocal, b.unary(.sqrt, b.affine(variance, 1, epsilon)))]
  }

  /// x / √(mean(x²) + epsilon) · scale along the last axis, and 1 / √….
  private static func rmsNorm(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ scale: ValueID, _ epsilon: Float
  ) -> (ValueID, ValueID) {
    let mean = b.reduce(.mean, b.binary(.mul, x, x), [-1])
    let root = b.unary(.sqrt, b.affine(mean, 1, epsilon))
    return (b.binary(.mul, b.binary(.div, x, root), scale), b.unary(.reciprocal, root))
  }

  /// Embeddings of words, positions and segments, added up and normalised.
  private static func embeddings(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    b.note("EmbedLayerNormalization → look-ups, sums, normalisation")
    let ids = try b.input(0)
    let lookUp = Operator.gather(Gather(axis: 0))
    let places = try b.optional(8) ?? b.indices(upTo: b.extent(of: ids, 1))
    let words = b.add(lookUp, [try b.input(2), ids])
    var sum = b.binary(.add, words, b.add(lookUp, [try b.input(3), places]))
    if let segments = try b.optional(1) {
      sum = b.binary(.add, sum, b.add(lookUp, [try b.input(4), segments]))
    }
    let op = LayerNorm(axis: -1, epsilon: try b.float("epsilon", 1e-12))
    let y = b.add(.layerNorm(op), [sum, try b.input(5), try b.input(6)])
    // How many tokens of each row count.
    let mask = try b.optional(7)
    let counted = mask ?? b.binary(.sub, ids, ids)
    let lengths = b.cast(
      b.reduce(.sum, b.cast(counted, to: .i64), [1], keepsAxes: false), to: .i32)
    return [y, lengths, sum]
  }
}
