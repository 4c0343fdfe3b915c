// A lowered model: steps over tensor slots, in the order in which they run.
import Operators
import Tensors

/// One extent of an input: a number, or a symbol that the input's data decides.
public enum Dimension: Equatable, Sendable {
  case constant(Int)
  /// Index into `Program.symbols`.
  case symbol(Int)
}

/// An extent that stays open until data arrives: `batch`, `sequence`, `time`.
public struct Symbol: Equatable, Sendable {
  public var name: String
  /// The largest value the arena is planned for; larger data makes the session plan anew.
  public var limit: Int

  public init(name: String, limit: Int) {
    self.name = name
    self.limit = limit
  }
}

/// A tensor that the caller fills before a run.
public struct ProgramInput: Equatable, Sendable {
  public var name: String
  public var tensor: Int
  public var elementType: ElementType
  /// Empty where the input is open.
  public var dimensions: [Dimension]
  /// True for inputs that take any number of axes and any extents.
  public var isOpen: Bool

  public init(
    name: String, tensor: Int, elementType: ElementType, dimensions: [Dimension],
    isOpen: Bool = false
  ) {
    self.name = name
    self.tensor = tensor
    self.elementType = elementType
    self.dimensions = dimensions
    self.isOpen = isOpen
  }
}

/// A tensor that the caller reads after a run.
public struct ProgramOutput: Equatable, Sendable {
  public var name: String
  public var tensor: Int

  public init(name: String, tensor: Int) {
    self.name = name
    self.tensor = tensor
  }
}

/// What a model carries from call to call: after a run, `output`'s bytes become `input`'s. Starts as
/// zeros.
public struct ProgramState: Equatable, Sendable {
  /// Index into `Program.inputs`; such an input is not the caller's to fill.
  public var input: Int
  /// The tensor that holds its next value.
  public var tensor: Int

  public init(input: Int, tensor: Int) {
    self.input = input
    self.tensor = tensor
  }
}

/// A constant: where its bytes are in the weights section and what they mean.
public struct ProgramWeight: Equatable, Sendable {
  public var name: String
  public var elementType: ElementType
  /// nil for plain elements.
  public var encoding: WeightEncoding?
  public var shape: Shape
  /// Byte offset in the weights section, a multiple of 64.
  public var offset: Int

  public init(
    name: String, elementType: ElementType, encoding: WeightEncoding?, shape: Shape, offset: Int
  ) {
    self.name = name
    self.elementType = elementType
    self.encoding = encoding
    self.shape = shape
    self.offset = offset
  }

  /// Bytes in the weights section; nil where the shape is beyond what the encoding holds.
  public var byteCount: Int? {
    if let encoding { return encoding.byteCount(shape) }
    guard let count = shape.checkedElementCount, count <= 1 << 56 else { return nil }
    return count * elementType.byteCount
  }
}

/// One operator applied to tensors. Tensor indices count weights first, then slots; -1 leaves an
/// optional input out.
public struct Step: Equatable, Sendable {
  public var name: String
  public var op: Operator
  public var inputs: [Int]
  public var outputs: [Int]

  public init(name: String, op: Operator, inputs: [Int], outputs: [Int]) {
    self.name = name
    self.op = op
    self.inputs = inputs
    self.outputs = outputs
  }
}

/// A model ready to run: no names are looked up and no choice is left but the extents of its symbols.
public struct Program: Equatable, Sendable {
  public var symbols: [Symbol]
  public var inputs: [ProgramInput]
  public var outputs: [ProgramOutput]
  public var states: [ProgramState]
  public var weights: [ProgramWeight]
  /// Slots, the tensors that steps write and callers fill; their indices follow the weights'.
  public var slotCount: Int
  public var steps: [Step]
  /// The memory plan for the symbols' limits.
  public var plan: ArenaPlan
  /// Programs that steps of this one run: branches, bodies of loops.
  public var bodies: [Program]
  /// Inside of another program, where each weight stands among those of the outermost one; such a
  /// program has no weights of its own.
  public var sharedWeights: [Int]
  /// What the references of constant texts lead to; bodies use the outermost program's.
  public var texts: [UInt8]

  public init(
    symbols: [Symbol] = [], inputs: [ProgramInput] = [], outputs: [ProgramOutput] = [],
    states: [ProgramState] = [], weights: [ProgramWeight] = [], slotCount: Int = 0,
    steps: [Step] = [], plan: ArenaPlan = ArenaPlan(), bodies: [Program] = [],
    sharedWeights: [Int] = [], texts: [UInt8] = []
  ) {
    self.symbols = symbols
    self.inputs = inputs
    self.outputs = outputs
    self.states = states
    self.weights = weights
    self.slotCount = slotCount
    self.steps = steps
    self.plan = plan
    self.bodies = bodies
    self.sharedWeights = sharedWeights
    self.texts = texts
  }

  /// Bytes of all weights; `Int.max` where the program asks for more than there can be.
  public var weightBytes: Int {
    var sum = 0
    for weight in weights {
      let (total, overflow) = sum.addingReportingOverflow(weight.byteCount ?? Int.max)
      if overflow { return Int.max }
      sum = total
    }
    return sum
  }

  public var tensorCount: Int { weights.count + slotCount }

  /// True for the tensors that are slots.
  public func isSlot(_ tensor: Int) -> Bool { tensor >= weights.count }

  /// The shape of input `i` with every symbol at `values`; nil where it has too many elements.
  public func shape(ofInput i: Int, _ values: [Int]) -> Shape? {
    var shape = Shape()
    for d in inputs[i].dimensions {
      switch d {
      case .constant(let n): shape.append(n)
      case .symbol(let s): shape.append(values[s])
      }
    }
    guard let count = shape.checkedElementCount, count <= 1 << 40 else { return nil }
    return shape
  }
}

/// Why a program cannot be run.
public enum ProgramError: Error, Sendable {
  /// The bytes are not a program; `at` names the field.
  case malformed(at: String, expected: String)
  /// A step uses an operator this runtime does not know.
  case unknownOperator(step: Int, code: Int)
  /// A step's attributes do not fit its operator.
  case attribute(step: Int, AttributeError)
  /// A tensor index is out of range, used before it is written, or written twice.
  case tensor(step: Int, tensor: Int, reason: StaticString)
  /// The weights section is smaller than a weight needs.
  case weight(name: String, needs: Int, has: Int)
}

extension ProgramError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .malformed(let at, let expected): "program: \(at): expected \(expected)"
    case .unknownOperator(let step, let code):
      "program: step \(step) uses operator \(code), which this version does not know"
    case .attribute(let step, let e):
      "program: step \(step), attribute \(e.index): \(e.message)"
    case .tensor(let step, let tensor, let reason):
      step < 0
        ? "program: tensor \(tensor): \(reason)"
        : "program: step \(step), tensor \(tensor): \(reason)"
    case .weight(let name, let needs, let has):
      "program: weight '\(name)' ends at byte \(needs) of a section of \(has) bytes"
    }
  }
}
