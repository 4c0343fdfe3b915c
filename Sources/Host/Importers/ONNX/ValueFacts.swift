// What is known about values while importing: element types, ranks, extents and values that do not
// depend on the data.
import Graphs
import Kernels
import Operators
import Tensors

/// Shapes found by the operators' own rules, twice: with two different guesses for every open extent.
/// What comes out the same both times does not depend on the guesses. Where a rule refuses a guess,
/// less is known and nothing is wrong: lowering checks the real extents.
struct ValueFacts {
  /// A value under one guess.
  struct Sample {
    var elementType: ElementType
    var shape: Shape
    /// Known where it follows from constants and shapes, and is small.
    var value: Constant?
  }

  /// Values of more elements are not computed ahead of the run.
  private static let maximumCount = 4096
  /// Elements and multiply-accumulates that all computed values together may take: a small file must
  /// not ask for much memory or time.
  private var elementBudget = 1 << 23
  private var workBudget = 1 << 28

  private var samples: [[Sample?]] = []
  /// Declared by the file, for when no rule finds it.
  private var ranks: [Int: Int] = [:]
  private var types: [Int: ElementType] = [:]
  /// What the items of sequences are.
  private var itemTypes: [Int: ElementType] = [:]
  private var guesses: [String: [Int]] = [:]
  /// Declarations of intermediate values by name.
  var declarations: [String: ONNXValueInfo] = [:]
  private let compute = Compute(
    kernels: KernelSet.scalar.table, pool: nil, texts: TextPool(maximumBytes: 1 << 24))

  private subscript(value: ValueID) -> [Sample?] {
    get { value.index < samples.count ? samples[value.index] : [nil, nil] }
    set {
      while samples.count <= value.index { samples.append([nil, nil]) }
      samples[value.index] = newValue
    }
  }

  mutating func set(_ value: ValueID, _ constant: Constant) {
    let isSmall = constant.shape.elementCount <= ValueFacts.maximumCount
    // Views into a file need not be aligned, operators ask for that.
    let known = isSmall ? placed(constant) : nil
    let sample = Sample(elementType: constant.elementType, shape: constant.shape, value: known)
    self[value] = [sample, sample]
  }

  /// A copy that operators can read: aligned, its texts where theirs are.
  private func placed(_ constant: Constant) -> Constant {
    constant.texts == nil ? Constant(copying: constant.view) : constant.moved(to: compute.texts)
  }

  /// As `set`, for an aligned constant that shape rules read whatever its size, such as trees.
  mutating func keep(_ value: ValueID, _ constant: Constant) {
    let sample = Sample(elementType: constant.elementType, shape: constant.shape, value: constant)
    self[value] = [sample, sample]
  }

  /// A graph input. Open extents are guessed: 1 and 2 in front, where batches are; behind, numbers
  /// that halve often and fit both pictures and position tables.
  mutating func set(_ input: GraphInput) {
    self[input.value] = (0..<2).map { guess in
      var shape = Shape()
      for (axis, dimension) in input.dimensions.enumerated() {
        switch dimension {
        case .constant(let extent): shape.append(extent)
        case .symbol(let name):
          if guesses[name] == nil { guesses[name] = axis == 0 ? [1, 2] : [320, 384] }
          shape.append(guesses[name]![guess])
        }
      }
      return Sample(elementType: input.elementType, shape: shape, value: nil)
    }
  }

  /// What is known of `source` in `other` is known of `value` here.
  mutating func copy(_ source: ValueID, of other: ValueFacts, to value: ValueID) {
    self[value] = other[source].map { sample in
      guard var sample else { return nil }
      sample.value = sample.value.map { $0.texts == nil ? $0 : placed($0) }
      return sample
    }
    ranks[value.index] = other.ranks[source.index]
    types[value.index] = other.types[source.index]
    itemTypes[value.index] = other.itemTypes[source.index]
  }

  /// For values whose shape no rule finds.
  mutating func setType(_ value: ValueID, _ type: ElementType) { types[value.index] = type }
  mutating func setItemType(_ value: ValueID, _ type: ElementType?) {
    itemTypes[value.index] = type
  }
  func itemType(_ value: ValueID) -> ElementType? { itemTypes[value.index] }
  mutating func setRank(_ value: ValueID, _ rank: Int) { ranks[value.index] = rank }

  /// Bodies and what is around them share one budget.
  mutating func takeBudget(of other: ValueFacts) {
    (elementBudget, workBudget) = (other.elementBudget, other.workBudget)
  }

  /// Takes what the file declares about `value` where no rule found it.
  mutating func declare(_ value: ValueID, _ name: String) {
    guard let info = declarations[name] else { return }
    guard info.kind == .tensor else {
      types[value.index] = .sequence
      if itemTypes[value.index] == nil {
        itemTypes[value.index] = info.elementType.flatMap(ONNXTensor.elementType)
      }
      return
    }
    if let count = info.dimensions?.count { ranks[value.index] = count }
    if let type = info.elementType.flatMap(ONNXTensor.elementType) {
      types[value.index] = type.isFloatingPoint ? .f32 : type
    }
    guard let dimensions = info.dimensions, dimensions.count <= Shape.maximumRank,
      let type = types[value.index], self[value].contains(where: { $0 == nil })
    else { return }
    for guess in 0..<2 where self[value][guess] == nil {
      var shape = Shape()
      for dimension in dimensions {
        switch dimension {
        case .value(let extent) where extent > 0 && extent < 1 << 31: shape.append(Int(extent))
        case .parameter(let name):
          if let extent = guesses[name]?[guess] { shape.append(extent) }
        default: break
        }
      }
      if shape.rank == dimensions.count {
        self[value][guess] = Sample(elementType: type, shape: shape, value: nil)
      }
    }
  }

  func elementType(_ value: ValueID) -> ElementType? {
    self[value][0]?.elementType ?? self[value][1]?.elementType ?? types[value.index]
  }

  func rank(_ value: ValueID) -> Int? {
    self[value][0]?.shape.rank ?? self[value][1]?.shape.rank ?? ranks[value.index]
  }

  /// The extent of an axis, from the front or the end, where that is the same in every run.
  func extent(_ value: ValueID, _ axis: Int) -> Int? {
    guard let a = self[value][0]?.shape, let b = self[value][1]?.shape,
      let axisA = a.normalized(axis: axis), let axisB = b.normalized(axis: axis),
      a[axisA] == b[axisB]
    else { return nil }
    return a[axisA]
  }

  /// The whole shape where that is the same in every run.
  func shape(_ value: ValueID) -> Shape? {
    guard let a = self[value][0]?.shape, a == self[value][1]?.shape else { return nil }
    return a
  }

  /// The elements where they are the same in every run.
  func fixedValue(_ value: ValueID) -> Constant? {
    guard let a = self[value][0], let b = self[value][1], let x = a.value, let y = b.value,
      a.elementType == b.elementType, a.shape == b.shape,
      x.isSame(as: y)
    else { return nil }
    return x
  }

  /// Runs the operator's shape rule, and its arithmetic where all it reads is known and small.
  mutating func infer(_ op: Operator, _ inputs: [ValueID?], _ outputs: [ValueID]) {
    var results: [[Sample?]] = outputs.map { _ in [nil, nil] }
    for guess in 0..<2 {
      let given = inputs.map { $0.flatMap { self[$0][guess] } }
      guard zip(inputs, given).allSatisfy({ $0 == nil || $1 != nil }) else { continue }
      for (i, sample) in infer(op, given, outputs.count).enumerated() { results[i][guess] = sample }
    }
    for (i, output) in outputs.enumerated() {
      self[output] = results[i]
      guard results[i].contains(where: { $0 == nil }) else { continue }
      // No rule can say more where shapes follow from data.
      types[output.index] = op.outputType(i, inputs.map { $0.flatMap { elementType($0) } })
      if let rank = rank(of: op, inputs) { ranks[output.index] = rank }
    }
  }

  /// The number of axes of what an operator gives where that follows from its inputs' or its attributes
  /// alone; nil for operators that are not met behind shapes that follow from data.
  private func rank(of op: Operator, _ inputs: [ValueID?]) -> Int? {
    let known = inputs.map { $0.flatMap { rank($0) } }
    switch op {
    case .unary, .cast, .quantize, .softmax, .stringFromNumber, .numberFromString, .stringLookup,
      .regexMatch, .nGrams:
      return known.first ?? nil
    case .binary, .select, .stringConcat, .stringEqual:
      return known.contains(nil) ? nil : known.compactMap { $0 }.max()
    case .reduce(let op):
      guard op.axes.count > 0, let rank = known.first ?? nil else { return nil }
      return op.keepsAxes ? rank : rank - op.axes.count
    case .reshape(let op) where op.kind == .flatten: return 2
    case .reshape(let op) where op.kind == .target && op.isConstant: return op.values.count
    default: return nil
    }
  }

  private mutating func infer(
    _ op: Operator, _ inputs: [Sample?], _ outputCount: Int
  ) -> [Sample?] {
    let table = TensorTable(count: inputs.count + outputCount)
    for (i, sample) in inputs.enumerated() {
      guard let sample else { continue }
      table[i] =
        sample.value?.view ?? TensorView(elementType: sample.elementType, shape: sample.shape)
    }
    let sources = inputs.enumerated().map { $1 == nil ? -1 : $0 }
    let targets = Array(inputs.count..<inputs.count + outputCount)
    let isKnown = op.dependsOnShapesOnly || inputs.allSatisfy { $0 == nil || $0?.value != nil }
    do throws(ShapeError) {
      let cost = try table.prepare(
        op, inputs: sources, outputs: targets, compute: compute, evaluates: false)
      let counts = targets.map { table[$0].shape.checkedElementCount ?? Int.max }
      let isSmall = counts.allSatisfy { $0 <= ValueFacts.maximumCount }
      if isKnown, isSmall, cost.multiplyAccumulates <= workBudget,
        cost.scratchBytes <= 1 << 20, elementBudget > 0
      {
        workBudget -= cost.multiplyAccumulates
        elementBudget -= counts.reduce(0, +)
        try table.prepare(op, inputs: sources, outputs: targets, compute: compute, evaluates: true)
      }
    } catch {
      return targets.map { _ in nil }
    }
    return targets.map {
      let view = table[$0]
      return Sample(
        elementType: view.elementType, shape: view.shape,
        value: view.hasValue ? copied(view) : nil)
    }
  }

  /// A copy of a tensor made here, which keeps its texts where they are.
  private func copied(_ view: TensorView) -> Constant {
    guard !view.elementType.isNumber else { return Constant(copying: view) }
    return Constant(elementType: view.elementType, shape: view.shape, texts: compute.texts) { out in
      if out.count > 0 {
        out.copyMemory(from: UnsafeRawBufferPointer(start: view.pointer, count: out.count))
      }
    }
  }
}
