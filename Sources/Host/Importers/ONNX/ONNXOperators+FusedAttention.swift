// Attention as ONNX Runtime's optimiser writes it: with projections, masks and caches of its own.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let fusedAttentions: [ONNXOperator] = [
    microsoft("Attention", packedAttention),
    microsoft("MultiHeadAttention", multiHeadAttention),
    microsoft("GroupQueryAttention", groupQueryAttention),
    microsoft("RotaryEmbedding") { b throws(ImportError) in
      let x = try b.input(0)
      guard try !b.bool("is_packed_batching", false) else {
        throw b.fail("packed batches are not supported")
      }
      guard b.elementType(x) ?? .f32 == .f32 else { throw b.fail("takes real numbers") }
      let isFlat = try b.rank(x) == 3
      let cosines = try b.input(2)
      var count = try b.integer("num_heads", 0)
      if count == 0, isFlat {
        let pairs = try b.fixedExtent(cosines, 1, "the width of a head")
        let width = try b.fixedExtent(x, 2, "the width")
        guard pairs > 0, width % (2 * pairs) == 0 else { throw b.fail("heads do not fit") }
        count = width / (2 * pairs)
      }
      guard !isFlat || (1...1 << 16).contains(count) else {
        throw b.fail("\(count) heads are out of range")
      }
      let split = isFlat ? heads(&b, x, count) : x
      var places = try b.input(1)
      if b.facts.extent(places, 0) == 1, try b.rank(places) == 1 {
        // One number: where the first element stands.
        places = b.binary(.add, places, b.indices(upTo: b.extent(of: split, 2)))
        places = b.unsqueeze(places, [0])
      }
      let y = try turned(
        &b, split, places, cosines, try b.input(3), try b.integer("rotary_embedding_dim", 0))
      return [isFlat ? try merged(&b, b.transpose(y, [0, 2, 1, 3])) : y]
    },
  ]

  private static func headCount(
    _ b: ONNXGraphBuilder, _ name: String = "num_heads"
  ) throws(ImportError) -> Int {
    let count = try b.integer(name, 0)
    guard (1...1 << 16).contains(count) else { throw b.fail("\(name) \(count) is out of range") }
    return count
  }

  private static func flat(
    _ b: inout ONNXGraphBuilder, _ x: ValueID
  ) throws(ImportError) -> ValueID {
    try merged(&b, b.transpose(x, [0, 2, 1, 3]))
  }

  /// Attention of flat queries, keys and values [batch, length, heads · width].
  private static func attend(
    _ b: inout ONNXGraphBuilder, _ q: ValueID, _ k: ValueID, _ v: ValueID, count: Int,
    bias: ValueID?
  ) throws(ImportError) -> ValueID {
    var scale = try b.float("scale", 0)
    if scale == 0 {
      let width = try b.fixedExtent(q, 2, "the width of a head") / count
      scale = 1 / Float(max(width, 1)).squareRoot()
    }
    return b.add(
      .attention(Attention(heads: count, scale: scale)), [q, k, v] + (bias.map { [$0] } ?? []))
  }

  private static func sum(
    _ b: inout ONNXGraphBuilder, _ x: ValueID?, _ y: ValueID?
  ) -> ValueID? {
    guard let x else { return y }
    return y.map { b.binary(.add, x, $0) } ?? x
  }

  /// 0 where a condition holds, `value` elsewhere.
  private static func closed(
    _ b: inout ONNXGraphBuilder, unless condition: ValueID, _ value: Float
  ) -> ValueID {
    b.select(condition, b.scalar(Float(0)), b.scalar(value))
  }

  /// Every query sees the keys up to its own place; the last query's is the last key.
  private static func causal(
    _ b: inout ONNXGraphBuilder, queries: ValueID, keys: ValueID
  ) -> ValueID {
    let first = b.binary(.sub, keys, queries)
    let place = b.binary(.add, b.indices(upTo: queries), first)
    let isOpen = b.binary(.lessOrEqual, b.indices(upTo: keys), b.unsqueeze(place, [-1]))
    return closed(&b, unless: isOpen, -Float.infinity)
  }

  /// What a mask of keys adds to the scores: lengths [batch], ends and starts [2 · batch], or 0 and 1 for
  /// keys [batch, keys] or for queries and keys [batch, queries, keys].
  private static func padding(
    _ b: inout ONNXGraphBuilder, _ mask: ValueID, batchOf x: ValueID, keys: ValueID
  ) throws(ImportError) -> ValueID {
    let value = try b.float("mask_filter_value", -10000)
    let whole = b.cast(mask, to: .i64)
    switch try b.rank(mask) {
    case 1:
      let key = b.indices(upTo: keys)
      let batch = b.facts.extent(x, 0)
      if let given = b.facts.extent(mask, 0), let batch, given != batch {
        guard given == 2 * batch else {
          throw b.fail("a mask of \(given) numbers is not supported")
        }
        let ends = b.unsqueeze(b.slice(whole, axis: 0, from: 0, to: batch), [1, 2, 3])
        let starts = b.unsqueeze(b.slice(whole, axis: 0, from: batch, to: given), [1, 2, 3])
        let isOpen = b.binary(
          .and, b.binary(.less, key, ends), b.binary(.greaterOrEqual, key, starts))
        return closed(&b, unless: isOpen, value)
      }
      let ends = b.unsqueeze(whole, [1, 2, 3])
      return closed(&b, unless: b.binary(.less, key, ends), value)
    case 2: return closed(&b, unless: b.cast(b.unsqueeze(mask, [1, 2]), to: .bool), value)
    case 3: return closed(&b, unless: b.cast(b.unsqueeze(mask, [1]), to: .bool), value)
    default: throw b.fail("a mask of four axes is not supported")
    }
  }

  /// BERT's: one product makes queries, keys and values.
  private static func packedAttention(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID]
  {
    b.note("Attention of ONNX Runtime → products, attention")
    guard try !b.bool("do_rotary", false) else { throw b.fail("do_rotary is not supported") }
    let x = try b.input(0)
    let weight = try b.input(1)
    let count = try headCount(b)
    let width = try b.fixedExtent(weight, 1, "the width of the weights")
    let sizes = try b.integers("qkv_hidden_sizes") ?? [width / 3, width / 3, width / 3]
    guard sizes.count == 3, sizes.allSatisfy({ $0 > 0 && $0 % count == 0 && $0 <= width }),
      sizes.reduce(0, +) == width
    else { throw b.fail("widths \(sizes.prefix(4)) do not fit the weights") }
    var parts: [ValueID] = []
    var at = 0
    let bias = try b.optional(2)
    for size in sizes {
      let columns = b.slice(weight, axis: 1, from: at, to: at + size)
      let part = bias.map { b.slice($0, axis: 0, from: at, to: at + size) }
      parts.append(b.add(.matMul(MatMul()), [x, columns] + (part.map { [$0] } ?? [])))
      at += size
    }
    var (k, v) = (parts[1], parts[2])
    var present: ValueID?
    if let past = try b.optional(4) {
      func joined(_ value: ValueID, _ i: Int, _ b: inout ONNXGraphBuilder) -> ValueID {
        let old = b.squeeze(b.slice(past, axis: 0, from: i, to: i + 1), [0])
        return b.concat([old, heads(&b, value, count)], axis: 2)
      }
      let keys = joined(k, 0, &b)
      let values = joined(v, 1, &b)
      present = b.concat([b.unsqueeze(keys, [0]), b.unsqueeze(values, [0])], axis: 0)
      (k, v) = (try flat(&b, keys), try flat(&b, values))
    } else if b.node.outputs.count > 1 {
      let keys = b.unsqueeze(heads(&b, k, count), [0])
      present = b.concat([keys, b.unsqueeze(heads(&b, v, count), [0])], axis: 0)
    }
    let keys = b.extent(of: k, 1)
    var mask = try b.optional(5)
    if let given = try b.optional(3) {
      mask = sum(&b, mask, try padding(&b, given, batchOf: x, keys: keys))
    }
    if try b.bool("unidirectional", false) {
      mask = sum(&b, mask, causal(&b, queries: b.extent(of: x, 1), keys: keys))
    }
    let y = try attend(&b, parts[0], k, v, count: count, bias: mask)
    return [y] + (present.map { [$0] } ?? [])
  }

  private static func multiHeadAttention(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    b.note("MultiHeadAttention → attention")
    let count = try headCount(b)
    var q = try b.input(0)
    guard try b.rank(q) == 3, var k = try b.optional(1), var v = try b.optional(2) else {
      throw b.fail("packed queries, keys and values are not supported")
    }
    if let bias = try b.optional(3) {
      let width = try b.fixedExtent(q, 2, "the width of the queries")
      let values = try b.fixedExtent(bias, 0, "the width of the bias") - 2 * width
      guard values > 0 else { throw b.fail("the bias is too short") }
      q = b.binary(.add, q, b.slice(bias, axis: 0, from: 0, to: width))
      if try b.rank(k) == 3 {
        k = b.binary(.add, k, b.slice(bias, axis: 0, from: width, to: 2 * width))
        v = b.binary(.add, v, b.slice(bias, axis: 0, from: 2 * width, to: 2 * width + values))
      }
    }
    // Keys and values of cross-attention may come head by head.
    var (keyHeads, valueHeads) = (k, v)
    if try b.rank(k) == 3 {
      (keyHeads, valueHeads) = (heads(&b, k, count), heads(&b, v, count))
    }
    let past = try b.optional(6)
    if let past, let pastValue = try b.optional(7) {
      keyHeads = b.concat([past, keyHeads], axis: 2)
      valueHeads = b.concat([pastValue, valueHeads], axis: 2)
    }
    let rank = try b.rank(k)
    if past != nil || rank == 4 {
      (k, v) = (try flat(&b, keyHeads), try flat(&b, valueHeads))
    }
    let keys = b.extent(of: k, 1)
    var mask = try b.optional(5)
    if let given = try b.optional(4) {
      mask = sum(&b, mask, try padding(&b, given, batchOf: q, keys: keys))
    }
    if try b.bool("unidirectional", false) {
      mask = sum(&b, mask, causal(&b, queries: b.extent(of: q, 1), keys: keys))
    }
    return [
      try attend(&b, q, k, v, count: count, bias: mask), keyHeads, valueHeads,
    ]
  }

  /// Causal attention with fewer heads of keys than of queries, and a cache that is full: its length is
  /// what came before.
  private static func groupQueryAttention(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    b.note("GroupQueryAttention → turned pairs, attention")
    let count = try headCount(b)
    let groups = try headCount(b, "kv_num_heads")
    guard count % groups == 0 else { throw b.fail("\(count) heads are no multiple of \(groups)") }
    guard try b.integer("local_window_size", -1) == -1, try b.float("softcap", 0) == 0 else {
      throw b.fail("windows and caps of scores are not supported")
    }
    var q = try b.input(0)
    var (k, v) = (try b.optional(1), try b.optional(2))
    if k == nil {
      let width = try b.fixedExtent(q, 2, "the width of the queries") / (count + 2 * groups)
      let packed = q
      q = b.slice(packed, axis: 2, from: 0, to: count * width)
      k = b.slice(packed, axis: 2, from: count * width, to: (count + groups) * width)
      v = b.slice(
        packed, axis: 2, from: (count + groups) * width, to: (count + 2 * groups) * width)
    }
    guard let k, let v else { throw b.fail("has keys without values") }
    var queryHeads = heads(&b, q, count)
    var keyHeads = heads(&b, k, groups)
    var valueHeads = heads(&b, v, groups)
    let past = try b.optional(3)
    if try b.bool("do_rotary", false) {
      guard try !b.bool("rotary_interleaved", false) else {
        throw b.fail("interleaved pairs are not supported")
      }
      var places = b.indices(upTo: b.extent(of: q, 1))
      if let past { places = b.binary(.add, places, b.extent(of: past, 2)) }
      places = b.unsqueeze(places, [0])
      let (cosines, sines) = (try b.input(7), try b.input(8))
      queryHeads = try turned(&b, queryHeads, places, cosines, sines, 0)
      keyHeads = try turned(&b, keyHeads, places, cosines, sines, 0)
    }
    if let past, let pastValue = try b.optional(4) {
      keyHeads = b.concat([past, keyHeads], axis: 2)
      valueHeads = b.concat([pastValue, valueHeads], axis: 2)
    }
    func copies(_ x: ValueID, _ b: inout ONNXGraphBuilder) throws(ImportError) -> ValueID {
      guard count != groups else { return try flat(&b, x) }
      let wide = b.expand(b.unsqueeze(x, [2]), [1, 1, count / groups, 1, 1])
      let extents = [0, 2, 3].map { b.extent(of: x, $0) }
      let all = b.reshape(wide, [extents[0], b.constant([count]), extents[1], extents[2]])
      return try flat(&b, all)
    }
    let keys = b.extent(of: keyHeads, 2)
    let mask = causal(&b, queries: b.extent(of: q, 1), keys: keys)
    // One less than the keys that count, row by row.
    let last = b.unsqueeze(
      b.reshape(b.cast(try b.input(5), to: .i64), [-1]), [1, 2, 3])
    let isOpen = b.binary(.lessOrEqual, b.indices(upTo: keys), last)
    let bias = b.binary(.add, mask, closed(&b, unless: isOpen, -Float.greatestFiniteMagnitude))
    let y = try attend(
      &b, try flat(&b, queryHeads), try copies(keyHeads, &b), try copies(valueHeads, &b),
      count: count, bias: bias)
    return [y, keyHeads, valueHeads]
  }

  /// Pairs of elements [batch, heads, length, width] turned by the angles of their places.
  private static func turned(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ places: ValueID, _ cosines: ValueID,
    _ sines: ValueID, _ dimension: Int
  ) throws(ImportError) -> ValueID {
    let width = try b.fixedExtent(x, 3, "the width of a head")
    let pairs = try b.fixedExtent(cosines, 1, "the width of the angles")
    let part = dimension == 0 ? min(2 * pairs, width) : dimension
    guard part > 0, part <= width, part == 2 * pairs else {
      throw b.fail("\(part) turned elements do not fit \(pairs) angles")
    }
    let lookUp = Operator.gather(Gather(axis: 0))
    let cosine = b.unsqueeze(b.add(lookUp, [cosines, places]), [1])
    let sine = b.unsqueeze(b.add(lookUp, [sines, places]), [1])
    let isInterleaved = try b.bool("interleaved", false)
    let step = isInterleaved ? 2 : 1
    let first = b.slice(x, axis: 3, from: 0, to: isInterleaved ? part : pairs, by: step)
    let second = b.slice(x, axis: 3, from: isInterleaved ? 1 : pairs, to: part, by: step)
    let real = b.binary(.sub, b.binary(.mul, cosine, first), b.binary(.mul, sine, second))
    let imaginary = b.binary(.add, b.binary(.mul, sine, first), b.binary(.mul, cosine, second))
    var y: ValueID
    if isInterleaved {
      let both = b.concat([b.unsqueeze(real, [4]), b.unsqueeze(imaginary, [4])], axis: 4)
      let extents = (0..<3).map { b.extent(of: x, $0) } + [b.constant([part])]
      y = b.reshape(both, extents)
    } else {
      y = b.concat([real, imaginary], axis: 3)
    }
    if part < width { y = b.concat([y, b.slice(x, axis: 3, from: part, to: width)], axis: 3) }
    return y
  }
}
