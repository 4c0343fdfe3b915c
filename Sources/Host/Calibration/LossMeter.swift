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
  public let model: LoweredModel
  public let reference: LossReference
  public var items: [CalibrationItem] { reference.items }
  public var meters: [OutputMeter] { reference.meters }
  /// The encoded weights, which the session reads.
  let memory: AnonymousMemory
  let session: Session
  private let threads: Int

  /// model: lowered with `f32` for every weight.
  public init(
    _ model: LoweredModel, meters: [OutputMeter], items: [CalibrationItem], threads: Int
  ) throws {
    guard !items.isEmpty else { throw CalibrationError.noItems }
    self.model = model
    self.threads = threads
    memory = try AnonymousMemory(count: max(model.weightBytes, 1))
    let base = memory.buffer.baseAddress!
    var views: [TensorView] = []
    for (source, weight) in zip(model.sources, model.program.weights) {
      let encoder = WeightEncoder(source, weight.encoding)
      encoder.encode(
        into: UnsafeMutableRawBufferPointer(
          start: base + weight.offset, count: encoder.byteCount))
      source.constant.releasePages()
      views.append(
        TensorView(
          base: base + weight.offset, byteCount: encoder.byteCount,
          elementType: weight.elementType, shape: weight.shape, encoding: weight.encoding))
    }
    let session = try Session(program: model.program, weights: views, threads: threads)
    self.session = session
    reference = try LossReference(session, meters: meters, items: items)
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
    values.releasePages()
  }

  /// Makes weight `w` what it was.
  public func reset(_ w: Int) { set(w, to: model.sources[w].constant) }
}
