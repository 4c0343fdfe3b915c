// Windows over three spatial axes, made of windows over two.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  /// The attributes of one axis of a window, padding settled.
  private struct Axis {
    var extent: Int
    var kernel: Int
    var stride: Int
    var dilation: Int
    var begin: Int
    var end: Int

    var reach: Int { (kernel - 1) * dilation + 1 }
    var outputs: Int { (extent + begin + end - reach) / stride + 1 }
  }

  private static func number(_ list: IntegerList, _ i: Int, _ fallback: Int) -> Int {
    i < list.count ? list[i] : fallback
  }

  /// The axes of a window over x [n, c, …], whose extents behind the batch are fixed.
  private static func axes(
    _ b: ONNXGraphBuilder, _ x: ValueID, _ kernel: [Int], _ window: Window
  ) throws(ImportError) -> [Axis] {
    var result: [Axis] = []
    for i in kernel.indices {
      let extent = try b.fixedExtent(x, 2 + i, "the extents of more than two spatial axes")
      var axis = Axis(
        extent: extent, kernel: kernel[i], stride: number(window.strides, i, 1),
        dilation: number(window.dilations, i, 1), begin: number(window.pads, i, 0),
        end: number(window.pads, i + kernel.count, 0))
      if window.autoPad == .sameUpper || window.autoPad == .sameLower {
        let wanted = (extent + axis.stride - 1) / axis.stride
        let total = max((wanted - 1) * axis.stride + axis.reach - extent, 0)
        axis.begin = window.autoPad == .sameUpper ? total / 2 : total - total / 2
        axis.end = total - axis.begin
      }
      guard extent <= 1 << 31, extent + axis.begin + axis.end >= axis.reach else {
        throw b.fail("window is larger than the padded input")
      }
      result.append(axis)
    }
    return result
  }

  /// A pooling axis by axis: maxima of maxima, means of means, norms of norms. The last two axes
  /// first, as the operator takes them; then the first one, as a column.
  static func poolVolume(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ op: Pool
  ) throws(ImportError) -> ValueID {
    guard op.kernel.count == 3 else {
      throw b.fail("\(op.kernel.count) spatial axes are not supported")
    }
    b.note("\(b.node.type) over three axes → over two, then one")
    let channels = try b.fixedExtent(x, 1, "the channels of three spatial axes")
    var extents: [Int] = []
    for i in 2..<5 {
      extents.append(try b.fixedExtent(x, i, "the extents of three spatial axes"))
    }
    func part(_ places: [Int?], _ list: IntegerList, _ fallback: Int) -> IntegerList {
      list.count == 0
        ? list : IntegerList(places.map { $0.map { number(list, $0, fallback) } ?? fallback })
    }
    func window(_ places: [Int?]) -> Window {
      Window(
        strides: part(places, op.window.strides, 1),
        dilations: part(places, op.window.dilations, 1),
        pads: part(places + places.map { $0.map { $0 + 3 } }, op.window.pads, 0),
        autoPad: op.window.autoPad)
    }
    var inner = op
    inner.kernel = IntegerList([op.kernel[1], op.kernel[2]])
    inner.window = window([1, 2])
    let planes = b.reshape(x, [-1, channels * extents[0], extents[1], extents[2]])
    let flat = b.add(.pool(inner), [planes])
    let (rows, columns) = (
      try b.fixedExtent(flat, 2, "output extents"), try b.fixedExtent(flat, 3, "output extents")
    )
    var outer = op
    outer.kernel = IntegerList([op.kernel[0], 1])
    outer.window = window([0, nil])
    let tall = b.reshape(flat, [-1, channels, extents[0], rows * columns])
    let y = b.add(.pool(outer), [tall])
    let depth = try b.fixedExtent(y, 2, "output extents")
    return b.reshape(y, [-1, channels, depth, rows, columns])
  }

  /// A convolution over three axes: the taps of the first one become channels of one over two.
  static func convolveVolume(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ weight: ValueID, _ bias: ValueID?,
    _ window: Window, groups: Int
  ) throws(ImportError) -> ValueID {
    var sizes: [Int] = []
    for i in 0..<5 { sizes.append(try b.fixedExtent(weight, i, "the extents of the weight")) }
    let (outputs, depth, taps) = (sizes[0], sizes[1], sizes[2])
    guard sizes.allSatisfy({ (1...1 << 24).contains($0) }), groups >= 1, outputs % groups == 0
    else { throw b.fail("the weight is out of range") }
    let axes = try axes(b, x, Array(sizes[2...]), window)
    guard taps <= 1 << 10 else { throw b.fail("\(taps) taps along an axis are not supported") }
    b.note("\(b.node.type) over three axes → taps as channels, over two")
    let front = axes[0]
    let shape = [axes[1].extent, axes[2].extent]
    var padded = x
    if front.begin != 0 || front.end != 0 {
      let pads = IntegerList([0, 0, front.begin, 0, 0, 0, 0, front.end, 0, 0])
      padded = b.add(.pad(Pad(.constant, pads: pads)), [x])
    }
    var slices: [ValueID] = []
    for tap in 0..<taps {
      let first = tap * front.dilation
      let slice = b.slice(
        padded, axis: 2, from: first, to: first + (front.outputs - 1) * front.stride + 1,
        by: front.stride)
      slices.append(b.reshape(slice, [-1, groups, depth, front.outputs] + shape))
    }
    let stacked = b.transpose(b.concat(slices, axis: 2), [0, 3, 1, 2, 4, 5])
    let pictures = b.reshape(stacked, [-1, groups * taps * depth] + shape)
    let turned = b.transpose(weight, [0, 2, 1, 3, 4])
    let filters = b.reshape(turned, [outputs, taps * depth, sizes[3], sizes[4]])
    let flat = Window(
      strides: IntegerList([axes[1].stride, axes[2].stride]),
      dilations: IntegerList([axes[1].dilation, axes[2].dilation]),
      pads: IntegerList([axes[1].begin, axes[2].begin, axes[1].end, axes[2].end]))
    let y = b.add(
      .conv(Conv(window: flat, groups: groups)), [pictures, filters] + (bias.map { [$0] } ?? []))
    let split = b.reshape(
      y, [-1, front.outputs, outputs, axes[1].outputs, axes[2].outputs])
    return b.transpose(split, [0, 2, 1, 3, 4])
  }

  /// A transposed convolution over three axes: a convolution of the input spread out with zeros, the
  /// kernel turned round.
  static func convolveVolumeTransposed(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ weight: ValueID, _ bias: ValueID?,
    _ window: Window, groups: Int, outputPadding: IntegerList
  ) throws(ImportError) -> ValueID {
    var sizes: [Int] = []
    for i in 0..<5 { sizes.append(try b.fixedExtent(weight, i, "the extents of the weight")) }
    guard sizes.allSatisfy({ (1...1 << 24).contains($0) }), groups >= 1, sizes[0] % groups == 0
    else { throw b.fail("the weight is out of range") }
    b.note("ConvTranspose over three axes → zeros between elements, Conv")
    var spread = x
    var pads = [Int](repeating: 0, count: 10)
    for i in 0..<3 {
      let extent = try b.fixedExtent(x, 2 + i, "the extents of three spatial axes")
      let stride = number(window.strides, i, 1)
      let dilation = number(window.dilations, i, 1)
      let extra = number(outputPadding, i, 0)
      guard extent >= 1, extent <= 1 << 20 else { throw b.fail("extent \(extent) is out of range") }
      if stride > 1 {
        let wide = b.unsqueeze(spread, [3 + i])
        var behind = [Int](repeating: 0, count: 12)
        behind[6 + 3 + i] = stride - 1
        let zeros = b.add(.pad(Pad(.constant, pads: IntegerList(behind))), [wide])
        var shape = [-1]
        for axis in 1..<5 {
          shape.append(
            axis == 2 + i ? extent * stride : try b.fixedExtent(spread, axis, "the extents"))
        }
        let joined = b.reshape(zeros, shape)
        spread = b.slice(joined, axis: 2 + i, from: 0, to: (extent - 1) * stride + 1)
      }
      let reach = (sizes[2 + i] - 1) * dilation
      var (begin, end) = (number(window.pads, i, 0), number(window.pads, i + 3, 0))
      if window.autoPad == .sameUpper || window.autoPad == .sameLower {
        let total = max((extent - 1) * stride + reach + 1 + extra - extent * stride, 0)
        begin = window.autoPad == .sameUpper ? total / 2 : total - total / 2
        end = total - begin
      }
      pads[2 + i] = reach - begin
      pads[7 + i] = reach - end + extra
    }
    let padded = b.add(.pad(Pad(.constant, pads: IntegerList(pads))), [spread])
    // [c, outputs / groups, …] → [outputs, c / groups, …], every axis backwards.
    let (depth, outputs) = (sizes[0] / groups, sizes[1])
    let kernel = Array(sizes[2...])
    let split = b.reshape(weight, [groups, depth, outputs] + kernel)
    let swapped = b.transpose(split, [0, 2, 1, 3, 4, 5])
    var turned = b.reshape(swapped, [groups * outputs, depth] + kernel)
    for axis in 2..<5 where sizes[axis] > 1 {
      turned = b.slice(turned, axis: axis, from: -1, to: -(1 << 40), by: -1)
    }
    let plain = Window(dilations: window.dilations)
    return try convolveVolume(&b, padded, turned, bias, plain, groups: groups)
  }
}
