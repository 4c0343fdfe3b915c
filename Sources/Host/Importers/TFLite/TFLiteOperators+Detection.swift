// The custom operator at the end of SSD models.
import Graphs
import Operators
import Tensors

extension TFLiteOperatorTable {
  static let detection: [Row] = [
    Row(customCode, "TFLite_Detection_PostProcess") { b throws(ImportError) in
      let options = try FlexMap(b.model.file, b.node.customOptions)
      func whole(_ key: String, _ fallback: Int) throws(ImportError) -> Int {
        let value = Int(options.numbers[key]?.rounded() ?? Double(fallback))
        guard 1...1 << 16 ~= value else { throw b.fail("\(key) is \(value)") }
        return value
      }
      func real(_ key: String) throws(ImportError) -> Float {
        guard let value = options.numbers[key] else { throw b.fail("has no \(key)") }
        return Float(value)
      }
      let op = DetectionPostProcess(
        detections: try whole("max_detections", 10),
        classesPerDetection: try whole("max_classes_per_detection", 1),
        detectionsPerClass: try whole("detections_per_class", 100),
        isRegular: (options.numbers["use_regular_nms"] ?? 0) != 0,
        classes: try whole("num_classes", 1),
        scoreThreshold: try real("nms_score_threshold"),
        overlapThreshold: try real("nms_iou_threshold"),
        scales: (
          y: try real("y_scale"), x: try real("x_scale"), h: try real("h_scale"),
          w: try real("w_scale")
        ))
      let made = b.add(
        .detection(op), [try b.real(0), try b.real(1), try b.realConstant(2)], outputs: 4)
      for i in 0..<min(b.node.outputs.count, 4) { try b.set(made[i], i) }
    }
  ]
}

extension TFLiteOperatorTable {
  static let suppression: [Row] = [
    Row(120, "NON_MAX_SUPPRESSION_V4") { b throws(ImportError) in try suppress(&b, isSoft: false) },
    Row(121, "NON_MAX_SUPPRESSION_V5") { b throws(ImportError) in try suppress(&b, isSoft: true) },
  ]

  /// The numbers of the best boxes, with V5 their scores too, zeros behind them; and how many they are.
  private static func suppress(
    _ b: inout TFLiteGraphBuilder, isSoft: Bool
  ) throws(ImportError) {
    let most = try b.integers(2, "the number of boxes")
    guard most.count == 1, 0...1 << 20 ~= most[0] else { throw b.fail("\(most) boxes") }
    if isSoft {
      guard let sigma = try b.model.constant(try b.tensor(5))?.floats, sigma.allSatisfy({ $0 == 0 })
      else { throw b.fail("scores that fade with overlap (a sigma) are not supported") }
    }
    let boxes = b.add(.reshape(Reshape(.unsqueeze, IntegerList([0]))), [try b.input(0)])
    let scores = b.add(.reshape(Reshape(.unsqueeze, IntegerList([0, 1]))), [try b.input(1)])
    let inputs: [ValueID?] = [boxes, scores, b.constant(most), try b.input(3), try b.input(4)]
    let found = b.add(.nonMaxSuppression(NonMaxSuppression()), inputs)
    let column = slice(&b, found, 1, 2, 3)
    let places = b.add(
      .cast(Cast(to: .i32)), [b.add(.reshape(Reshape(.squeeze, IntegerList([1]))), [column])])
    func filled(_ b: inout TFLiteGraphBuilder, _ x: ValueID, _ type: ElementType) -> ValueID {
      let op = ConstantOfShape(type, value: 0, integer: 0)
      let zeros = b.add(.constantOfShape(op), [b.constant(most)])
      return slice(&b, b.add(.concat(Concat(axis: 0)), [x, zeros]), 0, 0, most[0])
    }
    try b.set(filled(&b, places, .i32), 0)
    if isSoft {
      let best = b.add(.gather(Gather(axis: 0)), [try b.input(1), places])
      try b.set(filled(&b, best, .f32), 1)
    }
    let count = b.add(.shapeOf(ShapeOf(isProduct: true)), [places])
    try b.set(b.add(.cast(Cast(to: .i32)), [count]), isSoft ? 2 : 1)
  }
}

/// The numbers of a FlexBuffers map: how custom operators of TFLite keep their options.
struct FlexMap {
  private(set) var numbers: [String: Double] = [:]

  private static let maximumCount = 1024

  /// An empty range is an empty map.
  init(_ file: ModelFile, _ range: Range<Int>) throws(ImportError) {
    let bytes = [UInt8](try file.view(range))
    guard !bytes.isEmpty else { return }
    func refuse(_ at: Int) -> ImportError {
      file.malformed(range.lowerBound + max(at, 0), "options that are no FlexBuffers map")
    }
    func load(_ at: Int, _ width: Int) throws(ImportError) -> UInt64 {
      guard at >= 0, at <= bytes.count - width else { throw refuse(at) }
      return (0..<width).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
    }
    func target(_ at: Int, _ width: Int) throws(ImportError) -> Int {
      let distance = try load(at, width)
      guard distance <= UInt64(at) else { throw refuse(at) }
      return at - Int(distance)
    }
    guard bytes.count >= 3 else { throw refuse(0) }
    let rootWidth = Int(bytes[bytes.count - 1])
    let rootType = Int(bytes[bytes.count - 2])
    guard [1, 2, 4, 8].contains(rootWidth), rootType >> 2 == 9 else { throw refuse(bytes.count) }
    // Before the values stand: where the keys are, the width of their offsets, the count.
    let width = 1 << (rootType & 3)
    let values = try target(bytes.count - 2 - rootWidth, rootWidth)
    let count = try load(values - width, width)
    guard count <= UInt64(FlexMap.maximumCount) else { throw refuse(values) }
    let keys = try target(values - 3 * width, width)
    let keyWidth = Int(try load(values - 2 * width, width))
    guard [1, 2, 4, 8].contains(keyWidth) else { throw refuse(values) }
    for i in 0..<Int(count) {
      var at = try target(keys + i * keyWidth, keyWidth)
      var name: [UInt8] = []
      while at < bytes.count, bytes[at] != 0, name.count < 256 {
        name.append(bytes[at])
        at += 1
      }
      let type = Int(try load(values + Int(count) * width + i, 1))
      let bits = try load(values + i * width, width)
      if let value = FlexMap.number(type >> 2, bits, width) {
        numbers[String(decoding: name, as: UTF8.self)] = value
      }
    }
  }

  /// A value stored in the map itself: an integer, a float or a bool.
  private static func number(_ kind: Int, _ bits: UInt64, _ width: Int) -> Double? {
    switch kind {
    case 1:
      let unused = UInt64(64 - 8 * width)
      return Double(Int64(bitPattern: bits << unused) >> Int64(unused))
    case 2, 26: return Double(bits)
    case 3:
      switch width {
      case 4: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
      case 8: return Double(bitPattern: bits)
      case 2: return Double(Float16(bitPattern: UInt16(truncatingIfNeeded: bits)))
      default: return nil
      }
    default: return nil
    }
  }
}
