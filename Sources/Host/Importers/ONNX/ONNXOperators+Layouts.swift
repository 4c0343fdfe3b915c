// The same elements elsewhere: reshapes, permutations, joins, cuts, paddings.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let layouts: [ONNXOperator] = [
    ONNXOperator("Reshape", 5, reshape),
    ONNXOperator("Flatten") { b throws(ImportError) in
      let axis = try b.axis(try b.integer("axis", 1))
      return [b.add(.reshape(Reshape(.flatten, IntegerList([axis]))), [try b.raw(0)])]
    },
    ONNXOperator("Squeeze") { b throws(ImportError) in try squeeze(&b, try b.integers("axes")) },
    ONNXOperator("Squeeze", 13) { b throws(ImportError) in
      if let axes = try b.openInput(1) {
        return [b.add(.reshape(Reshape(fromInput: .squeeze)), [try b.raw(0), axes])]
      }
      return try squeeze(&b, try b.optionalIntegers(1, "axes"))
    },
    ONNXOperator("Unsqueeze") { b throws(ImportError) in
      try unsqueeze(&b, try b.integers("axes") ?? [])
    },
    ONNXOperator("Unsqueeze", 13) { b throws(ImportError) in
      if let axes = try b.openInput(1) {
        return [b.add(.reshape(Reshape(fromInput: .unsqueeze)), [try b.raw(0), axes])]
      }
      return try unsqueeze(&b, try b.integers(try b.raw(1), "axes"))
    },
    ONNXOperator("Transpose", transpose),
    ONNXOperator("Expand", 8) { b throws(ImportError) in
      [b.add(.expand(Expand()), [try b.raw(0), try b.input(1)])]
    },
    ONNXOperator("Concat", 4) { b throws(ImportError) in
      let axis = try b.axis(try b.integer("axis", 1))
      let all = try b.moved(Array(0..<max(b.inputCount, 1)))
      return [b.add(.concat(Concat(axis: axis)), all)]
    },
    ONNXOperator("Split", 2) { b throws(ImportError) in try split(&b, try b.integers("split")) },
    ONNXOperator("Split", 13) { b throws(ImportError) in
      if let sizes = try b.openInput(1) { return try splitByInput(&b, sizes) }
      return try split(&b, try b.optionalIntegers(1, "sizes"))
    },
    ONNXOperator("Slice", sliceByAttributes), ONNXOperator("Slice", 10, sliceByInputs),
    ONNXOperator("Tile", 6) { b throws(ImportError) in
      [b.add(.tile(Tile()), [try b.raw(0), try b.input(1)])]
    },
    ONNXOperator("Pad", 2, padByAttributes), ONNXOperator("Pad", 11, padByInputs),
    ONNXOperator("DepthToSpace", depthToSpace), ONNXOperator("SpaceToDepth", spaceToDepth),
  ]

  private static func reshape(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let target = try b.input(1)
    let allowsZero = try b.bool("allowzero", false)
    if let list = b.fixedIntegers(target) {
      guard list.count <= Shape.maximumRank, list.allSatisfy({ (-1...1 << 40).contains($0) }) else {
        throw b.fail("target shape \(list.prefix(9)) is out of range")
      }
      let kind: ReshapeKind = allowsZero ? .targetWithZero : .target
      return [b.add(.reshape(Reshape(kind, IntegerList(list))), [x])]
    }
    return [b.add(.reshape(Reshape(allowsZero: allowsZero)), [x, target])]
  }

  private static func squeeze(
    _ b: inout ONNXGraphBuilder, _ axes: [Int]?
  ) throws(ImportError) -> [ValueID] {
    // An empty list squeezes nothing, no list squeezes all.
    if let axes, axes.isEmpty { return [try b.raw(0)] }
    return [b.add(.reshape(Reshape(.squeeze, try b.axes(axes ?? []))), [try b.raw(0)])]
  }

  private static func unsqueeze(
    _ b: inout ONNXGraphBuilder, _ axes: [Int]
  ) throws(ImportError) -> [ValueID] {
    [b.add(.reshape(Reshape(.unsqueeze, try b.axes(axes))), [try b.raw(0)])]
  }

  private static func transpose(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let order: [Int]
    if let given = try b.integers("perm") {
      order = given
    } else {
      // Where only a run finds the rank, the operator turns the axes around.
      order = (0..<(b.facts.rank(x) ?? 0)).reversed()
    }
    guard order.sorted() == Array(0..<order.count) else {
      throw b.fail("\(order.prefix(9)) is no permutation")
    }
    return [b.add(.transpose(Transpose(try b.axes(order))), [x])]
  }

  static func slice(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, axis: Int, from start: Int, to end: Int
  ) -> ValueID {
    let op = Slice(
      starts: IntegerList([start]), ends: IntegerList([end]), axes: IntegerList([axis]),
      steps: IntegerList([1]))
    return b.add(.slice(op), [x])
  }

  /// One slice per output.
  private static func split(
    _ b: inout ONNXGraphBuilder, _ sizes: [Int]?
  ) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let axis = try b.axis(try b.integer("axis", 0))
    let count = b.node.outputs.count
    guard count >= 1 else { throw b.fail("has no output") }
    var parts: [Int]
    if let sizes {
      guard sizes.count == count, sizes.allSatisfy({ (0...1 << 40).contains($0) }) else {
        throw b.fail("expected \(count) sizes, found \(sizes.prefix(9))")
      }
      parts = sizes
    } else {
      guard let extent = b.facts.extent(x, axis) else {
        return try splitEqually(&b, x, axis, count)
      }
      let part = (extent + count - 1) / count
      parts = (0..<count).map { min(part, max(0, extent - $0 * part)) }
    }
    b.note("Split → slices")
    var at = 0
    var results: [ValueID] = []
    for part in parts {
      results.append(slice(&b, x, axis: axis, from: at, to: at + part))
      at += part
    }
    return results
  }

  /// Equal parts, the last one smaller, of an axis whose extent follows from the input's.
  private static func splitEqually(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ axis: Int, _ count: Int
  ) throws(ImportError) -> [ValueID] {
    b.note("Split → slices")
    let extent = b.add(.shapeOf(ShapeOf(start: axis, end: axis == -1 ? 8 : axis + 1)), [x])
    let more = b.add(.binary(Binary(.add)), [extent, b.constant([count - 1])])
    let part = b.add(.binary(Binary(.div)), [more, b.constant([count])])
    let axes = b.constant([axis])
    return (0..<count).map { i in
      let start = b.add(.binary(Binary(.mul)), [part, b.constant([i])])
      let end = b.add(.binary(Binary(.add)), [start, part])
      return b.add(.slice(Slice()), [x, start, end, axes])
    }
  }

  /// Parts whose sizes follow from data.
  private static func splitByInput(
    _ b: inout ONNXGraphBuilder, _ sizes: ValueID
  ) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let axes = b.constant([try b.axis(try b.integer("axis", 0))])
    b.note("Split → slices")
    let ends = b.add(.cumSum(CumSum(axis: 0)), [sizes])
    let starts = b.add(.binary(Binary(.sub)), [ends, sizes])
    return b.node.outputs.indices.map { i in
      let from = slice(&b, starts, axis: 0, from: i, to: i + 1)
      let to = slice(&b, ends, axis: 0, from: i, to: i + 1)
      return b.add(.slice(Slice()), [x, from, to, axes])
    }
  }

  private static func sliceByAttributes(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    guard let starts = try b.integers("starts"), let ends = try b.integers("ends") else {
      throw b.fail("has no bounds")
    }
    let op = Slice(
      starts: try b.list(starts, "starts"), ends: try b.list(ends, "ends"),
      axes: try b.axes(try b.integers("axes") ?? []), steps: IntegerList())
    return [b.add(.slice(op), [try b.raw(0)])]
  }

  private static func sliceByInputs(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let bounds = [try b.input(1), try b.input(2), try b.optional(3), try b.optional(4)]
    let known = bounds.map { $0 == nil ? [] : b.fixedIntegers($0!) }
    if let starts = known[0], let ends = known[1], let axes = known[2], let steps = known[3] {
      let op = Slice(
        starts: try b.list(starts, "starts"), ends: try b.list(ends, "ends"),
        axes: try b.axes(axes), steps: try b.list(steps, "steps"))
      return [b.add(.slice(op), [x])]
    }
    return [b.add(.slice(Slice()), [x] + bounds)]
  }

  private static func padMode(_ b: ONNXGraphBuilder) throws(ImportError) -> PadMode {
    let name = try b.string("mode", "constant")
    return switch name {
    case "constant": .constant
    case "reflect": .reflect
    case "edge": .edge
    case "wrap": .wrap
    default: throw b.fail("mode '\(name)' is not supported")
    }
  }

  private static func padByAttributes(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let pads = try b.list(try b.integers("pads") ?? [], "pads")
    let value = try b.float("value", 0)
    let fill = value == 0 ? nil : b.scalar(value)
    return [b.add(.pad(Pad(try padMode(b), pads: pads)), [try b.input(0), nil, fill])]
  }

  private static func padByInputs(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let moved = try b.moved(b.has(2) ? [0, 2] : [0])
    let (x, fill) = (moved[0], b.has(2) ? moved[1] : nil)
    let pads = try b.input(1)
    let axes = try b.optional(3)
    let mode = try padMode(b)
    if let list = b.fixedIntegers(pads), let places = axes == nil ? [] : b.fixedIntegers(axes!) {
      guard list.allSatisfy({ abs($0.clampedMagnitude) <= 1 << 40 }) else {
        throw b.fail("pads are out of range")
      }
      let op = Pad(mode, pads: try b.list(list, "pads"), axes: try b.axes(places))
      return [b.add(.pad(op), [x, nil, fill])]
    }
    return [b.add(.pad(Pad(mode)), [x, pads, fill, axes])]
  }

  private static func blockSize(_ b: ONNXGraphBuilder) throws(ImportError) -> Int {
    let size = try b.integer("blocksize", 0)
    guard (1...1 << 16).contains(size) else { throw b.fail("block size \(size) is out of range") }
    return size
  }

  /// [n, c, h, w] → [n, c / s², h·s, w·s], through six axes.
  private static func depthToSpace(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let size = try blockSize(b)
    let mode = try b.string("mode", "DCR")
    guard mode == "DCR" || mode == "CRD" else { throw b.fail("mode '\(mode)' is not supported") }
    b.note("DepthToSpace → reshape, transpose, reshape")
    let batch = b.add(.shapeOf(ShapeOf(start: 0, end: 1)), [x])
    let rows = b.add(.shapeOf(ShapeOf(start: 2, end: 3)), [x])
    let columns = b.add(.shapeOf(ShapeOf(start: 3, end: 4)), [x])
    let depths = b.constant(mode == "DCR" ? [size, size, -1] : [-1, size, size])
    let six = b.add(.concat(Concat(axis: 0)), [batch, depths, rows, columns])
    let blocks = b.add(.reshape(Reshape()), [x, six])
    let order = mode == "DCR" ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]
    let turned = b.add(.transpose(Transpose(IntegerList(order))), [blocks])
    let s = b.constant([size])
    let tall = b.add(.binary(Binary(.mul)), [rows, s])
    let wide = b.add(.binary(Binary(.mul)), [columns, s])
    let four = b.add(.concat(Concat(axis: 0)), [batch, b.constant([-1]), tall, wide])
    return [b.add(.reshape(Reshape()), [turned, four])]
  }

  /// [n, c, h, w] → [n, c·s², h / s, w / s], through six axes.
  private static func spaceToDepth(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let size = try blockSize(b)
    b.note("SpaceToDepth → reshape, transpose, reshape")
    let s = b.constant([size])
    let front = b.add(.shapeOf(ShapeOf(start: 0, end: 2)), [x])
    let batch = b.add(.shapeOf(ShapeOf(start: 0, end: 1)), [x])
    let rows = b.add(
      .binary(Binary(.div)), [b.add(.shapeOf(ShapeOf(start: 2, end: 3)), [x]), s])
    let columns = b.add(
      .binary(Binary(.div)), [b.add(.shapeOf(ShapeOf(start: 3, end: 4)), [x]), s])
    let six = b.add(.concat(Concat(axis: 0)), [front, rows, s, columns, s])
    let blocks = b.add(.reshape(Reshape()), [x, six])
    // Which of the new channels run fastest: the old ones (DCR) or the places in the block (CRD).
    let mode = try b.string("mode", "DCR")
    guard mode == "DCR" || mode == "CRD" else { throw b.fail("mode '\(mode)' is not supported") }
    let order = mode == "DCR" ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4]
    let turned = b.add(.transpose(Transpose(IntegerList(order))), [blocks])
    let four = b.add(.concat(Concat(axis: 0)), [batch, b.constant([-1]), rows, columns])
    return [b.add(.reshape(Reshape()), [turned, four])]
  }
}

extension Int {
  /// The number, its size cut to one whose negation exists.
  fileprivate var clampedMagnitude: Int { Swift.max(self, -Int.max) }
}
