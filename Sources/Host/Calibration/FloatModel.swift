// A lowered model with its weights in memory and a session over them.
import Graphs
import Lowering
import Operators
import Platform
import Programs
import Quantization
import Runtime
import Tensors

/// What calibration runs.
final class FloatModel {
  let model: LoweredModel
  let session: Session
  /// The encoded weights, which the session reads.
  let memory: AnonymousMemory
  /// Rows, of large tables, that the items look up: the others are never read, and take no memory.
  private(set) var rows: [Int: TableRows] = [:]

  /// Tables of fewer bytes are filled whole.
  private static let tableByteCount = 1 << 20

  /// items: what the model will be run on, and nothing else; nil where that is not known.
  init(_ model: LoweredModel, threads: Int, items: [CalibrationItem]? = nil) throws {
    self.model = model
    memory = try AnonymousMemory(count: max(model.weightBytes, 1))
    let base = memory.buffer.baseAddress!
    let views = model.program.weights.map { weight in
      TensorView(
        base: base + weight.offset, byteCount: weight.byteCount ?? 0,
        elementType: weight.elementType, shape: weight.shape, encoding: weight.encoding)
    }
    var tables = items == nil ? [] : FloatModel.lookedUpTables(model)
    for w in model.sources.indices where !tables.contains(w) {
      FloatModel.fill(w, of: model, memory)
    }
    var session = try Session(program: model.program, weights: views, threads: threads)
    // What is looked up while preparing must be there before.
    let runnable = Set(session.runnableSteps)
    let isRead = tables.filter { w in
      !session.canReplay
        || model.program.steps.indices.contains { i in
          !runnable.contains(i) && model.program.steps[i].inputs.contains(w)
        }
    }
    if !isRead.isEmpty {
      for w in isRead { FloatModel.fill(w, of: model, memory) }
      tables.removeAll { isRead.contains($0) }
      session = try Session(program: model.program, weights: views, threads: threads)
    }
    self.session = session
    for w in tables { rows[w] = TableRows(model.sources[w].constant.shape) }
    try findRows(items ?? [])
    for (w, table) in rows {
      table.copy(
        model.sources[w].constant.bytes, to: FloatModel.bytes(of: w, in: model, memory))
      // The file's pages are not needed beside the copy.
      model.sources[w].constant.releasePages()
    }
  }

  private static func fill(_ w: Int, of model: LoweredModel, _ memory: AnonymousMemory) {
    let source = model.sources[w]
    WeightEncoder(source, model.program.weights[w].encoding)
      .encode(into: bytes(of: w, in: model, memory))
    source.constant.releasePages()
  }

  /// The bytes of weight `w` that a session reads.
  private static func bytes(
    of w: Int, in model: LoweredModel, _ memory: AnonymousMemory
  ) -> UnsafeMutableRawBufferPointer {
    let weight = model.program.weights[w]
    let count = WeightEncoder(model.sources[w], weight.encoding).byteCount
    return UnsafeMutableRawBufferPointer(
      rebasing: memory.buffer[weight.offset..<weight.offset + count])
  }

  /// The bytes of weight `w` that the session reads: of a large table the rows that the items look up.
  func parts(of w: Int) -> [UnsafeMutableRawBufferPointer] {
    let all = FloatModel.bytes(of: w, in: model, memory)
    guard let rows = rows[w] else { return [all] }
    return rows.ranges.map { UnsafeMutableRawBufferPointer(rebasing: all[$0]) }
  }

  /// Makes weight `w` what `source` says.
  func set(_ w: Int, to source: WeightSource) {
    if let rows = rows[w] {
      rows.copy(source.constant.bytes, to: FloatModel.bytes(of: w, in: model, memory))
    } else {
      WeightEncoder(source, model.program.weights[w].encoding)
        .encode(into: FloatModel.bytes(of: w, in: model, memory))
    }
    source.constant.releasePages()
  }

  // MARK: Tables

  /// Large tables of which every step looks up rows that no other weight has a part in choosing.
  private static func lookedUpTables(_ model: LoweredModel) -> [Int] {
    let program = model.program
    // Slots that follow from the inputs alone; their memory may be another's later.
    var isGiven = Set(program.inputs.map(\.tensor))
    var found: Set<Int> = []
    var others: Set<Int> = []
    for step in program.steps {
      for (i, t) in step.inputs.enumerated() where t >= 0 && !program.isSlot(t) {
        if case .gather(let gather) = step.op, i == 0, gather.axis == 0,
          isGiven.contains(step.inputs[1])
        {
          found.insert(t)
        } else {
          others.insert(t)
        }
      }
      let follows = step.inputs.allSatisfy { t in
        t < 0 || isGiven.contains(t) || !program.isSlot(t) && !model.sources[t].isQuantizable
      }
      for t in step.outputs where t >= 0 {
        if follows { isGiven.insert(t) } else { isGiven.remove(t) }
      }
    }
    return found.subtracting(others).filter { w in
      let source = model.sources[w]
      return source.constant.shape.rank == 2 && source.constant.elementType == .f32
        && source.constant.bytes.count >= tableByteCount && program.bodies.isEmpty
        && WeightEncoder(source, program.weights[w].encoding).isIdentity
    }.sorted()
  }

  /// Runs the items as far as rows are looked up.
  private func findRows(_ items: [CalibrationItem]) throws {
    let steps = session.runnableSteps.map { model.program.steps[$0] }
    let places = steps.indices.filter { n in steps[n].inputs.contains { rows[$0] != nil } }
    guard !places.isEmpty else { return }
    for item in items {
      try item.fill(session)
      var at = 0
      for n in places {
        session.run(steps: at..<n)
        at = n
        rows[steps[n].inputs[0]]?.add(session.tensor(steps[n].inputs[1]))
      }
    }
  }
}

/// Some rows of a table.
struct TableRows {
  private let width: Int
  private var isUsed: [Bool]

  /// shape: [rows, elements], of f32.
  init(_ shape: Shape) {
    width = shape[1] * 4
    isUsed = [Bool](repeating: false, count: shape[0])
  }

  /// Adds the rows at `indices`; what lies behind an end looks up the last one there.
  mutating func add(_ indices: TensorView) {
    for i in 0..<indices.shape.elementCount {
      let index =
        indices.elementType == .i64
        ? Int(indices.pointer.loadUnaligned(fromByteOffset: 8 * i, as: Int64.self))
        : Int(indices.pointer.loadUnaligned(fromByteOffset: 4 * i, as: Int32.self))
      let row = index < 0 ? index + isUsed.count : index
      isUsed[min(max(row, 0), isUsed.count - 1)] = true
    }
  }

  /// Where the rows are among the table's bytes.
  var ranges: [Range<Int>] {
    var list: [Range<Int>] = []
    for (row, used) in isUsed.enumerated() where used {
      if let last = list.last, last.upperBound == row * width {
        list[list.count - 1] = last.lowerBound..<(row + 1) * width
      } else {
        list.append(row * width..<(row + 1) * width)
      }
    }
    return list
  }

  func copy(_ table: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer) {
    for range in ranges {
      UnsafeMutableRawBufferPointer(rebasing: target[range])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: table[range]))
    }
  }
}
