// A packed model with parts in static int8, placed on the target's accelerator.
import Bytes
import Fitting
import Graphs
import Lowering
import Placement
import Programs

/// What of a model stands on an accelerator.
public struct PlacedParts: Sendable {
  public var placement: AcceleratorPlacement
  /// Outputs beside the float model's, where that was measured.
  public var comparison: Int8Comparison?
  /// What the vendor's compiler made of each part; empty where it was not called.
  public var compiled: [CompiledPart] = []

  public init(_ placement: AcceleratorPlacement) { self.placement = placement }
}

/// A vendor's compiler's result for one part.
public struct CompiledPart: Sendable {
  /// The asset that holds it.
  public var asset: String
  public var compiler: String
  public var bytes: [UInt8]
  /// Its own estimate of one run, where it gives one.
  public var seconds: Double?

  public init(asset: String, compiler: String, bytes: [UInt8], seconds: Double?) {
    self.asset = asset
    self.compiler = compiler
    self.bytes = bytes
    self.seconds = seconds
  }
}

extension Packer {
  /// The model with `graph`, whose parts are in integers, in place of its own. What no part holds keeps
  /// the scheme that was chosen. The bundle runs on the CPU, parts too: latency and memory are
  /// predicted for that.
  public static func place(
    _ placement: AcceleratorPlacement, _ graph: Graph, in packed: PackedModel
  ) throws -> PackedModel {
    var placed = packed
    let request = packed.request
    placed.graph = graph
    placed.weights = nil
    placed.placed = PlacedParts(placement)
    let options = LoweringOptions(threads: request.threads ?? 1)
    placed.candidate = try UniformFit.fit(
      packed.budget, target: request.target.name, scheme: packed.candidate.scheme
    ) { scheme in try candidate(scheme, graph, options, request, packed.tokenizerAsset) }
    placed.predictCosts()
    return placed
  }
}

extension PackedModel {
  /// Bytes of all assets.
  var assetBytes: Int {
    (placed?.compiled ?? []).reduce(tokenizerAsset?.count ?? 0) { $0 + $1.bytes.count }
  }
}

extension PlacedParts {
  /// The most bytes that compiled parts may have together: a reader takes the assets whole.
  public static let maximumCompiledBytes = 48 << 20

  /// The partition, for the manifest.
  var cbor: CBORValue {
    func texts(_ list: [String]) -> CBORValue { .array(list.map { .text($0) }) }
    let parts = placement.parts.enumerated().map { i, part -> CBORValue in
      var fields = [
        CBORPair("nodes", texts(part.names)),
        CBORPair("inputs", texts(part.inputs)),
        CBORPair("outputs", texts(part.outputs)),
        CBORPair("predicted_us", .double(part.seconds * 1e6)),
        CBORPair("cpu_us", .double(part.processorSeconds * 1e6)),
        CBORPair("transfer_bytes", .integer(part.transferBytes)),
        CBORPair("transfer_us", .double(part.transferSeconds * 1e6)),
      ]
      if compiled.indices.contains(i) {
        fields.append(CBORPair("asset", .text(compiled[i].asset)))
        fields.append(CBORPair("compiler", .text(compiled[i].compiler)))
        if let seconds = compiled[i].seconds {
          fields.append(CBORPair("compiler_us", .double(seconds * 1e6)))
        }
      }
      return .map(fields)
    }
    var fields = [
      CBORPair("accelerator", .text(placement.accelerator.name)),
      CBORPair("element_type", .text("int8")),
      CBORPair("needs_static_shapes", .bool(placement.accelerator.needsStaticShapes)),
      CBORPair("symmetric_activations", .bool(placement.accelerator.isSymmetric)),
      CBORPair("nodes", .integer(placement.nodeCount)),
      CBORPair("predicted_us", .double(placement.seconds * 1e6)),
      CBORPair("cpu_f32_us", .double(placement.processorSeconds * 1e6)),
      CBORPair("parts", .array(parts)),
    ]
    if let joules = placement.joules, let processor = placement.processorJoules {
      fields.append(CBORPair("predicted_j", .double(joules)))
      fields.append(CBORPair("cpu_f32_j", .double(processor)))
    }
    if let comparison {
      fields.append(CBORPair("relative_error", .double(comparison.relativeError)))
      if comparison.labelled > 0 {
        fields.append(CBORPair("labelled", .integer(comparison.labelled)))
        fields.append(CBORPair("right_f32", .integer(comparison.right[0])))
        fields.append(CBORPair("right_int8", .integer(comparison.right[1])))
      }
    }
    return .map(fields)
  }
}
