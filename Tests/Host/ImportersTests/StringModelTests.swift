// Models with texts in them: scikit-learn's pipelines as ONNX Runtime runs them, and single operators.
import Foundation
import Graphs
import Importers
import Tensors
import Testing

@Suite struct StringModelTests {
  private static let folder = Models.repository + "/Tests/Support/Strings"

  private struct Recorded: Decodable {
    struct Tensor: Decodable {
      var shape: [Int]
      var values: [Element]
    }
    enum Element: Decodable {
      case text(String)
      case number(Double)

      init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let text = try? value.decode(String.self) {
          self = .text(text)
        } else {
          self = .number(try value.decode(Double.self))
        }
      }

      var text: String? { if case .text(let text) = self { text } else { nil } }
      var number: Double? { if case .number(let number) = self { number } else { nil } }
    }
    var inputs: [String: Tensor]
    var outputs: [String: Tensor]
  }

  private static func constant(_ tensor: Recorded.Tensor) throws -> Constant {
    let shape = Shape(tensor.shape)
    if case .text = try #require(tensor.values.first) {
      return Constant(texts: tensor.values.map { Array($0.text!.utf8) }, shape: shape)
    }
    return Constant(floats: tensor.values.map { Float($0.number!) }, shape: shape)
  }

  private static func texts(_ constant: Constant?) -> [String]? {
    constant?.textBytes?.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(arguments: ["counts", "tfidf", "onehot", "ordinal"])
  func pipelinesRunAsInONNXRuntime(name: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: StringModelTests.folder + "/models.json"))
    let all = try JSONDecoder().decode([String: Recorded].self, from: data)
    let recorded = try #require(all[name])
    let graph = try Importer.importModel(StringModelTests.folder + "/\(name).onnx").graph
    let run = try GraphRunner(graph)
    let inputs = try recorded.inputs.mapValues(StringModelTests.constant)
    // Twice: texts of the first run must not stand in the way of the second.
    for _ in 0..<2 {
      let outputs = try run.run(inputs)
      #expect(outputs.count == recorded.outputs.count)
      for (key, wanted) in recorded.outputs {
        let found = try #require(outputs[key])
        #expect(found.shape == Shape(wanted.shape), "\(key)")
        let reference = try StringModelTests.constant(wanted)
        if reference.elementType == .string {
          #expect(found.textBytes == reference.textBytes, "\(key)")
        } else {
          #expect(relativeError(found, reference) < 1e-5, "\(key)")
        }
      }
    }
  }

  private func run(
    _ inputs: [String: Constant], _ build: (inout ONNXModelSketch) -> Void
  ) throws -> [String: Constant] {
    var model = ONNXModelSketch(opset: 20)
    build(&model)
    return try GraphRunner(try ONNXImporter.importGraph(model.file)).run(inputs)
  }

  private func strings(_ list: [String], _ shape: [Int]? = nil) -> Constant {
    Constant(texts: list.map { Array($0.utf8) }, shape: Shape(shape ?? [list.count]))
  }

  private func tensor(_ name: String, _ list: [String]) -> ONNXTensorSketch {
    ONNXTensorSketch(name, type: 8, [list.count]) { m in for text in list { m.put(6, text) } }
  }

  @Test func textsAreMovedComparedAndCast() throws {
    let y = try run(["x": strings(["1.5", "-2", "x", "7"], [2, 2])]) { m in
      m.input("x", [2, 2], type: 8)
      m.constant(tensor("more", ["a", "1.5"]))
      m.constant(ONNXTensorSketch.integers("shape", [1, 2]))
      m.node("Reshape", ["more", "shape"], ["row"])
      m.node("Concat", ["x", "row"], ["all"], ["axis": .integer(0)])
      m.node("Transpose", ["all"], ["turned"], ["perm": .integers([1, 0])])
      m.node("Equal", ["all", "row"], ["equal"])
      m.node("Where", ["equal", "row", "all"], ["chosen"])
      m.node("StringConcat", ["chosen", "more"], ["joined"])
      m.node("Cast", ["x"], ["number"], ["to": .integer(1)])
      m.node("Cast", ["number"], ["again"], ["to": .integer(8)])
      m.node("Identity", ["more"], ["same"])
      for name in ["turned", "joined", "number", "again", "same"] { m.output(name) }
    }
    #expect(StringModelTests.texts(y["turned"]) == ["1.5", "x", "a", "-2", "7", "1.5"])
    #expect(
      StringModelTests.texts(y["joined"]) == ["1.5a", "-21.5", "xa", "71.5", "aa", "1.51.5"])
    #expect(StringModelTests.texts(y["again"]) == ["1.5", "-2", "NaN", "7"])
    #expect(StringModelTests.texts(y["same"]) == ["a", "1.5"])
    let numbers = try #require(y["number"]?.floats)
    #expect(numbers[0] == 1.5 && numbers[1] == -2 && numbers[2].isNaN && numbers[3] == 7)
  }

  @Test func sequencesHoldTexts() throws {
    let y = try run(["x": strings(["a", "b", "c"])]) { m in
      m.input("x", [3], type: 8)
      m.constant(tensor("more", ["d", "e"]))
      m.node("SequenceConstruct", ["x", "more"], ["list"])
      m.node("ConcatFromSequence", ["list"], ["all"], ["axis": .integer(0)])
      m.node("SplitToSequence", ["x"], ["parts"], ["keepdims": .integer(0)])
      m.constant(ONNXTensorSketch.integers("last", [-1]))
      m.node("SequenceAt", ["parts", "last"], ["end"])
      m.node("StringConcat", ["all", "end"], ["y"])
      m.output("y")
    }
    #expect(StringModelTests.texts(y["y"]) == ["ac", "bc", "cc", "dc", "ec"])
  }

  /// Known texts fold; what is known is the same for every guess of an extent.
  @Test func knownTextsFold() throws {
    var model = ONNXModelSketch(opset: 20)
    model.input("x", ["n"], type: 8)
    model.constant(tensor("a", ["x", "y"]))
    model.constant(tensor("b", ["1"]))
    model.node("StringConcat", ["a", "b"], ["ab"])
    model.node("Shape", ["x"], ["shape"])
    model.node("Cast", ["shape"], ["extent"], ["to": .integer(8)])
    model.node("StringConcat", ["ab", "extent"], ["y"])
    model.node("StringConcat", ["x", "extent"], ["z"])
    model.output("y")
    model.output("z")
    let run = try GraphRunner(try ONNXImporter.importGraph(model.file))
    for count in [1, 3, 10, 3] {
      let names = (0..<count).map { "t\($0)" }
      let y = try run.run(["x": strings(names)])
      #expect(StringModelTests.texts(y["y"]) == ["x1\(count)", "y1\(count)"])
      #expect(StringModelTests.texts(y["z"]) == names.map { $0 + "\(count)" })
    }
  }

  @Test func hostileTextsAreRefused() throws {
    func refuses(_ build: (inout ONNXModelSketch) -> Void) {
      var model = ONNXModelSketch(opset: 20)
      model.input("x", [2], type: 8)
      build(&model)
      model.output("y")
      #expect(throws: (any Error).self) {
        try GraphRunner(try ONNXImporter.importGraph(model.file))
      }
    }
    refuses { m in
      m.constant(ONNXTensorSketch("a", type: 8, [3]) { $0.put(6, "only one") })
      m.node("StringConcat", ["x", "a"], ["y"])
    }
    refuses { m in m.node("Relu", ["x"], ["y"]) }
    refuses { m in m.node("MatMul", ["x", "x"], ["y"]) }
    refuses { m in m.node("Add", ["x", "x"], ["y"]) }
    refuses { m in
      m.node(
        "TfIdfVectorizer", ["x"], ["y"], ["mode": .text("TF"), "min_gram_length": .integer(1)])
    }
    // Each text is twice the one before: 2^40 bytes in all, of texts that are known ahead.
    refuses { m in
      m.constant(tensor("t0", ["a"]))
      for i in 0..<40 { m.node("StringConcat", ["t\(i)", "t\(i)"], ["t\(i + 1)"]) }
      m.node("Identity", ["t40"], ["y"])
    }
  }
}
