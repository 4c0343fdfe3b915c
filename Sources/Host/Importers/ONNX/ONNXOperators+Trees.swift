// Tree ensembles of ai.onnx.ml.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let trees: [ONNXOperator] = [
    ONNXOperator("TreeEnsembleClassifier", domain: "ai.onnx.ml", treeClassifier),
    ONNXOperator("TreeEnsembleRegressor", domain: "ai.onnx.ml", treeRegressor),
    ONNXOperator("TreeEnsemble", 5, domain: "ai.onnx.ml", treeEnsemble),
  ]

  private static func treeRegressor(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.rows(try b.raw(0), keepsDoubles: true)
    let targets = try b.integer("n_targets", 1)
    guard (1...Trees.maximumTargets).contains(targets) else {
      throw b.fail("n_targets is out of range")
    }
    let name = try b.string("aggregate_function", "SUM")
    let aggregate = try aggregate(["AVERAGE", "SUM", "MIN", "MAX"].firstIndex(of: name), b)
    let nodes = try ONNXTreeNodes(&b, role: "target")
    var forest = try nodes.forest(
      b, targets: targets, aggregate: aggregate, isDouble: b.elementType(x) == .f64)
    if name == "AVERAGE" { forest.divisor = max(forest.trees.count, 1) }
    let base = try b.numbers("base_values")
    guard base.isEmpty || base.count == targets else {
      throw b.fail("\(base.count) base values, expected \(targets)")
    }
    forest.base = base
    var scores = try b.add(forest, x)
    let transform = try b.postTransform()
    // One score alone is left as it is by all but this.
    if targets > 1 || transform == .probit { scores = b.transformed(scores, transform) }
    return [scores]
  }

  /// number: 0 average, which is a sum here, 1 sum, 2 minimum, 3 maximum.
  private static func aggregate(
    _ number: Int?, _ b: ONNXGraphBuilder
  ) throws(ImportError) -> TreesAggregate {
    switch number {
    case 0, 1: return .sum
    case 2: return .min
    case 3: return .max
    default: throw b.fail("the aggregate function is not known")
    }
  }

  private static func treeClassifier(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.rows(try b.raw(0), keepsDoubles: true)
    let isDouble = b.elementType(x) == .f64
    let labels = try b.classLabels("classlabels_int64s", "classlabels_strings")
    guard labels.count <= Trees.maximumTargets else { throw b.fail("too many classes") }
    let transform = try b.postTransform()
    let base = try b.numbers("base_values")
    let nodes = try ONNXTreeNodes(&b, role: "class")
    let classes = Set(nodes.weights.map(\.target))
    if labels.count <= 2, classes.isSubset(of: [0]), base.count <= 1 {
      var forest = try nodes.forest(b, targets: 1, isDouble: isDouble)
      forest.base = base
      return try oneScore(&b, try b.add(forest, x), labels, transform, nodes.isPositive)
    }
    guard base.isEmpty || base.count == labels.count || labels.count == 2 else {
      throw b.fail("\(base.count) base values, expected \(labels.count)")
    }
    var forest = try nodes.forest(b, targets: labels.count, isDouble: isDouble)
    if base.count == labels.count { forest.base = base }
    // A base value alone belongs to the first class, which has no weights where the second has all.
    if base.count == 1, classes != [1] { forest.base = [base[0], 0] }
    let scores = try b.add(forest, x)
    let outputs = b.transformed(scores, transform)
    guard labels.count == 2, classes.count == 1 else {
      return [b.bestLabel(labels, scores), outputs]
    }
    // All weights are one class's: its score decides.
    let column = Slice(
      starts: IntegerList([classes == [0] ? 0 : 1]), ends: IntegerList([classes == [0] ? 1 : 2]),
      axes: IntegerList([1]), steps: IntegerList([1]))
    let score = b.add(.slice(column), [scores])
    return [b.label(labels, score, above: nodes.isPositive ? 0.5 : 0), outputs]
  }

  /// A score [rows, 1] that speaks for the second of two classes; of one class, for that.
  private static func oneScore(
    _ b: inout ONNXGraphBuilder, _ score: ValueID, _ labels: ONNXClassLabels,
    _ transform: ONNXPostTransform, _ isPositive: Bool
  ) throws(ImportError) -> [ValueID] {
    guard labels.count == 2 else {
      return [b.label(.numbersOfTwo, score, above: 0), score]
    }
    let label = b.label(labels, score, above: isPositive ? 0.5 : 0)
    let other: ValueID
    switch transform {
    case .probit: throw b.fail("PROBIT of one score for two classes is not supported")
    case .logistic:
      other = b.unary(.sigmoid, b.unary(.neg, score))
      return [label, b.columns(other, b.unary(.sigmoid, score))]
    default: other = isPositive ? b.unary(.affine, score, -1, 1) : b.unary(.neg, score)
    }
    return [label, b.columns(other, score)]
  }

  // MARK: Opset 5

  private static func treeEnsemble(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.rows(try b.raw(0), keepsDoubles: true)
    let isDouble = b.elementType(x) == .f64
    let targets = try b.integer("n_targets", 1)
    guard (1...Trees.maximumTargets).contains(targets) else {
      throw b.fail("n_targets is out of range")
    }
    let graph = try ONNXTreeGraph(&b)
    let number = try b.integer("aggregate_function", 1)
    var forest = try graph.forest(
      b, targets: targets, aggregate: try aggregate(number, b), isDouble: isDouble)
    if number == 0 { forest.divisor = max(forest.trees.count, 1) }
    guard let transform = ONNXPostTransform(rawValue: try b.integer("post_transform", 0)) else {
      throw b.fail("the post transform is not known")
    }
    let scores = try b.add(forest, x, isDouble: isDouble && transform == .none)
    return [b.transformed(scores, transform)]
  }
}

extension ONNXGraphBuilder {
  /// The step that walks the forest with the rows of x.
  mutating func add(
    _ forest: DecisionForest, _ x: ValueID, isDouble: Bool = false
  ) throws(ImportError) -> ValueID {
    let packed: PackedForest
    do throws(DecisionForestError) {
      packed = try forest.packed(comparesDoubles: elementType(x) == .f64, isDouble: isDouble)
    } catch {
      throw fail("tree \(error.tree), node \(error.node): \(error.message)")
    }
    let labels = ["nodes", "trees", "leaves", "sets", "base"]
    var inputs: [ValueID?] = [x]
    for (constant, label) in zip(packed.constants, labels) {
      guard let constant else {
        inputs.append(nil)
        continue
      }
      let value = graph.addConstant("\(node.label).\(label)", constant)
      facts.keep(value, constant)
      inputs.append(value)
    }
    return add(.trees(packed.op), inputs)
  }
}
