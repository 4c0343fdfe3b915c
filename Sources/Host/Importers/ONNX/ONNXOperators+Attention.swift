// Attention and the embeddings and caches around it, made of products, softmax and selections.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let attentions: [ONNXOperator] = [
    ONNXOperator("Attention", 23, attention),
    ONNXOperator("RotaryEmbedding", 23, rotaryEmbedding),
    ONNXOperator("TensorScatter", 24, tensorScatter),
    ONNXOperator("FlexAttention", domain: "ai.onnx.preview", flexAttention),
  ]

  /// softmax(softcap(scale · q kᵀ) + bias) v for [batch, heads, length, width], or [batch, length,
  /// heads · width] with the numbers of heads as attributes.
  private static func attention(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    b.note("Attention → products, softmax")
    let isFlat = try b.rank(try b.raw(0)) == 3
    var (q, k, v) = (try b.input(0), try b.input(1), try b.input(2))
    if isFlat {
      let queries = try b.integer("q_num_heads", 0)
      let keys = try b.integer("kv_num_heads", 0)
      guard (1...1 << 16).contains(queries), (1...1 << 16).contains(keys) else {
        throw b.fail("has no numbers of heads")
      }
      q = heads(&b, q, queries)
      k = heads(&b, k, keys)
      v = heads(&b, v, keys)
    }
    let past = try b.optional(4)
    if let past, let pastValue = try b.optional(5) {
      k = b.concat([past, k], axis: 2)
      v = b.concat([pastValue, v], axis: 2)
    }
    let present = [k, v]
    (k, v) = try repeated(&b, k, v, for: q)
    var scores = b.matMul(q, k, MatMul(transposeB: true, alpha: try scale(b, q)))
    let cap = try b.float("softcap", 0)
    if cap > 0 { scores = b.affine(b.unary(.tanh, b.affine(scores, 1 / cap)), cap) }
    let capped = scores
    let bias = try attentionBias(&b, q, k, past)
    if let bias { scores = b.binary(.add, scores, bias.value) }
    let biased = scores
    var shares = b.add(.softmax(Softmax(axis: -1)), [scores])
    if let bias, bias.mayHideAll {
      // A query that no key is open to takes nothing.
      let peak = b.reduce(.max, bias.value, [-1])
      let isHidden = b.binary(.equal, peak, b.scalar(-Float.infinity))
      shares = b.select(isHidden, b.scalar(Float(0)), shares)
    }
    var y = b.matMul(shares, v)
    if isFlat {
      y = b.transpose(y, [0, 2, 1, 3])
      y = try merged(&b, y)
    }
    let mode = try b.integer("qk_matmul_output_mode", 0)
    guard (0...3).contains(mode) else { throw b.fail("qk_matmul_output_mode \(mode)") }
    return [y] + present + [mode == 3 ? shares : mode == 2 ? biased : capped]
  }

  private static func scale(
    _ b: ONNXGraphBuilder, _ q: ValueID
  ) throws(ImportError) -> Float {
    if let given = try b.float("scale") { return given }
    let width = try b.fixedExtent(q, -1, "the width of a head")
    return 1 / Float(max(width, 1)).squareRoot()
  }

  /// prob_mod(softmax(score_mod(scale · q kᵀ))) v for [batch, heads, length, width], where the functions
  /// are graphs inside of the node, or nothing.
  private static func flexAttention(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    b.note("FlexAttention → products, softmax, its graphs")
    let q = try b.input(0)
    let (k, v) = try repeated(&b, try b.input(1), try b.input(2), for: q)
    var scores = b.matMul(q, k, MatMul(transposeB: true, alpha: try scale(b, q)))
    func modify(_ name: String, _ x: ValueID) throws(ImportError) -> ValueID {
      guard b.attribute(name) != nil else { return x }
      let outputs = try b.insert(try b.subgraph(name), [x])
      guard outputs.count == 1 else { throw b.fail("'\(name)' does not give one value") }
      return b.wide(outputs[0])
    }
    scores = try modify("score_mod", scores)
    let shares = try modify("prob_mod", b.add(.softmax(Softmax(axis: -1)), [scores]))
    return [b.matMul(shares, v)]
  }

  /// [batch, length, heads · width] → [batch, heads, length, width].
  static func heads(_ b: inout ONNXGraphBuilder, _ x: ValueID, _ count: Int) -> ValueID {
    b.transpose(b.reshape(x, [0, 0, count, -1]), [0, 2, 1, 3])
  }

  /// The last two of four axes as one.
  static func merged(
    _ b: inout ONNXGraphBuilder, _ x: ValueID
  ) throws(ImportError) -> ValueID {
    if let (count, width) = b.facts.extent(x, 2).flatMap({ c in
      b.facts.extent(x, 3).map { (c, $0) }
    }) {
      return b.reshape(x, [0, 0, count * width])
    }
    return b.reshape(x, [0, 0, -1])
  }

  /// Keys and values of as many heads as the queries have: each repeated in place.
  private static func repeated(
    _ b: inout ONNXGraphBuilder, _ k: ValueID, _ v: ValueID, for q: ValueID
  ) throws(ImportError) -> (ValueID, ValueID) {
    let queries = try b.fixedExtent(q, 1, "the number of heads")
    let keys = try b.fixedExtent(k, 1, "the number of heads")
    guard queries != keys else { return (k, v) }
    guard keys > 0, queries % keys == 0 else {
      throw b.fail("\(queries) heads are no multiple of \(keys)")
    }
    b.note("grouped heads → repeated heads")
    func copies(_ x: ValueID, _ b: inout ONNXGraphBuilder) -> ValueID {
      let wide = b.expand(b.unsqueeze(x, [2]), [1, 1, queries / keys, 1, 1])
      let extents = [0, 2, 3].map { b.extent(of: x, $0) }
      return b.reshape(wide, [extents[0], b.constant([queries]), extents[1], extents[2]])
    }
    return (copies(k, &b), copies(v, &b))
  }

  /// What is added to the scores, and whether it may close every key to a query.
  private static func attentionBias(
    _ b: inout ONNXGraphBuilder, _ q: ValueID, _ k: ValueID, _ past: ValueID?
  ) throws(ImportError) -> (value: ValueID, mayHideAll: Bool)? {
    let isCausal = try b.bool("is_causal", false)
    let left = try b.integer("left_window_size", -1)
    let right = try b.integer("right_window_size", -1)
    let filled = try b.optional(6)
    var bias: ValueID?
    var mayHideAll = false
    let hidden = b.scalar(-Float.infinity)
    let open = b.scalar(Float(0))
    func add(_ allowed: ValueID, _ b: inout ONNXGraphBuilder) {
      let value = b.select(allowed, open, hidden)
      bias = bias.map { b.binary(.add, $0, value) } ?? value
    }
    if var mask = try b.optional(3) {
      mask = b.elementType(mask) == .bool ? b.select(mask, open, hidden) : mask
      bias = try widened(&b, mask, toLengthOf: k)
      mayHideAll = true
    }
    let keys = b.extent(of: k, 2)
    let key = b.indices(upTo: keys)
    if isCausal || left >= 0 || right >= 0 {
      // Where the query stands among the keys: behind the past, or at the end of what is filled.
      let queries = b.extent(of: q, 2)
      var place = b.indices(upTo: queries)
      if let past {
        place = b.binary(.add, place, b.extent(of: past, 2))
      } else if let filled {
        let first = b.binary(.sub, b.cast(filled, to: .i64), queries)
        place = b.binary(.add, place, b.unsqueeze(first, [1]))
        place = b.unsqueeze(place, [1])
        mayHideAll = true
      }
      let column = b.unsqueeze(place, [-1])
      if isCausal { add(b.binary(.lessOrEqual, key, column), &b) }
      if left >= 0 {
        let least = b.binary(.sub, column, b.whole(left))
        add(b.binary(.greaterOrEqual, key, least), &b)
        mayHideAll = true
      }
      if right >= 0 {
        let most = b.binary(.add, column, b.whole(right))
        add(b.binary(.lessOrEqual, key, most), &b)
      }
    }
    if let filled {
      let limit = b.unsqueeze(b.cast(filled, to: .i64), [1, 2, 3])
      add(b.binary(.less, key, limit), &b)
      mayHideAll = true
    }
    return bias.map { ($0, mayHideAll) }
  }

  /// A mask for the first keys only closes the others.
  private static func widened(
    _ b: inout ONNXGraphBuilder, _ mask: ValueID, toLengthOf k: ValueID
  ) throws(ImportError) -> ValueID {
    let rank = try b.rank(mask)
    if let keys = b.facts.extent(k, 2), let given = b.facts.extent(mask, -1) {
      // An extent of 1 is one mask for all keys only where there is one key.
      guard given < keys else { return mask }
      var pads = [Int](repeating: 0, count: 2 * rank)
      pads[2 * rank - 1] = keys - given
      return b.add(
        .pad(Pad(.constant, pads: IntegerList(pads))), [mask, nil, b.scalar(-Float.infinity)])
    }
    guard b.opset >= 24 else { return mask }
    let lacking = b.binary(.sub, b.extent(of: k, 2), b.extent(of: mask, -1))
    let none = b.constant([Int](repeating: 0, count: 2 * rank - 1))
    let pads = b.concat([none, lacking], axis: 0)
    return b.add(.pad(Pad(.constant)), [mask, pads, b.scalar(-Float.infinity), nil])
  }

  /// Pairs of elements turned by the angles of their position.
  private static func rotaryEmbedding(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    var x = try b.input(0)
    b.note("RotaryEmbedding → slices, products, sums")
    let isFlat = try b.rank(x) == 3
    if isFlat {
      let count = try b.integer("num_heads", 0)
      guard (1...1 << 16).contains(count) else { throw b.fail("has no number of heads") }
      x = heads(&b, x, count)
    }
    let width = try b.fixedExtent(x, 3, "the width of a head")
    var turned = try b.integer("rotary_embedding_dim", 0)
    if turned == 0 { turned = width }
    guard turned > 0, turned <= width, turned % 2 == 0 else {
      throw b.fail("rotary_embedding_dim \(turned) is out of range")
    }
    var angles: [ValueID] = []
    for i in 1...2 {
      var cache = try b.input(i)
      if let places = try b.optional(3) {
        cache = b.add(.gather(Gather(axis: 0)), [cache, places])
      }
      // [batch, 1, length, pairs].
      angles.append(b.unsqueeze(cache, [1]))
    }
    let head = turned == width ? x : b.slice(x, axis: 3, from: 0, to: turned)
    let isInterleaved = try b.bool("interleaved", false)
    let (first, second) =
      isInterleaved
      ? (
        b.slice(head, axis: 3, from: 0, to: turned, by: 2),
        b.slice(head, axis: 3, from: 1, to: turned, by: 2)
      )
      : (
        b.slice(head, axis: 3, from: 0, to: turned / 2),
        b.slice(head, axis: 3, from: turned / 2, to: turned)
      )
    let real = b.binary(
      .sub, b.binary(.mul, angles[0], first), b.binary(.mul, angles[1], second))
    let imaginary = b.binary(
      .add, b.binary(.mul, angles[1], first), b.binary(.mul, angles[0], second))
    var y: ValueID
    if isInterleaved {
      let pairs = b.concat([b.unsqueeze(real, [4]), b.unsqueeze(imaginary, [4])], axis: 4)
      let extents = (0..<3).map { b.extent(of: x, $0) } + [b.constant([turned])]
      y = b.reshape(pairs, extents)
    } else {
      y = b.concat([real, imaginary], axis: 3)
    }
    if turned < width {
      y = b.concat([y, b.slice(x, axis: 3, from: turned, to: width)], axis: 3)
    }
    guard isFlat else { return [y] }
    return [try merged(&b, b.transpose(y, [0, 2, 1, 3]))]
  }

  /// The update written along an axis from an index per batch on, round the end where it is circular.
  private static func tensorScatter(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let both = try b.moved([0, 1])
    let (x, update) = (both[0], both[1])
    let rank = try b.rank(x)
    var axis = try b.integer("axis", -2)
    if axis < 0 { axis += rank }
    let mode = try b.string("mode", "linear")
    guard axis >= 1, axis < rank, mode == "linear" || mode == "circular" else {
      throw b.fail("axis \(axis) or mode '\(mode)' is not supported")
    }
    b.note("TensorScatter → indices, scatter")
    // Behind the batch axis, one index along `axis` for each written element.
    var place = b.indices(upTo: b.extent(of: update, axis))
    if let first = try b.optional(2) {
      place = b.binary(.add, b.unsqueeze(b.cast(first, to: .i64), [1]), place)
    } else {
      place = b.unsqueeze(place, [0])
    }
    if mode == "circular" { place = b.binary(.mod, place, b.extent(of: x, axis)) }
    let between = Array(1..<axis)
    let behind = Array((axis + 1)..<max(rank, axis + 1))
    place = between.isEmpty && behind.isEmpty ? place : b.unsqueeze(place, between + behind)
    let shape = b.add(.shapeOf(ShapeOf()), [update])
    let index = b.add(.expand(Expand()), [place, shape])
    return [b.add(.scatterElements(ScatterElements(axis: axis)), [x, index, update])]
  }
}
