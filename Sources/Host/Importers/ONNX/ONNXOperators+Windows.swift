// What slides over spatial axes: convolutions, poolings, resizing.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let windows: [ONNXOperator] = [
    ONNXOperator("Conv") { b throws(ImportError) in
      let op = Conv(window: try window(b), groups: try groups(b))
      return [b.add(.conv(op), try weighted(&b))]
    },
    ONNXOperator("ConvTranspose", convTranspose),
    ONNXOperator("MaxPool") { b throws(ImportError) in try pool(&b, .max) },
    ONNXOperator("AveragePool") { b throws(ImportError) in try pool(&b, .average) },
    ONNXOperator("LpPool", 2) { b throws(ImportError) in try pool(&b, .lp) },
    ONNXOperator("GlobalAveragePool") { b throws(ImportError) in try globalPool(&b, .mean) },
    ONNXOperator("GlobalMaxPool") { b throws(ImportError) in try globalPool(&b, .max) },
    ONNXOperator("GlobalLpPool", 2) { b throws(ImportError) in
      let exponent = try b.integer("p", 2)
      guard exponent == 1 || exponent == 2 else {
        throw b.fail("exponent \(exponent) is not supported")
      }
      return try globalPool(&b, exponent == 1 ? .l1 : .l2)
    },
    ONNXOperator("Upsample", 7) { b throws(ImportError) in
      guard let scales = try b.floats("scales") else { throw b.fail("has no scales") }
      let list = b.addConstant(Constant(floats: scales, shape: Shape([scales.count])))
      return try upsample(&b, list)
    },
    ONNXOperator("Upsample", 9) { b throws(ImportError) in try upsample(&b, try b.input(1)) },
    ONNXOperator("Resize", 10) { b throws(ImportError) in try upsample(&b, try b.input(1)) },
    ONNXOperator("Resize", 11, resize),
  ]

  /// An attribute of numbers between bounds, short enough for an operator.
  private static func numbers(
    _ b: ONNXGraphBuilder, _ name: String, _ range: ClosedRange<Int>
  ) throws(ImportError) -> IntegerList {
    let list = try b.integers(name) ?? []
    guard list.allSatisfy(range.contains) else {
      throw b.fail("attribute '\(name)': \(list.prefix(9)) is out of range")
    }
    return try b.list(list, name)
  }

  private static func window(_ b: ONNXGraphBuilder) throws(ImportError) -> Window {
    let name = try b.string("auto_pad", "NOTSET")
    let autoPad: AutoPad
    switch name {
    case "NOTSET", "": autoPad = .explicit
    case "SAME_UPPER": autoPad = .sameUpper
    case "SAME_LOWER": autoPad = .sameLower
    case "VALID": autoPad = .valid
    default: throw b.fail("auto_pad '\(name)' is not supported")
    }
    return Window(
      strides: try numbers(b, "strides", 1...1 << 20),
      dilations: try numbers(b, "dilations", 1...1 << 20),
      // Chosen padding makes whatever a sloppy writer left in `pads` void.
      pads: autoPad == .explicit ? try numbers(b, "pads", 0...1 << 20) : IntegerList(),
      autoPad: autoPad)
  }

  private static func groups(_ b: ONNXGraphBuilder) throws(ImportError) -> Int {
    let groups = try b.integer("group", 1)
    guard (1...1 << 24).contains(groups) else { throw b.fail("\(groups) groups are out of range") }
    return groups
  }

  /// x, the kernel and the bias if there is one.
  private static func weighted(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID?] {
    let bias = try b.optional(2)
    return [try b.input(0), try b.input(1)] + (bias.map { [$0] } ?? [])
  }

  /// A given output shape settles the padding, which then needs a known input.
  private static func convTranspose(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let inputs = try weighted(&b)
    var window = try window(b)
    var outputPadding = try numbers(b, "output_padding", 0...1 << 20)
    if let wanted = try b.integers("output_shape") {
      let isUpper = window.autoPad == .sameUpper
      var before: [Int] = []
      var after: [Int] = []
      var behind: [Int] = []
      for (i, extent) in wanted.suffix(2).enumerated() {
        let spatial = min(wanted.count, 2)
        guard let input = b.facts.extent(inputs[0]!, 2 + i), input < 1 << 40,
          let kernel = b.facts.extent(inputs[1]!, 2 + i), kernel < 1 << 20,
          window.strides.count == 0 || window.strides.count == spatial,
          window.dilations.count == 0 || window.dilations.count == spatial,
          outputPadding.count == 0 || outputPadding.count == spatial
        else { throw b.fail("an output shape needs input extents that are fixed") }
        let stride = window.strides.count == 0 ? 1 : window.strides[i]
        let dilation = window.dilations.count == 0 ? 1 : window.dilations[i]
        let extra = outputPadding.count == 0 ? 0 : outputPadding[i]
        let full = stride * (input - 1) + extra + (kernel - 1) * dilation + 1
        guard extent >= 1, extent <= full + 1 << 20 else {
          throw b.fail("output extent \(extent) is out of range")
        }
        // What the kernel does not reach is added behind.
        let total = max(full - extent, 0)
        behind.append(extra + max(extent - full, 0))
        before.append(isUpper ? total / 2 : total - total / 2)
        after.append(isUpper ? total - total / 2 : total / 2)
      }
      window.autoPad = .explicit
      window.pads = try b.list(before + after, "pads")
      outputPadding = try b.list(behind, "output padding")
    }
    let op = ConvTranspose(window: window, groups: try groups(b), outputPadding: outputPadding)
    return [b.add(.convTranspose(op), inputs)]
  }

  private static func pool(
    _ b: inout ONNXGraphBuilder, _ kind: PoolKind
  ) throws(ImportError) -> [ValueID] {
    let kernel = try numbers(b, "kernel_shape", 1...1 << 20)
    guard kernel.count > 0 else { throw b.fail("has no kernel_shape") }
    let exponent = kind == .lp ? try b.integer("p", 2) : 2
    guard (1...64).contains(exponent) else { throw b.fail("exponent \(exponent) is out of range") }
    let op = Pool(
      kind, kernel: kernel, window: try window(b), roundsUp: try b.bool("ceil_mode", false),
      includesPadding: try b.bool("count_include_pad", false), exponent: exponent)
    return [b.add(.pool(op), [try b.input(0)])]
  }

  private static func globalPool(
    _ b: inout ONNXGraphBuilder, _ kind: ReduceKind
  ) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let rank = try b.rank(x)
    guard rank > 2 else { return [x] }
    b.note("\(b.node.type) → reduction over the spatial axes")
    let op = Reduce(kind, axes: IntegerList(Array(2..<rank)), keepsAxes: true)
    return [b.add(.reduce(op), [x])]
  }

  /// Nearest neighbour takes the element at ⌊i / scale⌋, linear interpolates at i / scale.
  private static func upsample(
    _ b: inout ONNXGraphBuilder, _ scales: ValueID
  ) throws(ImportError) -> [ValueID] {
    let mode = try b.string("mode", "nearest")
    guard mode == "nearest" || mode == "linear" else {
      throw b.fail("mode '\(mode)' is not supported")
    }
    let op = Resize(isLinear: mode == "linear", coordinates: .asymmetric, rounding: .floor)
    return [b.add(.resize(op), [try b.input(0), scales])]
  }

  private static func resize(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let mode = try b.string("mode", "nearest")
    guard mode == "nearest" || mode == "linear" else {
      throw b.fail("mode '\(mode)' is not supported")
    }
    let place = try b.string("coordinate_transformation_mode", "half_pixel")
    let coordinates: ResizeCoordinates
    switch place {
    case "half_pixel": coordinates = .halfPixel
    case "pytorch_half_pixel": coordinates = .pytorchHalfPixel
    case "align_corners": coordinates = .alignCorners
    case "asymmetric": coordinates = .asymmetric
    case "half_pixel_symmetric": coordinates = .halfPixelSymmetric
    default: throw b.fail("coordinates '\(place)' are not supported")
    }
    let nearest = try b.string("nearest_mode", "round_prefer_floor")
    let rounding: ResizeRounding
    switch nearest {
    case "round_prefer_floor": rounding = .preferFloor
    case "round_prefer_ceil": rounding = .preferCeil
    case "floor": rounding = .floor
    case "ceil": rounding = .ceil
    default: throw b.fail("nearest_mode '\(nearest)' is not supported")
    }
    guard try !b.bool("antialias", false) else { throw b.fail("antialias is not supported") }
    let policy = try b.string("keep_aspect_ratio_policy", "stretch")
    guard policy == "stretch" else { throw b.fail("policy '\(policy)' is not supported") }
    let op = Resize(
      isLinear: mode == "linear", coordinates: coordinates, rounding: rounding,
      axes: try b.axes(try b.integers("axes") ?? []))
    // Opset 11 writes an empty tensor where a later one leaves the input out.
    if let sizes = try b.optional(3) { return [b.add(.resize(op), [x, sizes])] }
    return [b.add(.resize(op), [x, try b.input(2)])]
  }
}
