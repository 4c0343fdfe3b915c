// Everything about a program that follows from the shapes of its inputs.
import Operators
import Tensors

/// A step's refusal of the shapes that reach it, or an input that does not fit its declaration.
public enum PreparationError: Error, Sendable {
  case step(index: Int, name: String, ShapeError)
  case input(name: String, expected: String, found: String)
  case outOfMemory(bytes: Int)
}

extension PreparationError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .step(let index, let name, let error): "step \(index) '\(name)': \(error)"
    case .input(let name, let expected, let found):
      "input '\(name)': expected \(expected), found \(found)"
    case .outOfMemory(let bytes): "cannot allocate \(bytes) bytes of working memory"
    }
  }
}

/// The tensors of a program at given input shapes: shapes inferred step by step, values that follow from
/// shapes alone computed, sizes known. Packing and running use the same code.
public final class Preparation {
  public let program: Program
  public let tensors: TensorTable
  /// Bytes of each slot and of each step's scratch, at the shapes last prepared.
  public private(set) var slotBytes: [Int]
  public private(set) var scratchBytes: [Int]
  public private(set) var multiplyAccumulates: [Int]
  /// Steps that are done once preparing is.
  public let isStatic: [Bool]
  /// Steps that a run prepares: their shapes follow from data. Until then they count as empty.
  public let isDynamic: [Bool]
  /// The last step that needs each slot; `steps.count` for what the caller reads.
  public let lastUse: [Int]
  private let compute: Compute

  /// weights: one view per weight; a weight whose bytes do not exist yet has none.
  public init(_ program: Program, weights: [TensorView], compute: Compute) {
    precondition(weights.count == program.weights.count)
    self.program = program
    self.compute = compute
    tensors = TensorTable(count: program.tensorCount)
    slotBytes = [Int](repeating: 0, count: program.slotCount)
    scratchBytes = [Int](repeating: 0, count: program.steps.count)
    multiplyAccumulates = [Int](repeating: 0, count: program.steps.count)
    for (i, view) in weights.enumerated() { tensors[i] = view }
    let live = Liveness(program, bytes: slotBytes)
    (isStatic, isDynamic, lastUse) = (live.isStatic, live.isDynamic, live.last)
  }

  /// True where some shapes follow from data: memory is then known only in a run.
  public var isOpen: Bool { isDynamic.contains(true) }

  /// Bytes of all values that follow from shapes and weights alone.
  public var staticBytes: Int {
    var sum = 0
    for (i, step) in program.steps.enumerated() where isStatic[i] {
      for t in step.outputs { sum += tensors[t].plainByteCount }
    }
    return sum
  }

  /// The value of every symbol when the inputs have these shapes. Inputs of states follow the others.
  public func bind(_ shapes: [Shape?]) throws(PreparationError) -> [Int] {
    var values = program.symbols.map { $0.limit }
    var isBound = [Bool](repeating: false, count: values.count)
    for (i, input) in program.inputs.enumerated() {
      guard !input.isOpen, let shape = shapes[i] else { continue }
      var fits = shape.rank == input.dimensions.count
      if fits {
        for (axis, d) in input.dimensions.enumerated() {
          switch d {
          case .constant(let n): fits = fits && n == shape[axis]
          case .symbol(let s):
            fits = fits && (!isBound[s] || values[s] == shape[axis])
            values[s] = shape[axis]
            isBound[s] = true
          }
        }
      }
      guard fits else {
        throw .input(
          name: input.name, expected: program.describe(input.dimensions),
          found: shape.description)
      }
    }
    return values
  }

  /// Infers all shapes for these symbol values. Values that follow from shapes and weights alone must
  /// not take more than `maximumStaticBytes` together.
  public func prepare(
    _ values: [Int], maximumStaticBytes: Int = 1 << 30
  ) throws(PreparationError) {
    let w = program.weights.count
    for (i, input) in program.inputs.enumerated() where !input.isOpen {
      guard let shape = program.shape(ofInput: i, values) else {
        throw .input(name: input.name, expected: "at most 2^40 elements", found: "more")
      }
      var view = TensorView(elementType: input.elementType, shape: shape)
      // Values are unknown while preparing, whatever an earlier run left there.
      view.byteCount = 0
      tensors[input.tensor] = view
    }
    for step in program.steps {
      for t in step.outputs { tensors[t] = TensorView(elementType: .f32, shape: Shape()) }
    }
    for (i, step) in program.steps.enumerated() {
      if isDynamic[i] { continue }
      do throws(ShapeError) {
        // While packing, weights have no bytes yet: what follows from them waits for the session.
        let hasValues =
          step.op.dependsOnShapesOnly || step.inputs.allSatisfy { $0 < 0 || tensors[$0].hasValue }
        if isStatic[i], case .gather(let gather) = step.op {
          try checkRange(gather, step)
        }
        let cost = try tensors.prepare(
          step.op, inputs: step.inputs, outputs: step.outputs, compute: compute,
          evaluates: isStatic[i] && hasValues, maximumBytes: maximumStaticBytes)
        scratchBytes[i] = isStatic[i] ? 0 : cost.scratchBytes
        multiplyAccumulates[i] = cost.multiplyAccumulates
      } catch {
        throw .step(index: i, name: step.name, error)
      }
      for t in step.outputs {
        guard let n = tensors[t].shape.checkedElementCount, n <= 1 << 40 else {
          throw .step(index: i, name: step.name, ShapeError("output is too large"))
        }
      }
    }
    for s in 0..<program.slotCount { slotBytes[s] = tensors[w + s].plainByteCount }
    for (i, step) in program.steps.enumerated() where isDynamic[i] {
      for t in step.outputs { slotBytes[t - w] = 0 }
    }
    for input in program.inputs where input.isOpen { slotBytes[input.tensor - w] = 0 }
  }
}

extension Preparation {
  /// Refuses indices that are known ahead and have no row: a sequence longer than the model's table
  /// of positions. Data alone cannot make a step fail; it reads the nearest row.
  private func checkRange(_ gather: Gather, _ step: Step) throws(ShapeError) {
    guard step.inputs.count == 2, step.inputs[0] >= 0, step.inputs[1] >= 0 else { return }
    let table = tensors[step.inputs[0]].shape
    let indices = tensors[step.inputs[1]]
    guard indices.hasValue, indices.encoding == nil, !indices.elementType.isFloatingPoint,
      let axis = table.normalized(axis: gather.axis)
    else { return }
    let rows = table[axis]
    for i in 0..<indices.shape.elementCount {
      let index = indices.integer(at: i)
      guard index >= -rows, index < rows else {
        throw ShapeError("index is out of range", input: 1, expected: rows - 1, found: index)
      }
    }
  }
}

extension Program {
  /// `[batch, 128]`.
  public func describe(_ dimensions: [Dimension]) -> String {
    var text = "["
    for (i, d) in dimensions.enumerated() {
      if i > 0 { text += ", " }
      switch d {
      case .constant(let n): text += "\(n)"
      case .symbol(let s): text += symbols[s].name
      }
    }
    return text + "]"
  }
}
