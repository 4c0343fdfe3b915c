// The manifest: everything that `inspect` prints about a bundle, as CBOR.
import Bytes
import Fitting
import Graphs
import Lowering
import Platform
import Programs
import Tasks
import Tensors

/// Builds manifests. No times, paths or machine names: the same model, recipe, target and version give
/// the same bytes.
public enum Manifest {
  /// The version of the tools, which is in every manifest.
  public static let toolVersion = Release.version

  public static func make(_ packed: PackedModel) -> CBORValue {
    let whole = fields(packed)
    guard let placed = packed.placed, case .map(let pairs) = whole else { return whole }
    return .map(pairs + [CBORPair("placement", placed.cbor)])
  }

  private static func fields(_ packed: PackedModel) -> CBORValue {
    let model = packed.candidate.model
    let program = packed.program
    let plan = program.plan
    let elements = model.sources.reduce(0) { $0 + $1.constant.shape.elementCount }
    return .map([
      "schema": .text("knapsack.bundle"),
      "version": .integer(1),
      "tool_version": .text(toolVersion),
      "name": .text(packed.name),
      "description": .text(packed.recipe?.summary ?? ""),
      "license": .text(packed.recipe?.license ?? ""),
      "source_format": .text(packed.format.rawValue),
      "task": packed.task.cbor,
      "scheme": .text(packed.schemeName),
      "schemes": schemes(program),
      "target": target(packed),
      "weights": .map([
        "tensors": .integer(program.weights.count),
        "elements": .integer(elements),
        "bytes": .integer(model.weightBytes),
        "bits_per_weight": .double(model.bitsPerWeight),
        "stored_bytes": .integer(packed.weights?.storedByteCount ?? model.weightBytes),
        "stored_bits_per_weight": .double(storedBitsPerWeight(packed, elements)),
        "mapped_bytes": .integer(packed.weights?.mappedByteCount ?? model.weightBytes),
        "decoded_bytes": .integer(packed.weights?.decodedByteCount ?? 0),
        "codings": codings(packed),
      ]),
      "inputs": .array(program.inputs.map { input(program, $0) }),
      "outputs": .array(program.outputs.map { .text($0.name) }),
      "limits": .map(
        program.symbols.map { CBORPair(key: .text($0.name), value: .integer($0.limit)) }),
      "arena": .map([
        "bytes": .integer(plan.arenaBytes),
        "lower_bound_bytes": .integer(plan.lowerBoundBytes),
        "peak_step": .integer(plan.peakStep),
        "peak_step_name": .text(name(ofStep: plan.peakStep, in: program)),
      ]),
      "steps": .integer(program.steps.count),
      "multiply_accumulates": .integer(model.totalMultiplyAccumulates),
      "rewrites": .map(
        packed.graph.history.sorted { $0.key < $1.key }.map {
          CBORPair(key: .text($0.key), value: .integer($0.value))
        }),
      "predicted": predicted(packed),
      "fit": packed.fit.map(fit) ?? .null,
    ])
  }

  /// The promise, and what became of it.
  private static func fit(_ fit: FittedWeights) -> CBORValue {
    .map([
      "metrics": .array(fit.metrics.map { .text($0.rawValue) }),
      "inputs": .integer(fit.itemCount),
      "inputs_are_generated": .bool(fit.isGenerated),
      "predicted_loss": .double(fit.predictedLoss),
      "measured_loss": .double(fit.measuredLoss),
      "uniform_loss": fit.uniformLoss.map { .double($0) } ?? .null,
      "uniform_weight_bytes": fit.uniformBytes.map { .integer($0) } ?? .null,
      "is_uniform": .bool(fit.shipsUniform),
      "optimality_gap": .double(fit.optimalityGap),
      "unmeasured_tensors": .integer(fit.unmeasuredCount),
      "misses": .array((fit.missed?.binding ?? []).map { .text($0.name) }),
      "tensors": .array(
        fit.entries.map { entry in
          .map([
            "name": .text(entry.name), "elements": .integer(entry.elementCount),
            "scheme": .text(entry.scheme.name),
            "step": entry.step.map { .double(Double($0)) } ?? .null,
            "sensitivity": .double(entry.slope), "predicted_loss": .double(entry.predictedLoss),
            "stored_bytes": .integer(entry.storedBytes),
          ])
        }),
    ])
  }

  /// The name of a step; the end of the run has none.
  public static func name(ofStep index: Int, in program: Program) -> String {
    program.steps.indices.contains(index) ? program.steps[index].name : ""
  }

  /// Bytes of weights by scheme.
  private static func schemes(_ program: Program) -> CBORValue {
    var bytes: [String: Int] = [:]
    for w in program.weights {
      let name = w.encoding?.scheme.name ?? w.elementType.name
      bytes[name, default: 0] += w.byteCount ?? 0
    }
    return .map(
      bytes.sorted { $0.key < $1.key }.map {
        CBORPair(key: .text($0.key), value: .integer($0.value))
      })
  }

  private static func storedBitsPerWeight(_ packed: PackedModel, _ elements: Int) -> Double {
    let bytes = packed.weights?.storedByteCount ?? packed.candidate.model.weightBytes
    return elements == 0 ? 0 : Double(bytes) * 8 / Double(elements)
  }

  /// Bytes of weights in the bundle by their coding.
  private static func codings(_ packed: PackedModel) -> CBORValue {
    var bytes: [String: Int] = [:]
    for (i, weight) in packed.program.weights.enumerated() {
      let coded = packed.weights?.codings[i]
      bytes[coded?.kind.name ?? "mapped", default: 0] += coded?.byteCount ?? weight.byteCount ?? 0
    }
    return .map(
      bytes.sorted { $0.key < $1.key }.map {
        CBORPair(key: .text($0.key), value: .integer($0.value))
      })
  }

  private static func input(_ program: Program, _ input: ProgramInput) -> CBORValue {
    .map([
      "name": .text(input.name),
      "element_type": .text(input.elementType.name),
      "shape": .array(
        input.dimensions.map { d in
          switch d {
          case .constant(let n): .integer(n)
          case .symbol(let s): .text(program.symbols[s].name)
          }
        }),
    ])
  }

  private static func target(_ packed: PackedModel) -> CBORValue {
    // The profile of the machine at hand is called `host` wherever that is.
    var fields = [CBORPair("name", .text(packed.request.target.name))]
    // What that machine has free differs from one minute to the next, and is not the bundle's.
    if packed.request.target.name != DeviceProfile.hostName {
      fields.append(CBORPair("ram_budget_bytes", .integer(packed.budget.ramBytes)))
      fields.append(CBORPair("storage_budget_bytes", .integer(packed.budget.storageBytes)))
    }
    if let power = packed.request.target.power {
      fields.append(CBORPair("idle_watts", .double(power.idleWatts)))
      let active = packed.request.target.cpu.clusters.compactMap(\.activeWattsPerCore).max()
      if let active { fields.append(CBORPair("core_active_watts", .double(active))) }
    }
    return .map(fields)
  }

  private static func predicted(_ packed: PackedModel) -> CBORValue {
    let memory = packed.candidate.memory
    var fields = [
      CBORPair("peak_memory_bytes", .integer(memory.peakBytes)),
      CBORPair("peak_memory_weights_bytes", .integer(memory.weightBytes)),
      CBORPair("peak_memory_tables_bytes", .integer(memory.tableBytes)),
      CBORPair("peak_memory_arena_bytes", .integer(memory.arenaBytes)),
      CBORPair("peak_memory_program_bytes", .integer(memory.programBytes)),
      CBORPair("peak_memory_assets_bytes", .integer(memory.assetBytes)),
      CBORPair("peak_memory_runtime_bytes", .integer(memory.runtimeBytes)),
      CBORPair("peak_memory_mapped_bytes", .integer(memory.mappedBytes)),
      CBORPair("peak_memory_is_lower_bound", .bool(memory.isLowerBound)),
    ]
    if let latency = packed.latency {
      fields.append(CBORPair("latency_us", .double(latency.seconds.value * 1e6)))
      fields.append(CBORPair("latency_low_us", .double(latency.seconds.low * 1e6)))
      fields.append(CBORPair("latency_high_us", .double(latency.seconds.high * 1e6)))
      fields.append(CBORPair("latency_source", .text(latency.origin.rawValue)))
      fields.append(CBORPair("latency_is_lower_bound", .bool(latency.isLowerBound)))
      fields.append(CBORPair("threads", .integer(latency.threads)))
      fields.append(
        CBORPair("step_us", .array(latency.steps.map { .double($0.value * 1e6) })))
      fields.append(
        CBORPair(
          "step_bound", .array(latency.bounds.map { $0.map { .text($0.rawValue) } ?? .null })))
    }
    // Work that only the run finds is not known.
    let work = packed.candidate.model.work
    fields.append(
      CBORPair(
        "step_macs",
        .array(work.map { $0.time == .open ? .null : .integer($0.multiplyAccumulates) })))
    if let energy = packed.energy {
      fields.append(CBORPair("energy_j", .double(energy.joules.value)))
      fields.append(CBORPair("energy_low_j", .double(energy.joules.low)))
      fields.append(CBORPair("energy_high_j", .double(energy.joules.high)))
      fields.append(CBORPair("energy_source", .text(energy.grade.rawValue)))
    }
    return .map(fields)
  }
}
