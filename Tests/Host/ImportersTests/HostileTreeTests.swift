// Tree and fastText models that are damaged: refused with a place, or run, but never a trap.
import Graphs
import Importers
import Tensors
import Testing

/// Small models, as their libraries would write them.
private enum Sketch {
  static let xgboost = """
    {"learner":{"gradient_booster":{"model":{"gbtree_model_param":{"num_trees":"2"},"tree_info":[0,1],
    "trees":[{"base_weights":[0,1,2],"categories":[1,3],"categories_nodes":[0],"categories_segments":[0],
    "categories_sizes":[2],"default_left":[1,0,0],"left_children":[1,-1,-1],"right_children":[2,-1,-1],
    "split_conditions":[0.5,1.5,NaN],"split_indices":[1,0,0],"split_type":[1,0,0],
    "tree_param":{"num_nodes":"3","size_leaf_vector":"1"}},
    {"default_left":[0],"left_children":[-1],"right_children":[-1],"split_conditions":[2],
    "split_indices":[0]}]},"name":"gbtree"},
    "learner_model_param":{"base_score":"[5E-1]","num_class":"2","num_feature":"2"},
    "objective":{"name":"multi:softprob"}},"version":[3,2,0]}
    """

  static let lightGBM = """
    tree
    version=v4
    num_class=1
    num_tree_per_iteration=1
    max_feature_idx=1
    objective=binary sigmoid:1

    Tree=0
    num_leaves=3
    num_cat=1
    split_feature=0 1
    threshold=0 0.5
    decision_type=1 10
    left_child=1 -1
    right_child=-2 -3
    leaf_value=0.1 -0.2 0.3
    cat_boundaries=0 1
    cat_threshold=6

    end of trees
    """

  private static func bytes<T: FixedWidthInteger>(_ values: T...) -> [UInt8] {
    values.flatMap { v in withUnsafeBytes(of: v.littleEndian) { Array($0) } }
  }

  private static func floats(_ count: Int) -> [UInt8] {
    (0..<count).flatMap { bytes((Float($0) / 16).bitPattern) }
  }

  /// A classifier of 2 words and 3 labels with vectors of 3 numbers, its table quantized or not.
  static func fastText(quantized: Bool) -> [UInt8] {
    var file = bytes(Int32(793_712_314), 12, 3, 5, 1, 1, 5, 2, 1, 3, 4, 1, 2, 100)
    file += bytes((1e-4).bitPattern) + bytes(Int32(5), 2, 3) + bytes(Int64(9), quantized ? 1 : -1)
    for (i, word) in ["wind", "</s>", "__label__a", "__label__b", "__label__c"].enumerated() {
      file += Array(word.utf8) + [0] + bytes(Int64(9 - i)) + [i < 2 ? 0 : 1]
    }
    if quantized {
      file +=
        bytes(Int32(3), 0) + [1, 1] + bytes(Int64(3), 3) + bytes(Int32(6)) + [1, 2, 3, 4, 5, 6]
      file += bytes(Int32(3), 2, 2, 1) + floats(3 * 256)
      file += [7, 8, 9] + bytes(Int32(1), 1, 1, 1) + floats(256)
    } else {
      file += [0] + bytes(Int64(6), 3) + floats(18)
    }
    return file + [0] + bytes(Int64(3), 3) + floats(9)
  }

  static let all: [(ModelFormat, [UInt8])] = [
    (.xgboost, Array(xgboost.utf8)), (.xgboost, UBJSONSketch.xgboost),
    (.lightGBM, Array(lightGBM.utf8)), (.fastText, fastText(quantized: false)),
    (.fastText, fastText(quantized: true)),
  ]
}

/// UBJSON as XGBoost writes it.
private enum UBJSONSketch {
  indirect enum Value {
    case text(String)
    case integers([Int32])
    case small([UInt8])
    case floats([Float])
    case list([Value])
    case object([(String, Value)])
  }

  static func encode(_ value: Value) -> [UInt8] {
    func big<T: FixedWidthInteger>(_ v: T) -> [UInt8] {
      withUnsafeBytes(of: v.bigEndian) { Array($0) }
    }
    func length(_ n: Int) -> [UInt8] { [UInt8(ascii: "L")] + big(Int64(n)) }
    func typed(_ type: String, _ count: Int) -> [UInt8] { Array("[$\(type)#".utf8) + length(count) }
    switch value {
    case .text(let text): return Array("S".utf8) + length(text.utf8.count) + Array(text.utf8)
    case .integers(let list): return typed("l", list.count) + list.flatMap(big)
    case .small(let list): return typed("U", list.count) + list
    case .floats(let list): return typed("d", list.count) + list.flatMap { big($0.bitPattern) }
    case .list(let list): return Array("[#".utf8) + length(list.count) + list.flatMap(encode)
    case .object(let members):
      return Array("{".utf8)
        + members.flatMap { length($0.utf8.count) + Array($0.utf8) + encode($1) }
        + Array("}".utf8)
    }
  }

  static let xgboost = encode(
    .object([
      (
        "learner",
        .object([
          (
            "gradient_booster",
            .object([
              (
                "model",
                .object([
                  ("tree_info", .integers([0])),
                  (
                    "trees",
                    .list([
                      .object([
                        ("default_left", .small([1, 0, 0])),
                        ("left_children", .integers([1, -1, -1])),
                        ("right_children", .integers([2, -1, -1])),
                        ("split_conditions", .floats([0.5, 1, 2])),
                        ("split_indices", .integers([0, 0, 0])),
                      ])
                    ])
                  ),
                ])
              ), ("name", .text("gbtree")),
            ])
          ),
          (
            "learner_model_param",
            .object([("base_score", .text("5E-1")), ("num_feature", .text("1"))])
          ), ("objective", .object([("name", .text("binary:logistic"))])),
        ])
      )
    ]))
}

@Suite struct HostileTreeTests {
  private func importModel(
    _ bytes: [UInt8], _ format: ModelFormat
  ) throws(ImportError) -> ImportedModel {
    try Importer.importModel(ModelFile(copying: bytes, path: "model"), as: format)
  }

  @Test func soundModelsRun() throws {
    for (format, bytes) in Sketch.all {
      #expect(try ModelFormat.detect(ModelFile(copying: bytes, path: "x")) == format)
      let model = try importModel(bytes, format)
      #expect(model.format == format)
      if format != .fastText {
        let width = format == .xgboost && bytes == UBJSONSketch.xgboost ? 1 : 2
        let x =
          format == .lightGBM
          ? Constant(elementType: .f64, shape: Shape([1, 2])) { out in
            out.initializeMemory(as: Double.self, repeating: 1)
          } : Constant(floats: [Float](repeating: 0, count: width), shape: Shape([1, width]))
        #expect(try GraphRunner(model.graph).run(["features": x])["prediction"] != nil)
      }
    }
  }

  @Test func cutModelsAreRefused() throws {
    for (format, bytes) in Sketch.all {
      // Of text, the last lines may be missing.
      let shortest = format == .lightGBM ? bytes.count - 30 : bytes.count
      for count in 0..<shortest {
        let part = Array(bytes[..<count])
        guard format != .lightGBM || count < 20 else {
          _ = try? importModel(part, format)
          continue
        }
        #expect(throws: ImportError.self, "\(format) cut to \(count)") {
          try importModel(part, format)
        }
      }
    }
  }

  @Test func damagedModelsNeverTrap() throws {
    for (format, bytes) in Sketch.all {
      for i in bytes.indices where i < 2000 || i % 37 == 0 {
        for change: UInt8 in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
          var damaged = bytes
          damaged[i] ^= change
          guard let model = try? importModel(damaged, format) else { continue }
          _ = try? Evaluation(model.graph, bindings: ["rows": 1, "sequence": 1, "words": 1])
        }
      }
    }
  }

  @Test(arguments: [
    ("[1,-1,-1]", "[1,-1]", "right_children"), ("[1,-1,-1]", "[2,-1,-1]", "trees[0]"),
    ("[1,-1,-1]", "[0,-1,-1]", "trees[0]"), ("[1,-1,-1]", "[7,-1,-1]", "trees[0]"),
    ("\"split_indices\":[1,0,0]", "\"split_indices\":[2,0,0]", "trees[0]"),
    ("[1,3]", "[1,-3]", "trees[0]"),
    ("\"categories_sizes\":[2]", "\"categories_sizes\":[3]", "trees"),
    ("\"tree_info\":[0,1]", "\"tree_info\":[0,2]", "tree_info"),
    ("\"tree_info\":[0,1]", "\"tree_info\":[0]", "tree_info"),
    ("multi:softprob", "multi:other", "objective.name"), ("\"gbtree\"", "\"tree\"", "name"),
    ("\"num_feature\":\"2\"", "\"num_feature\":\"x\"", "num_feature"),
    ("[5E-1]", "[5E-1,1,2]", "base_score"), ("[5E-1]", "five", "base_score"),
  ])
  func xgboostErrorsNameTheKey(text: String, other: String, key: String) throws {
    let changed = Sketch.xgboost.replacing(text, with: other, maxReplacements: 1)
    #expect(changed != Sketch.xgboost)
    let error = #expect(throws: ImportError.self) {
      try importModel(Array(changed.utf8), .xgboost)
    }
    #expect(error?.description.contains(key) == true, "\(String(describing: error))")
  }

  @Test(arguments: [
    ("left_child=1 -1", "left_child=0 -1", "Tree=0"),
    ("left_child=1 -1", "left_child=9 -1", "Tree=0"),
    ("left_child=1 -1", "left_child=1", "left_child"),
    ("num_leaves=3", "num_leaves=99", "leaf_value"),
    ("split_feature=0 1", "split_feature=0 2", "split_feature"),
    ("threshold=0 0.5", "threshold=1 0.5", "threshold"),
    ("cat_boundaries=0 1", "cat_boundaries=0 9", "cat_threshold"),
    ("cat_boundaries=0 1", "cat_boundaries=1 0", "cat_boundaries"),
    ("decision_type=1 10", "decision_type=1 14", "decision_type"),
    ("leaf_value=0.1", "leaf_value=zero", "leaf_value"), ("binary", "ternary", "objective"),
    ("num_cat=1", "num_cat=1\nnum_cat=1", "num_cat"), ("num_cat=1", "is_linear=1", "is_linear"),
    ("num_class=1\nnum_tree_per_iteration=1", "num_class=2", "num_tree_per_iteration"),
  ])
  func lightGBMErrorsNameTheKey(text: String, other: String, key: String) throws {
    let changed = Sketch.lightGBM.replacing(text, with: other, maxReplacements: 1)
    #expect(changed != Sketch.lightGBM)
    let error = #expect(throws: ImportError.self) {
      try importModel(Array(changed.utf8), .lightGBM)
    }
    #expect(error?.description.contains(key) == true, "\(String(describing: error))")
  }

  /// A length that the file does not have must cost no memory.
  @Test func largeCountsOfUBJSONAreRefused() {
    for text in [
      "{L\0\0\0\0\0\0\0\u{1}a[$d#L\u{7F}\0\0\0\0\0\0\0", "{U\u{1}a[$Z#L\0\0\0\0\u{7F}\0\0\0",
    ] {
      let bytes = text.unicodeScalars.map { UInt8($0.value) }
      #expect(throws: ImportError.self) { try importModel(bytes, .xgboost) }
    }
    let deep = Array("{U\u{1}a".utf8) + [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
    #expect(throws: ImportError.self) { try importModel(deep, .xgboost) }
  }
}
