// The ONNX project's own tests, written out as folders by scripts/onnx-node-tests.py.
import Foundation
import Graphs
import Importers
import Tensors
import Testing

@Suite struct NodeTests {
  static let folder = ProcessInfo.processInfo.environment["KNAPSACK_NODE_TESTS"]
  /// Where a line per case goes: name, outcome, reason.
  static let report = ProcessInfo.processInfo.environment["KNAPSACK_NODE_REPORT"]

  private static let readme = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../README.md").path

  enum Outcome: String {
    case passed
    /// Operators that the table does not have.
    case unsupported
    /// A use of a known operator that is refused by name.
    case refused
    /// Import or run went wrong.
    case failed
    /// Other numbers than expected.
    case differs
  }

  /// The folders of tests.
  static let kinds = ["node", "simple", "pytorch-operator", "pytorch-converted", "light"]

  func outcome(_ path: String) -> (Outcome, String) {
    let graph: Graph
    let test: NodeTest
    do {
      test = try NodeTest(path)
      graph = try Importer.importModel(path + "/model.onnx").graph
    } catch let error as ImportError {
      if case .unsupportedOperators(let list) = error.reason {
        return (.unsupported, list.map(\.name).joined(separator: ","))
      }
      return (.refused, error.description)
    } catch {
      return (.failed, "\(error)")
    }
    do {
      let outputs = try GraphRunner(graph).run(test.inputs)
      for (name, expected) in test.outputs {
        guard let found = outputs[name] else { return (.failed, "no output \(name)") }
        if let difference = test.difference(found, expected) {
          return (.differs, name + difference)
        }
      }
      return (.passed, "")
    } catch {
      return (.failed, "\(error)")
    }
  }

  @Test(
    .enabled(if: folder != nil, "KNAPSACK_NODE_TESTS names the folder of the node tests"),
    arguments: kinds)
  func passesTestsOfONNX(kind: String) throws {
    let folder = NodeTests.folder! + "/" + kind
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    var counts: [Outcome: Int] = [:]
    var lines = ""
    var used: Set<Int> = []
    for name in names {
      let (result, why) = outcome(folder + "/" + name)
      counts[result, default: 0] += 1
      if result != .passed {
        let row = NodeTests.leftOut(kind, name)
        #expect(row != nil, "\(kind)/\(name): \(result) \(why)")
        if let row { used.insert(row) }
      }
      lines += "\(kind)/\(name)\t\(result)\t\(why.replacing("\n", with: " "))\n"
    }
    let passed = counts[.passed] ?? 0
    print("ONNX \(kind) tests: \(passed) of \(names.count) passed")
    for (i, row) in NodeTests.leftOut.enumerated() where row.kind == kind {
      print("  left out: \(row.prefix)*, which \(row.reason)")
      #expect(used.contains(i), "\(row.prefix)* passes")
    }
    if let report = NodeTests.report {
      try lines.write(toFile: "\(report).\(kind).tsv", atomically: true, encoding: .utf8)
    }
    #expect(!names.isEmpty)
    if kind == "node" {
      // What users read is what was found here.
      let readme = try String(contentsOfFile: NodeTests.readme, encoding: .utf8)
        .replacing("\n", with: " ")
      let count =
        passed >= 1000 ? "\(passed / 1000),\(String(passed + 1000).suffix(3))" : "\(passed)"
      #expect(readme.contains("unmodified, \(count) pass"), "README: \(count) pass; \(counts)")
    }
  }
}

/// One test: its data and how near an output must come to what is expected.
struct NodeTest {
  let inputs: [String: Constant]
  let outputs: [(name: String, value: Constant)]
  private let relative: Double
  private let absolute: Double

  init(_ path: String) throws {
    let model = try ONNXModel(reading: try ModelFile(mapping: path + "/model.onnx"))
    let made = Set(model.graph.initializers.map(\.name))
    let data = path + "/test_data_set_0/"
    func read(_ role: String, _ infos: [ONNXValueInfo]) throws -> [(String, Constant)] {
      var list: [(String, Constant)] = []
      for (i, info) in infos.enumerated() {
        let file = data + "\(role)_\(i).pb"
        guard FileManager.default.fileExists(atPath: file) else { break }
        list.append((info.name, try ONNXTensor.read(try ModelFile(mapping: file), as: info.kind)))
      }
      return list
    }
    inputs = Dictionary(
      uniqueKeysWithValues: try read(
        "input", model.graph.inputs.filter { !made.contains($0.name) }))
    outputs = try read("output", model.graph.outputs).map { (name: $0.0, value: $0.1) }
    let tolerances = try String(contentsOfFile: path + "/tolerances.txt", encoding: .utf8)
      .split { $0.isWhitespace }.map { try #require(Double($0)) }
    relative = tolerances[0]
    absolute = tolerances[1]
  }

  /// Where two tensors differ by more than the test allows, as ONNX's own runner tells it; nil
  /// where they do not.
  func difference(_ found: Constant, _ expected: Constant) -> String? {
    if let items = expected.items {
      guard let given = found.items, given.count == items.count else {
        return " is \(found.items?.count ?? -1) items, not \(items.count)"
      }
      for (i, (x, y)) in zip(given, items).enumerated() {
        if let what = difference(x, y) { return ".\(i)\(what)" }
      }
      return nil
    }
    guard found.elementType == expected.elementType, found.shape == expected.shape else {
      return
        " is \(found.elementType) \(found.shape), not \(expected.elementType) \(expected.shape)"
    }
    if let texts = expected.textBytes {
      guard let given = found.textBytes, given.count == texts.count else { return " has no texts" }
      for (i, (x, y)) in zip(given, texts).enumerated() where x != y {
        return "[\(i)] is '\(String(decoding: x, as: UTF8.self))', "
          + "not '\(String(decoding: y, as: UTF8.self))'"
      }
      return nil
    }
    // Two units in the last place of bf16, whatever the test says.
    let relative = found.elementType == .bf16 ? max(relative, 1.0 / 64) : relative
    for (i, (x, y)) in zip(found.numbers, expected.numbers).enumerated() {
      let isClose =
        x == y || (x.isNaN && y.isNaN) || (x - y).magnitude <= absolute + relative * y.magnitude
      if !isClose { return "[\(i)] is \(x), not \(y)" }
    }
    return nil
  }
}

extension Constant {
  /// The elements as doubles. Integers beyond 2^53 lose bits.
  fileprivate var numbers: [Double] {
    func all<T: BitwiseCopyable>(_: T.Type, _ number: (T) -> Double) -> [Double] {
      let width = MemoryLayout<T>.size
      return (0..<shape.elementCount).map {
        number(bytes.loadUnaligned(fromByteOffset: $0 * width, as: T.self))
      }
    }
    switch elementType {
    case .f32: return all(Float.self) { Double($0) }
    case .f64: return all(Double.self) { $0 }
    case .f16: return all(UInt16.self) { Double(Float16(bitPattern: $0)) }
    case .bf16: return all(UInt16.self) { Double(Float(bitPattern: UInt32($0) << 16)) }
    default:
      if elementType.isFloatingPoint {
        return all(UInt8.self) { Double(elementType.number(UInt16($0))) }
      }
      return integers!.map { Double($0) }
    }
  }
}
