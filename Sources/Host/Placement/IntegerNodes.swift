// Which nodes compute with integers where no accelerator says it.
import Exporters
import Graphs

extension FixedGraph {
  /// Products of constant weights, of which integers are worth something.
  private static let products: Set<String> = ["Conv", "Gemm", "MatMul"]

  /// What may stand between two products and still be computed with integers.
  private static let between: Set<String> = [
    "Add", "AveragePool", "Clip", "Concat", "GlobalAveragePool", "LeakyRelu", "MaxPool", "Mul",
    "Pad", "Relu", "Reshape", "Resize", "Sigmoid", "Slice", "Transpose",
  ]

  /// Products, what cuts their results, and everything between one product and another that integers
  /// are known for. What prepares the first product's input and what is made of the last one's result
  /// keeps its precision.
  public var integerNodes: Set<Int> {
    let nodes = graph.nodes
    func isProduct(_ i: Int) -> Bool {
      takesIntegers(i) && forms[i].map { Self.products.contains($0.operators[0]) } == true
    }
    let products = nodes.indices.filter(isProduct)
    var follows = Set<ValueID>()
    var isBehind = [Bool](repeating: false, count: nodes.count)
    for (i, node) in nodes.enumerated() {
      isBehind[i] = node.inputs.contains { $0.map(follows.contains) ?? false }
      if isBehind[i] || isProduct(i) { follows.formUnion(node.outputs) }
    }
    var leads = Set<ValueID>()
    var isBefore = [Bool](repeating: false, count: nodes.count)
    for (i, node) in nodes.enumerated().reversed() {
      isBefore[i] = node.outputs.contains(where: leads.contains)
      if isBefore[i] || isProduct(i) { leads.formUnion(node.inputs.compactMap { $0 }) }
    }
    var found = Set(products)
    for i in nodes.indices where isBehind[i] && isBefore[i] && takesIntegers(i) {
      if forms[i]!.operators.allSatisfy({ Self.between.contains($0) || Self.products.contains($0) })
      {
        found.insert(i)
      }
    }
    for i in nodes.indices where ["Relu", "Clip"].contains(forms[i]?.operators.first) {
      let x = nodes[i].inputs[0]
      if products.contains(where: { nodes[$0].outputs[0] == x }), takesIntegers(i) {
        found.insert(i)
      }
    }
    return found
  }
}
