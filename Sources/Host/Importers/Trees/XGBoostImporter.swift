// From an XGBoost model file, JSON or UBJSON, to a graph.
import Graphs
import Operators
import Tensors

/// Imports models that XGBoost 1.0 and later saved: gbtree, dart and gblinear boosters.
///
/// The graph takes `features`, f32 [rows, features] with NaN for what is missing and categories as
/// their codes, and gives `prediction`, which is what `Booster.predict` gives: [rows], or
/// [rows, groups] for several classes or targets.
public enum XGBoostImporter {
  static let maximumFeatures = 1 << 24

  /// The model in `file`.
  public static func importModel(_ file: ModelFile) throws(ImportError) -> ImportedModel {
    let root = try XGBoostValue(file)
    let format: ModelFormat = .xgboost
    let learner = try root["learner"]
    let parameters = try learner["learner_model_param"]
    let features = try parameters["num_feature"].integer(in: 1...maximumFeatures)
    let classes = try parameters.optional("num_class")?.integer(in: 0...1 << 20) ?? 0
    let outputs = try parameters.optional("num_target")?.integer(in: 0...1 << 20) ?? 1
    let groups = max(classes, outputs, 1)
    let name = try learner["objective"]["name"]
    guard let objective = XGBoostObjective(try name.string()) else {
      throw name.refuse("objective '\(try name.string())' is not supported")
    }
    let base = try base(try parameters["base_score"], objective, groups)

    var graph = Graph(name: "xgboost")
    let x = graph.addInput("features", .f32, [.symbol("rows"), .constant(features)])
    let booster = try learner["gradient_booster"]
    let kind = try booster["name"]
    let margins: ValueID
    switch try kind.string() {
    case "gbtree":
      margins = try add(
        try forest(try booster["model"], weights: nil, features, groups, base), to: &graph, x, file)
    case "dart":
      let weights = try booster["weight_drop"].numbers()
      margins = try add(
        try forest(try booster["gbtree"]["model"], weights: weights, features, groups, base),
        to: &graph, x, file)
    case "gblinear":
      margins = try addLinear(try booster["model"]["weights"], features, base, to: &graph, x)
    default: throw kind.refuse("booster '\(try kind.string())' is not supported")
    }
    graph.addOutput(
      "prediction", objective.addPrediction(to: &graph, margins: margins, groups: groups))
    return ImportedModel(graph: graph, format: format)
  }

  /// One margin per group.
  private static func base(
    _ value: XGBoostValue, _ objective: XGBoostObjective, _ groups: Int
  ) throws(ImportError) -> [Double] {
    let scores = try value.numbersInText()
    guard scores.count == 1 || scores.count == groups else {
      throw value.refuse("expected 1 or \(groups) numbers, found \(scores.count)")
    }
    var margins: [Double] = []
    for score in scores {
      guard let margin = objective.margin(of: score) else {
        throw value.refuse("\(score) is out of range")
      }
      margins.append(margin)
    }
    return margins.count == groups ? margins : [Double](repeating: margins[0], count: groups)
  }

  private static func add(
    _ forest: DecisionForest, to graph: inout Graph, _ x: ValueID, _ file: ModelFile
  ) throws(ImportError) -> ValueID {
    do throws(DecisionForestError) {
      return try graph.add(forest, x, comparesDoubles: false, name: "trees")
    } catch {
      throw ImportError(
        file: file.path, .key("trees[\(error.tree)]", "node \(error.node): \(error.message)"))
    }
  }

  // MARK: Trees

  /// weights: a factor per tree, of dart.
  private static func forest(
    _ model: XGBoostValue, weights: [Double]?, _ features: Int, _ groups: Int, _ base: [Double]
  ) throws(ImportError) -> DecisionForest {
    let trees = try model["trees"].elements()
    let info = try model["tree_info"]
    let targets = try info.integers()
    guard targets.count == trees.count else {
      throw info.refuse("expected \(trees.count) numbers, found \(targets.count)")
    }
    guard weights == nil || weights?.count == trees.count else {
      throw model.refuse("expected \(trees.count) weights of trees")
    }
    var forest = DecisionForest()
    forest.targets = groups
    forest.base = base
    for (i, tree) in trees.enumerated() {
      guard targets[i] >= 0, targets[i] < groups else {
        throw info.refuse("tree \(i) is of group \(targets[i]) of \(groups)")
      }
      let reader = try XGBoostTree(tree, features: features, groups: groups)
      forest.trees.append(
        try reader.tree(target: targets[i], scale: weights?[i] ?? 1, into: &forest))
    }
    let kinds = Set(
      forest.trees.map { $0.nodes.contains { if case .row = $0 { true } else { false } } })
    guard kinds.count < 2 else {
      throw model.refuse("trees with one number per leaf and with several are mixed")
    }
    return forest
  }

  // MARK: Linear

  /// weights: a row of groups per feature, then the biases. What is missing adds nothing.
  private static func addLinear(
    _ value: XGBoostValue, _ features: Int, _ base: [Double], to graph: inout Graph, _ x: ValueID
  ) throws(ImportError) -> ValueID {
    let weights = try value.numbers().map { Float($0) }
    let groups = base.count
    guard weights.count == (features + 1) * groups else {
      throw value.refuse("expected \((features + 1) * groups) numbers, found \(weights.count)")
    }
    let zero = graph.addConstant("zero", Constant(floats: [0], shape: Shape()))
    let matrix = graph.addConstant(
      "weights",
      Constant(floats: Array(weights.prefix(features * groups)), shape: Shape([features, groups])))
    let bias = graph.addConstant(
      "bias",
      Constant(
        floats: zip(weights.suffix(groups), base).map { $0 + Float($1) }, shape: Shape([groups])))
    let isMissing = graph.add(.unary(Unary(.isNaN)), [x], name: "missing")
    let given = graph.add(.select(Select()), [isMissing, zero, x], name: "given")
    return graph.add(.matMul(MatMul()), [given, matrix, bias], name: "linear")
  }
}
