// What ai.onnx.ml does to features before a model sees them, decomposed.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  private static let ml = "ai.onnx.ml"

  static let features: [ONNXOperator] = [
    ONNXOperator("Scaler", domain: ml, scaler), ONNXOperator("Imputer", domain: ml, imputer),
    ONNXOperator("Normalizer", domain: ml, normalizer),
    ONNXOperator("Binarizer", domain: ml, binarizer),
    ONNXOperator("FeatureVectorizer", domain: ml, featureVectorizer),
    ONNXOperator("ArrayFeatureExtractor", domain: ml, arrayFeatureExtractor),
    // A list of maps from label to probability: the probabilities stay a tensor.
    ONNXOperator("ZipMap", domain: ml) { b throws(ImportError) in
      b.note("ZipMap: the probabilities as a tensor, a column for each class")
      _ = try b.classLabels("classlabels_int64s", "classlabels_strings")
      return [try b.input(0)]
    },
  ]

  /// x in f32, whatever type it has.
  private static func real(_ b: inout ONNXGraphBuilder) throws(ImportError) -> ValueID {
    b.cast(try b.input(0), to: .f32)
  }

  /// (x − offset) · scale, each one number or one per column.
  private static func scaler(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    var y = try real(&b)
    b.note("Scaler → difference, product")
    if let offset = try b.floats("offset"), !offset.isEmpty, offset.contains(where: { $0 != 0 }) {
      y = b.binary(.sub, y, b.vector(offset))
    }
    if let scale = try b.floats("scale"), !scale.isEmpty, scale.contains(where: { $0 != 1 }) {
      y = b.binary(.mul, y, b.vector(scale))
    }
    return [y]
  }

  /// Replaces one value, or NaN, by one number or one per column.
  private static func imputer(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    b.note("Imputer → comparison, select")
    if let values = try b.integers("imputed_value_int64s"), !values.isEmpty {
      let wide = b.elementType(x) == .i64 ? x : b.add(.cast(Cast(to: .i64)), [x])
      let replaced = b.constant([try b.integer("replaced_value_int64", 0)])
      let isMissing = b.binary(.equal, wide, replaced)
      return [b.add(.select(Select()), [isMissing, b.constant(values), wide])]
    }
    guard let values = try b.floats("imputed_value_floats"), !values.isEmpty else {
      throw b.fail("has no imputed values")
    }
    let y = try real(&b)
    let replaced = try b.float("replaced_value_float", 0)
    let isMissing =
      replaced.isNaN ? b.unary(.isNaN, y) : b.binary(.equal, y, b.scalar(replaced))
    return [b.add(.select(Select()), [isMissing, b.vector(values), y])]
  }

  /// Rows divided by their largest element, sum of magnitudes or length; rows where that is 0 stay.
  private static func normalizer(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try real(&b)
    let kind: ReduceKind
    switch try b.string("norm", "MAX") {
    case "MAX": kind = .max
    case "L1": kind = .l1
    case "L2": kind = .l2
    case let name: throw b.fail("norm '\(name)' is not known")
    }
    b.note("Normalizer → reduction, quotient")
    let axis = try b.rank(x) >= 2 ? 1 : 0
    let size = b.add(
      .reduce(Reduce(kind, axes: IntegerList([axis]), keepsAxes: true)), [x])
    let isZero = b.binary(.equal, size, b.scalar(0))
    return [b.binary(.div, x, b.add(.select(Select()), [isZero, b.scalar(1), size]))]
  }

  /// 1 above the threshold, else 0.
  private static func binarizer(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let y = try real(&b)
    b.note("Binarizer → comparison, cast")
    let isAbove = b.binary(.greater, y, b.scalar(try b.float("threshold", 0)))
    return [b.add(.cast(Cast(to: b.elementType(x) ?? .f32)), [isAbove])]
  }

  /// Inputs side by side as f32, each cut or filled with zeros to its number of columns.
  private static func featureVectorizer(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let inputs = try b.allInputs()
    let widths = try b.integers("inputdimensions") ?? []
    var columns: [ValueID] = []
    for (i, input) in inputs.enumerated() {
      var x = try b.rows(input)
      if widths.indices.contains(i) {
        guard (0...1 << 20).contains(widths[i]) else {
          throw b.fail("inputdimensions is too large")
        }
        if b.facts.extent(x, 1) != widths[i] {
          let filling = Pad(.constant, pads: IntegerList([0, widths[i]]), axes: IntegerList([1]))
          x = b.add(.pad(filling), [x])
          let cut = Slice(
            starts: IntegerList([0]), ends: IntegerList([widths[i]]), axes: IntegerList([1]),
            steps: IntegerList([1]))
          x = b.add(.slice(cut), [x])
        }
      }
      columns.append(x)
    }
    return [columns.count == 1 ? columns[0] : b.add(.concat(Concat(axis: 1)), columns)]
  }

  /// Columns of the last axis picked by number; a vector counts as one row.
  private static func arrayFeatureExtractor(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    var x = try b.input(0)
    if try b.rank(x) == 1 { x = b.add(.reshape(Reshape(.unsqueeze, IntegerList([0]))), [x]) }
    var places = try b.input(1)
    if b.elementType(places) != .i64 { places = b.add(.cast(Cast(to: .i64)), [places]) }
    places = b.add(.reshape(Reshape(.target, IntegerList([-1]))), [places])
    return [b.add(.gather(Gather(axis: -1)), [x, places])]
  }
}
