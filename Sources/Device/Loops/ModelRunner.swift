// A session together with its task: items go in, answers come out.
import Bytes
import Kernels
import Platform
import Programs
import Runtime
import Tasks
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
  public private(set) var hasNoTokens = false

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
      guard unsafe TensorConversion.fill(session.input(i), from: bytes, entry.elementType) else {
        let wanted = session.input(i).elementType.name
        throw Failure(
          .badData,
          "\(file.path): \(entry.name): \(entry.elementType.name) cannot be used as \(wanted)")
      }
    }
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
      guard entry.shape.rank == dimensions.count, let first = dimensions.first,
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

  // MARK: Text in

  var textRefusal: Failure {
    Failure(.usage, "\(model.name) takes tensors, not text: give --input FILE.safetensors")
  }

  /// Fills the token inputs from a text. Throws where the bundle has no tokenizer.
  public func fill(text: String) throws(Failure) {
    hasNoTokens = false
    guard let inputs = model.task.textInputs, let tokenizer = model.tokenizer else {
      throw textRefusal
    }
    switch tokenizer {
    case .wordPiece(let tokenizer): try fill(text, tokenizer, inputs)
    case .fastText(let tokenizer): try fill(text, tokenizer, inputs)
    }
  }

  private func fill(
    _ text: String, _ tokenizer: WordPieceTokenizer, _ inputs: TextInputs
  ) throws(Failure) {
    let limited: WordPieceTokenizer
    do throws(WordPieceError) {
      limited = try tokenizer.limited(to: inputs.maximumTokens)
    } catch {
      throw Failure(.badData, "\(model.name): \(error)")
    }
    let sequence = limited.encode(text)
    var shapes = [Shape?](repeating: nil, count: model.program.inputs.count)
    for i in callerInputs { shapes[i] = Shape([1, sequence.count]) }
    try prepare(shapes)
    for i in callerInputs {
      let view = session.input(i)
      let name = model.program.inputs[i].name
      for t in 0..<sequence.count {
        let value: Int32
        if name == inputs.idsName {
          value = sequence.ids[t]
        } else if name == inputs.maskName {
          value = 1
        } else if name == inputs.typesName {
          value = Int32(sequence.typeID(at: t))
        } else {
          throw unexpected(name)
        }
        switch view.elementType {
        case .i64: view.elements(Int64.self)[t] = Int64(value)
        case .i32: view.elements(Int32.self)[t] = value
        default:
          throw Failure(
            .badData,
            "\(model.name): input '\(name)': expected i64, found \(view.elementType.name)")
        }
      }
    }
  }

  private func unexpected(_ name: String) -> Failure {
    Failure(.badData, "\(model.name): input '\(name)' is nothing that a text gives")
  }

  /// ids: i64 [rows]; the mask, for models of word vectors: f32 [words, rows], each word's row averages
  /// its rows. A text that asks for no row runs as one of row 0 and gives no answer.
  private func fill(
    _ text: String, _ tokenizer: FastTextTokenizer, _ inputs: TextInputs
  ) throws(Failure) {
    let sequence = tokenizer.limited(to: inputs.maximumTokens).encode(text)
    hasNoTokens = sequence.ids.isEmpty
    let count = max(sequence.ids.count, 1)
    let words = max(sequence.ends.count, 1)
    var shapes = [Shape?](repeating: nil, count: model.program.inputs.count)
    for i in callerInputs {
      let name = model.program.inputs[i].name
      if name == inputs.idsName {
        shapes[i] = Shape([count])
      } else if name == inputs.maskName {
        shapes[i] = Shape([words, count])
      } else {
        throw unexpected(name)
      }
    }
    try prepare(shapes)
    for i in callerInputs {
      let view = session.input(i)
      let isIDs = model.program.inputs[i].name == inputs.idsName
      guard view.elementType == (isIDs ? .i64 : .f32), view.shape == shapes[i] else {
        throw unexpected(model.program.inputs[i].name)
      }
      if isIDs {
        let ids = view.elements(Int64.self)
        for t in 0..<count { ids[t] = hasNoTokens ? 0 : Int64(sequence.ids[t]) }
        continue
      }
      let averages = view.floats
      averages.fill(0)
      var start = 0
      for (word, end) in sequence.ends.enumerated() {
        for t in start..<end { averages[word * count + t] = 1 / Float(end - start) }
        start = end
      }
    }
  }

  /// Whether texts can be put in.
  public var takesText: Bool { model.task.textInputs != nil && model.tokenizer != nil }

  // MARK: Made-up inputs

  /// Fills the inputs with values that any model takes: indices in range where a table is looked up,
  /// 1 for other integers, numbers from 0 to 1. The same on every machine.
  public func fillWithSamples() throws(Failure) {
    try prepare([Shape?](repeating: nil, count: model.program.inputs.count))
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
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
