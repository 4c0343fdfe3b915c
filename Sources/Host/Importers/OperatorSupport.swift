// What the importers take: operators by format, with element types found out by asking the import itself.
import Graphs
import Tensors

/// One operator of one format.
public struct OperatorSupport: Sendable, Equatable {
  public var format: ModelFormat
  /// ONNX: the domain, `ai.onnx` for the standard one. Empty elsewhere.
  public var domain: String
  public var name: String
  /// Element types of the data that one-node models were taken with, by the import function and the
  /// shape rules. Empty where the operator computes nothing by itself, as control flow, or takes
  /// attributes that no probe has.
  public var elementTypes: [ElementType]

  /// Every operator of every format, sorted by format, domain and name.
  public static func all() -> [OperatorSupport] { onnx + tfLite }

  /// TFLite's operators have no probes: what they take also hangs on how tensors are quantized.
  private static var tfLite: [OperatorSupport] {
    let names = TFLiteOperatorTable.all.map(\.name) + TFLiteOperatorTable.custom.map(\.name)
    return Set(names).sorted().map {
      OperatorSupport(format: .tfLite, domain: "", name: $0, elementTypes: [])
    }
  }

  private static var onnx: [OperatorSupport] {
    var latest: [String: ONNXOperator] = [:]
    for row in ONNXOperator.all {
      let key = row.domain + "::" + row.name
      if latest[key].map({ $0.since <= row.since }) ?? true { latest[key] = row }
    }
    return latest.values.map { row in
      OperatorSupport(
        format: .onnx, domain: row.domain.isEmpty ? "ai.onnx" : row.domain, name: row.name,
        elementTypes: elementTypes(row))
    }.sorted { ($0.domain, $0.name) < ($1.domain, $1.name) }
  }

  /// Element types that probes fit with: those that import and shape rules take.
  private static func elementTypes(_ row: ONNXOperator) -> [ElementType] {
    let probes = OperatorProbe.fitting(row)
    return ElementType.allCases.filter { $0 != .sequence }.filter { type in
      probes.contains { $0.graph(row, opset: OperatorProbe.opset(row), type) != nil }
    }
  }

  /// The one-node models that this row rests on, for one of its element types: a test runs them.
  public func graphs(_ type: ElementType) -> [Graph] {
    let domain = domain == "ai.onnx" ? "" : domain
    guard format == .onnx,
      let row = ONNXOperator.all.filter({ $0.domain == domain && $0.name == name })
        .max(by: { $0.since < $1.since })
    else { return [] }
    return OperatorProbe.fitting(row).compactMap {
      $0.graph(row, opset: OperatorProbe.opset(row), type)
    }
  }
}
