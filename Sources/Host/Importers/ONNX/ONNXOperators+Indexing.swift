// Elements and slices picked, put and ranked.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let indexing: [ONNXOperator] = [
    ONNXOperator("Gather") { b throws(ImportError) in
      let axis = try b.axis(try b.integer("axis", 0))
      return [b.add(.gather(Gather(axis: axis)), [try b.input(0), try indices(&b, 1)])]
    },
    ONNXOperator("GatherElements", 11) { b throws(ImportError) in
      let axis = try b.axis(try b.integer("axis", 0))
      return [
        b.add(.gatherElements(GatherElements(axis: axis)), [try b.input(0), try indices(&b, 1)])
      ]
    },
    ONNXOperator("GatherND", 11) { b throws(ImportError) in
      let batchAxes = try b.integer("batch_dims", 0)
      guard (0...7).contains(batchAxes) else { throw b.fail("batch_dims is out of range") }
      return [
        b.add(.gatherND(GatherND(batchAxes: batchAxes)), [try b.input(0), try indices(&b, 1)])
      ]
    },
    ONNXOperator("Scatter", 9, scatterElements),
    ONNXOperator("ScatterElements", 11, scatterElements),
    ONNXOperator("ScatterND", 11) { b throws(ImportError) in
      let op = ScatterND(kind: try scatterKind(b))
      let (x, updates) = try scattered(&b, op.kind)
      return [b.add(.scatterND(op), [x, try indices(&b, 1), updates])]
    },
    ONNXOperator("OneHot", 9, oneHot),
    ONNXOperator("TopK") { b throws(ImportError) in
      try topK(&b, b.constant([try b.integer("k", 0)]))
    },
    ONNXOperator("TopK", 10) { b throws(ImportError) in try topK(&b, try b.input(1)) },
    ONNXOperator("ArgMax") { b throws(ImportError) in try argReduce(&b, isMinimum: false) },
    ONNXOperator("ArgMin") { b throws(ImportError) in try argReduce(&b, isMinimum: true) },
    ONNXOperator("CumSum", 11) { b throws(ImportError) in try running(&b, isProduct: false) },
    ONNXOperator("CumProd", 26) { b throws(ImportError) in try running(&b, isProduct: true) },
    ONNXOperator("Trilu", 14, trilu),
    ONNXOperator("ReverseSequence", 10, reverseSequence),
    ONNXOperator("Hardmax", 13, hardmax),
  ]

  /// Indices are i64 or i32 by the standard; others come from sloppy exports.
  private static func indices(
    _ b: inout ONNXGraphBuilder, _ i: Int
  ) throws(ImportError) -> ValueID {
    let value = try b.input(i)
    guard let type = b.elementType(value), type != .i64, type != .i32 else { return value }
    return b.add(.cast(Cast(to: .i64)), [value])
  }

  private static func scatterKind(_ b: ONNXGraphBuilder) throws(ImportError) -> ScatterKind {
    let name = try b.string("reduction", "none")
    return switch name {
    case "none": .replace
    case "add": .add
    case "mul": .mul
    case "max": .max
    case "min": .min
    default: throw b.fail("reduction '\(name)' is not supported")
    }
  }

  private static func scatterElements(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let op = ScatterElements(
      axis: try b.axis(try b.integer("axis", 0)), kind: try scatterKind(b))
    let (x, updates) = try scattered(&b, op.kind)
    return [b.add(.scatterElements(op), [x, try indices(&b, 1), updates])]
  }

  /// What is written to and what is written, as they are where elements only move.
  private static func scattered(
    _ b: inout ONNXGraphBuilder, _ kind: ScatterKind
  ) throws(ImportError) -> (ValueID, ValueID) {
    guard kind == .replace else { return (try b.input(0), try b.input(2)) }
    let both = try b.moved([0, 2])
    return (both[0], both[1])
  }

  private static func running(
    _ b: inout ONNXGraphBuilder, isProduct: Bool
  ) throws(ImportError) -> [ValueID] {
    var op = CumSum(
      axis: 0, isExclusive: try b.bool("exclusive", false), isReverse: try b.bool("reverse", false),
      isProduct: isProduct)
    let axis = try b.raw(1)
    guard let axes = b.fixedIntegers(axis) else {
      return [widened(&b, try b.input(0)) { b, x in b.add(.cumSum(op), [x, axis]) }]
    }
    guard axes.count == 1 else { throw b.fail("expected one axis") }
    op.axis = try b.axis(axes[0])
    return [widened(&b, try b.input(0)) { b, x in b.add(.cumSum(op), [x]) }]
  }

  private static func trilu(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let isUpper = try b.bool("upper", true)
    guard b.has(1) else { return [b.add(.trilu(Trilu(isUpper: isUpper)), [x])] }
    let diagonal = try b.raw(1)
    guard let k = b.fixedIntegers(diagonal) else {
      return [b.add(.trilu(Trilu(isUpper: isUpper)), [x, diagonal])]
    }
    guard k.count == 1, (-(1 << 40)...1 << 40).contains(k[0]) else {
      throw b.fail("the diagonal is out of range")
    }
    return [b.add(.trilu(Trilu(isUpper: isUpper, diagonal: k[0])), [x])]
  }

  /// The first elements of every sequence backwards, the rest as it is.
  private static func reverseSequence(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let rank = try b.rank(x)
    let (batch, time) = (try b.integer("batch_axis", 1), try b.integer("time_axis", 0))
    guard rank >= 2, batch + time == 1, batch == 0 || time == 0 else {
      throw b.fail("batch axis \(batch) and time axis \(time) are not 0 and 1")
    }
    b.note("ReverseSequence → indices, gather")
    let lengths = b.unsqueeze(b.cast(try b.input(1), to: .i64), [time])
    let step = b.unsqueeze(b.indices(upTo: b.extent(of: x, time)), [batch])
    let turned = b.binary(.sub, b.binary(.sub, lengths, b.whole(1)), step)
    var index = b.select(b.binary(.less, step, lengths), turned, step)
    if rank > 2 { index = b.unsqueeze(index, Array(2..<rank)) }
    let shape = b.add(.shapeOf(ShapeOf()), [x])
    let places = b.add(.expand(Expand()), [index, shape])
    return [b.add(.gatherElements(GatherElements(axis: time)), [x, places])]
  }

  /// The depth may come as any number type.
  private static func oneHot(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    var depth = try b.input(1)
    if b.elementType(depth) == .f32 { depth = b.add(.cast(Cast(to: .i64)), [depth]) }
    var index = try b.input(0)
    if let type = b.elementType(index), type != .i64, type != .i32 {
      index = b.add(.cast(Cast(to: .i64)), [index])
    }
    let axis = try b.axis(try b.integer("axis", -1))
    return [b.add(.oneHot(OneHot(axis: axis)), [index, depth, try b.input(2)])]
  }

  private static func topK(
    _ b: inout ONNXGraphBuilder, _ k: ValueID
  ) throws(ImportError) -> [ValueID] {
    let op = TopK(
      axis: try b.axis(try b.integer("axis", -1)), isSmallest: try !b.bool("largest", true))
    let x = try b.input(0)
    guard let type = b.elementType(x), ![.f32, .i64, .i32, .u64].contains(type) else {
      return b.add(.topK(op), [x, k], outputs: 2)
    }
    let found = b.add(.topK(op), [b.cast(x, to: .i64), k], outputs: 2)
    return [b.cast(found[0], to: type), found[1]]
  }

  private static func argReduce(
    _ b: inout ONNXGraphBuilder, isMinimum: Bool
  ) throws(ImportError) -> [ValueID] {
    let op = ArgReduce(
      isMinimum: isMinimum, axis: try b.axis(try b.integer("axis", 0)),
      keepsAxis: try b.bool("keepdims", true), selectsLast: try b.bool("select_last_index", false))
    var x = try b.input(0)
    if let type = b.elementType(x), ![.f32, .i64, .i32, .u64].contains(type) {
      x = b.cast(x, to: .i64)
    }
    return [b.add(.argReduce(op), [x])]
  }

  /// 1 where the first maximum along the axis stands, else 0.
  private static func hardmax(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let axis = try b.axis(try b.integer("axis", -1))
    b.note("Hardmax → argument of the maximum, one-hot")
    let best = b.add(.argReduce(ArgReduce(axis: axis, keepsAxis: false)), [x])
    let depth = b.add(.shapeOf(ShapeOf(start: axis, end: axis == -1 ? 8 : axis + 1)), [x])
    let values = b.addConstant(Constant(floats: [0, 1], shape: Shape([2])))
    return [b.add(.oneHot(OneHot(axis: axis)), [best, depth, values])]
  }
}
