// The table of TFLite operators: code, name, and the function that builds graph nodes.
import Graphs

/// Which TFLite operators are imported, and how.
enum TFLiteOperatorTable {
  /// Adds the nodes for the builder's current operator and sets its outputs.
  typealias Build = @Sendable (inout TFLiteGraphBuilder) throws(ImportError) -> Void

  /// One row: BuiltinOperator of the schema, its name there, what it becomes.
  struct Row: Sendable {
    var code: Int
    var name: String
    var build: Build

    init(_ code: Int, _ name: String, _ build: @escaping Build) {
      self.code = code
      self.name = name
      self.build = build
    }
  }

  /// The code of operators that have only a name.
  static let customCode = 32

  /// All rows. To add an operator, add a row to the list it belongs to.
  static let all: [Row] =
    elementwise + binaries + shapes + indexing + windows + products + reductions + quantization
    + signals + variables + recurrent + sequences + control + suppression

  /// Operators without a code of their own.
  static let custom: [Row] = detection

  private static let byCode: [Int: Row] = Dictionary(all.map { ($0.code, $0) }) { a, _ in a }

  static func find(_ node: TFLiteOperator) -> Row? {
    if node.code == customCode { return custom.first { $0.name == node.custom } }
    return byCode[node.code]
  }

  static func name(_ node: TFLiteOperator) -> String {
    if node.code == customCode { return node.custom }
    return byCode[node.code]?.name ?? names[node.code] ?? "operator \(node.code)"
  }

  /// Names of operators that are not imported, for messages.
  private static let names: [Int: String] = [
    7: "EMBEDDING_LOOKUP", 10: "HASHTABLE_LOOKUP", 12: "L2_POOL_2D", 15: "LSH_PROJECTION",
    33: "EMBEDDING_LOOKUP_SPARSE",
    68: "SPARSE_TO_DENSE", 80: "FAKE_QUANT", 103: "UNIQUE",
    109: "WHERE", 113: "MATRIX_DIAG", 115: "MATRIX_SET_DIAG",
    124: "DENSIFY",
    125: "SEGMENT_SUM", 132: "CONV_3D", 136: "HASHTABLE", 137: "HASHTABLE_FIND",
    138: "HASHTABLE_IMPORT", 139: "HASHTABLE_SIZE", 141: "CONV_3D_TRANSPOSE",
    146: "RANDOM_STANDARD_NORMAL", 147: "BUCKETIZE", 148: "RANDOM_UNIFORM", 149: "MULTINOMIAL",
    151: "DYNAMIC_UPDATE_SLICE", 156: "ATAN2", 159: "BITCAST", 160: "BITWISE_XOR",
    161: "RIGHT_SHIFT",
  ]
}

/// The current operator's options, by their number in the schema's table for it.
extension TFLiteGraphBuilder {
  func integer(_ id: Int, _ fallback: Int = 0) throws(ImportError) -> Int {
    try node.options?.integer(id, fallback) ?? fallback
  }

  func byte(_ id: Int, _ fallback: Int = 0) throws(ImportError) -> Int {
    try node.options?.byte(id, fallback) ?? fallback
  }

  func bool(_ id: Int, _ fallback: Bool = false) throws(ImportError) -> Bool {
    try node.options?.bool(id, fallback) ?? fallback
  }

  func float(_ id: Int, _ fallback: Float = 0) throws(ImportError) -> Float {
    try node.options?.float(id, fallback) ?? fallback
  }

  func optionIntegers(_ id: Int) throws(ImportError) -> [Int] {
    try node.options?.integers(id) ?? []
  }

  /// An option that must be in `range`.
  func integer(_ id: Int, in range: ClosedRange<Int>, _ fallback: Int) throws(ImportError) -> Int {
    let value = try integer(id, fallback)
    guard range.contains(value) else { throw fail("option \(id) is \(value), not in \(range)") }
    return value
  }
}
