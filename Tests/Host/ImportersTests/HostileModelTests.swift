// Damaged and hostile models are refused, or are models: nothing in between, and never a crash.
import Foundation
import Graphs
import Importers
import Tensors
import Testing

@Suite struct HostileModelTests {
  let digits: [UInt8]

  init() throws { digits = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Models.digits))) }

  /// Imports; a refusal must name the file, and what is accepted must be a legal graph.
  func tryImport(_ bytes: [UInt8], _ what: String) {
    do {
      let graph = try ONNXImporter.importGraph(ModelFile(copying: bytes, path: "bad.onnx"))
      do { try graph.verify() } catch { Issue.record("\(what): \(error)") }
    } catch {
      #expect(error.description.hasPrefix("bad.onnx: "), "\(what)")
      #expect(!error.description.contains("\n"), "\(what)")
    }
  }

  @Test func truncatedAnywhere() throws {
    var refused = 0
    for count in stride(from: 0, to: digits.count, by: 64) {
      let cut = ModelFile(copying: [UInt8](digits[..<count]), path: "cut.onnx")
      if (try? ONNXImporter.importGraph(cut)) == nil { refused += 1 }
    }
    #expect(refused == (digits.count + 63) / 64)
  }

  @Test func oneBitFlipped() throws {
    // Every bit of the first and last kilobytes, where names and shapes are, and a sample between.
    var places =
      Array(0..<min(1024, digits.count)) + Array(max(0, digits.count - 2048)..<digits.count)
    places += stride(from: 1024, to: digits.count, by: 97)
    for place in places {
      var bytes = digits
      bytes[place] ^= 1 << (place % 8)
      tryImport(bytes, "bit \(place % 8) of byte \(place)")
    }
  }

  @Test func everyBitOfASmallModel() throws {
    var model = ONNXModelSketch(opset: 13)
    model.input("x", ["n", 3, 8, 8])
    model.constant(.floats("w", [2, 3, 3, 3], [Float](repeating: 0.5, count: 54)))
    model.constant(.integers("shape", [0, -1]))
    model.node(
      "Conv", ["x", "w"], ["a"], ["pads": .integers([1, 1, 1, 1]), "group": .integer(1)])
    model.node("MaxPool", ["a"], ["b"], ["kernel_shape": .integers([2, 2])])
    model.node("Reshape", ["b", "shape"], ["c"])
    model.node("Split", ["c"], ["d", "e"], ["axis": .integer(1)])
    model.node("Softmax", ["d"], ["y"])
    model.output("y")
    let bytes = model.bytes
    for place in bytes.indices {
      for bit in 0..<8 {
        var flipped = bytes
        flipped[place] ^= 1 << bit
        tryImport(flipped, "bit \(bit) of byte \(place)")
      }
    }
  }

  @Test(arguments: ["", "x", "\u{8}\u{8}", "GGUF", "{}"]) func nothingLikeAModel(text: String) {
    let file = ModelFile(copying: [UInt8](text.utf8), path: "odd")
    #expect(throws: ImportError.self) { try ONNXImporter.importGraph(file) }
  }

  /// A model of one constant that is also the output.
  func model(_ tensor: ONNXTensorSketch) -> ONNXModelSketch {
    var model = ONNXModelSketch(opset: 17)
    model.constant(tensor)
    model.output("w")
    return model
  }

  @Test func tensorsThatLieAboutTheirSize() throws {
    let lies: [ONNXTensorSketch] = [
      .floats("w", [2, 2], [1, 2, 3]),
      .floats("w", [-1], [1]),
      .floats("w", [1 << 40, 1 << 40], [1]),
      .floats("w", [4_194_305, 4_194_305, 4_194_305], [1]),
      .floats("w", [Int.max, 2], [1]),
      .floats("w", [1, 1, 1, 1, 1, 1, 1, 1, 1], [1]),
      ONNXTensorSketch("w", type: 99, [1]) { $0.put(9, [0, 0, 0, 0]) },
      ONNXTensorSketch("w", type: 8, [2]) { $0.put(6, "text") },
      ONNXTensorSketch("w", type: 7, [3]) { $0.put(7, [1, 2]) },
      ONNXTensorSketch("w", type: 1, [1]) { $0.put(4, [1, 2, 3]) },
    ]
    for tensor in lies {
      #expect(throws: ImportError.self) { try ONNXImporter.importGraph(model(tensor).file) }
    }
    #expect(throws: Never.self) {
      try ONNXImporter.importGraph(model(.floats("w", [3], [1, 2, 3])).file)
    }
  }

  @Test func twoConstantsOfOneName() throws {
    var twice = model(.floats("w", [1], [1]))
    twice.constant(.floats("w", [1], [2]))
    #expect(throws: ImportError.self) { try ONNXImporter.importGraph(twice.file) }
  }

  @Test func functionsThatCallThemselves() throws {
    var model = ONNXModelSketch(opset: 17)
    model.input("x", [1])
    model.node("Loop", ["x"], ["y"], domain: "local")
    model.output("y")
    model.function(
      "Loop", ["in"], ["out"],
      [
        ONNXModelSketch.node("Loop", ["in"], ["a"], "local", [:]),
        ONNXModelSketch.node("Loop", ["a"], ["out"], "local", [:]),
      ])
    #expect(throws: ImportError.self) { try ONNXImporter.importGraph(model.file) }
  }

  @Test func nodesThatWaitForThemselves() throws {
    var model = ONNXModelSketch(opset: 17)
    model.input("x", [1])
    model.node("Add", ["x", "b"], ["a"])
    model.node("Relu", ["a"], ["b"])
    model.output("b")
    #expect(throws: ImportError.self) { try ONNXImporter.importGraph(model.file) }
  }

  @Test func messagesShowNoControlCharacters() throws {
    var model = ONNXModelSketch(opset: 17)
    model.input("x", [1])
    model.node("Evil\u{1B}[2J\n", ["x"], ["y"])
    model.output("y")
    let error = #expect(throws: ImportError.self) { try ONNXImporter.importGraph(model.file) }
    let text = try #require(error?.description)
    #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
  }
}

/// Tensors in files beside the model.
@Suite struct ExternalDataTests {
  let folder: String

  init() throws {
    folder = NSTemporaryDirectory() + "knapsack-external-\(UUID().uuidString)"
    let manager = FileManager.default
    try manager.createDirectory(atPath: folder + "/model/below", withIntermediateDirectories: true)
    let values: [Float] = [1, 2, 3, 4]
    let bytes = values.withUnsafeBytes { Data($0) }
    try bytes.write(to: URL(fileURLWithPath: folder + "/model/weights.bin"))
    try bytes.write(to: URL(fileURLWithPath: folder + "/model/below/weights.bin"))
    try bytes.write(to: URL(fileURLWithPath: folder + "/secret.bin"))
    try manager.createSymbolicLink(
      atPath: folder + "/model/link.bin", withDestinationPath: "../secret.bin")
    try manager.createSymbolicLink(atPath: folder + "/model/out", withDestinationPath: "..")
    try manager.linkItem(atPath: folder + "/secret.bin", toPath: folder + "/model/second.bin")
  }

  func load(_ entries: [(String, String)], count: Int = 4) throws -> Graph {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var model = ONNXModelSketch(opset: 17)
    model.input("x", [count])
    model.constant(.external("w", [count], entries))
    model.node("Add", ["x", "w"], ["y"])
    model.output("y")
    let path = folder + "/model/model.onnx"
    try Data(model.bytes).write(to: URL(fileURLWithPath: path))
    return try ONNXImporter.importGraph(try ModelFile(mapping: path))
  }

  @Test(arguments: ["weights.bin", "below/weights.bin"]) func isViewed(location: String) throws {
    let graph = try load([("location", location), ("offset", "4"), ("length", "8")], count: 2)
    let constant = try #require(graph.values.first { $0.name == "w" }?.constant)
    #expect(constant.floats == [2, 3])
  }

  @Test(arguments: [
    "/etc/passwd", "../secret.bin", "below/../../secret.bin", "out/secret.bin", "link.bin",
    "second.bin", "./weights.bin", "below//weights.bin", "below", "missing.bin", "",
    "..\\secret.bin", "weights.bin\u{0}",
  ])
  func staysInItsFolder(location: String) throws {
    #expect(throws: ImportError.self) { try load([("location", location)]) }
  }

  @Test(arguments: [
    [("offset", "1")], [("offset", "-4")], [("offset", "99999999999999999999")],
    [("offset", "9223372036854775807"), ("length", "16")], [("length", "12")], [("length", "x")],
    [("offset", "16"), ("length", "16")],
  ])
  func staysInItsFile(entries: [(String, String)]) throws {
    #expect(throws: ImportError.self) { try load([("location", "weights.bin")] + entries) }
  }

  @Test func needsALocation() throws {
    #expect(throws: ImportError.self) { try load([("offset", "0")]) }
  }
}
