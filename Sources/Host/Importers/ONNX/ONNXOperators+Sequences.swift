// Sequences of tensors, and optionals, which are sequences of at most one.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let sequences: [ONNXOperator] = [
    ONNXOperator("SequenceEmpty", 11) { b throws(ImportError) in
      let empty = b.addConstant(Constant(sequence: []))
      let type = try b.integer("dtype", 1)
      b.facts.setItemType(empty, ONNXTensor.elementType(Int64(type)))
      return [empty]
    },
    ONNXOperator("SequenceConstruct", 11) { b throws(ImportError) in
      let items = try b.allInputs()
      return [sequence(&b, .sequenceConstruct(SequenceConstruct()), items, of: items[0])]
    },
    ONNXOperator("SequenceInsert", 11) { b throws(ImportError) in
      let inputs = [try b.raw(0), try b.raw(1), b.has(2) ? try b.raw(2) : nil]
      return [sequence(&b, .sequenceInsert(SequenceInsert()), inputs, of: try b.raw(1))]
    },
    ONNXOperator("SequenceErase", 11) { b throws(ImportError) in
      let x = try b.raw(0)
      return [
        sequence(&b, .sequenceErase(SequenceErase()), [x, b.has(1) ? try b.raw(1) : nil], of: x)
      ]
    },
    ONNXOperator("SequenceAt", 11) { b throws(ImportError) in
      let x = try b.raw(0)
      return [item(&b, .sequenceAt(SequenceAt()), [x, try b.raw(1)], of: x)]
    },
    ONNXOperator("SequenceLength", 11) { b throws(ImportError) in
      [b.add(.sequenceLength(SequenceLength()), [try b.raw(0)])]
    },
    ONNXOperator("SplitToSequence", 11) { b throws(ImportError) in
      let op = SplitToSequence(
        axis: try b.axis(try b.integer("axis", 0)), keepsAxis: try b.bool("keepdims", true))
      let x = try b.raw(0)
      let sizes = b.has(1) ? try b.raw(1) : nil
      return [sequence(&b, .splitToSequence(op), [x] + (sizes.map { [$0] } ?? []), of: x)]
    },
    ONNXOperator("ConcatFromSequence", 11) { b throws(ImportError) in
      let op = ConcatFromSequence(
        axis: try b.axis(try b.integer("axis", 0)), addsAxis: try b.bool("new_axis", false))
      let x = try b.raw(0)
      return [item(&b, .concatFromSequence(op), [x], of: x)]
    },
    ONNXOperator("SequenceMap", 17, sequenceMap),
    ONNXOperator("Optional", 15) { b throws(ImportError) in
      let x = b.has(0) ? try b.raw(0) : nil
      let op = SequenceConstruct(isOptional: true)
      guard let x else { return [b.addConstant(Constant(sequence: [], isOptional: true))] }
      return [sequence(&b, .sequenceConstruct(op), [x], of: x)]
    },
    ONNXOperator("OptionalHasElement", 15) { b throws(ImportError) in
      let x = b.has(0) ? try b.raw(0) : nil
      return [b.add(.optionalHasElement(OptionalHasElement()), x.map { [$0] } ?? [])]
    },
    ONNXOperator("OptionalGetElement", 15) { b throws(ImportError) in
      let x = try b.raw(0)
      return [item(&b, .optionalGetElement(OptionalGetElement()), [x], of: x)]
    },
  ]

  /// A sequence whose items are of the type of `source`, or of its items.
  private static func sequence(
    _ b: inout ONNXGraphBuilder, _ op: Operator, _ inputs: [ValueID?], of source: ValueID
  ) -> ValueID {
    let y = b.add(op, inputs)
    let type = b.elementType(source)
    b.facts.setItemType(y, type == .sequence ? b.facts.itemType(source) : type)
    return y
  }

  /// An item of a sequence.
  private static func item(
    _ b: inout ONNXGraphBuilder, _ op: Operator, _ inputs: [ValueID?], of source: ValueID
  ) -> ValueID {
    let y = b.add(op, inputs)
    if b.elementType(source) == .sequence, let type = b.facts.itemType(source) {
      b.facts.setType(y, type)
    }
    return y
  }

  /// A loop that puts what the body makes of each item into new sequences.
  private static func sequenceMap(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let graph = try b.subgraph("body")
    let inputs = try b.allInputs()
    b.note("SequenceMap → Loop")
    let isSequence = inputs.map { b.elementType($0) == .sequence }
    guard isSequence[0] else { throw b.fail("input 0 is no sequence") }
    let count = b.add(.sequenceLength(SequenceLength()), [inputs[0]])
    let empty = graph.outputs.map { _ in b.addConstant(Constant(sequence: [])) }
    let results = try loop(&b, count, nil, empty, shared: inputs, capturing: [graph]) {
      inner, given throws(ImportError) in
      let whole = given[(2 + empty.count)...]
      let items = zip(whole, isSequence).map { value, isSequence in
        isSequence
          ? item(&inner, .sequenceAt(SequenceAt()), [value, given[0]], of: value) : value
      }
      let made = try inner.insert(graph, items)
      return [given[1]]
        + zip(given[2..<2 + empty.count], made).map { old, new in
          sequence(&inner, .sequenceInsert(SequenceInsert()), [old, new], of: new)
        }
    }
    return results
  }
}
