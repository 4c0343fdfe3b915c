// Inputs to calibrate on and to compare with: what a person gives, or made up.
import Calibration
import Fitting
import Graphs
import Importers
import Loops
import Lowering
import Packing
import Placement
import Platform
import Programs
import Runtime
import Tasks
import Tensors

/// A model with fixed extents, and inputs to run it on.
struct Int8Inputs {
  let fixed: FixedGraph
  let items: [CalibrationItem]
  /// True where nobody gave inputs.
  let isGenerated: Bool
  private let packed: PackedModel
  private let all: [RunItem]

  /// The most items that are run for ranges, and the most bytes that they may have: ranges settle early.
  static let maximumItems = 256
  private static let maximumBytes = 512 << 20
  /// The most items that are compared.
  private static let maximumCompared = 2000

  /// file: a safetensors file; nil takes the recipe's evaluation data, and without that makes inputs up.
  init(_ packed: PackedModel, file: String?) throws {
    let path = packed.recipe?.model ?? packed.request.model
    var limits = packed.recipe?.limits ?? [:]
    limits.merge(packed.request.limits) { $1 }
    fixed = try FixedGraph(try Importer.importModel(path).graph, limits: limits)
    self.packed = packed
    let runner = try Self.runner(packed, fixed.graph)
    var options = RunOptions()
    options.modelPath = path
    let data = packed.recipe?.evaluationData
    if let given = file ?? data { options.inputs = [given] }
    all = try Self.items(options, runner)
    isGenerated = file == nil && data == nil
    var items: [CalibrationItem] = []
    var bytes = 0
    for item in Self.spread(all, Self.maximumItems) {
      try runner.fill(item)
      let kept = CalibrationItem(copying: runner.session)
      bytes += kept.byteCount
      guard bytes <= Self.maximumBytes || items.isEmpty else { break }
      items.append(kept)
    }
    self.items = items
  }

  /// One line for a person where ranges rest on nothing real.
  func warnIfGenerated() {
    guard isGenerated else { return }
    let line = "knapsack: no --calibration: ranges come from made-up inputs\n"
    try? Standard.error.write(Array(line.utf8))
  }

  /// The float model and the scales of its activations.
  func int8(_ choice: RangeChoice, isSymmetric: Bool) throws -> StaticInt8 {
    let found = try ActivationRanges(fixed.graph, items: items)
    return StaticInt8(
      fixed, ranges: found.ranges(choice, isSymmetric: isSymmetric), isSymmetric: isSymmetric)
  }

  /// At most `count` of the items, evenly.
  private static func spread(_ items: [RunItem], _ count: Int) -> [RunItem] {
    let count = min(count, items.count)
    return (0..<count).map { items[$0 * items.count / count] }
  }

  /// The items of a data set, or of a file of whole tensors.
  private static func items(_ options: RunOptions, _ runner: ModelRunner) throws -> [RunItem] {
    if let found = try? RunItems(options, runner) { return found.items }
    var options = options
    options.inputFile = options.inputs.first
    options.inputs = []
    return try RunItems(options, runner).items
  }

  /// The model in memory with another graph in place of its own.
  private static func runner(_ packed: PackedModel, _ graph: Graph) throws -> ModelRunner {
    var model = packed
    model.graph = graph
    model.weights = nil
    model.candidate.model = try Lowering.lower(graph) { _ in .f32 }
    return try ModelRunner(try model.loaded(), threads: 1)
  }

  /// How far the outputs of `graph` are from the float model's.
  func compare(_ graph: Graph) throws -> Int8Comparison {
    let runners = [try Self.runner(packed, fixed.graph), try Self.runner(packed, graph)]
    var comparison = Int8Comparison()
    for item in Self.spread(all, Self.maximumCompared) {
      for runner in runners {
        try runner.fill(item)
        try runner.run()
      }
      for i in runners[0].model.program.outputs.indices {
        guard let a = runners[0].session.output(i).numbers(),
          let b = runners[1].session.output(i).numbers()
        else { continue }
        comparison.add(a, b)
      }
      if case .row(_, _, let label?) = item {
        comparison.labelled += 1
        for (i, runner) in runners.enumerated() where try Self.choice(runner) == label {
          comparison.right[i] += 1
        }
      }
    }
    return comparison
  }

  /// The class that a model chose: its task says how, else the largest element of its only output.
  private static func choice(_ runner: ModelRunner) throws -> Int? {
    var ranked: [RankedLabel] = []
    if let index = try Answer(runner, &ranked).classIndex { return index }
    guard runner.model.program.outputs.count == 1, let scores = runner.session.output(0).numbers()
    else { return nil }
    return scores.indices.max { scores[$0] < scores[$1] }
  }
}
