// From a LightGBM text model to a graph.
import Graphs
import Operators
import Tensors

/// Imports models that LightGBM 2 to 4 saved as text.
///
/// The graph takes `features`, f64 [rows, features] with NaN for what is missing and categories as
/// their codes, since LightGBM compares doubles, and gives `prediction`, f32, which is what
/// `Booster.predict` gives: [rows], or [rows, classes] for several classes.
public enum LightGBMImporter {
  /// The model in `file`.
  public static func importModel(_ file: ModelFile) throws(ImportError) -> ImportedModel {
    let sections = try LightGBMSection.sections(file)
    let header = sections[0]
    let features =
      try header.integer("max_feature_idx", in: 0...XGBoostImporter.maximumFeatures) + 1
    let classes = try header.integer("num_class", in: 1...1 << 20, 1)
    let perIteration = try header.integer("num_tree_per_iteration", in: 1...1 << 20, classes)
    let objective = try LightGBMObjective(header)
    let trees = sections.dropFirst()
    guard trees.count % perIteration == 0 else {
      throw header.refuse(
        "num_tree_per_iteration", "\(trees.count) trees are no multiple of \(perIteration)")
    }

    var forest = DecisionForest()
    forest.targets = perIteration
    if header.has("average_output") { forest.divisor = max(trees.count / perIteration, 1) }
    for (i, section) in trees.enumerated() {
      forest.trees.append(
        try LightGBMTree(section, features: features)
          .tree(target: i % perIteration, into: &forest))
    }
    var graph = Graph(name: "lightgbm")
    let x = graph.addInput("features", .f64, [.symbol("rows"), .constant(features)])
    let raw: ValueID
    do throws(DecisionForestError) {
      raw = try graph.add(forest, x, comparesDoubles: true, name: "trees")
    } catch {
      throw ImportError(
        file: file.path, .key("Tree=\(error.tree)", "node \(error.node): \(error.message)"))
    }
    graph.addOutput(
      "prediction", objective.addPrediction(to: &graph, raw: raw, groups: perIteration))
    return ImportedModel(graph: graph, format: .lightGBM)
  }
}

/// What a LightGBM objective makes of the sums of leaves.
struct LightGBMObjective {
  private enum Output {
    case raw, exponential, signedSquare
    case sigmoid(Float)
    case softmax, softplus
  }

  private let output: Output

  /// From the header's `objective`, such as `binary sigmoid:1`; a model may have none.
  init(_ header: LightGBMSection) throws(ImportError) {
    let words = (try header.text("objective") ?? "none").split(separator: " ")
    func parameter(_ name: String) throws(ImportError) -> Float? {
      guard let word = words.first(where: { $0.hasPrefix(name + ":") }) else { return nil }
      guard let value = Float(word.dropFirst(name.count + 1)), value.isFinite else {
        throw header.refuse("objective", "'\(word)' is no number")
      }
      return value
    }
    switch words.first.map(String.init) ?? "none" {
    case "none", "custom", "null", "regression_l1", "huber", "fair", "quantile", "mape",
      "lambdarank", "rank_xendcg":
      output = .raw
    case "regression", "regression_l2": output = words.contains("sqrt") ? .signedSquare : .raw
    case "poisson", "gamma", "tweedie": output = .exponential
    case "binary", "multiclassova": output = .sigmoid(try parameter("sigmoid") ?? 1)
    case "cross_entropy", "xentropy": output = .sigmoid(1)
    case "cross_entropy_lambda", "xentlambda": output = .softplus
    case "multiclass", "softmax": output = .softmax
    case let name: throw header.refuse("objective", "'\(name)' is not supported")
    }
  }

  /// The prediction from sums [rows, groups]: [rows], or [rows, groups] where there are several.
  func addPrediction(to graph: inout Graph, raw: ValueID, groups: Int) -> ValueID {
    var y = raw
    func add(_ op: Operator) { y = graph.add(op, [y], name: "prediction") }
    switch output {
    case .raw: break
    case .exponential: add(.unary(Unary(.exp)))
    case .signedSquare:
      let size = graph.add(.unary(Unary(.abs)), [raw], name: "size")
      y = graph.add(.binary(Binary(.mul)), [raw, size], name: "prediction")
    case .sigmoid(let slope):
      if slope != 1 { add(.unary(Unary(.affine, slope, 0))) }
      add(.unary(Unary(.sigmoid)))
    case .softmax: add(.softmax(Softmax(axis: -1)))
    case .softplus: add(.unary(Unary(.softplus)))
    }
    if groups == 1 { add(.reshape(Reshape(.squeeze, IntegerList([1])))) }
    return y
  }
}
