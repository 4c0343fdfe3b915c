// What the report tells of a packed model, and of the search that chose its weights, if one did.
import BundleFormat
import Calibration
import Fitting
import Programs

extension FitReport {
  /// The figures of a packed model and the bundle that was written of it.
  public init(_ packed: PackedModel, _ summary: BundleWriter.Summary) {
    let program = packed.program
    let target = packed.request.target
    self.init(name: packed.name, target: target.name, targetDescription: target.description)
    let weightBytes = packed.weights?.storedByteCount ?? packed.candidate.model.weightBytes
    let elements = packed.candidate.model.sources.reduce(0) {
      $0 + $1.constant.shape.elementCount
    }
    let bits = Double(weightBytes) * 8 / Double(max(elements, 1))
    facts = [
      ("task", packed.task.name), ("scheme", packed.schemeName),
      ("weights", ReportPage.grouped(elements)), ("stored bits per weight", Plot.number(bits)),
      ("steps", "\(program.steps.count)"), ("from", packed.format.rawValue),
    ]
    budgets = FitReport.budgets(packed, summary)
    tensors = program.weights.enumerated().map { i, weight in
      Tensor(
        name: weight.name, elementCount: weight.shape.elementCount,
        storedBytes: packed.weights?.codedByteCount(i) ?? weight.byteCount ?? 0,
        scheme: weight.encoding?.scheme.name ?? weight.elementType.name,
        coding: packed.weights?.codings[i]?.kind.name)
    }
    arenaBytes = program.plan.arenaBytes
    let live = FitReport.liveBytes(program)
    steps = program.steps.indices.map { i in
      Step(
        name: program.steps[i].name, operation: program.steps[i].op.name, liveBytes: live[i],
        seconds: packed.latency.flatMap {
          $0.steps.indices.contains(i) ? $0.steps[i].value : nil
        })
    }
    if let fit = packed.fit { add(fit, packed.weights) }
  }

  /// What a search found.
  private mutating func add(_ fit: FittedWeights, _ packed: PackedWeights?) {
    var metrics: [String] = []
    for metric in fit.metrics where !metrics.contains(metric.words) { metrics.append(metric.words) }
    promise = Promise(
      metric: metrics.joined(separator: ", "), itemCount: fit.itemCount,
      inputsAreGenerated: fit.isGenerated,
      predictedLoss: fit.predictedLoss, measuredLoss: fit.measuredLoss,
      uniformLoss: fit.uniformLoss, uniformBytes: fit.uniformBytes,
      shipsUniform: fit.shipsUniform)
    for entry in fit.entries where tensors.indices.contains(entry.weight) {
      tensors[entry.weight].sensitivity = entry.slope
      tensors[entry.weight].loss = entry.predictedLoss
    }
    // Small weights are not searched: they are in every choice.
    let searched = fit.entries.reduce(0) { $0 + $1.storedBytes }
    let bytes = packed?.storedByteCount ?? searched
    curve = fit.curve.map {
      Point(bytes: $0.storedBytes + Double(bytes - searched), loss: $0.loss)
    }
    chosen = Point(
      bytes: Double(bytes), loss: fit.measuredLoss,
      name: fit.shipsUniform ? "packed: one step for all" : "packed")
    if !fit.shipsUniform, let loss = fit.uniformLoss, let bytes = fit.uniformBytes {
      baselines = [Point(bytes: Double(bytes), loss: loss, name: "one step for all")]
    }
  }

  private static func budgets(
    _ packed: PackedModel, _ summary: BundleWriter.Summary
  ) -> [Budget] {
    let memory = packed.candidate.memory
    var budgets = [
      Budget(
        name: "storage", unit: .bytes, used: Double(summary.byteCount),
        limit: Double(packed.budget.storageBytes), source: "the bundle as written"),
      Budget(
        name: "memory", unit: .bytes, used: Double(memory.peakBytes),
        limit: Double(packed.budget.ramBytes),
        source: memory.isLowerBound
          ? "the memory plan; steps that find their size in the run are not counted"
          : "the memory plan"),
    ]
    if let latency = packed.latency {
      budgets.append(
        Budget(
          name: "latency", unit: .seconds, used: latency.seconds.value,
          interval: latency.seconds.low...latency.seconds.high,
          source: "\(latency.origin.rawValue), \(latency.threads) "
            + "thread\(latency.threads == 1 ? "" : "s")"))
    }
    if let energy = packed.energy {
      budgets.append(
        Budget(
          name: "energy", unit: .joules, used: energy.joules.value,
          interval: energy.joules.low...energy.joules.high, source: energy.grade.rawValue))
    }
    return budgets
  }

  /// Bytes of the arena that are in use at each step.
  static func liveBytes(_ program: Program) -> [Int] {
    let plan = program.plan
    let live = Liveness(program, bytes: plan.capacities)
    var changes = [Int](repeating: 0, count: program.steps.count + 1)
    for slot in plan.capacities.indices where live.root[slot] == slot {
      guard live.last[slot] >= live.first[slot], live.first[slot] < program.steps.count else {
        continue
      }
      changes[max(live.first[slot], 0)] += plan.capacities[slot]
      changes[min(live.last[slot], program.steps.count - 1) + 1] -= plan.capacities[slot]
    }
    var bytes = 0
    return program.steps.indices.map { i in
      bytes += changes[i]
      return bytes + plan.scratchCapacities[i]
    }
  }
}

extension LossMetric {
  /// What people call it.
  fileprivate var words: String {
    switch self {
    case .probabilities, .logits: "KL divergence, in nats"
    case .events: "KL divergence of each event, in nats"
    case .cosine: "1 − cosine"
    case .pooled: "1 − cosine of the mean"
    case .squares: "mean squared error over the variance"
    }
  }
}
