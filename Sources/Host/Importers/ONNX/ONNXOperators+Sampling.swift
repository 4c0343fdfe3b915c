// Pictures read at places that follow from data, and blocks put back together.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let sampling: [ONNXOperator] = [
    ONNXOperator("GridSample", 16, gridSample),
    ONNXOperator("AffineGrid", 20, affineGrid),
    ONNXOperator("RoiAlign", 10, roiAlign),
    ONNXOperator("DeformConv", 19, deformConv),
    ONNXOperator("Col2Im", 18) { b throws(ImportError) in
      let inputs = [try b.input(0), try b.input(1), try b.input(2)]
      return [b.add(.col2Im(Col2Im(window: try window(b))), inputs)]
    },
    ONNXOperator("MaxUnpool", 9, maxUnpool),
    ONNXOperator("CenterCropPad", 18, centerCropPad),
  ]

  private static func gridSample(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let sampling: Sampling
    switch try b.string("mode", "linear") {
    case "nearest": sampling = .nearest
    case "linear", "bilinear": sampling = .linear
    case "cubic", "bicubic": sampling = .cubic
    case let mode: throw b.fail("mode '\(mode)' is not supported")
    }
    let padding: SamplePadding
    switch try b.string("padding_mode", "zeros") {
    case "zeros": padding = .zeros
    case "border": padding = .border
    case "reflection": padding = .reflection
    case let mode: throw b.fail("padding_mode '\(mode)' is not supported")
    }
    let op = GridSample(
      sampling, padding: padding, alignsCorners: try b.bool("align_corners", false))
    return [b.add(.gridSample(op), [try b.input(0), try b.input(1)])]
  }

  /// Every place of a grid of the given extents, its coordinates −1 to 1, turned by matrices.
  private static func affineGrid(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let theta = try b.input(0)
    let size = try b.input(1)
    let axes = try b.fixedExtent(theta, 1, "the number of axes")
    guard axes == 2 || axes == 3 else { throw b.fail("\(axes) spatial axes are not supported") }
    b.note("AffineGrid → ranges, matrix product")
    let alignsCorners = try b.bool("align_corners", false)
    let extents = (0..<axes).map { b.slice(size, axis: 0, from: 2 + $0, to: 3 + $0) }
    let shape = b.concat(extents, axis: 0)
    var parts: [ValueID] = []
    for axis in (0..<axes).reversed() {
      let count = b.cast(extents[axis], to: .f32)
      let index = b.indices(upTo: extents[axis], as: .f32)
      let place: ValueID
      if alignsCorners {
        place = b.binary(.div, b.affine(index, 2), b.affine(count, 1, -1))
      } else {
        place = b.binary(.div, b.affine(index, 2, 1), count)
      }
      let behind = Array(1..<max(axes - axis, 1))
      let column =
        behind.isEmpty ? b.affine(place, 1, -1) : b.unsqueeze(b.affine(place, 1, -1), behind)
      parts.append(b.unsqueeze(b.add(.expand(Expand()), [column, shape]), [axes]))
    }
    let ones = b.add(.constantOfShape(ConstantOfShape(.f32, value: 1, integer: 0)), [shape])
    parts.append(b.unsqueeze(ones, [axes]))
    let places = b.reshape(b.concat(parts, axis: axes), [-1, axes + 1])
    let turned = b.matMul(places, theta, MatMul(transposeB: true))
    return [b.reshape(turned, [b.extent(of: theta, 0)] + extents + [b.constant([axes])])]
  }

  private static func roiAlign(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let mode = try b.string("mode", "avg")
    let place = try b.string(
      "coordinate_transformation_mode", b.opset < 16 ? "output_half_pixel" : "half_pixel")
    guard mode == "avg" || mode == "max", place == "half_pixel" || place == "output_half_pixel"
    else { throw b.fail("mode '\(mode)' with coordinates '\(place)' is not supported") }
    let (rows, columns) = (try b.integer("output_height", 1), try b.integer("output_width", 1))
    let samples = try b.integer("sampling_ratio", 0)
    guard (1...1 << 16).contains(rows), (1...1 << 16).contains(columns),
      (0...64).contains(samples)
    else { throw b.fail("output extents or sampling_ratio are out of range") }
    let op = RoiAlign(
      rows: rows, columns: columns, samples: samples, scale: try b.float("spatial_scale", 1),
      takesMaximum: mode == "max", hasHalfPixels: place == "half_pixel")
    return [b.add(.roiAlign(op), [try b.input(0), try b.input(1), try b.input(2)])]
  }

  private static func deformConv(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let offsetGroups = try b.integer("offset_group", 1)
    guard (1...1 << 24).contains(offsetGroups) else {
      throw b.fail("\(offsetGroups) offset groups are out of range")
    }
    let op = DeformConv(window: try window(b), groups: try groups(b), offsetGroups: offsetGroups)
    let inputs = [
      try b.input(0), try b.input(1), try b.input(2), try b.optional(3), try b.optional(4),
    ]
    return [b.add(.deformConv(op), inputs)]
  }

  /// Elements put back where a pooling found them, zeros elsewhere.
  private static func maxUnpool(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let window = try window(b)
    let kernel = try b.integers("kernel_shape") ?? []
    let count = kernel.count
    guard (1...6).contains(count), kernel.allSatisfy({ (1...1 << 20).contains($0) }),
      window.strides.count == 0 || window.strides.count == count,
      window.pads.count == 0 || window.pads.count == 2 * count
    else { throw b.fail("kernel, strides and pads do not fit each other") }
    b.note("MaxUnpool → scatter")
    var extents = [b.extent(of: x, 0), b.extent(of: x, 1)]
    for i in 0..<count {
      let stride = window.strides.count == 0 ? 1 : window.strides[i]
      let pads = window.pads.count == 0 ? 0 : window.pads[i] + window.pads[i + count]
      let steps = b.binary(.mul, b.extent(of: x, 2 + i), b.constant([stride]))
      extents.append(b.binary(.add, steps, b.constant([kernel[i] - stride - pads])))
    }
    let shape = b.concat(extents, axis: 0)
    let zeros = b.add(.constantOfShape(ConstantOfShape(.f32, value: 0, integer: 0)), [shape])
    let places = b.reshape(b.cast(try b.input(1), to: .i64), [-1])
    let flat = b.add(
      .scatterElements(ScatterElements(axis: 0)),
      [b.reshape(zeros, [-1]), places, b.reshape(x, [-1])])
    let y = b.add(.reshape(Reshape(allowsZero: true)), [flat, shape])
    guard let wanted = try b.optional(2) else { return [y] }
    let none = b.constant([Int](repeating: 0, count: 2 + count))
    let pads = b.concat([none, b.binary(.sub, wanted, shape)], axis: 0)
    return [b.add(.pad(Pad(.constant)), [y, pads])]
  }

  /// Cut or padded with zeros on both sides alike, the odd element behind.
  private static func centerCropPad(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let target = b.cast(try b.input(1), to: .i64)
    b.note("CenterCropPad → slice, pad")
    let rank = try b.rank(x)
    let axes = try b.integers("axes") ?? Array(0..<rank)
    _ = try b.axes(axes)
    let places = b.constant(axes.map { $0 < 0 ? $0 + rank : $0 })
    let shape = b.add(.shapeOf(ShapeOf()), [x])
    let extents = b.add(.gather(Gather(axis: 0)), [shape, places])
    let (zero, two) = (b.constant([0]), b.constant([2]))
    let surplus = b.binary(.max, b.binary(.sub, extents, target), zero)
    let start = b.binary(.div, surplus, two)
    let end = b.binary(.add, start, b.binary(.min, extents, target))
    let cut = b.add(.slice(Slice()), [x, start, end, places, nil])
    let lack = b.binary(.max, b.binary(.sub, target, extents), zero)
    let front = b.binary(.div, lack, two)
    let pads = b.concat([front, b.binary(.sub, lack, front)], axis: 0)
    return [b.add(.pad(Pad(.constant)), [cut, pads, nil, places])]
  }
}
