// What slides over spatial axes: convolutions, poolings, resizing.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let windows: [ONNXOperator] = [
    ONNXOperator("Conv") { b throws(ImportError) in
      let inputs = try weighted(&b)
      let op = Conv(window: try window(b), groups: try groups(b))
      guard b.facts.rank(inputs[1]!) == 5 else { return [b.add(.conv(op), inputs)] }
      return [
        try convolveVolume(
          &b, inputs[0]!, inputs[1]!, inputs.count > 2 ? inputs[2] : nil, op.window,
          groups: op.groups)
      ]
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

  static func window(_ b: ONNXGraphBuilder) throws(ImportError) -> Window {
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

  static func groups(_ b: ONNXGraphBuilder) throws(ImportError) -> Int {
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
      // Older writers name batch and channels too.
      let rank = b.facts.rank(inputs[0]!) ?? 4
      let spatial = min(wanted.count, max(rank - 2, 1))
      for (i, extent) in wanted.suffix(spatial).enumerated() {
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
    if b.facts.rank(inputs[1]!) == 5 {
      return [
        try convolveVolumeTransposed(
          &b, inputs[0]!, inputs[1]!, inputs.count > 2 ? inputs[2] : nil, window,
          groups: try groups(b), outputPadding: outputPadding)
      ]
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
    let x = try b.input(0)
    if kind == .max, b.node.outputs.count == 1, let type = b.elementType(x),
      type == .i8 || type == .u8,
      let rank = b.facts.rank(x), rank == 3 || rank == 4
    {
      let range = type == .i8 ? (-128, 127) : (0, 255)
      let op = IntegerPool(
        .max, kernel: kernel, window: try window(b), roundsUp: try b.bool("ceil_mode", false),
        low: range.0, high: range.1)
      let turned = b.transpose(x, rank == 4 ? [0, 2, 3, 1] : [0, 2, 1])
      return [
        b.transpose(
          b.add(.integerPool(op), [turned]), rank == 4 ? [0, 3, 1, 2] : [0, 2, 1])
      ]
    }
    let op = Pool(
      kind, kernel: kernel, window: try window(b), roundsUp: try b.bool("ceil_mode", false),
      includesPadding: try b.bool("count_include_pad", false), exponent: exponent)
    let type = b.elementType(x) ?? .f32
    // Bytes are f32 numbers too, and the largest stays the same.
    let real = b.cast(x, to: .f32)
    if b.node.outputs.count > 1, kind == .max {
      let places = PoolPlaces(
        kernel: kernel, window: op.window, roundsUp: op.roundsUp,
        isColumnMajor: try b.bool("storage_order", false))
      let found = b.add(.poolPlaces(places), [real], outputs: 2)
      return [b.cast(found[0], to: type), found[1]]
    }
    let y = kernel.count > 2 ? try poolVolume(&b, real, op) : b.add(.pool(op), [real])
    return [b.cast(y, to: type)]
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
    let sampling: Sampling
    switch try b.string("mode", "nearest") {
    case "nearest": sampling = .nearest
    case "linear": sampling = .linear
    case "cubic": sampling = .cubic
    case let mode: throw b.fail("mode '\(mode)' is not supported")
    }
    var isCropped = false
    let coordinates: ResizeCoordinates
    switch try b.string("coordinate_transformation_mode", "half_pixel") {
    case "half_pixel": coordinates = .halfPixel
    case "pytorch_half_pixel": coordinates = .pytorchHalfPixel
    case "align_corners": coordinates = .alignCorners
    case "asymmetric": coordinates = .asymmetric
    case "half_pixel_symmetric": coordinates = .halfPixelSymmetric
    case "tf_crop_and_resize":
      coordinates = .alignCorners
      isCropped = true
    case let place: throw b.fail("coordinates '\(place)' are not supported")
    }
    let rounding: ResizeRounding
    switch try b.string("nearest_mode", "round_prefer_floor") {
    case "round_prefer_floor": rounding = .preferFloor
    case "round_prefer_ceil": rounding = .preferCeil
    case "floor": rounding = .floor
    case "ceil": rounding = .ceil
    case let nearest: throw b.fail("nearest_mode '\(nearest)' is not supported")
    }
    let policy: AspectPolicy
    switch try b.string("keep_aspect_ratio_policy", "stretch") {
    case "stretch": policy = .stretch
    case "not_larger": policy = .notLarger
    case "not_smaller": policy = .notSmaller
    case let name: throw b.fail("policy '\(name)' is not supported")
    }
    let axes = try b.axes(try b.integers("axes") ?? [])
    // Opset 11 writes an empty tensor where a later one leaves the input out.
    let sizes = try b.optional(3)
    let target: ValueID
    if let sizes { target = sizes } else { target = try b.input(2) }
    let isSmoothed = try b.bool("antialias", false)
    let excludes = try b.bool("exclude_outside", false)
    guard sampling == .cubic || isCropped || isSmoothed || excludes || policy != .stretch else {
      let op = Resize(
        isLinear: sampling == .linear, coordinates: coordinates, rounding: rounding, axes: axes)
      return [b.add(.resize(op), [x, target])]
    }
    let op = Resample(
      sampling, coordinates: coordinates, rounding: rounding, isCropped: isCropped,
      isSmoothed: isSmoothed, excludesOutside: excludes,
      policy: sizes == nil ? .stretch : policy,
      cubicCoefficient: try b.float("cubic_coeff_a", -0.75),
      outside: try b.float("extrapolation_value", 0), axes: axes)
    let region = isCropped ? try b.input(1) : nil
    let type = b.elementType(x) ?? .f32
    let y = b.add(
      .resample(op), [b.cast(x, to: .f32), target] + (region.map { [$0] } ?? []))
    return [b.cast(y, to: type)]
  }
}
