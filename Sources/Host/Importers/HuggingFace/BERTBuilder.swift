// The pieces of a BERT graph: embeddings, layers, heads, pooling.
import Graphs
import Operators
import Tensors

/// Adds the parts of one model to its graph, reading each weight by its Hugging Face name.
struct BERTBuilder {
  var graph: Graph
  private let configuration: BERTConfiguration
  private let weights: SafetensorsWeights
  /// What stands in front of the encoder's names: nothing, or `bert.`.
  private let prefix: String
  private let tokens: ValueID
  private let types: ValueID?
  /// 1 for a token, 0 for padding, f32 [batch, sequence].
  private let mask: ValueID

  init(
    _ name: String, _ configuration: BERTConfiguration, _ weights: SafetensorsWeights
  ) throws(ImportError) {
    self.configuration = configuration
    self.weights = weights
    let family = configuration.family == .xlmRoberta ? "roberta" : configuration.family.rawValue
    prefix = weights.has("\(family).embeddings.word_embeddings.weight") ? family + "." : ""
    graph = Graph(name: name)
    let dimensions: [GraphDimension] = [.symbol("batch"), .symbol("sequence")]
    tokens = graph.addInput("input_ids", .i64, dimensions)
    let attention = graph.addInput("attention_mask", .i64, dimensions)
    // One kind of token is the same for all: nobody needs to say which.
    types =
      configuration.tokenTypes > 1 ? graph.addInput("token_type_ids", .i64, dimensions) : nil
    mask = graph.add(.cast(Cast(to: .f32)), [attention], name: "mask")
    graph.limits["sequence"] = configuration.maximumLength
  }

  // MARK: Weights

  private mutating func weight(_ name: String, _ shape: [Int]) throws(ImportError) -> ValueID {
    graph.addConstant(name, try weights.constant(name, Shape(shape)))
  }

  private mutating func linear(
    _ name: String, _ x: ValueID, from inner: Int, to outer: Int,
    activation: FusedActivation = FusedActivation()
  ) throws(ImportError) -> ValueID {
    // Stored as [outer, inner]; lowering lays it out for the product.
    let matrix = try weight(name + ".weight", [outer, inner])
    let bias = try weight(name + ".bias", [outer])
    let op = MatMul(transposeB: true, activation: activation)
    return graph.add(.matMul(op), [x, matrix, bias], name: name)
  }

  private mutating func layerNorm(
    _ name: String, _ x: ValueID, plus residual: ValueID?
  ) throws(ImportError) -> ValueID {
    let width = [configuration.width]
    // Checkpoints converted from TensorFlow call them gamma and beta.
    let isOld = !weights.has(name + ".weight") && weights.has(name + ".gamma")
    let scale = try weight(name + (isOld ? ".gamma" : ".weight"), width)
    let bias = try weight(name + (isOld ? ".beta" : ".bias"), width)
    let op = LayerNorm(epsilon: configuration.epsilon)
    let inputs = [x, scale, bias] + (residual.map { [$0] } ?? [])
    return graph.add(.layerNorm(op), inputs, name: name)
  }

  private mutating func table(
    _ name: String, _ rows: Int, _ indices: ValueID
  ) throws(ImportError) -> ValueID {
    let full = "\(prefix)embeddings.\(name)"
    let table = try weight(full + ".weight", [rows, configuration.width])
    return graph.add(.gather(Gather(axis: 0)), [table, indices], name: full)
  }

  private mutating func scalar(_ name: String, _ value: Int) -> ValueID {
    graph.addConstant(name, Constant(integers: [value], shape: Shape()))
  }

  private mutating func unary(_ name: String, _ op: Unary, _ x: ValueID) -> ValueID {
    graph.add(.unary(op), [x], name: name)
  }

  private mutating func binary(
    _ name: String, _ kind: BinaryKind, _ a: ValueID, _ b: ValueID
  ) -> ValueID {
    graph.add(.binary(Binary(kind)), [a, b], name: name)
  }

  // MARK: Encoder

  /// 0, 1, … [sequence]; for RoBERTa the number of real tokens up to each one, behind the padding
  /// index [batch, sequence].
  private mutating func positions() -> ValueID {
    guard configuration.family.countsRealTokens else {
      let length = graph.add(
        .shapeOf(ShapeOf(start: 1, end: 2, isProduct: true)), [tokens], name: "length")
      let bounds = [scalar("zero", 0), length, scalar("one", 1)]
      return graph.add(.sequence(Sequence()), bounds, name: "positions")
    }
    let padding = scalar("padding", configuration.paddingID)
    let isPadding = binary("is_padding", .equal, tokens, padding)
    let isToken = unary("is_token", Unary(.not), isPadding)
    let ones = graph.add(.cast(Cast(to: .i64)), [isToken], name: "ones")
    let counts = graph.add(.cumSum(CumSum(axis: 1)), [ones], name: "counts")
    return binary("positions", .add, binary("real_counts", .mul, counts, ones), padding)
  }

  /// The last layer's output [batch, sequence, width].
  mutating func encoder() throws(ImportError) -> ValueID {
    let words = try table("word_embeddings", configuration.vocabulary, tokens)
    let places = try table("position_embeddings", configuration.positions, positions())
    var sum = binary("embeddings", .add, words, places)
    var kinds: ValueID?
    if let types {
      kinds = try table("token_type_embeddings", configuration.tokenTypes, types)
    } else if configuration.tokenTypes == 1 {
      let row = try weight(
        "\(prefix)embeddings.token_type_embeddings.weight", [1, configuration.width])
      sum = binary("typed_embeddings", .add, sum, row)
    }
    var x = try layerNorm("\(prefix)embeddings.LayerNorm", sum, plus: kinds)
    // 0 for a token, a large negative number for padding, against the scores [batch, heads, q, k].
    let bias = unary("mask_bias", Unary(.affine, 1e9, -1e9), mask)
    let scores = graph.add(
      .reshape(Reshape(.unsqueeze, IntegerList([1, 2]))), [bias], name: "score_bias")
    for i in 0..<configuration.layers { x = try layer(i, x, scores) }
    return x
  }

  private mutating func layer(
    _ i: Int, _ x: ValueID, _ scores: ValueID
  ) throws(ImportError) -> ValueID {
    let isDistilled = configuration.family == .distilbert
    let base = isDistilled ? "\(prefix)transformer.layer.\(i)" : "\(prefix)encoder.layer.\(i)"
    let names =
      isDistilled
      ? [
        "attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
        "sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm",
      ]
      : [
        "attention.self.query", "attention.self.key", "attention.self.value",
        "attention.output.dense", "attention.output.LayerNorm", "intermediate.dense",
        "output.dense", "output.LayerNorm",
      ]
    let name = names.map { "\(base).\($0)" }
    let width = configuration.width
    let inner = configuration.innerWidth
    let q = try linear(name[0], x, from: width, to: width)
    let k = try linear(name[1], x, from: width, to: width)
    let v = try linear(name[2], x, from: width, to: width)
    let op = Attention(
      heads: configuration.heads, scale: 1 / Float(width / configuration.heads).squareRoot())
    let mixed = graph.add(.attention(op), [q, k, v, scores], name: "\(base).attention")
    let attended = try linear(name[3], mixed, from: width, to: width)
    let y = try layerNorm(name[4], attended, plus: x)
    let grown = try linear(name[5], y, from: width, to: inner, activation: configuration.activation)
    return try layerNorm(name[7], try linear(name[6], grown, from: inner, to: width), plus: y)
  }

  // MARK: Heads

  /// Padding rows set to 0, so that what comes out does not depend on them.
  mutating func masked(_ hidden: ValueID) -> ValueID {
    binary("last_hidden_state", .mul, hidden, column(mask))
  }

  private mutating func column(_ x: ValueID) -> ValueID {
    graph.add(.reshape(Reshape(.unsqueeze, IntegerList([2]))), [x], name: "mask_column")
  }

  /// The first token's vector [batch, width].
  private mutating func first(_ hidden: ValueID) -> ValueID {
    graph.add(
      .gather(Gather(axis: 1)), [hidden, scalar("first", 0)], name: "first_token")
  }

  /// One vector per text [batch, width · modes].
  mutating func pool(
    _ hidden: ValueID, _ masked: ValueID, _ pooling: SentencePooling
  ) -> ValueID {
    var parts: [ValueID] = []
    for mode in pooling.modes {
      switch mode {
      case .firstToken: parts.append(first(hidden))
      case .maximum:
        let low = column(unary("maximum_bias", Unary(.affine, 1e9, -1e9), mask))
        let shifted = binary("maximum_input", .add, masked, low)
        let op = Reduce(.max, axes: IntegerList([1]), keepsAxes: false)
        parts.append(graph.add(.reduce(op), [shifted], name: "maximum"))
      case .mean, .meanSquareRoot:
        let op = Reduce(.sum, axes: IntegerList([1]), keepsAxes: false)
        let sum = graph.add(.reduce(op), [masked], name: "token_sum")
        let keeping = Reduce(.sum, axes: IntegerList([1]), keepsAxes: true)
        let count = graph.add(.reduce(keeping), [mask], name: "token_count")
        var divisor = unary("token_divisor", Unary(.clip, 1e-9, .infinity), count)
        if mode == .meanSquareRoot { divisor = unary("token_root", Unary(.sqrt), divisor) }
        parts.append(binary("mean", .div, sum, divisor))
      }
    }
    var y =
      parts.count == 1 ? parts[0] : graph.add(.concat(Concat(axis: 1)), parts, name: "pooled")
    if pooling.normalizes {
      let op = Reduce(.l2, axes: IntegerList([-1]), keepsAxes: true)
      let norm = graph.add(.reduce(op), [y], name: "norm")
      y = binary("normalized", .div, y, unary("divisor", Unary(.clip, 1e-12, .infinity), norm))
    }
    graph[y].name = "sentence_embedding"
    return y
  }

  private func labelCount(_ name: String) throws(ImportError) -> Int {
    guard let shape = weights.shape(name), shape.rank == 2 else {
      throw ImportError(file: weights.file.path, .key(name, "expected a matrix, found nothing"))
    }
    guard configuration.labels.isEmpty || configuration.labels.count == shape[0] else {
      throw ImportError(
        file: weights.file.path,
        .key(name, "\(shape[0]) classes, config.json names \(configuration.labels.count)"))
    }
    return shape[0]
  }

  /// [batch, labels].
  mutating func sequenceLogits(_ hidden: ValueID) throws(ImportError) -> ValueID {
    let width = configuration.width
    let dense: (name: String, activation: Activation)
    var classifier = "classifier"
    switch configuration.family {
    case .bert: dense = ("\(prefix)pooler.dense", .tanh)
    case .distilbert: dense = ("pre_classifier", .relu)
    case .roberta, .xlmRoberta:
      dense = ("classifier.dense", .tanh)
      classifier = "classifier.out_proj"
    }
    let pooled = try linear(
      dense.name, first(hidden), from: width, to: width,
      activation: FusedActivation(dense.activation))
    let count = try labelCount(classifier + ".weight")
    let logits = try linear(classifier, pooled, from: width, to: count)
    graph[logits].name = "logits"
    return logits
  }

  /// [batch, sequence, labels].
  mutating func tokenLogits(_ hidden: ValueID) throws(ImportError) -> ValueID {
    let count = try labelCount("classifier.weight")
    let logits = try linear("classifier", hidden, from: configuration.width, to: count)
    graph[logits].name = "logits"
    return logits
  }
}
