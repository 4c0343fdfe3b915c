// Sensitivities: measured in parts as in whole runs, and adding up.
import Calibration
import Fitting
import Foundation
import GraphRunning
import Graphs
import Importers
import Lowering
import Operators
import Tasks
import Tensors
import Testing

/// The digits network and some of its test images.
private enum Digits {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../Bundles/digits").standardized.path

  static func model() throws -> LoweredModel {
    let graph = try Rewriter.rewrite(try Importer.importModel(folder + "/digits.onnx").graph)
    return try Lowering.lower(graph) { _ in .f32 }
  }

  static func items(_ count: Int) throws -> [CalibrationItem] {
    let weights = try SafetensorsWeights(try ModelFile(mapping: folder + "/test.safetensors"))
    let name = try #require(weights.names.first { $0.hasPrefix("input") })
    let all = try #require(try weights.stored(name))
    let row = all.bytes.count / all.shape[0]
    return (0..<count).map { i in
      var shape = all.shape
      shape[0] = 1
      return CalibrationItem(inputs: [
        Constant(elementType: all.elementType, shape: shape) {
          $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: all.bytes[i * row..<(i + 1) * row]))
        }
      ])
    }
  }

  static func meter(_ count: Int = 8, threads: Int = 1) throws -> LossMeter {
    let model = try model()
    return try LossMeter(
      model, meters: OutputMeter.meters(model.program, task: .tensor), items: try items(count),
      threads: threads)
  }
}

/// A constant with every element rounded to multiples of `step`, and the sum of squared errors.
private func rounded(_ constant: Constant, step: Float) -> (Constant, Double) {
  var error = 0.0
  let floats = (0..<constant.shape.elementCount).map { i -> Float in
    let x = constant.bytes.loadUnaligned(fromByteOffset: 4 * i, as: Float.self)
    let q = (x / step).rounded(.toNearestOrEven) * step
    error += Double(q - x) * Double(q - x)
    return q
  }
  return (Constant(floats: floats, shape: constant.shape), error)
}

@Suite struct SensitivityTests {
  @Test func anUnchangedModelHasNoLoss() throws {
    let meter = try Digits.meter()
    #expect(try meter.loss() == 0)
    let w = try #require(meter.probedWeights.first)
    meter.set(w, to: rounded(meter.model.sources[w].constant, step: 0.05).0)
    #expect(try meter.loss() > 0)
    meter.reset(w)
    #expect(try meter.loss() == 0)
  }

  /// What a probe measures from the middle of the program is what whole runs measure.
  @Test func partsGiveWhatWholesGive() throws {
    let meter = try Digits.meter()
    let found = try meter.sensitivities(budgetBytes: 1 << 10)
    #expect(found.map(\.weight) == meter.probedWeights && found.count >= 3)
    for s in found {
      for (probe, relative) in zip(s.probes, [0.35, 0.7, 0.175]) {
        let (changed, error) = rounded(
          meter.model.sources[s.weight].constant, step: Float(relative * s.scale))
        #expect(abs(probe.distortion - error) <= 1e-6 * error)
        meter.set(s.weight, to: changed)
        let loss = try meter.loss()
        #expect(abs(probe.loss - loss) <= 1e-9 + 1e-6 * loss, "\(s.name)")
        meter.reset(s.weight)
      }
      // A third probe where the first two disagree, and only there.
      let slopes = s.probes.prefix(2).map { $0.loss / $0.distortion }
      let isBent = slopes.max()! > 1.5 * slopes.min()!
      #expect(s.probes.count == (isBent ? 3 : 2), "\(s.name)")
    }
    #expect(try meter.loss() == 0)
    // Groups of any size and more threads change nothing.
    let together = try Digits.meter(threads: 2).sensitivities()
    for (a, b) in zip(found, together) {
      #expect(a.name == b.name && abs(a.slope - b.slope) <= 1e-4 * a.slope)
    }
  }

  /// Of a large table only the rows that are looked up are kept: they stand for all.
  @Test func tablesCountByTheRowsLookedUp() throws {
    var random = RandomSource(5)
    let (rows, width) = (8192, 64)
    var graph = Graph(name: "table")
    let ids = graph.addInput("ids", .i64, [.constant(6)])
    let table = graph.addConstant("table", random.floats([rows, width]))
    let picked = graph.add(.gather(Gather(axis: 0)), [table, ids], name: "look up")
    let matrix = graph.addConstant("matrix", random.floats([width, 8]))
    graph.addOutput("y", graph.add(.matMul(MatMul()), [picked, matrix], name: "product"))
    let model = try Lowering.lower(try Rewriter.rewrite(graph)) { _ in .f32 }
    // From both ends, and beyond them.
    let items = (0..<40).map { i in
      CalibrationItem(inputs: [
        Constant(integers: [i * 7, i * 199, rows - 1, -1 - i, rows + i, -9000], shape: Shape([6]))
      ])
    }
    let meter = try LossMeter(
      model, meters: OutputMeter.meters(model.program, task: .tensor), items: items, threads: 1)
    #expect(try meter.loss() == 0)
    let w = try #require(model.sources.firstIndex { $0.name == "table" })
    let s = try #require(try meter.sensitivities(of: [w]).first)
    for (probe, relative) in zip(s.probes, LossMeter.probeSteps) {
      let (changed, error) = rounded(
        model.sources[w].constant, step: Float(relative * s.scale))
      #expect(abs(probe.distortion / error - 1) < 0.05)
      meter.set(w, to: changed)
      let loss = try meter.loss()
      #expect(loss > 0 && abs(probe.loss - loss) <= 1e-6 * loss)
    }
    meter.reset(w)
    #expect(try meter.loss() == 0)
  }

  /// Small errors everywhere cost what their prices add up to.
  @Test func lossesAddUp() throws {
    let meter = try Digits.meter(450)
    var predicted = 0.0
    for s in try meter.sensitivities() {
      let (changed, error) = rounded(
        meter.model.sources[s.weight].constant, step: Float(0.2 * s.scale))
      meter.set(s.weight, to: changed)
      predicted += s.loss(at: error)
    }
    let measured = try meter.loss()
    #expect(measured > 0 && abs(predicted / measured - 1) < 0.3, "\(predicted) \(measured)")
  }

  /// Outputs that are no numbers are all that there is to lose, not nothing.
  @Test func whatIsNoNumberIsLost() throws {
    let meter = try Digits.meter()
    let w = try #require(meter.probedWeights.last)
    let shape = meter.model.sources[w].constant.shape
    let broken = [Float](repeating: .nan, count: shape.elementCount)
    meter.set(w, to: Constant(floats: broken, shape: shape))
    #expect(try meter.loss() == LossReference.ruin)
    meter.reset(w)
    #expect(try meter.loss() == 0)
  }

  @Test func aModelThatGivesNoNumbersIsRefused() throws {
    let model = try Digits.model()
    var items = try Digits.items(2)
    let shape = items[1].inputs[0].shape
    items[1].inputs[0] = Constant(
      floats: [Float](repeating: .nan, count: shape.elementCount), shape: shape)
    let error = #expect(throws: CalibrationError.self) {
      try LossMeter(
        model, meters: OutputMeter.meters(model.program, task: .tensor), items: items, threads: 1)
    }
    guard case .notANumber(item: 1, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func stopsWhenAsked() throws {
    let meter = try Digits.meter()
    var calls = 0
    let none = try meter.sensitivities(progress: { _ in
      calls += 1
      return calls < 3
    })
    #expect(none.isEmpty && calls == 3)
    #expect(try meter.loss() == 0)
  }

  @Test func bentLinesAreInterpolated() {
    func sensitivity(_ points: [(Double, Double)]) -> Sensitivity {
      Sensitivity(
        weight: 0, name: "w", elementCount: 1, scale: 1,
        probes: points.map { Sensitivity.Probe(distortion: $0.0, loss: $0.1) })
    }
    let straight = sensitivity([(1, 2), (4, 8.8)])
    #expect(abs(straight.slope - (2 * 2.2).squareRoot()) < 1e-12)
    #expect(abs(straight.loss(at: 2) - 2 * straight.slope) < 1e-12)
    let bent = sensitivity([(1, 1), (4, 16), (16, 16)])
    #expect(bent.bend == 4 && abs(bent.loss(at: 2) - 4) < 1e-9 && bent.loss(at: 0.5) == 0.5)
    #expect(abs(bent.loss(at: 8) - 16) < 1e-9 && abs(bent.loss(at: 32) - 32) < 1e-9)
    #expect(sensitivity([]).loss(at: 3) == 0 && straight.loss(at: 0) == 0)
  }
}
