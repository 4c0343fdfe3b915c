// The loss of a model whose weights are changed one by one, against the same model as it came.
import Graphs
import Lowering
import Platform
import Programs
import Quantization
import Runtime
import Tensors

/// A float model in memory, the outputs it gives for some items, and the means to change its weights.
public final class LossMeter {
  public let reference: LossReference
  private let float: FloatModel
  public var model: LoweredModel { float.model }
  public var items: [CalibrationItem] { reference.items }
  public var meters: [OutputMeter] { reference.meters }
  var memory: AnonymousMemory { float.memory }
  var session: Session { float.session }
  private let threads: Int

  /// model: lowered with `f32` for every weight.
  public init(
    _ model: LoweredModel, meters: [OutputMeter], items: [CalibrationItem], threads: Int
  ) throws {
    guard !items.isEmpty else { throw CalibrationError.noItems }
    float = try FloatModel(model, threads: threads, items: items)
    self.threads = threads
    reference = try LossReference(float.session, meters: meters, items: items)
  }

  /// Mean loss over all items with the weights as they are now.
  public func loss() throws -> Double { try reference.loss(of: session) }

  /// Mean loss over the first items with weight `w` alone stored as `variant`, a lowering of the same
  /// graph that differs in nothing else, has it: its kernel's arithmetic included.
  public func loss(of variant: LoweredModel, weight w: Int, itemCount: Int) throws -> Double {
    precondition(variant.program.weights.count == model.program.weights.count)
    let encoder = WeightEncoder(variant.sources[w], variant.program.weights[w].encoding)
    let changed = try AnonymousMemory(count: max(encoder.byteCount, 1))
    encoder.encode(into: changed.buffer)
    let views = variant.program.weights.enumerated().map { i, weight in
      TensorView(
        base: i == w
          ? changed.buffer.baseAddress!
          : memory.buffer.baseAddress! + model.program.weights[i].offset,
        byteCount: weight.byteCount ?? 0, elementType: weight.elementType, shape: weight.shape,
        encoding: weight.encoding)
    }
    let session = try Session(program: variant.program, weights: views, threads: threads)
    return try withExtendedLifetime(changed) {
      try reference.loss(of: session, itemCount: itemCount)
    }
  }

  /// The share of items whose first output is largest at their label, of this session or another.
  public func accuracy(_ labels: [Int], of other: Session? = nil) throws -> Double {
    let session = other ?? session
    session.resetStates()
    var right = 0
    for (item, label) in zip(items, labels) {
      try item.fill(session)
      try session.run()
      let view = session.output(meters[0].output)
      let scores = UnsafeBufferPointer(
        start: view.pointer.assumingMemoryBound(to: Float.self), count: view.shape.elementCount)
      let best = scores.indices.max { scores[$0] < scores[$1] }
      right += best == label ? 1 : 0
    }
    return Double(right) / Double(max(labels.count, 1))
  }

  // MARK: Weights

  /// The bytes of weight `w` that the session reads, about one after the other.
  func parts(of w: Int) -> [UnsafeMutableRawBufferPointer] { float.parts(of: w) }

  /// Makes weight `w` what `values` says, elements in the order of its constant.
  public func set(_ w: Int, to values: Constant) {
    var source = model.sources[w]
    precondition(values.shape == source.constant.shape && values.elementType == .f32)
    source.constant = values
    float.set(w, to: source)
  }

  /// Makes weight `w` what it was.
  public func reset(_ w: Int) { float.set(w, to: model.sources[w]) }
}
