// Outputs of one item or of a batch of items, kept for --output.
import Bytes
import Platform
import Programs
import Runtime
import Tasks
import Tensors

/// Copies a program's outputs and writes them as safetensors.
public struct OutputCollector {
  private var names: [String] = []
  private var types: [ElementType] = []
  private var shapes: [Shape] = []
  private var bytes: [[UInt8]] = []

  public init() {}

  /// Adds the outputs of the run just done; a second item is put behind the first on axis 0.
  public mutating func add(_ runner: ModelRunner) throws(Failure) {
    let isFirst = names.isEmpty
    for (i, output) in runner.model.program.outputs.enumerated() {
      let view = runner.session.output(i)
      let copy = OutputCollector.copy(view)
      if isFirst {
        names.append(output.name)
        types.append(view.elementType)
        shapes.append(view.shape)
        bytes.append(copy)
        continue
      }
      guard view.shape.rank > 0, view.shape.rank == shapes[i].rank,
        OutputCollector.tail(view.shape) == OutputCollector.tail(shapes[i])
      else { throw Failure(.badData, "output '\(output.name)': items have different shapes") }
      shapes[i][0] += view.shape[0]
      bytes[i] += copy
    }
  }

  private static func tail(_ shape: Shape) -> [Int] { Array(shape.dimensions.dropFirst()) }

  private static func copy(_ view: TensorView) -> [UInt8] {
    let count = view.plainByteCount
    guard count > 0 else { return [] }
    return unsafe [UInt8](UnsafeRawBufferPointer(start: view.pointer, count: count))
  }

  /// Writes `output.NAME` for every output.
  public func write(to path: String) throws(Failure) {
    var writer = SafetensorsWriter()
    do throws(SafetensorsError) {
      for i in names.indices {
        try writer.add("output." + names[i], types[i], shapes[i], bytes: bytes[i])
      }
    } catch {
      throw Failure(.internalError, "\(path): \(error)")
    }
    do throws(PlatformError) {
      try writer.write(to: path)
    } catch {
      throw Failure(writing: error)
    }
  }
}
