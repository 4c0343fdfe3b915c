// Losses, which evaluation models carry along.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let losses: [ONNXOperator] = [
    ONNXOperator("NegativeLogLikelihoodLoss", 12) { b throws(ImportError) in
      [try likelihoodLoss(&b, try b.input(0))]
    },
    ONNXOperator("SoftmaxCrossEntropyLoss", 12) { b throws(ImportError) in
      b.note("SoftmaxCrossEntropyLoss → log-softmax, likelihood loss")
      let op = Softmax(axis: 1, isLogarithm: true)
      let logarithms = b.add(.softmax(op), [try b.input(0)])
      return [try likelihoodLoss(&b, logarithms), logarithms]
    },
  ]

  /// −x[target] along axis 1, weighted by class, then summed or averaged; `ignore_index` weighs 0.
  private static func likelihoodLoss(
    _ b: inout ONNXGraphBuilder, _ x: ValueID
  ) throws(ImportError) -> ValueID {
    b.note("likelihood loss → gather, products, sums")
    var target = b.cast(try b.input(1), to: .i64)
    let reduction = try b.string("reduction", "mean")
    guard ["none", "sum", "mean"].contains(reduction) else {
      throw b.fail("reduction '\(reduction)' is not supported")
    }
    var isCounted: ValueID?
    if let ignored = try b.integer("ignore_index") {
      let isIgnored = b.binary(.equal, target, b.whole(ignored))
      isCounted = b.unary(.not, isIgnored)
      target = b.select(isCounted!, target, b.whole(0))
    }
    let places = b.unsqueeze(target, [1])
    let picked = b.add(.gatherElements(GatherElements(axis: 1)), [x, places])
    var loss = b.unary(.neg, b.squeeze(picked, [1]))
    var weights: ValueID?
    if let classes = try b.optional(2) {
      weights = b.add(.gather(Gather(axis: 0)), [classes, target])
    }
    if let isCounted {
      weights = b.select(isCounted, weights ?? b.scalar(Float(1)), b.scalar(Float(0)))
      // Not a product: what is ignored may be infinite.
      loss = b.select(isCounted, loss, b.scalar(Float(0)))
    }
    if let weights { loss = b.binary(.mul, loss, weights) }
    switch reduction {
    case "none": return loss
    case "sum": return b.reduce(.sum, loss, [], keepsAxes: false)
    default:
      guard let weights else { return b.reduce(.mean, loss, [], keepsAxes: false) }
      let total = b.reduce(.sum, loss, [], keepsAxes: false)
      return b.binary(.div, total, b.reduce(.sum, weights, [], keepsAxes: false))
    }
  }
}
