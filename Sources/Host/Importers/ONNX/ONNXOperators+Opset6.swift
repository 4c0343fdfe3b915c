// Opset 6, the last before operands broadcast the way NumPy's do: what PyTorch wrote at first.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  private static func aligned(_ name: String, _ kind: BinaryKind) -> ONNXOperator {
    ONNXOperator(name, 6) { b throws(ImportError) in
      let both = try operands(&b)
      return [combine(&b, kind, both[0], try operand(&b, both[0], both[1]))]
    }
  }

  /// Operators whose later form takes what opset 6 wrote are rows of their own lists.
  static let opset6: [ONNXOperator] = [
    aligned("Add", .add), aligned("Sub", .sub), aligned("Mul", .mul), aligned("Div", .div),
    aligned("Pow", .pow), aligned("And", .and), aligned("Or", .or), aligned("Xor", .xor),
    aligned("Equal", .equal), aligned("Less", .less), aligned("Greater", .greater),
    ONNXOperator("PRelu", 6) { b throws(ImportError) in
      let x = try b.input(0)
      let slope = try b.input(1)
      // A slope per channel, whatever follows the channels.
      guard try b.rank(slope) == 1, b.facts.extent(slope, 0) != 1 else {
        return [combine(&b, .prelu, x, slope)]
      }
      return [combine(&b, .prelu, x, try appendAxes(&b, slope, try b.rank(x) - 2))]
    },
  ]

  /// The second operand as it is broadcast: its axes stand at `axis` of the first one's, or at the
  /// end.
  private static func operand(
    _ b: inout ONNXGraphBuilder, _ x: ValueID, _ y: ValueID
  ) throws(ImportError) -> ValueID {
    guard try b.bool("broadcast", false), var axis = try b.integer("axis") else { return y }
    let (outer, inner) = (try b.rank(x), try b.rank(y))
    if axis < 0 { axis += outer }
    guard axis >= 0, axis + inner <= outer else {
      throw b.fail("broadcasts \(inner) axes to \(outer) from axis \(axis) on")
    }
    return try appendAxes(&b, y, outer - inner - axis)
  }

  /// `value` with `count` axes of extent 1 behind its own.
  private static func appendAxes(
    _ b: inout ONNXGraphBuilder, _ value: ValueID, _ count: Int
  ) throws(ImportError) -> ValueID {
    guard count > 0 else { return value }
    let rank = try b.rank(value)
    let axes = try b.axes(Array(rank..<rank + count))
    return b.add(.reshape(Reshape(.unsqueeze, axes)), [value])
  }
}
