// Decision forests: random forests and boosted trees of every source.
import CKernels
import Tensors

/// What the trees of a forest do to each other's values. Raw values are part of the bundle format.
public enum TreesAggregate: Int, Sendable, CaseIterable {
  case sum = 0
  case min, max
}

/// What a node asks of its feature. Raw values are part of the bundle format.
public enum TreeTest: UInt32, Sendable {
  case lessOrEqual = 0
  case equal, member, leaf
}

/// y = aggregate over all trees of the leaf that x reaches / divisor + base.
///
/// inputs: x [rows, features], f32 or, with wide nodes, f64; nodes, u32 [nodes, 2] or, wide,
/// [nodes, 4]; trees, i32 [trees, 2]: first node and target of each; leaves, f32 (wide: f64)
/// [leaves, targets], optional: without, each leaf is one number for the tree's target; sets, u32,
/// optional; base, f32 (wide: f64) [targets], optional → output: [rows, targets], f32 or f64. All but
/// x are known before the program runs. `operator_jobs.h` defines nodes and sets: a tree's nodes stand
/// together, breadth first, so that children follow their parents and every walk ends. Sums are f64.
public struct Trees: OperatorDefinition {
  public static var code: Int { 120 }
  public static var name: StaticString { "Trees" }

  /// Words of a node, narrow and wide.
  public static var nodeWords: Int { 2 }
  public static var wideNodeWords: Int { 4 }
  /// Features and the way from a node to its left child that narrow nodes can say.
  public static var maximumNarrowFeature: Int { 0x1fff }
  public static var maximumNarrowStep: Int { 0xffff }
  public static var maximumWideFeature: Int { 0xfff_ffff }
  public static var maximumTargets: Int { 1 << 20 }

  public var targets: Int
  public var aggregate: TreesAggregate
  /// What the sum is divided by: the number of trees for averages.
  public var divisor: Int
  /// The output is f64.
  public var isDouble: Bool

  public init(
    targets: Int, aggregate: TreesAggregate = .sum, divisor: Int = 1, isDouble: Bool = false
  ) {
    self.targets = targets
    self.aggregate = aggregate
    self.divisor = divisor
    self.isDouble = isDouble
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    targets = try attributes.integer(in: 1...Trees.maximumTargets)
    let raw = try attributes.integer(in: 0...TreesAggregate.allCases.count - 1)
    guard let aggregate = TreesAggregate(rawValue: raw) else {
      throw attributes.fail("unknown aggregate")
    }
    self.aggregate = aggregate
    divisor = try attributes.integer(in: 1...1 << 31)
    isDouble = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(targets)
    attributes.put(aggregate.rawValue)
    attributes.put(divisor)
    attributes.put(isDouble)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...6)
    for i in 0..<step.inputCount { try step.requirePlain(i) }
    let x = step.input(0)
    try step.require(0, is: .f32, .f64)
    guard x.shape.rank == 2, x.shape[1] > 0 else {
      throw ShapeError("expected rows of features", input: 0, expected: 2, found: x.shape.rank)
    }
    for i in 1..<step.inputCount where step.has(i) && !step.input(i).hasValue {
      throw ShapeError("must not depend on the data that runs through the model", input: i)
    }
    let forest = try Forest(step, targets: targets)
    guard forest.isWide || x.elementType == .f32 else {
      throw ShapeError("narrow nodes compare f32", input: 0)
    }
    try forest.check(features: x.shape[1])
    step.setOutput(0, isDouble ? .f64 : .f32, Shape([x.shape[0], targets]))
  }

  public func readsValue(ofInput i: Int) -> Bool { i > 0 }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    isDouble ? .f64 : .f32
  }

  /// Rows that go through one tree before the next, in fours: their sums fit a cache, so does a tree.
  private func blockRows(_ step: StepContext) -> Int {
    Swift.max(1, Swift.min(step.input(0).shape[0], 64, (1 << 14) / targets))
  }

  private func parts(_ step: StepContext) -> Int {
    let rows = step.input(0).shape[0]
    let work = rows.saturatingProduct(step.input(2).shape[0])
    return work < 1 << 12 ? 1 : Swift.max(1, Swift.min(step.compute.threads, rows))
  }

  /// Sums of a part, in cache lines of their own.
  private func sumsPerPart(_ step: StepContext) -> Int { (blockRows(step) * targets + 7) / 8 * 8 }

  public func scratchBytes(_ step: StepContext) -> Int { parts(step) * sumsPerPart(step) * 8 }

  /// Comparisons and additions: a tree is about as deep as its nodes' number has bits.
  public func multiplyAccumulates(_ step: StepContext) -> Int {
    let trees = Swift.max(1, step.input(2).shape[0])
    let nodes = step.input(1).shape[0] / trees
    let depth = Int.bitWidth - nodes.leadingZeroBitCount
    let width = step.has(3) ? targets : 1
    return step.input(0).shape[0].saturatingProduct(trees).saturatingProduct(depth + width)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    guard x.shape[0] > 0 else { return }
    let parts = parts(step)
    let blockRows = blockRows(step)
    let nodes = step.input(1)
    func optional(_ i: Int) -> UnsafeRawPointer? {
      step.has(i) ? unsafe UnsafeRawPointer(step.input(i).pointer) : nil
    }
    let sumsPerPart = sumsPerPart(step)
    let sums = step.scratch(Double.self, count: parts * sumsPerPart)
    var job = unsafe kn_trees()
    unsafe job.x = UnsafeRawPointer(x.pointer)
    unsafe job.y = step.output().pointer
    unsafe job.nodes = UnsafeRawPointer(nodes.pointer)
    unsafe job.trees = UnsafePointer(step.input(2).elements(Int32.self).pointer())
    unsafe job.leaves = optional(3)
    unsafe job.sets = optional(4)?.assumingMemoryBound(to: UInt32.self)
    unsafe job.base = optional(5)
    unsafe job.divisor = Double(divisor)
    unsafe job.rows = x.shape[0]
    unsafe job.features = x.shape[1]
    unsafe job.targets = targets
    unsafe job.tree_count = step.input(2).shape[0]
    unsafe job.block_rows = blockRows
    unsafe job.sums_per_part = sumsPerPart
    unsafe job.is_wide = nodes.shape[1] == Trees.wideNodeWords ? 1 : 0
    unsafe job.x_is_double = x.elementType == .f64 ? 1 : 0
    unsafe job.y_is_double = isDouble ? 1 : 0
    unsafe job.aggregate = Int32(aggregate.rawValue)
    unsafe job.scratch = sums.pointer()
    unsafe step.compute.run(kn_trees_job, &job, parts: parts)
  }
}
