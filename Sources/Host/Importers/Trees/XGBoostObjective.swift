// What XGBoost's objectives do between base score, margin and prediction.
import Foundation
import Graphs
import Operators
import Tensors

/// An objective, as far as predicting needs it.
struct XGBoostObjective {
  /// What becomes of the margins.
  enum Output { case margin, logistic, exponential, softmax, classIndex, sign }

  /// How the base score, which is in the units of the prediction, becomes a margin.
  enum Base { case same, logit, logarithm }

  var output: Output
  var base: Base

  /// nil for objectives that are not known.
  init?(_ name: String) {
    switch name {
    case "reg:squarederror", "reg:linear", "reg:squaredlogerror", "reg:pseudohubererror",
      "reg:absoluteerror", "reg:quantileerror", "reg:expectileerror", "binary:logitraw",
      "rank:pairwise", "rank:ndcg", "rank:map":
      (output, base) = (.margin, .same)
    case "reg:logistic", "binary:logistic": (output, base) = (.logistic, .logit)
    case "binary:hinge": (output, base) = (.sign, .same)
    case "count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft":
      (output, base) = (.exponential, .logarithm)
    case "multi:softprob": (output, base) = (.softmax, .same)
    case "multi:softmax": (output, base) = (.classIndex, .same)
    default: return nil
    }
  }

  /// The margin that a base score stands for; nil where it stands for none.
  func margin(of score: Double) -> Double? {
    let value = Float(score)
    let margin: Float
    switch base {
    case .same: margin = value
    case .logit:
      guard value > 0, value < 1 else { return nil }
      margin = Float(-log(1 / Double(value) - 1))
    case .logarithm:
      guard value > 0 else { return nil }
      margin = Float(log(Double(value)))
    }
    return margin.isFinite ? Double(margin) : nil
  }

  /// The prediction from margins [rows, groups]: [rows], or [rows, groups] where there are several.
  func addPrediction(
    to graph: inout Graph, margins: ValueID, groups: Int
  ) -> ValueID {
    var y = margins
    func add(_ op: Operator) { y = graph.add(op, [y], name: "prediction") }
    switch output {
    case .margin: break
    case .logistic: add(.unary(Unary(.sigmoid)))
    case .exponential: add(.unary(Unary(.exp)))
    case .softmax: add(.softmax(Softmax(axis: -1)))
    case .classIndex:
      add(.argReduce(ArgReduce(axis: -1, keepsAxis: false)))
      add(.cast(Cast(to: .f32)))
      return y
    case .sign:
      let zero = graph.addConstant("zero", Constant(floats: [0], shape: Shape()))
      y = graph.add(.binary(Binary(.greater)), [y, zero], name: "prediction")
      add(.cast(Cast(to: .f32)))
    }
    if groups == 1 { add(.reshape(Reshape(.squeeze, IntegerList([1])))) }
    return y
  }
}
