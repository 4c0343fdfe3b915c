// pack --npu: parts of the model in static int8, for the target's accelerator.
import ArgumentParser
import Bytes
import Calibration
import Fitting
import Loops
import Packing
import Placement
import Platform

/// Whether and how parts are placed on an accelerator.
struct AcceleratorOptions: ParsableArguments {
  @Flag(
    help: "Compute in static int8 what the target's accelerator takes, and record what runs there.")
  var npu = false

  @Flag(help: "Call the accelerator's compiler on each part of --npu and keep what it makes.")
  var compileNpu = false

  @Option(help: "How ranges follow from what was seen: least-squares or min-max.")
  var ranges: RangeChoice = .leastSquares

  func validate() throws {
    guard npu || !compileNpu else { throw ValidationError("--compile-npu goes with --npu") }
  }

  /// The model with what pays on its target's accelerator in int8; the model itself without --npu.
  ///
  /// calibration: inputs that show the ranges of activations; nil takes the recipe's, or makes some up.
  func apply(to packed: PackedModel, calibration: String?) throws -> PackedModel {
    guard npu else { return packed }
    let target = packed.request.target
    let inputs = try Int8Inputs(packed, file: calibration)
    inputs.warnIfGenerated()
    let placement = try AcceleratorPlacement(
      inputs.fixed, on: target, threads: packed.request.threads ?? 1)
    guard !placement.parts.isEmpty else {
      throw PlacementError.nothingPays(target: target.name)
    }
    var int8 = try inputs.int8(ranges, isSymmetric: placement.accelerator.isSymmetric)
    int8.format = PartFormat(placement.accelerator)
    let graph = try int8.graph(parts: placement.nodes)
    var placed = try Packer.place(placement, graph, in: packed)
    placed.placed?.comparison = try inputs.compare(graph)
    if compileNpu { placed.placed?.compiled = try compile(placement, int8) }
    return placed
  }

  private func compile(
    _ placement: AcceleratorPlacement, _ int8: StaticInt8
  ) throws -> [CompiledPart] {
    let compiler = try VendorCompiler(placement.accelerator)
    var parts: [CompiledPart] = []
    var bytes = 0
    for nodes in placement.nodes {
      let made = try compiler.compile(try int8.export(part: nodes))
      bytes += made.bytes.count
      guard bytes <= PlacedParts.maximumCompiledBytes else {
        throw Failure(
          .cannotWrite, "what \(compiler.name) made is more than a bundle's assets may have")
      }
      parts.append(
        CompiledPart(
          asset: "part-\(parts.count + 1).\(compiler.fileExtension)", compiler: compiler.name,
          bytes: made.bytes, seconds: made.seconds))
    }
    return parts
  }
}

extension PlacedParts {
  /// What `pack` prints.
  func write(to text: inout TextBuffer) {
    func milli(_ seconds: Double) {
      text.put(significant: seconds * 1e3)
      text.put(" ms")
    }
    func cost(_ seconds: Double, _ joules: Double?) {
      text.put("~")
      milli(seconds)
      guard let joules else { return }
      text.put(", ~")
      text.put(significant: joules * 1e3)
      text.put(" mJ")
    }
    let taken = placement.parts.reduce(0) { $0 + $1.nodes.count }
    text.put("accelerator  ")
    text.put(untrusted: Array(placement.accelerator.name.utf8))
    text.put(": \(taken) of \(placement.nodeCount) nodes in \(placement.parts.count) part")
    text.put(placement.parts.count == 1 ? ", " : "s, ")
    cost(placement.seconds, placement.joules)
    text.put("\n  without it ")
    cost(placement.processorSeconds, placement.processorJoules)
    text.put(", by the profile's figures\n")
    for (i, part) in placement.parts.prefix(8).enumerated() {
      text.put("  part \(i + 1)     \(part.nodes.count) node\(part.nodes.count == 1 ? "" : "s"), ")
      text.put(untrusted: Array("\(part.names.first ?? "") to \(part.names.last ?? "")".utf8))
      text.put(": ~")
      milli(part.seconds)
      text.put(", ")
      text.put(fileBytes: part.transferBytes)
      text.put(" over in ~")
      milli(part.transferSeconds)
      if compiled.indices.contains(i) {
        text.put("; \(compiled[i].compiler) made ")
        text.put(fileBytes: compiled[i].bytes.count)
        if let seconds = compiled[i].seconds {
          text.put(", it says ")
          milli(seconds)
        }
      }
      text.put("\n")
    }
    if placement.parts.count > 8 { text.put("  and \(placement.parts.count - 8) more\n") }
    comparison?.write(to: &text)
  }
}

extension Int8Comparison {
  /// What `pack` and `export` print.
  func write(to text: inout TextBuffer) {
    text.put("difference   ")
    text.put(relativeError * 100, places: 2)
    text.put(" % of the float outputs, root mean square\n")
    guard labelled > 0 else { return }
    text.put("accuracy     ")
    for (i, right) in right.enumerated() {
      if i > 0 { text.put(" → ") }
      text.put(Double(right) * 100 / Double(labelled), places: 2)
      text.put(" %")
    }
    text.put(" on \(labelled) labelled inputs\n")
  }
}
