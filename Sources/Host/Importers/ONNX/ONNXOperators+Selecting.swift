// Operators whose outputs are as many as the data says, and crops to extents that it gives.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let selecting: [ONNXOperator] = [
    ONNXOperator("NonZero", 9) { b throws(ImportError) in
      [b.add(.nonZero(NonZero()), [try b.raw(0)])]
    },
    ONNXOperator("Compress", 9) { b throws(ImportError) in
      let axis = try b.integer("axis").map { a throws(ImportError) in try b.axis(a) }
      return [b.add(.compress(Compress(axis: axis)), [try b.raw(0), try b.raw(1)])]
    },
    ONNXOperator("Unique", 11) { b throws(ImportError) in
      let axis = try b.integer("axis").map { a throws(ImportError) in try b.axis(a) }
      let op = Unique(axis: axis, isSorted: try b.bool("sorted", true))
      return b.add(.unique(op), [try b.raw(0)], outputs: 4)
    },
    ONNXOperator("NonMaxSuppression", 10) { b throws(ImportError) in
      let op = NonMaxSuppression(isCentered: try b.bool("center_point_box", false))
      let inputs = [
        try b.input(0), try b.input(1), try b.optional(2), try b.optional(3), try b.optional(4),
      ]
      return [b.add(.nonMaxSuppression(op), inputs)]
    },
    ONNXOperator("CenterCropPad", 18, centerCropPad),
  ]

  /// The middle of each axis, or zeros around it, to the extents that are wanted.
  private static func centerCropPad(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    var wanted = try b.input(1)
    if b.elementType(wanted) == .i32 { wanted = b.add(.cast(Cast(to: .i64)), [wanted]) }
    b.note("CenterCropPad → slice, pad")
    var extents = b.add(.shapeOf(ShapeOf()), [x])
    var axes: ValueID?
    if let list = try b.integers("axes") {
      let places = b.constant(try b.axes(list).array)
      axes = places
      extents = b.add(.gather(Gather(axis: 0)), [extents, places])
    }
    let (zero, two) = (b.constant([0]), b.constant([2]))
    func binary(_ kind: BinaryKind, _ p: ValueID, _ q: ValueID) -> ValueID {
      b.add(.binary(Binary(kind)), [p, q])
    }
    let cut = binary(.max, binary(.sub, extents, wanted), zero)
    let start = binary(.div, cut, two)
    let end = binary(.add, start, binary(.min, extents, wanted))
    let middle = b.add(.slice(Slice()), [x, start, end, axes])
    let missing = binary(.max, binary(.sub, wanted, extents), zero)
    let front = binary(.div, missing, two)
    let pads = b.add(.concat(Concat(axis: 0)), [front, binary(.sub, missing, front)])
    return [b.add(.pad(Pad(.constant)), [middle, pads, nil, axes])]
  }
}
