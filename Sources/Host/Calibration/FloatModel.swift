// A lowered model with its weights in memory and a session over them.
import Lowering
import Platform
import Quantization
import Runtime
import Tensors

/// What calibration runs.
final class FloatModel {
  let model: LoweredModel
  let session: Session
  /// The encoded weights, which the session reads.
  let memory: AnonymousMemory

  init(_ model: LoweredModel, threads: Int) throws {
    self.model = model
    memory = try AnonymousMemory(count: max(model.weightBytes, 1))
    let base = memory.buffer.baseAddress!
    var views: [TensorView] = []
    for (source, weight) in zip(model.sources, model.program.weights) {
      let encoder = WeightEncoder(source, weight.encoding)
      encoder.encode(
        into: UnsafeMutableRawBufferPointer(
          start: base + weight.offset, count: encoder.byteCount))
      // The file's pages are not needed beside the copy.
      source.constant.releasePages()
      views.append(
        TensorView(
          base: base + weight.offset, byteCount: encoder.byteCount,
          elementType: weight.elementType, shape: weight.shape, encoding: weight.encoding))
    }
    session = try Session(program: model.program, weights: views, threads: threads)
  }
}
