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
    var views: [(name: String, view: TensorView)] = []
    for (i, output) in runner.model.program.outputs.enumerated() {
      try OutputCollector.list(output.name, runner.session.output(i), depth: 0, &views)
    }
    guard isFirst || views.count == names.count else {
      throw Failure(.badData, "items have different numbers of outputs")
    }
    for (i, (name, view)) in views.enumerated() {
      if view.elementType == .string {
        try add(view, runner.session.texts, i, name, isFirst: isFirst)
        continue
      }
      let copy = OutputCollector.copy(view)
      if isFirst {
        append(name, view.elementType, view.shape, copy)
        continue
      }
      guard view.shape.rank > 0, view.shape.rank == shapes[i].rank,
        OutputCollector.tail(view.shape) == OutputCollector.tail(shapes[i])
      else { throw Failure(.badData, "output '\(name)': items have different shapes") }
      shapes[i][0] += view.shape[0]
      bytes[i] += copy
    }
  }

  private mutating func append(
    _ name: String, _ type: ElementType, _ shape: Shape, _ copy: [UInt8]
  ) {
    names.append(name)
    types.append(type)
    shapes.append(shape)
    bytes.append(copy)
  }

  /// Texts become rows of bytes, all as wide as the longest text so far.
  private mutating func add(
    _ view: TensorView, _ pool: TextPool, _ i: Int, _ name: String, isFirst: Bool
  ) throws(Failure) {
    guard view.shape.rank < Shape.maximumRank,
      let (copy, width) = view.paddedTexts(pool, limit: OutputCollector.maximumTextBytes)
    else { throw Failure(.badData, "output '\(name)': its texts are too many or too long") }
    var shape = view.shape
    shape.append(width)
    if isFirst { return append(name, .u8, shape, copy) }
    let axis = view.shape.rank
    guard axis > 0, shapes[i].rank == shape.rank,
      OutputCollector.tail(view.shape) == Array(shapes[i].dimensions[1..<axis])
    else { throw Failure(.badData, "output '\(name)': items have different shapes") }
    let widest = max(width, shapes[i][axis])
    bytes[i] =
      OutputCollector.widened(bytes[i], from: shapes[i][axis], to: widest)
      + OutputCollector.widened(copy, from: width, to: widest)
    shapes[i][axis] = widest
    shapes[i][0] += view.shape[0]
  }

  private static var maximumTextBytes: Int { 1 << 30 }

  private static func widened(_ rows: [UInt8], from width: Int, to wider: Int) -> [UInt8] {
    guard width < wider, width > 0 else { return rows }
    var result: [UInt8] = []
    for row in 0..<rows.count / width {
      result += rows[row * width..<(row + 1) * width]
      for _ in width..<wider { result.append(0) }
    }
    return result
  }

  /// A tensor under its name; of a sequence the items, with their numbers behind the name.
  private static func list(
    _ name: String, _ view: TensorView, depth: Int,
    _ views: inout [(name: String, view: TensorView)]
  ) throws(Failure) {
    guard view.elementType == .sequence else {
      guard view.elementType.safetensorsName != nil || view.elementType == .string else {
        throw Failure(.badData, "output '\(name)': \(view.elementType.name) cannot be written")
      }
      views.append((name, view))
      return
    }
    guard let sequence = SequenceView(view), depth < 4 else {
      throw Failure(.badData, "output '\(name)' is no sequence")
    }
    for i in 0..<sequence.count {
      try list("\(name).\(i)", sequence[i], depth: depth + 1, &views)
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
