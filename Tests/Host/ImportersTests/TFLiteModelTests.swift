// Whole TFLite models against what ai-edge-litert with XNNPACK, their default engine, computes.
import Graphs
import Importers
import Tensors
import Testing

/// One TFLite model of the model set and its recorded inputs and outputs.
struct TFLiteCase: CustomTestStringConvertible, Sendable {
  var model: String
  var data: String
  /// Largest difference from the reference; 0 where bits are equal.
  var tolerance: Float

  var testDescription: String { model }

  init(_ folder: String, _ model: String, _ data: String, _ tolerance: Float) {
    self.model = folder + "/" + model
    self.data = folder + "/" + data
    self.tolerance = tolerance
  }

  static let all = [
    TFLiteCase(
      "cls-mobilenet-v1-025", "mobilenet_v1_025_224_float.tflite", "io_tflite.safetensors", 1e-4),
    TFLiteCase(
      "cls-mobilenet-v1-025", "mobilenet_v1_025_224_uint8.tflite", "io_uint8.safetensors", 0),
    TFLiteCase(
      "cls-mobilenet-v2-uint8", "mobilenet_v2_1.0_224_uint8.tflite", "io.safetensors", 0),
    TFLiteCase("cls-resnet8-cifar10", "resnet8_float32.tflite", "io.safetensors", 1e-4),
    TFLiteCase("cls-resnet8-cifar10", "resnet8_int8.tflite", "io_int8.safetensors", 0),
    TFLiteCase("kws-dscnn-mlperftiny", "kws_dscnn_int8.tflite", "io_int8.safetensors", 0),
    TFLiteCase("kws-dscnn-mlperftiny", "kws_dscnn_float32.tflite", "io.safetensors", 1e-5),
    // Boxes go through exp, whose last bit may differ.
    TFLiteCase(
      "det-ssd-mobilenet-v1-uint8", "ssd_mobilenet_v1_uint8.tflite", "io.safetensors", 1e-6),
    TFLiteCase("audio-yamnet", "yamnet_int8mel.tflite", "io.safetensors", 1.0 / 255),
    TFLiteCase(
      "pose-movenet-lightning-int8", "movenet_lightning_int8.tflite", "io.safetensors", 0),
  ]
}

@Suite struct TFLiteModelTests {
  /// Call `i` of stacked calls, as the model's input has it.
  static func call(_ i: Int, _ all: Constant, _ shape: Shape) -> Constant {
    let bytes = shape.elementCount * all.elementType.byteCount
    return Constant(elementType: all.elementType, shape: shape) { out in
      out.copyMemory(from: UnsafeRawBufferPointer(rebasing: all.bytes[i * bytes..<(i + 1) * bytes]))
    }
  }

  static func difference(_ a: Constant, _ b: Constant) -> Float {
    guard a.elementType == b.elementType, a.shape == b.shape else { return .infinity }
    if let a = a.floats, let b = b.floats {
      return zip(a, b).reduce(0) { $1.0 == $1.1 ? $0 : max($0, abs($1.0 - $1.1)) }
    }
    guard let a = a.integers, let b = b.integers else { return .infinity }
    return Float(zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) })
  }

  @Test(
    .enabled(if: Models.folder != nil, "KNAPSACK_MODELS names the folder of the model set"),
    arguments: TFLiteCase.all)
  func modelsMatchReference(_ item: TFLiteCase) throws {
    let folder = try #require(Models.folder)
    let model = try Importer.importModel(folder + "/" + item.model)
    #expect(model.format == .tfLite)
    let runner = try GraphRunner(model.graph)
    let data = try ReferenceData(folder + "/" + item.data)
    let (inputs, expected) = (try data.tensors("input"), try data.tensors("output"))
    let input = try #require(model.graph.inputs.first)
    let name = model.graph[input.value].name
    let shape = Shape(
      input.dimensions.map { if case .constant(let n) = $0 { n } else { 1 } })
    let given = try #require(inputs[name] ?? inputs.values.first)
    let calls = given.shape.elementCount / shape.elementCount
    for i in 0..<min(calls, 4) {
      let outputs = try runner.run([name: TFLiteModelTests.call(i, given, shape)])
      #expect(outputs.count == expected.count)
      for (key, found) in outputs {
        let all = try #require(expected[key] ?? expected.values.first)
        let wanted = TFLiteModelTests.call(i, all, found.shape)
        let difference = TFLiteModelTests.difference(found, wanted)
        #expect(difference <= item.tolerance, "\(key) of call \(i)")
      }
    }
  }
}
