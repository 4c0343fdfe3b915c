// Slices, look-ups and the other operators that pick elements by number.
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  static let indexing: [Row] = [
    Row(45, "STRIDED_SLICE", stridedSlice),
    Row(65, "SLICE") { b throws(ImportError) in
      guard try b.isConstant(1), try b.isConstant(2) else { return try openSlice(&b) }
      let begins = try b.integers(1, "the begin")
      let sizes = try b.integers(2, "the size")
      guard begins.count == sizes.count, begins.count <= 8, begins.allSatisfy({ $0 >= 0 }) else {
        throw b.fail("begins at \(begins), \(sizes) long")
      }
      var ends: [Int] = []
      for (begin, size) in zip(begins, sizes) {
        guard size >= -1, size <= 1 << 40, begin <= 1 << 40 else { throw b.fail("size \(size)") }
        ends.append(size == -1 ? 1 << 40 : begin + size)
      }
      let op = Slice(
        starts: try b.list(begins), ends: try b.list(ends),
        axes: IntegerList(Array(begins.indices)),
        steps: IntegerList(begins.map { _ in 1 }))
      try b.set(b.add(.slice(op), [try b.input(0)]))
    },
    Row(36, "GATHER") { b throws(ImportError) in
      let axis = try b.axis(try b.integer(0), rank: try b.tensor(0).shape.count)
      guard try b.integer(1) == 0 else { throw b.fail("batch axes are not supported") }
      try b.set(b.add(.gather(Gather(axis: axis)), [try b.input(0), try b.input(1)]))
    },
    Row(107, "GATHER_ND") { b throws(ImportError) in
      try b.set(b.add(.gatherND(GatherND()), [try b.input(0), try b.input(1)]))
    },
    Row(122, "SCATTER_ND") { b throws(ImportError) in
      let shape = try b.integers(2, "the shape")
      guard let type = try b.tensor(1).elementType else { throw b.fail("is no tensor of numbers") }
      let zero = type.isFloatingPoint ? b.scalar(0) : b.scalar(0, type)
      let target = b.add(.expand(Expand()), [zero, b.constant(shape)])
      let op = ScatterND(kind: .add)
      try b.set(b.add(.scatterND(op), [target, try b.input(0), try b.input(1)]))
    },
    Row(85, "ONE_HOT") { b throws(ImportError) in
      let depth = try b.integers(1, "the depth")
      let axis = try b.integer(0, in: -1...7, -1)
      guard depth.count == 1 else { throw b.fail("\(depth.count) depths") }
      let (on, off) = (try b.input(2), try b.input(3))
      let values = b.add(
        .concat(Concat(axis: 0)), [b.reshaped(off, [1]), b.reshaped(on, [1])])
      let op = OneHot(axis: axis)
      let count = b.constant(Constant(integers: depth, shape: Shape()))
      try b.set(b.add(.oneHot(op), [try b.input(0), count, values]))
    },
    Row(56, "ARG_MAX") { b throws(ImportError) in try argReduce(&b, isMinimum: false) },
    Row(79, "ARG_MIN") { b throws(ImportError) in try argReduce(&b, isMinimum: true) },
    Row(48, "TOPK_V2") { b throws(ImportError) in
      let k = try b.integers(1, "k")
      var x = try b.input(0)
      let t = try b.tensor(0)
      let isNarrow = t.elementType.map { $0.byteCount < 4 } ?? false
      if isNarrow { x = b.add(.cast(Cast(to: .i32)), [x]) }
      let both = b.add(.topK(TopK()), [x, b.constant(k)], outputs: 2)
      try b.set(isNarrow ? b.add(.cast(Cast(to: t.elementType!)), [both[0]]) : both[0], 0)
      if b.node.outputs.count > 1 { try b.set(b.add(.cast(Cast(to: .i32)), [both[1]]), 1) }
    },
    Row(96, "RANGE") { b throws(ImportError) in
      try b.set(
        b.add(.sequence(Sequence()), [try b.input(0), try b.input(1), try b.input(2)]))
    },
    Row(128, "CUMSUM") { b throws(ImportError) in
      let axes = try b.integers(1, "the axis")
      guard axes.count == 1 else { throw b.fail("\(axes.count) axes") }
      let axis = try b.axis(axes[0], rank: try b.tensor(0).shape.count)
      let op = CumSum(axis: axis, isExclusive: try b.bool(0), isReverse: try b.bool(1))
      try b.set(b.add(.cumSum(op), [try b.input(0)]))
    },
  ]

  /// Bounds that follow from data, as in the bodies of loops.
  private static func openSlice(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    let starts = b.add(.cast(Cast(to: .i64)), [try b.input(1)])
    let sizes = b.add(.cast(Cast(to: .i64)), [try b.input(2)])
    // A size of −1 is all there is.
    let sign = b.add(.binary(Binary(.shiftRight)), [sizes, b.scalar(63, .i64)])
    let rest = b.add(.binary(Binary(.bitAnd)), [sign, b.scalar(1 << 40, .i64)])
    let ends = b.add(.binary(Binary(.add)), [b.add(.binary(Binary(.add)), [starts, sizes]), rest])
    try b.set(b.add(.slice(Slice()), [try b.input(0), starts, ends]))
  }

  private static func argReduce(
    _ b: inout TFLiteGraphBuilder, isMinimum: Bool
  ) throws(ImportError) {
    let axes = try b.integers(1, "the axis")
    guard axes.count == 1 else { throw b.fail("\(axes.count) axes") }
    let axis = try b.axis(axes[0], rank: try b.tensor(0).shape.count)
    let found = b.add(
      .argReduce(ArgReduce(isMinimum: isMinimum, axis: axis, keepsAxis: false)),
      [try b.plain(0)])
    let type = try b.outputTensor().elementType ?? .i64
    try b.set(type == .i64 ? found : b.add(.cast(Cast(to: type)), [found]))
  }

  /// Masks say per axis: bounds left out, an axis taken out, one put in, the axes between.
  private static func stridedSlice(_ b: inout TFLiteGraphBuilder) throws(ImportError) {
    let begins = try b.integers(1, "the begin")
    let ends = try b.integers(2, "the end")
    let strides = try b.integers(3, "the strides")
    let masks = try (0..<5).map { i throws(ImportError) in try b.integer(i) }
    guard begins.count == ends.count, begins.count == strides.count, begins.count <= 12,
      strides.allSatisfy({ $0 != 0 })
    else { throw b.fail("begins \(begins), ends \(ends), strides \(strides)") }
    func isSet(_ mask: Int, _ i: Int) -> Bool { masks[mask] >> i & 1 == 1 }
    let isOffset = try b.bool(5)
    let rank = try b.tensor(0).shape.count
    let consumed = begins.indices.filter { !isSet(2, $0) && !isSet(3, $0) }.count
    var starts: [Int] = []
    var stops: [Int] = []
    var axes: [Int] = []
    var steps: [Int] = []
    var removed: [Int] = []
    // Where axes of 1 come in, counted in the output.
    var inserted: [Int] = []
    var axis = 0
    var output = 0
    for i in begins.indices {
      if isSet(2, i) {
        let width = max(rank - consumed, 0)
        axis += width
        output += width
        continue
      }
      if isSet(3, i) {
        inserted.append(output)
        output += 1
        continue
      }
      guard axis < rank else { throw b.fail("slices more axes than the \(rank) there are") }
      let step = isSet(4, i) ? 1 : strides[i]
      let limit = 1 << 40
      starts.append(isSet(0, i) ? (step > 0 ? 0 : limit) : begins[i])
      if isSet(4, i) {
        stops.append(begins[i] == -1 ? limit : begins[i] + 1)
        starts[starts.count - 1] = begins[i]
        removed.append(axis)
      } else if isSet(1, i) {
        stops.append(step > 0 ? limit : -limit)
      } else {
        stops.append(isOffset ? begins[i] + ends[i] : ends[i])
      }
      steps.append(step)
      axes.append(axis)
      if !isSet(4, i) { output += 1 }
      axis += 1
    }
    var y = try b.input(0)
    if !axes.isEmpty {
      let op = Slice(
        starts: try b.list(starts), ends: try b.list(stops), axes: try b.list(axes),
        steps: try b.list(steps))
      y = b.add(.slice(op), [y])
    }
    if !removed.isEmpty { y = b.add(.reshape(Reshape(.squeeze, try b.list(removed))), [y]) }
    if !inserted.isEmpty {
      guard inserted.allSatisfy({ $0 < 8 }) else { throw b.fail("has too many axes") }
      y = b.add(.reshape(Reshape(.unsqueeze, try b.list(inserted))), [y])
    }
    if axes.isEmpty, inserted.isEmpty { y = b.add(.reshape(Reshape(.identity)), [y]) }
    try b.set(y)
  }
}
