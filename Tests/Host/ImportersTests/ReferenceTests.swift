// Whole models against the outputs of the engines they come from.
import Graphs
import Importers
import Tensors
import Testing

/// One ONNX model of the model set and its recorded inputs and outputs.
struct ReferenceCase: CustomTestStringConvertible, Sendable {
  var model: String
  var data: String
  /// The data are calls of one item each, put behind one another.
  var isStacked: Bool
  /// Largest difference over the largest magnitude of the reference.
  var tolerance: Float

  var testDescription: String { model }

  init(
    _ folder: String, _ model: String, _ data: String = "io.safetensors", isStacked: Bool = false,
    tolerance: Float = 1e-4
  ) {
    self.model = folder + "/" + model
    self.data = folder + "/" + data
    self.isStacked = isStacked
    self.tolerance = tolerance
  }

  static let all = [
    ReferenceCase("cls-mnist-cnn", "mnist.onnx"),
    ReferenceCase("cls-mobilenet-v1-025", "mobilenet_v1_025_224.onnx"),
    // One unit of 1/256 in one class: softmax of bytes sums in another order.
    ReferenceCase(
      "cls-mobilenet-v1-025", "mobilenet_v1_025_224_qdq.onnx", "io_qdq.safetensors",
      tolerance: 0.02),
    ReferenceCase("asr-digits-ctc", "model.onnx"),
    ReferenceCase("denoise-dtln", "dtln_1.onnx", isStacked: true),
    ReferenceCase("denoise-dtln", "dtln_2.onnx", "io_2.safetensors", isStacked: true),
    ReferenceCase("det-yolox-nano", "yolox_nano.onnx"),
    ReferenceCase("face-ultraface-320", "ultraface_rfb_320.onnx"),
    ReferenceCase("face-ultraface-320", "ultraface_slim_320.onnx", "io_slim.safetensors"),
    ReferenceCase("filetype-magika-v3_3", "model.onnx"),
    ReferenceCase("ner-minilm-l3", "model.onnx"),
    ReferenceCase("ocr-lprnet-plates", "lprnet.onnx"),
    ReferenceCase("ocr-ppocr-en", "en_PP-OCRv3_det.onnx", "io_det.safetensors"),
    ReferenceCase("ocr-ppocr-en", "en_number_mobile_v2.0_rec.onnx"),
    ReferenceCase("ocr-ppocr-en", "ch_ppocr_mobile_v2.0_cls.onnx", "io_cls.safetensors"),
    ReferenceCase("rec-twotower-movietweetings", "user_tower.onnx"),
    ReferenceCase("rec-twotower-movietweetings", "item_tower.onnx"),
    ReferenceCase("ts-nbeats-m4-hourly", "model.onnx"),
    ReferenceCase("vad-silero-v6", "silero_vad_16k_op15.onnx", isStacked: true),
    ReferenceCase(
      "vad-silero-v6", "silero_vad.onnx", "io_silero_vad.safetensors", isStacked: true),
  ]
}

@Suite struct ReferenceTests {
  /// Row `i` of stacked calls, in a batch of its own where the model has that axis; one number is the
  /// same in all calls.
  func row(_ i: Int, _ all: Constant, rank: Int) -> Constant {
    guard all.shape.rank > 0 else { return all }
    let bytes = all.bytes.count / max(all.shape[0], 1)
    let axes = Array(all.shape.dimensions.dropFirst())
    let shape = Shape(axes.count < rank ? [1] + axes : axes)
    return Constant(elementType: all.elementType, shape: shape) { out in
      out.copyMemory(from: UnsafeRawBufferPointer(rebasing: all.bytes[i * bytes..<(i + 1) * bytes]))
    }
  }

  @Test(
    .enabled(if: Models.folder != nil, "KNAPSACK_MODELS names the folder of the model set"),
    arguments: ReferenceCase.all)
  func modelsMatchReference(_ item: ReferenceCase) throws {
    let folder = try #require(Models.folder)
    let graph = try Importer.importModel(folder + "/" + item.model).graph
    let data = try ReferenceData(folder + "/" + item.data)
    let inputs = try data.tensors("input")
    let expected = try data.tensors("output")
    let runner = try GraphRunner(graph)
    let calls = item.isStacked ? inputs.values.compactMap { $0.shape.dimensions.first }.min()! : 1
    for call in 0..<calls {
      var given = inputs
      for input in graph.inputs where item.isStacked {
        let name = graph[input.value].name
        given[name] = row(call, try #require(inputs[name]), rank: input.dimensions.count)
      }
      let outputs = try runner.run(given)
      #expect(!outputs.isEmpty)
      for (name, found) in outputs {
        var wanted = try #require(expected[name])
        if item.isStacked { wanted = row(call, wanted, rank: found.shape.rank) }
        #expect(relativeError(found, wanted) < item.tolerance, "\(name) of call \(call)")
      }
    }
  }

  @Test func digitsMatchTheirLabels() throws {
    let graph = try Importer.importModel(Models.digits).graph
    let data = try SafetensorsWeights(
      try ModelFile(mapping: Models.repository + "/Bundles/digits/test.safetensors"))
    let images = try data.constant("input.image", try #require(data.shape("input.image")))
    let labels = try data.constant("labels", try #require(data.shape("labels"))).integers!
    let input = Constant(copying: images.view)
    let outputs = try GraphRunner(graph).run(["image": input])
    let scores = try #require(outputs["probabilities"]?.floats)
    let classes = scores.count / labels.count
    let hits = labels.enumerated().filter { i, label in
      let row = scores[i * classes..<(i + 1) * classes]
      return row.firstIndex(of: row.max()!)! - i * classes == label
    }
    #expect(Float(hits.count) / Float(labels.count) >= 0.98)
  }

  func matches(_ model: ImportedModel, _ data: ReferenceData) throws {
    let outputs = try GraphRunner(model.graph).run(try data.tensors("input"))
    #expect(!outputs.isEmpty)
    for (name, expected) in try data.tensors("output") {
      #expect(relativeError(try #require(outputs[name]), expected) < 1e-4, "\(name)")
    }
  }

  @Test(
    .enabled(
      if: Models.folder != nil && Models.miniLM != nil,
      "KNAPSACK_MODELS and KNAPSACK_MINILM name the model folders"))
  func miniLMMatchesReference() throws {
    let model = try Importer.importModel(try #require(Models.miniLM))
    #expect(model.task == .sentenceEmbedding)
    #expect(model.maximumLength == 256)
    #expect(model.tokenizer?.vocabulary != nil)
    #expect(model.graph.symbols == ["batch", "sequence"])
    #expect(model.graph.limits == ["sequence": 512])
    let folder = try #require(Models.folder)
    try matches(model, ReferenceData(folder + "/emb-minilm-l6-v2/io.safetensors"))
  }

  @Test(.enabled(if: Models.folder != nil, "KNAPSACK_MODELS names the folder of the model set"))
  func sentimentMatchesReference() throws {
    let folder = try #require(Models.folder) + "/text-sentiment-minilm-l3"
    let model = try Importer.importModel(folder + "/hf")
    #expect(model.task == .textClassification)
    #expect(model.labels == ["NEGATIVE", "POSITIVE"])
    try matches(model, ReferenceData(folder + "/io.safetensors"))
  }
}
