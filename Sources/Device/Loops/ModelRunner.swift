// A session together with its task: items go in, answers come out.
import Bytes
import Kernels
import Platform
import Programs
import Runtime
import Tasks
import Telemetry
import Tensors
import Tokenizers

/// Named tensors of one safetensors file.
public final class TensorFile {
  public let path: String
  public let map: MappedFile
  public let tensors: Safetensors

  public init(path: String) throws(Failure) {
    self.path = path
    let map: MappedFile
    do throws(PlatformError) {
      map = try MappedFile(path: path)
    } catch {
      throw Failure(reading: error)
    }
    self.map = map
    tensors = try TensorFile.parse(map)
  }

  private static func parse(_ map: MappedFile) throws(Failure) -> Safetensors {
    let bytes = map.bytes
    do throws(SafetensorsError) {
      return try Safetensors(bytes)
    } catch {
      throw Failure(.badData, "\(map.path): \(error)")
    }
  }
}

/// A model's session and what its task adds around it.
public final class ModelRunner {
  public let model: LoadedModel
  public let session: Session
  /// True when the last run was left before its end because somebody asked for that.
  public private(set) var wasInterrupted = false
  /// The last text had nothing in it that the model knows.
  public internal(set) var hasNoTokens = false
  /// Whether the picture of the next item is wanted, and what was kept of it; see `takePicture`.
  var keepsPicture = false
  var thumbnail: Thumbnail?
  /// How the picture of the current item lies in the input; nil where the item is no picture.
  var pictureView: PictureView?

  /// Bytes that weights and working memory may take together; nil is what the machine has, for the
  /// working memory alone.
  private let memoryLimit: Int?

  public init(
    _ model: LoadedModel, threads: Int, memoryLimit: Int? = nil, kernels: KernelSet = .best
  ) throws(Failure) {
    self.model = model
    self.memoryLimit = memoryLimit
    let weightBytes = model.program.weightBytes
    try Failure.check(model.name, needs: weightBytes, limit: memoryLimit)
    do throws(SessionError) {
      session = try Session(
        program: model.program, weights: model.weights, threads: threads, kernels: kernels,
        maximumBytes: memoryLimit.map { $0 - weightBytes }
          ?? SystemMemory.current?.totalBytes ?? .max)
    } catch {
      throw ModelRunner.failure(error, model, memoryLimit)
    }
  }

  private static func failure(
    _ error: SessionError, _ model: LoadedModel, _ memoryLimit: Int?
  ) -> Failure {
    switch error {
    case .threads: return Failure(.unavailable, "\(model.name): \(error)")
    case .preparation(.outOfMemory(let bytes)):
      let needs = bytes.addingReportingOverflow(model.program.weightBytes)
      do throws(Failure) {
        try Failure.check(
          model.name, needs: needs.overflow ? Int.max : needs.partialValue, limit: memoryLimit)
      } catch {
        return error
      }
    default: break
    }
    return Failure(.badData, "\(model.name): \(error)")
  }

  /// Inputs that the caller fills: all but those that carry state.
  public var callerInputs: [Int] {
    model.program.inputs.indices.filter { i in
      !model.program.states.contains { $0.input == i }
    }
  }

  /// Makes the session ready for these input shapes.
  public func prepare(_ shapes: [Shape?]) throws(Failure) {
    pictureView = nil
    do throws(SessionError) {
      try session.prepare(shapes: shapes)
    } catch {
      throw ModelRunner.failure(error, model, memoryLimit)
    }
  }

  // MARK: Running

  /// One inference. Throws where shapes follow from data that asks for what cannot be done.
  public func run() throws(Failure) {
    wasInterrupted = false
    do throws(SessionError) {
      try session.run()
    } catch {
      try report(error)
    }
  }

  /// One inference with a figure per runnable step.
  public func run(nanoseconds: inout [UInt64]) throws(Failure) {
    wasInterrupted = false
    do throws(SessionError) {
      try session.run(nanoseconds: &nanoseconds)
    } catch {
      try report(error)
    }
  }

  private func report(_ error: SessionError) throws(Failure) {
    if case .interrupted = error {
      wasInterrupted = true
    } else {
      throw ModelRunner.failure(error, model, memoryLimit)
    }
  }

  // MARK: Tensors in

  /// Fills every input from items `first`..<`first + count` of the file's tensors, or from whole tensors
  /// where `first` is nil.
  public func fill(from file: TensorFile, first: Int? = nil, count: Int = 1) throws(Failure) {
    var shapes = [Shape?](repeating: nil, count: model.program.inputs.count)
    var ranges = [Range<Int>](repeating: 0..<0, count: shapes.count)
    for i in callerInputs {
      let entry = try entry(for: i, in: file)
      var shape = entry.shape
      var range = entry.byteRange
      // Texts lie in rows of bytes.
      if holdsTexts(entry, for: i) {
        var outer = Shape()
        for axis in 0..<shape.rank - 1 { outer.append(shape[axis]) }
        shape = outer
      }
      // What has no axis for items is the same for all of them.
      if let first, shape.rank > 0 {
        let itemBytes = shape[0] > 0 ? range.count / shape[0] : 0
        shape[0] = count
        range =
          range.lowerBound + first * itemBytes..<range.lowerBound + (first + count) * itemBytes
      }
      shapes[i] = shape
      ranges[i] = range
    }
    try prepare(shapes)
    for i in callerInputs {
      let entry = try entry(for: i, in: file)
      let bytes = unsafe UnsafeRawBufferPointer(rebasing: file.map.buffer[ranges[i]])
      if holdsTexts(entry, for: i) {
        unsafe fill(session.input(i), rows: bytes, width: entry.shape[entry.shape.rank - 1])
        continue
      }
      guard unsafe TensorConversion.fill(session.input(i), from: bytes, entry.elementType) else {
        let wanted = session.input(i).elementType.name
        throw Failure(
          .badData,
          "\(file.path): \(entry.name): \(entry.elementType.name) cannot be used as \(wanted)")
      }
    }
  }

  /// True where a file's bytes are the texts of a string input: UTF-8, an axis more, zeros at the end.
  private func holdsTexts(_ entry: SafetensorsEntry, for i: Int) -> Bool {
    model.program.inputs[i].elementType == .string && entry.elementType == .u8
      && entry.shape.rank > 0
  }

  private func entry(for input: Int, in file: TensorFile) throws(Failure) -> SafetensorsEntry {
    let name = model.program.inputs[input].name
    guard let entry = file.tensors.tensor("input", name) else {
      throw Failure(.badData, "\(file.path): no tensor '\(name)' or 'input.\(name)'")
    }
    return entry
  }

  /// How many items a file holds when the model takes only one at a time: all its tensors have this many
  /// on axis 0 where the model's axis is fixed at 1. A model that carries state takes one at a time too,
  /// and scalars are then for all of them. nil where the file fits as it is.
  public func itemCount(in file: TensorFile) throws(Failure) -> Int? {
    var items: Int?
    for i in callerInputs {
      let entry = try entry(for: i, in: file)
      let dimensions = model.program.inputs[i].dimensions
      if carriesState, dimensions.isEmpty { continue }
      guard entry.shape.rank - (holdsTexts(entry, for: i) ? 1 : 0) == dimensions.count,
        let first = dimensions.first,
        takesOne(first), entry.shape[0] > 1, items == nil || items == entry.shape[0]
      else { return nil }
      items = entry.shape[0]
    }
    return items
  }

  private var carriesState: Bool { !model.program.states.isEmpty }

  private func takesOne(_ dimension: Dimension) -> Bool {
    switch dimension {
    case .constant(let extent): extent == 1
    case .symbol: carriesState
    }
  }

  // MARK: Made-up inputs

  /// Fills the inputs with values that any model takes: indices in range where a table is looked up,
  /// 1 for other integers, numbers from 0 to 1. The same on every machine; other seeds give others.
  public func fillWithSamples(seed: UInt64 = 0) throws(Failure) {
    try prepare([Shape?](repeating: nil, count: model.program.inputs.count))
    var state = 0x9E37_79B9_7F4A_7C15 ^ (seed &* 0xD134_2543_DE82_EF95)
    func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 33
    }
    for i in callerInputs {
      let view = session.input(i)
      let n = view.shape.elementCount
      let rows = tableRows(lookedUpBy: model.program.inputs[i].tensor)
      switch view.elementType {
      case .f32:
        for k in 0..<n { view.floats[k] = Float(next() & 0xFFFF) / 65536 }
      case .i64:
        for k in 0..<n { view.elements(Int64.self)[k] = rows.map { Int64(next() % $0) } ?? 1 }
      case .i32:
        for k in 0..<n { view.elements(Int32.self)[k] = rows.map { Int32(next() % $0) } ?? 1 }
      case .string:
        let text = session.texts.add([UInt8(ascii: "a")])
        for k in 0..<n { view.texts[k] = text }
      case let type where type.isFloatingPoint:
        for k in 0..<n { view.setNumber(Double(next() & 0xFFFF) / 65536, at: k) }
      default:
        let bytes = view.plainByteCount
        for k in 0..<bytes {
          unsafe view.pointer.storeBytes(of: 1, toByteOffset: k, as: UInt8.self)
        }
      }
    }
  }

  private func tableRows(lookedUpBy tensor: Int) -> UInt64? {
    for step in model.program.steps {
      if case .gather = step.op, step.inputs[1] == tensor, !model.program.isSlot(step.inputs[0]) {
        return UInt64(max(1, model.program.weights[step.inputs[0]].shape[0]))
      }
    }
    return nil
  }

  // MARK: Answers

  /// The output a task reads, by name; the first where there is none of that name.
  public func outputIndex(_ name: String) -> Int {
    for (i, output) in model.program.outputs.enumerated() where output.name == name { return i }
    return 0
  }

  /// The sentence embedding after a run on one text; nil where the output holds none.
  public func embedding(_ task: SentenceEmbedding) -> [Float]? {
    let view = session.output(outputIndex(task.outputName))
    guard view.shape.rank <= 2 || (view.shape.rank == 3 && view.shape[0] == 1),
      let hidden = view.numbers()
    else { return nil }
    // Models with pooling inside give one vector a text; others one a token.
    if view.shape.rank <= 2 { return hidden }
    let width = view.shape[view.shape.rank - 1]
    let mask = [Int64](repeating: 1, count: view.shape[1])
    var result = [Float](repeating: 0, count: width)
    var span = result.mutableSpan
    task.pool(hidden.span, mask: mask.span, into: &span)
    return result
  }

  /// Class scores of the first item after a run: the output of this name, or the first one.
  public func scores(_ name: String) -> [Float] {
    let view = session.output(outputIndex(name))
    let width = view.shape.rank == 0 ? 1 : view.shape[view.shape.rank - 1]
    return view.numbers(width) ?? []
  }
}
