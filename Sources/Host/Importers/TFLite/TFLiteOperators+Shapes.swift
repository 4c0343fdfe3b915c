// Operators that move elements without computing with them.
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  static let shapes: [Row] = [
    Row(22, "RESHAPE") { b throws(ImportError) in
      var target = try b.optionIntegers(0)
      if b.has(1) { target = try b.integers(1, "the shape") }
      if target.isEmpty { target = try b.outputTensor().shape }
      try reshape(&b, target)
    },
    Row(43, "SQUEEZE") { b throws(ImportError) in
      let axes = try b.optionIntegers(0)
      guard axes.allSatisfy({ (-8...7).contains($0) }) else { throw b.fail("axes \(axes)") }
      let op = Reshape(.squeeze, try b.list(axes))
      try b.set(b.add(.reshape(op), [try b.input(0)]))
    },
    Row(70, "EXPAND_DIMS") { b throws(ImportError) in
      let axes = try b.integers(1, "the axis")
      guard axes.allSatisfy({ (-8...7).contains($0) }) else { throw b.fail("axes \(axes)") }
      try b.set(b.add(.reshape(Reshape(.unsqueeze, try b.list(axes))), [try b.input(0)]))
    },
    Row(39, "TRANSPOSE") { b throws(ImportError) in
      let order = try b.integers(1, "the permutation")
      let rank = try b.tensor(0).shape.count
      guard order.count == rank, Set(order) == Set(0..<rank) else {
        throw b.fail("\(order) is no permutation of \(rank) axes")
      }
      try b.set(b.add(.transpose(Transpose(try b.list(order))), [try b.input(0)]))
    },
    Row(2, "CONCATENATION") { b throws(ImportError) in
      let rank = try b.outputTensor().shape.count
      let axis = try b.axis(try b.integer(0), rank: rank)
      guard b.inputCount > 0 else { throw b.fail("has no inputs") }
      if try b.isQuantized(b.outputTensor()) { return try quantizedConcat(&b, axis) }
      var turnedCount = 0
      for i in 0..<b.inputCount where b.isTurned(try b.number(i)) { turnedCount += 1 }
      let isTurned = rank == 4 && 2 * turnedCount >= b.inputCount
      var parts: [ValueID?] = []
      for i in 0..<b.inputCount {
        parts.append(isTurned ? try b.channelsFirst(i) : try b.input(i))
      }
      let op = Concat(axis: isTurned ? [0, 2, 3, 1][axis] : axis)
      let y = b.add(.concat(op), parts)
      try b.set(try b.activated(y, try b.byte(1)), channelsFirst: isTurned)
    },
    Row(83, "PACK") { b throws(ImportError) in
      let rank = try b.outputTensor().shape.count
      let axis = try b.axis(try b.integer(1), rank: rank)
      try b.requireSameScale(Array(0..<b.inputCount))
      var parts: [ValueID?] = []
      for i in 0..<b.inputCount {
        let op = Reshape(.unsqueeze, IntegerList([axis]))
        parts.append(b.add(.reshape(op), [try b.input(i)]))
      }
      guard !parts.isEmpty else { throw b.fail("has no inputs") }
      try b.set(b.add(.concat(Concat(axis: axis)), parts))
    },
    Row(88, "UNPACK") { b throws(ImportError) in
      let axis = try b.axis(try b.integer(1), rank: try b.tensor(0).shape.count)
      let x = try b.input(0)
      for i in b.node.outputs.indices {
        let part = slice(&b, x, axis, i, i + 1)
        try b.set(b.add(.reshape(Reshape(.squeeze, IntegerList([axis]))), [part]), i)
      }
    },
    Row(49, "SPLIT") { b throws(ImportError) in
      let shape = try b.tensor(1).shape
      guard let given = try b.integers(0, "the axis").first else { throw b.fail("has no axis") }
      let axis = try b.axis(given, rank: shape.count)
      let parts = b.node.outputs.count
      guard parts > 0, shape[axis] % parts == 0 else {
        throw b.fail("\(shape[axis]) elements in \(parts) parts")
      }
      try split(&b, try b.input(1), axis, Array(repeating: shape[axis] / parts, count: parts))
    },
    Row(102, "SPLIT_V") { b throws(ImportError) in
      let shape = try b.tensor(0).shape
      guard let given = try b.integers(2, "the axis").first else { throw b.fail("has no axis") }
      let axis = try b.axis(given, rank: shape.count)
      var sizes = try b.integers(1, "the sizes")
      guard sizes.count == b.node.outputs.count, sizes.allSatisfy({ $0 >= -1 && $0 < 1 << 31 })
      else { throw b.fail("\(sizes.count) sizes for \(b.node.outputs.count) parts") }
      if let open = sizes.firstIndex(of: -1) {
        sizes[open] = 0
        sizes[open] = max(shape[axis] - sizes.reduce(0, +), 0)
      }
      try split(&b, try b.input(0), axis, sizes)
    },
    Row(34, "PAD", pad), Row(60, "PADV2", pad),
    Row(100, "MIRROR_PAD") { b throws(ImportError) in
      guard try b.byte(0) == 0 else { throw b.fail("symmetric padding is not supported") }
      let pads = try padding(b)
      try b.set(b.add(.pad(Pad(.reflect, pads: pads)), [try b.input(0)]))
    },
    Row(69, "TILE") { b throws(ImportError) in
      let counts = try b.integers(1, "the counts")
      try b.set(b.add(.tile(Tile()), [try b.input(0), b.constant(counts)]))
    },
    Row(130, "BROADCAST_TO") { b throws(ImportError) in
      let shape = try b.integers(1, "the shape")
      try b.set(b.add(.expand(Expand()), [try b.input(0), b.constant(shape)]))
    },
    Row(94, "FILL") { b throws(ImportError) in
      let shape = try b.integers(0, "the shape")
      try b.set(b.add(.expand(Expand()), [try b.input(1), b.constant(shape)]))
    },
    Row(77, "SHAPE") { b throws(ImportError) in
      let type = try b.outputTensor().elementType ?? .i32
      let shape = b.add(.shapeOf(ShapeOf()), [try b.input(0)])
      try b.set(type == .i64 ? shape : b.add(.cast(Cast(to: type)), [shape]))
    },
    Row(110, "RANK") { b throws(ImportError) in
      let rank = try b.tensor(0).shape.count
      try b.set(b.constant(Constant(.i32, [rank], Shape())))
    },
    Row(5, "DEPTH_TO_SPACE") { b throws(ImportError) in
      let shape = try b.tensor(0).shape
      let block = try b.integer(0, in: 1...1 << 16, 1)
      guard shape.count == 4, shape[3] % (block * block) == 0 else {
        throw b.fail("\(shape) does not go into blocks of \(block)")
      }
      let inner = shape[3] / (block * block)
      let cut = b.reshaped(try b.input(0), [-1, shape[1], shape[2], block, block, inner])
      let turned = b.add(.transpose(Transpose(IntegerList([0, 1, 3, 2, 4, 5]))), [cut])
      try b.set(b.reshaped(turned, [-1, shape[1] * block, shape[2] * block, inner]))
    },
    Row(26, "SPACE_TO_DEPTH") { b throws(ImportError) in
      let shape = try b.tensor(0).shape
      let block = try b.integer(0, in: 1...1 << 16, 1)
      guard shape.count == 4, shape[1] % block == 0, shape[2] % block == 0 else {
        throw b.fail("\(shape) does not go into blocks of \(block)")
      }
      let (h, w) = (shape[1] / block, shape[2] / block)
      let cut = b.reshaped(try b.input(0), [-1, h, block, w, block, shape[3]])
      let turned = b.add(.transpose(Transpose(IntegerList([0, 1, 3, 2, 4, 5]))), [cut])
      try b.set(b.reshaped(turned, [-1, h, w, shape[3] * block * block]))
    },
    Row(38, "SPACE_TO_BATCH_ND") { b throws(ImportError) in
      let block = try b.integers(1, "the block")
      let pads = try b.integers(2, "the padding")
      var shape = try b.tensor(0).shape
      let axes = block.count
      guard axes >= 1, axes <= 2, pads.count == 2 * axes, shape.count == axes + 2,
        block.allSatisfy({ 1...1 << 16 ~= $0 }), pads.allSatisfy({ 0...1 << 20 ~= $0 })
      else { throw b.fail("blocks \(block) of \(shape)") }
      var before = [0]
      var after = [0]
      for i in 0..<axes {
        before.append(pads[2 * i])
        after.append(pads[2 * i + 1])
        shape[1 + i] += pads[2 * i] + pads[2 * i + 1]
        guard shape[1 + i] % block[i] == 0 else { throw b.fail("blocks \(block) of \(shape)") }
      }
      let list = try b.list(before + [0] + after + [0])
      let padded = b.add(.pad(Pad(.constant, pads: list)), try b.padded(0))
      var cut = [shape[0]]
      for i in 0..<axes { cut += [shape[1 + i] / block[i], block[i]] }
      cut.append(shape[axes + 1])
      let order = axes == 1 ? [2, 0, 1, 3] : [2, 4, 0, 1, 3, 5]
      let turned = b.add(.transpose(Transpose(IntegerList(order))), [b.reshaped(padded, cut)])
      let spatial = (0..<axes).map { shape[1 + $0] / block[$0] }
      try b.set(b.reshaped(turned, [-1] + spatial + [shape[axes + 1]]))
    },
    Row(37, "BATCH_TO_SPACE_ND") { b throws(ImportError) in
      let block = try b.integers(1, "the block")
      let crops = try b.integers(2, "the crops")
      let shape = try b.tensor(0).shape
      let axes = block.count
      guard axes >= 1, axes <= 2, crops.count == 2 * axes, shape.count == axes + 2,
        block.allSatisfy({ 1...1 << 16 ~= $0 }), crops.allSatisfy({ 0...1 << 20 ~= $0 }),
        shape[0] % block.reduce(1, *) == 0
      else { throw b.fail("blocks \(block) of \(shape)") }
      let batch = shape[0] / block.reduce(1, *)
      let cut = b.reshaped(try b.input(0), block + [batch] + shape[1...])
      let order = axes == 1 ? [1, 2, 0, 3] : [2, 3, 0, 4, 1, 5]
      let turned = b.add(.transpose(Transpose(IntegerList(order))), [cut])
      let spatial = (0..<axes).map { shape[1 + $0] * block[$0] }
      let whole = b.reshaped(turned, [batch] + spatial + [shape[axes + 1]])
      var before = [0]
      var after = [0]
      for i in 0..<axes {
        before.append(-crops[2 * i])
        after.append(-crops[2 * i + 1])
      }
      let list = try b.list(before + [0] + after + [0])
      try b.set(b.add(.pad(Pad(.constant, pads: list)), [whole]))
    },
    Row(105, "REVERSE_V2") { b throws(ImportError) in
      let axes = try b.integers(1, "the axes")
      guard axes.count <= 8, axes.allSatisfy({ (-8...7).contains($0) }) else {
        throw b.fail("axes \(axes)")
      }
      let ones = IntegerList(axes.map { _ in -1 })
      let op = Slice(
        starts: ones, ends: IntegerList(axes.map { _ in Int(Int32.min) }),
        axes: IntegerList(axes), steps: ones)
      try b.set(b.add(.slice(op), [try b.input(0)]))
    },
  ]

  static func slice(
    _ b: inout TFLiteGraphBuilder, _ x: ValueID, _ axis: Int, _ from: Int, _ to: Int
  ) -> ValueID {
    let op = Slice(
      starts: IntegerList([from]), ends: IntegerList([to]), axes: IntegerList([axis]),
      steps: IntegerList([1]))
    return b.add(.slice(op), [x])
  }

  private static func split(
    _ b: inout TFLiteGraphBuilder, _ x: ValueID, _ axis: Int, _ sizes: [Int]
  ) throws(ImportError) {
    if sizes.count == 1 { return try b.set(b.add(.reshape(Reshape(.identity)), [x])) }
    var at = 0
    for (i, size) in sizes.enumerated() {
      try b.set(slice(&b, x, axis, at, at + size), i)
      at += size
    }
  }

  /// Extents of the file stand for a batch that may be open: the first becomes −1 where it can.
  private static func reshape(_ b: inout TFLiteGraphBuilder, _ target: [Int]) throws(ImportError) {
    guard target.count <= Shape.maximumRank, target.allSatisfy({ $0 >= -1 && $0 < 1 << 40 }) else {
      throw b.fail("shape \(target)")
    }
    let t = try b.tensor(0)
    var target = target
    if t.isComplex { target.append(2) }
    let isOpen = t.signature.first == -1 && t.shape.first == 1
    if isOpen, target.first == 1, !target.contains(-1) { target[0] = -1 }
    try b.set(b.reshaped(try b.input(0), target))
  }

  /// Pads as [before…, after…] from pairs.
  private static func padding(_ b: TFLiteGraphBuilder) throws(ImportError) -> IntegerList {
    let pairs = try b.integers(1, "the padding")
    let rank = try b.tensor(0).shape.count
    guard pairs.count == 2 * rank, pairs.allSatisfy({ 0...1 << 30 ~= $0 }) else {
      throw b.fail("padding \(pairs) for \(rank) axes")
    }
    return try b.list(
      (0..<rank).map { pairs[2 * $0] } + (0..<rank).map { pairs[2 * $0 + 1] })
  }

  private static func pad(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    let pads = try padding(b)
    guard b.has(2) else {
      let op = Pad(.constant, pads: pads)
      return try b.set(b.add(.pad(op), try b.padded(0)))
    }
    try b.requireSameScale([0, 2])
    try b.set(b.add(.pad(Pad(.constant, pads: pads)), [try b.input(0), nil, try b.input(2)]))
  }
}

extension TFLiteGraphBuilder {
  mutating func reshaped(_ x: ValueID, _ target: [Int]) -> ValueID {
    // An extent of 0 is one here, not a copy.
    let kind: ReshapeKind = target.contains(0) ? .targetWithZero : .target
    return add(.reshape(Reshape(kind, IntegerList(target))), [x])
  }

  /// The inputs of Pad for input `i`: what stands for zero fills it up.
  mutating func padded(_ i: Int) throws(ImportError) -> [ValueID?] {
    let t = try tensor(i)
    guard isQuantized(t), let type = t.elementType else { return [try input(i)] }
    return [try input(i), nil, scalar(try quantization(t).zero, type)]
  }

  /// Moving quantized elements asks for one meaning of all of them.
  func requireSameScale(_ inputs: [Int]) throws(ImportError) {
    let output = try outputTensor()
    guard isQuantized(output) else { return }
    let (scale, zero) = try quantization(output)
    for i in inputs {
      let q = try quantization(try tensor(i))
      guard q.scale == scale, q.zero == zero else {
        throw fail("input \(i) has another scale than the output")
      }
    }
  }
}
