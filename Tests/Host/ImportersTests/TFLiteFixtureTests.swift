// Small TFLite models, one operator each, against ai-edge-litert; and damaged ones, which must be
// refused and nothing worse.
import Foundation
import Graphs
import Importers
import Tensors
import Testing

@Suite struct TFLiteFixtureTests {
  /// Written by make_tflite_fixtures.py.
  static let folder = Models.repository + "/Tests/Support/TFLite"
  static let names: [String] = {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return files.filter { $0.hasSuffix(".tflite") }.map { String($0.dropLast(7)) }.sorted()
  }()

  @Test func thereAreFixtures() { #expect(TFLiteFixtureTests.names.count > 140) }

  /// Integers bit for bit, real numbers to some units in the last place.
  @Test(arguments: names) func matchesReference(_ name: String) throws {
    let path = TFLiteFixtureTests.folder + "/" + name
    let graph = try Importer.importModel(path + ".tflite").graph
    let data = try ReferenceData(path + ".safetensors")
    let runner = try GraphRunner(graph)
    for role in ["output", "again"] {
      let expected = try data.tensors(role)
      if role == "again", expected.isEmpty { continue }
      let outputs = try runner.run(try data.tensors("input"))
      #expect(outputs.count == expected.count)
      for (key, wanted) in expected {
        let found = try #require(outputs[key])
        #expect(found.elementType == wanted.elementType && found.shape == wanted.shape)
        if let wanted = wanted.integers {
          #expect(found.integers == wanted, "\(key) of \(role)")
        } else {
          #expect(relativeError(found, wanted) < 2e-6, "\(key) of \(role)")
        }
      }
    }
  }

  /// Every byte of some files changed in turn, every word made 0 (an extent, a count), and files cut at
  /// every length: an error or a graph.
  @Test(arguments: [
    "conv_int8_relu", "strided_slice", "fully_connected_hybrid_7", "split_v", "if_true",
    "while_nested", "lstm_hybrid_asymmetric", "bidirectional_rnn", "suppression_v5", "svdf_int8",
  ])
  func survivesDamage(_ name: String) throws {
    let bytes = [UInt8](
      try Data(contentsOf: URL(fileURLWithPath: TFLiteFixtureTests.folder + "/\(name).tflite")))
    var refused = 0
    func attempt(_ bytes: [UInt8]) {
      let file = ModelFile(copying: bytes, path: name)
      do throws(ImportError) {
        let graph = try TFLiteImporter.importGraph(file)
        _ = try? ShapeInference(graph)
      } catch {
        refused += 1
        #expect(!error.description.isEmpty)
      }
    }
    for i in bytes.indices {
      for change in [UInt8(0xFF), 0x80, 0x01] {
        var damaged = bytes
        damaged[i] ^= change
        attempt(damaged)
      }
    }
    for i in stride(from: 0, to: bytes.count - 3, by: 4) {
      var damaged = bytes
      damaged.replaceSubrange(i..<i + 4, with: [0, 0, 0, 0])
      attempt(damaged)
    }
    for length in stride(from: 0, to: bytes.count, by: 3) { attempt(Array(bytes[..<length])) }
    #expect(refused > bytes.count / 3)
  }

  @Test func namesEveryOperatorItLacks() throws {
    let path = TFLiteFixtureTests.folder + "/cumsum.tflite"
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    // CUMSUM (128) stands as a number of 32 bits behind its old place's 127.
    let at = try #require(
      bytes.indices.dropLast(4).first { Array(bytes[$0..<$0 + 4]) == [128, 0, 0, 0] })
    bytes[at] = 137
    let file = ModelFile(copying: bytes, path: "x.tflite")
    let error = #expect(throws: ImportError.self) { try TFLiteImporter.importGraph(file) }
    guard case .unsupportedOperators(let list)? = error?.reason else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(list.map(\.name) == ["HASHTABLE_FIND"])
  }

  @Test func isToldByItsIdentifier() throws {
    let file = ModelFile(copying: [0x18, 0, 0, 0] + [UInt8]("TFL3".utf8), path: "x")
    #expect(try ModelFormat.detect(file) == .tfLite)
  }
}
