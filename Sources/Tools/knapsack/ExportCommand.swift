// knapsack export: a model as vendors' compilers take it in.
import ArgumentParser
import Bytes
import Calibration
import Exporters
import Fitting
import Foundation
import Graphs
import Importers
import Loops
import Packing
import Placement
import Platform

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a model as an int8 QDQ ONNX file.",
    discussion: """
      Weights get one scale per output, activations the ranges that calibration inputs show. A file that
      ends in .tflite holds a target's part as int8 TFLite.

      EXAMPLES:
        knapsack export model.onnx --qdq model-int8.onnx --calibration images.safetensors
      """)

  @Argument(help: "A model file, a model folder or a recipe folder.")
  var model: String

  @Option(help: ArgumentHelp("Where to write.", valueName: "file.onnx"))
  var qdq: String

  @Option(
    help: ArgumentHelp(
      "Inputs to calibrate on: tensors, or a data set.", valueName: "file.safetensors"))
  var calibration: String?

  @Option(help: "How ranges follow from what was seen: least-squares or min-max.")
  var ranges: RangeChoice = .leastSquares

  @Option(
    help: ArgumentHelp(
      "Write only what this target's accelerator takes, a file for each part.",
      valueName: "name"))
  var target: String?

  @Flag(help: "Activations without zero points.")
  var symmetric = false

  @Flag(help: "Activations as unsigned bytes: ONNX Runtime's fast path on x86.")
  var unsigned = false

  @Option(
    name: .customLong("limit"),
    help: ArgumentHelp(
      "The value of an open extent, such as batch=1 or sequence=128.", valueName: "name=n"))
  var limits: [String] = []

  func run() throws {
    try reportingFailures {
      guard !qdq.isEmpty else { throw Failure(.usage, "--qdq needs a file") }
      let profile = try target.map { try DeviceProfile.named($0) }
      let request = try PackRequest(
        model: model, target: DeviceProfile.hostName, scheme: "f32", limits: limits)
      let packed = try Packer.pack(request)
      if try File.isSame(qdq, packed.recipe?.model ?? model) { throw PackError.replacesModel(qdq) }
      let inputs = try Int8Inputs(packed, file: calibration)
      inputs.warnIfGenerated()
      let isSymmetric = symmetric || profile?.accelerator?.isSymmetric ?? false
      var int8 = try inputs.int8(ranges, isSymmetric: isSymmetric)
      int8.isUnsigned = unsigned
      if let profile, profile.accelerator != nil {
        try exportParts(int8, inputs, try AcceleratorPlacement(inputs.fixed, on: profile), profile)
      } else {
        guard !isTFLite else {
          throw Failure(.usage, "a .tflite file holds what an accelerator takes: give its --target")
        }
        try exportWhole(int8, inputs)
      }
    }
  }

  private var isTFLite: Bool { qdq.hasSuffix(".tflite") }

  /// One file, in which what integers are worth something for computes with integers.
  private func exportWhole(_ int8: StaticInt8, _ inputs: Int8Inputs) throws {
    let nodes = inputs.fixed.integerNodes
    let export = try int8.exportWhole(quantized: nodes)
    try AtomicFile.write(export.bytes, to: qdq)
    let written = ModelFile(copying: export.bytes, path: qdq)
    let graph = try Rewriter.rewrite(try ONNXImporter.importGraph(written))
    try report(
      [(qdq, export.bytes.count)], nodes.count, of: inputs.fixed.graph.nodes.count,
      inputs.items.count, try inputs.compare(graph))
  }

  /// A file for each part that the accelerator takes: `NAME.onnx`, or `NAME-1.onnx` and so on.
  private func exportParts(
    _ int8: StaticInt8, _ inputs: Int8Inputs, _ placement: AcceleratorPlacement,
    _ profile: DeviceProfile
  ) throws {
    guard !placement.parts.isEmpty else {
      throw PlacementError.nothingPays(target: profile.name)
    }
    var int8 = int8
    int8.format = isTFLite ? .tfLite : .onnx
    var files: [(path: String, byteCount: Int)] = []
    for (i, nodes) in placement.nodes.enumerated() {
      let export = try int8.export(part: nodes)
      let path = placement.nodes.count == 1 ? qdq : numbered(i + 1)
      try AtomicFile.write(export, to: path)
      files.append((path, export.count))
    }
    let graph = try int8.graph(parts: placement.nodes)
    try report(
      files, placement.nodes.reduce(0) { $0 + $1.count }, of: inputs.fixed.graph.nodes.count,
      inputs.items.count, try inputs.compare(graph))
  }

  /// The file's name with a number in front of its ending.
  private func numbered(_ i: Int) -> String {
    let url = URL(filePath: qdq)
    let ending = url.pathExtension
    let stem = ending.isEmpty ? qdq : String(qdq.dropLast(ending.count + 1))
    return "\(stem)-\(i)" + (ending.isEmpty ? "" : ".\(ending)")
  }

  private func report(
    _ files: [(path: String, byteCount: Int)], _ count: Int, of total: Int, _ itemCount: Int,
    _ comparison: Int8Comparison
  ) throws {
    var text = TextBuffer()
    for file in files {
      text.put(untrusted: Array(file.path.utf8))
      text.put("   ")
      text.put(fileBytes: file.byteCount)
      text.put("\n")
    }
    text.put("int8         \(count) of \(total) nodes\n")
    text.put("calibration  \(itemCount) input\(itemCount == 1 ? "" : "s"), ")
    text.put("\(ranges.rawValue) ranges\n")
    comparison.write(to: &text)
    try Standard.output.write(text.bytes)
  }
}

extension RangeChoice: ExpressibleByArgument {}
