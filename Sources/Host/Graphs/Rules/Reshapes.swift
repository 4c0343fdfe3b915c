// Shapes that are written down instead of computed, and moves that are made once.
import Operators
import Tensors

extension RewriteRule {
  /// A Reshape whose target comes from an input says it itself where all extents but one are fixed or
  /// those of its input: most shape arithmetic of an export goes with that.
  public static let constantReshape = RewriteRule("constant-reshape") { index, i in
    let node = index.graph.nodes[i]
    guard case .reshape(let op) = node.op, !op.isConstant, let x = node.inputs[0],
      let target = index.target(of: node.outputs[0], from: x)
    else { return nil }
    return index.replacing([i], with: .reshape(Reshape(.target, target)), [x])
  }

  /// Reshape of a Reshape looks past the first one.
  public static let mergeReshapes = RewriteRule("merge-reshapes") { index, i in
    let node = index.graph.nodes[i]
    guard case .reshape = node.op, let p = index.producer(node.inputs[0]),
      case .reshape = index.graph.nodes[p].op, let x = index.graph.nodes[p].inputs[0],
      let target = index.target(of: node.outputs[0], from: x)
    else { return nil }
    return index.replacing([i], with: .reshape(Reshape(.target, target)), [x])
  }

  /// A Reduce keeps its axes where the only thing done next is to put them back.
  public static let keepAxes = RewriteRule("keep-axes") { index, i in
    let node = index.graph.nodes[i]
    guard case .reshape = node.op, let p = index.soleProducer(node.inputs[0]),
      case .reduce(var op) = index.graph.nodes[p].op, !op.keepsAxes, op.axes.count > 0,
      let x = index.graph.nodes[p].inputs[0], let rank = index.rank(x),
      index.rank(node.outputs[0]) == rank
    else { return nil }
    let reduced = op.axes.array.map { $0 < 0 ? $0 + rank : $0 }
    for axis in 0..<rank {
      guard
        reduced.contains(axis)
          ? index.fixedExtent(node.outputs[0], axis) == 1
          : index.haveSameExtent(node.outputs[0], axis, x, axis)
      else { return nil }
    }
    op.keepsAxes = true
    return index.replacing([p, i], with: .reduce(op), [x])
  }

  /// Transpose of a Transpose moves the axes once.
  public static let mergeTransposes = RewriteRule("merge-transposes") { index, i in
    let node = index.graph.nodes[i]
    guard case .transpose(let outer) = node.op, let p = index.producer(node.inputs[0]),
      case .transpose(let inner) = index.graph.nodes[p].op,
      inner.permutation.count == outer.permutation.count, outer.permutation.count > 0
    else { return nil }
    let axes = outer.permutation.array.map { inner.permutation[$0] }
    return index.replacing(
      [i], with: .transpose(Transpose(IntegerList(axes))), [index.graph.nodes[p].inputs[0]])
  }

  /// A Slice with constant bounds holds them itself.
  public static let constantSlice = RewriteRule("constant-slice") { index, i in
    let node = index.graph.nodes[i]
    guard case .slice(let op) = node.op, !op.isConstant else { return nil }
    var bounds: [IntegerList] = []
    for input in 1...4 {
      guard input < node.inputs.count, let v = node.inputs[input] else {
        bounds.append(IntegerList())
        continue
      }
      guard let list = index.constant(v)?.integers, list.count <= Shape.maximumRank else {
        return nil
      }
      bounds.append(IntegerList(list))
    }
    guard bounds[2].array.allSatisfy({ (-8...7).contains($0) }) else { return nil }
    let slice = Slice(starts: bounds[0], ends: bounds[1], axes: bounds[2], steps: bounds[3])
    return index.replacing([i], with: .slice(slice), [node.inputs[0]])
  }
}

extension GraphIndex {
  /// The target with which Reshape makes y of x: extents that are fixed, 0 where x has the same
  /// extent, −1 for at most one that is neither.
  func target(of y: ValueID, from x: ValueID) -> IntegerList? {
    guard let rank = rank(y), let from = self.rank(x) else { return nil }
    var list = IntegerList()
    for axis in 0..<rank {
      if let extent = fixedExtent(y, axis) {
        // 0 would be read as a copy.
        guard extent > 0 else { return nil }
        list.append(extent)
      } else if axis < from, haveSameExtent(y, axis, x, axis) {
        list.append(0)
      } else {
        guard !list.contains(-1) else { return nil }
        list.append(-1)
      }
    }
    return list
  }
}
