// Bytes at equal loss: what a search stores of a model against block formats applied to all weights.
//
//   fit-benchmark export MODEL WEIGHTS.safetensors
//   fit-benchmark measure MODEL INPUTS.safetensors COUNT NAME:BITS:QUANTIZED.safetensors…
//
// `export` writes every weight worth quantizing as rows of its matrix; `measure` takes the same tensors
// back from another quantizer, measures what each set loses, and searches the fewest bytes for that loss.
import Calibration
import Fitting
import Foundation
import Graphs
import Importers
import Lowering
import Packing
import Platform
import Programs
import Quantization
import Runtime
import Tasks
import Tensors

let words = CommandLine.arguments
let threads = 2

func lowered(_ path: String) throws -> (graph: Graph, task: Task, model: LoweredModel) {
  var request = PackRequest(model: path, target: try DeviceProfile.named("host"))
  request.scheme = .f32
  request.threads = threads
  let packed = try Packer.pack(request)
  return (packed.graph, packed.task, packed.candidate.model)
}

func floats(_ constant: Constant) -> [Float] {
  (0..<constant.shape.elementCount).map {
    constant.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
  }
}

func export(_ path: String, _ output: String) throws {
  let (_, _, model) = try lowered(path)
  var header: [String: Any] = [:]
  var bytes = Data()
  for (w, source) in model.sources.enumerated() where source.isQuantizable {
    let matrix = WeightMatrix(source)
    let begin = bytes.count
    matrix.values.withUnsafeBytes { bytes.append(contentsOf: $0) }
    header["w\(w)"] = [
      "dtype": "F32", "shape": [matrix.rows, matrix.columns], "data_offsets": [begin, bytes.count],
    ]
  }
  let json = try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)
  var file = Data()
  withUnsafeBytes(of: UInt64(json.count).littleEndian) { file.append(contentsOf: $0) }
  try (file + json + bytes).write(to: URL(filePath: output))
}

/// Items of `input.NAME` tensors, and labels where there are some.
func items(
  _ path: String, _ program: Program, _ count: Int
) throws -> ([CalibrationItem], [Int]?) {
  let file = try SafetensorsWeights(try ModelFile(mapping: path))
  var columns: [Constant] = []
  for input in program.inputs {
    guard let found = try file.stored("input.\(input.name)") else {
      throw PackError.unknownLimit(input.name, model: path, known: file.names)
    }
    columns.append(found)
  }
  let total = columns.filter { $0.shape.rank > 0 }.map { $0.shape[0] }.min() ?? 1
  let taken = min(count, total)
  let places = (0..<taken).map { $0 * total / taken }
  let list = places.map { i in
    CalibrationItem(
      inputs: columns.map { column in
        guard column.shape.rank > 0 else { return column }
        var shape = column.shape
        shape[0] = 1
        let size = column.bytes.count / column.shape[0]
        return Constant(elementType: column.elementType, shape: shape) {
          $0.copyMemory(
            from: UnsafeRawBufferPointer(rebasing: column.bytes[i * size..<(i + 1) * size]))
        }
      })
  }
  let labels = try file.stored("labels").map { labels in
    places.map { Int(labels.bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self)) }
  }
  return (list, labels)
}

func emit(_ fields: [String: Any]) throws {
  // JSON has no infinities.
  let finite = fields.mapValues { value in
    (value as? Double).map { $0.isFinite ? $0 as Any : "\($0)" } ?? value
  }
  let line = try JSONSerialization.data(withJSONObject: finite, options: .sortedKeys)
  print(String(decoding: line, as: UTF8.self))
}

func measure(_ path: String, _ inputs: String, _ count: Int, _ anchors: [String]) throws {
  let (graph, task, model) = try lowered(path)
  let (all, allLabels) = try items(inputs, model.program, count)
  // Every second item is kept from the search: it tells what the others' loss is worth.
  let list = all.indices.filter { $0 % 2 == 0 }.map { all[$0] }
  let others = all.indices.filter { $0 % 2 == 1 }.map { all[$0] }
  let labels = allLabels.map { labels in labels.indices.filter { $0 % 2 == 1 }.map { labels[$0] } }
  let watch = SearchWatch(checkpoints: nil)
  let setup = SearchSetup(
    graph: graph, lowering: LoweringOptions(threads: threads),
    target: try DeviceProfile.named("host"), runtime: .knapsack, assetBytes: 0, pins: [],
    storage: .smallest)
  let begin = Date()
  let search = try WeightSearch(
    setup, FitGoals(loss: 1), watch, task: task, items: list, threads: threads)
  let meters = OutputMeter.meters(model.program, task: task)
  let seen = try LossMeter(model, meters: meters, items: list, threads: threads)
  let meter = try LossMeter(model, meters: meters, items: others, threads: threads)
  let searched = model.sources.indices.filter { model.sources[$0].isQuantizable }
  let elements = searched.reduce(0) { $0 + model.sources[$1].constant.shape.elementCount }
  try emit([
    "model": path, "weights": elements, "tensors": searched.count, "inputs": list.count,
    "metrics": search.reference.meters.map(\.metric.rawValue),
    "measuring_seconds": Date().timeIntervalSince(begin),
    "accuracy": try labels.map { try meter.accuracy($0) } ?? -1,
  ])
  for anchor in anchors {
    let parts = anchor.split(separator: ":").map(String.init)
    let file = try SafetensorsWeights(try ModelFile(mapping: parts[2]))
    for w in searched {
      let source = model.sources[w]
      let rows = floats(try file.stored("w\(w)")!)
      var values = rows
      if case .matrix(transposed: false) = source.role {
        let (n, k) = (source.shape[1], source.shape[0])
        for r in 0..<n { for c in 0..<k { values[c * n + r] = rows[r * k + c] } }
      }
      for meter in [seen, meter] {
        meter.set(w, to: Constant(floats: values, shape: source.constant.shape))
      }
    }
    let loss = try seen.loss()
    let otherLoss = try meter.loss()
    let accuracy = try labels.map { try meter.accuracy($0) }
    for w in searched {
      seen.reset(w)
      meter.reset(w)
    }
    let start = Date()
    let found = try search.fit(FitGoals(loss: loss), bestEffort: true) { trial, _ in
      trial.weights.storedByteCount
    }
    let stored = found.report.entries.reduce(0) { $0 + $1.storedBytes }
    let (ourOther, other) = try found.weights.withViews { views in
      let session = try Session(
        program: found.weights.program, weights: views, threads: threads)
      return (
        try meter.reference.loss(of: session),
        try labels.map { try meter.accuracy($0, of: session) }
      )
    }
    let bytes = Double(parts[1])! * Double(elements) / 8
    try emit([
      "anchor": parts[0], "bits": Double(parts[1])!, "loss": loss, "accuracy": accuracy ?? -1,
      "our_bits": Double(stored) * 8 / Double(elements), "ratio": Double(stored) / bytes,
      "unseen_loss": otherLoss, "our_unseen_loss": ourOther, "our_loss": found.report.measuredLoss,
      "our_predicted_loss": found.report.predictedLoss,
      "our_first_added_loss": found.report.firstAddedLoss,
      "our_first_loss": found.report.firstMeasuredLoss,
      "our_accuracy": other ?? -1, "uniform_loss": found.report.uniformLoss ?? -1,
      "gap": found.report.optimalityGap, "ships_uniform": found.report.shipsUniform,
      "missed": found.report.missed != nil, "seconds": Date().timeIntervalSince(start),
    ])
  }
}

switch words.dropFirst().first {
case "export" where words.count == 4: try export(words[2], words[3])
case "measure" where words.count > 4:
  try measure(words[2], words[3], Int(words[4]) ?? 128, Array(words[5...]))
default: fatalError("fit-benchmark export MODEL OUT | measure MODEL INPUTS COUNT NAME:BITS:FILE…")
}
