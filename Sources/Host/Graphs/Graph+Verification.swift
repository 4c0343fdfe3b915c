// What a legal graph is: said once, checked after every pass.
import Tensors

/// A rule that a graph breaks, and where.
public struct GraphError: Error, Sendable, CustomStringConvertible {
  /// The pass after which the graph was found broken; empty for a fresh import.
  public var pass: String
  public var node: String
  public var message: String

  public init(pass: String = "", node: String, message: String) {
    self.pass = pass
    self.node = node
    self.message = message
  }

  public var description: String {
    (pass.isEmpty ? "" : "after \(pass): ") + (node.isEmpty ? "" : "node '\(node)': ") + message
  }
}

extension Graph {
  /// Values exist, are written once, constants and inputs by nobody, and are read only after they are
  /// written; outputs are written; state fits its input.
  public func verify(after pass: String = "") throws(GraphError) {
    for body in bodies {
      try body.verify(after: pass)
      guard body.inputs.allSatisfy(\.isOpen), body.states.isEmpty else {
        throw GraphError(pass: pass, node: "", message: "a body has fixed inputs or states")
      }
    }
    var written = values.map { $0.constant != nil }
    func check(_ id: ValueID, _ node: String) throws(GraphError) {
      guard values.indices.contains(id.index) else {
        throw GraphError(pass: pass, node: node, message: "value \(id.index) does not exist")
      }
    }
    for input in inputs {
      try check(input.value, "")
      guard !written[input.value.index] else {
        throw GraphError(
          pass: pass, node: "", message: "input '\(self[input.value].name)' is also a constant")
      }
      guard input.dimensions.count <= Shape.maximumRank else {
        throw GraphError(
          pass: pass, node: "", message: "input '\(self[input.value].name)' has more than 8 axes")
      }
      written[input.value.index] = true
    }
    for node in nodes {
      for input in node.inputs.compactMap({ $0 }) {
        try check(input, node.name)
        guard written[input.index] else {
          throw GraphError(
            pass: pass, node: node.name,
            message: "reads '\(self[input].name)' before anything writes it")
        }
      }
      guard !node.outputs.isEmpty else {
        throw GraphError(pass: pass, node: node.name, message: "has no output")
      }
      for number in node.op.bodies.array {
        guard bodies.indices.contains(number),
          node.op.fits(
            inputs: node.inputs.count, outputs: node.outputs.count,
            bodyInputs: bodies[number].inputs.count, bodyOutputs: bodies[number].outputs.count)
        else {
          throw GraphError(pass: pass, node: node.name, message: "runs a body that does not fit")
        }
      }
      for output in node.outputs {
        try check(output, node.name)
        guard !written[output.index] else {
          throw GraphError(
            pass: pass, node: node.name, message: "'\(self[output].name)' is written twice")
        }
        written[output.index] = true
      }
    }
    for output in outputs {
      try check(output.value, "")
      guard written[output.value.index] else {
        throw GraphError(pass: pass, node: "", message: "nothing writes output '\(output.name)'")
      }
    }
    for state in states {
      try check(state.next, "")
      guard inputs.indices.contains(state.input), written[state.next.index] else {
        throw GraphError(pass: pass, node: "", message: "a state has no input or no next value")
      }
    }
  }
}
