// knapsack export: a model as vendors' compilers take it in.
import ArgumentParser
import Bytes
import Calibration
import Exporters
import Fitting
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
      Weights get one scale per output, activations the ranges that calibration inputs show.

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
      let request = try PackRequest(
        model: model, target: DeviceProfile.hostName, scheme: "f32", limits: limits)
      let packed = try Packer.pack(request)
      if try File.isSame(qdq, packed.recipe?.model ?? model) { throw PackError.replacesModel(qdq) }
      let inputs = try CalibrationInputs(packed, file: calibration)
      if inputs.isGenerated {
        try Standard.error.write(
          Array("knapsack: no --calibration: ranges come from made-up inputs\n".utf8))
      }
      let found = try ActivationRanges(inputs.fixed.graph, items: inputs.items)
      var int8 = StaticInt8(
        inputs.fixed, ranges: found.ranges(ranges, isSymmetric: symmetric),
        isSymmetric: symmetric)
      int8.isUnsigned = unsigned
      let nodes = inputs.fixed.integerNodes
      let export = try int8.exportWhole(quantized: nodes)
      try AtomicFile.write(export.bytes, to: qdq)
      let written = ModelFile(copying: export.bytes, path: qdq)
      let comparison = try inputs.compare(
        try Rewriter.rewrite(try ONNXImporter.importGraph(written)))
      try report(export, nodes.count, of: inputs.fixed.graph.nodes.count, found, comparison)
    }
  }

  private func report(
    _ export: ONNXExport, _ count: Int, of total: Int, _ found: ActivationRanges,
    _ comparison: Int8Comparison
  ) throws {
    var text = TextBuffer()
    text.put("\(qdq)   ")
    text.put(fileBytes: export.bytes.count)
    text.put("\nint8         \(count) of \(total) nodes\n")
    text.put("calibration  \(found.itemCount) input\(found.itemCount == 1 ? "" : "s"), ")
    text.put("\(ranges.rawValue) ranges\n")
    text.put("difference   ")
    text.put(comparison.relativeError * 100, places: 2)
    text.put(" % of the float outputs, root mean square\n")
    if comparison.labelled > 0 {
      text.put("accuracy     ")
      for (i, right) in comparison.right.enumerated() {
        if i > 0 { text.put(" → ") }
        text.put(Double(right) * 100 / Double(comparison.labelled), places: 2)
        text.put(" %")
      }
      text.put(" on \(comparison.labelled) labelled inputs\n")
    }
    try Standard.output.write(text.bytes)
  }
}

extension RangeChoice: ExpressibleByArgument {}
