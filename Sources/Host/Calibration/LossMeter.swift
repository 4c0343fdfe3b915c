// The loss of a model whose weights are changed one by one, against the same model as it came.
import Foundation
import Graphs
import Lowering
import Platform
import Programs
import Quantization
import Runtime
import Tensors

/// Why a model cannot be calibrated.
public enum CalibrationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nothing to run on.
  case noItems
  /// No output holds real numbers whose change could be measured.
  case noOutputs
  /// An item runs differently each time: its outputs have other shapes.
  case unstable(item: Int, output: String)

  public var description: String {
    switch self {
    case .noItems: "there are no calibration inputs"
    case .noOutputs: "no output holds real numbers to compare"
    case .unstable(let item, let output):
      "output '\(output)' of calibration input \(item) changes its shape with the weights"
    }
  }
}

/// A float model in memory, the outputs it gives for some items, and the means to change its weights.
public final class LossMeter {
  public let model: LoweredModel
  public let meters: [OutputMeter]
  public let items: [CalibrationItem]
  /// The encoded weights, which the session reads.
  let memory: AnonymousMemory
  let session: Session
  /// What the model as it came gives: by item, then by meter.
  private var references: [[[Float]]] = []
  private var widths: [[Int]] = []
  /// What divides the sum of squares: the variance of each meter's reference over all items.
  private var variances: [Double]

  /// model: lowered with `f32` for every weight.
  public init(
    _ model: LoweredModel, meters: [OutputMeter], items: [CalibrationItem], threads: Int
  ) throws {
    guard !items.isEmpty else { throw CalibrationError.noItems }
    self.model = model
    self.items = items
    memory = try AnonymousMemory(count: max(model.weightBytes, 1))
    let base = memory.buffer.baseAddress!
    var views: [TensorView] = []
    for (source, weight) in zip(model.sources, model.program.weights) {
      let encoder = WeightEncoder(source, weight.encoding)
      encoder.encode(
        into: UnsafeMutableRawBufferPointer(
          start: base + weight.offset, count: encoder.byteCount))
      views.append(
        TensorView(
          base: base + weight.offset, byteCount: encoder.byteCount,
          elementType: weight.elementType, shape: weight.shape, encoding: weight.encoding))
    }
    let session = try Session(program: model.program, weights: views, threads: threads)
    self.session = session
    variances = []
    // The first run tells which outputs hold real numbers.
    try items[0].fill(session)
    try session.run()
    self.meters = meters.filter { session.output($0.output).elementType == .f32 }
    guard !self.meters.isEmpty else { throw CalibrationError.noOutputs }
    try measureReferences()
  }

  private func measureReferences() throws {
    session.resetStates()
    for item in items {
      try item.fill(session)
      try session.run()
      references.append(meters.map { Array(floats($0)) })
      widths.append(meters.map { width($0) })
    }
    variances = meters.indices.map { m in
      var (count, sum, squares) = (0.0, 0.0, 0.0)
      for list in references {
        for x in list[m] where x.isFinite {
          count += 1
          sum += Double(x)
          squares += Double(x) * Double(x)
        }
      }
      guard count > 0 else { return 1 }
      let variance = squares / count - (sum / count) * (sum / count)
      return variance > 0 ? variance : 1
    }
  }

  private func floats(_ meter: OutputMeter) -> UnsafeBufferPointer<Float> {
    let view = session.output(meter.output)
    let count = view.shape.elementCount
    guard count > 0 else { return UnsafeBufferPointer(start: nil, count: 0) }
    return UnsafeBufferPointer(
      start: view.pointer.assumingMemoryBound(to: Float.self), count: count)
  }

  private func width(_ meter: OutputMeter) -> Int {
    let shape = session.output(meter.output).shape
    return shape.rank > 0 ? max(shape[shape.rank - 1], 1) : 1
  }

  /// Bytes of the references.
  public var referenceBytes: Int {
    references.reduce(0) { $0 + $1.reduce(0) { $0 + 4 * $1.count } }
  }

  /// The loss of what the session's outputs hold now, for one item: the sum over meters of each one's
  /// mean.
  func currentLoss(_ item: Int) throws(CalibrationError) -> Double {
    var total = 0.0
    for (m, meter) in meters.enumerated() {
      let found = floats(meter)
      guard found.count == references[item][m].count else {
        throw .unstable(item: item, output: model.program.outputs[meter.output].name)
      }
      let (sum, count) = references[item][m].withUnsafeBufferPointer {
        meter.metric.sum(found, $0, width: widths[item][m])
      }
      guard count > 0 else { continue }
      total += sum / Double(count) / (meter.metric == .squares ? variances[m] : 1)
    }
    return total
  }

  /// Mean loss over all items with the weights as they are now.
  public func loss() throws -> Double {
    session.resetStates()
    var sum = 0.0
    for (i, item) in items.enumerated() {
      try item.fill(session)
      try session.run()
      sum += try currentLoss(i)
    }
    return sum / Double(items.count)
  }

  // MARK: Weights

  /// The bytes of weight `w` that the session reads.
  func bytes(of w: Int) -> UnsafeMutableRawBufferPointer {
    let weight = model.program.weights[w]
    let count = WeightEncoder(model.sources[w], weight.encoding).byteCount
    return UnsafeMutableRawBufferPointer(
      rebasing: memory.buffer[weight.offset..<weight.offset + count])
  }

  /// Makes weight `w` what `values` says, elements in the order of its constant.
  public func set(_ w: Int, to values: Constant) {
    var source = model.sources[w]
    precondition(values.shape == source.constant.shape && values.elementType == .f32)
    source.constant = values
    WeightEncoder(source, model.program.weights[w].encoding).encode(into: bytes(of: w))
  }

  /// Makes weight `w` what it was.
  public func reset(_ w: Int) { set(w, to: model.sources[w].constant) }
}
