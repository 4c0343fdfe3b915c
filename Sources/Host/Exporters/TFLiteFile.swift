// A TFLite model in the making: tensors, operators, and their bytes.
import Tensors

/// A tensor and how its codes stand for real numbers.
struct TFLiteSketch {
  var name: String
  /// TensorType of the schema: 0 f32, 2 i32, 9 i8.
  var type: Int
  var shape: [Int]
  var scales: [Float] = []
  var zeroPoints: [Int] = []
  /// The axis that scales go along.
  var axis = 0
  /// Elements of a constant.
  var bytes: [UInt8]?
}

/// BuiltinOperator of the schema.
enum TFLiteOperator: Int {
  case add = 0
  case averagePool = 1
  case concatenation = 2
  case conv = 3
  case depthwiseConv = 4
  case dequantize = 6
  case fullyConnected = 9
  case logistic = 14
  case maxPool = 17
  case mul = 18
  case relu = 19
  case relu6 = 21
  case reshape = 22
  case softmax = 25
  case tanh = 28
  case pad = 34
  case transpose = 39
  case mean = 40
  case resizeNearest = 97
  case leakyRelu = 98
  case quantize = 114

  /// The version that brought 8-bit integers with a scale per channel.
  var version: Int {
    switch self {
    case .conv, .depthwiseConv: 3
    case .fullyConnected: 4
    case .add, .averagePool, .concatenation, .dequantize, .logistic, .maxPool, .mul, .softmax,
      .tanh, .pad, .transpose, .mean, .leakyRelu, .resizeNearest, .relu, .relu6:
      2
    case .reshape, .quantize: 1
    }
  }

  /// BuiltinOptions of the schema; 0 for none.
  var options: Int {
    switch self {
    case .conv: 1
    case .depthwiseConv: 2
    case .averagePool, .maxPool: 5
    case .fullyConnected: 8
    case .softmax: 9
    case .concatenation: 10
    case .add: 11
    case .reshape: 17
    case .mul: 21
    case .pad: 22
    case .transpose: 26
    case .mean: 27
    case .resizeNearest: 74
    case .leakyRelu: 75
    case .dequantize, .logistic, .relu, .relu6, .tanh, .quantize: 0
    }
  }
}

/// A model of one subgraph.
struct TFLiteFile {
  var name: String
  private(set) var tensors: [TFLiteSketch] = []
  private var operators: [(op: TFLiteOperator, inputs: [Int], outputs: [Int], FlatValue?)] = []
  var inputs: [Int] = []
  var outputs: [Int] = []

  init(name: String) { self.name = name }

  mutating func add(_ tensor: TFLiteSketch) -> Int {
    tensors.append(tensor)
    return tensors.count - 1
  }

  /// A constant of 32-bit integers.
  mutating func add(_ name: String, integers: [Int], shape: [Int]? = nil) -> Int {
    add(
      TFLiteSketch(
        name: name, type: 2, shape: shape ?? [integers.count],
        bytes: integers.map { Int32($0) }.withUnsafeBytes { [UInt8]($0) }))
  }

  mutating func add(
    _ op: TFLiteOperator, _ inputs: [Int], _ output: Int, _ options: [Int: FlatValue]? = nil
  ) {
    operators.append((op, inputs, [output], options.map { .table($0) }))
  }

  /// The whole file.
  var bytes: [UInt8] {
    var codes: [TFLiteOperator] = []
    // Buffer 0 is empty: tensors that are computed have that one.
    var buffers: [FlatValue] = [.table([:])]
    let tensorTables = tensors.map { tensor -> FlatValue in
      var fields: [Int: FlatValue] = [
        0: .integers(tensor.shape), 1: .byte(tensor.type), 3: .text(tensor.name),
      ]
      if let bytes = tensor.bytes {
        fields[2] = .int32(buffers.count)
        buffers.append(.table([0: .bytes(bytes)]))
      }
      if !tensor.scales.isEmpty {
        fields[4] = .table([
          2: .floats(tensor.scales), 3: .longs(tensor.zeroPoints), 6: .int32(tensor.axis),
        ])
      }
      return .table(fields)
    }
    let operatorTables = operators.map { op, inputs, outputs, options -> FlatValue in
      if !codes.contains(op) { codes.append(op) }
      var fields: [Int: FlatValue] = [
        0: .int32(codes.firstIndex(of: op) ?? 0), 1: .integers(inputs), 2: .integers(outputs),
      ]
      if op.options > 0 {
        fields[3] = .byte(op.options)
        fields[4] = options ?? .table([:])
      }
      return .table(fields)
    }
    let codeTables = codes.map { op in
      FlatValue.table([0: .byte(op.rawValue), 2: .int32(op.version), 3: .int32(op.rawValue)])
    }
    let subgraph = FlatValue.table([
      0: .tables(tensorTables), 1: .integers(inputs), 2: .integers(outputs),
      3: .tables(operatorTables), 4: .text(name),
    ])
    let model = FlatValue.table([
      0: .int32(3), 1: .tables(codeTables), 2: .tables([subgraph]), 3: .text("knapsack"),
      4: .tables(buffers),
    ])
    return FlatBufferWriter(root: model, identifier: "TFL3").bytes
  }
}
