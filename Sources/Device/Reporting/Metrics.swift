// The one list of what a run tells other programs: a new figure is a row here, and in every output.
import Platform
import Telemetry

/// Every figure of a run that leaves the process.
public enum Metrics {
  /// The rows of a snapshot, known or not.
  public static func rows(_ snapshot: Snapshot) -> [MetricRow] {
    var list = MetricList()
    addRun(snapshot, &list)
    addLatency(snapshot, &list)
    addStages(snapshot, &list)
    if let tokens = snapshot.tokens { addTokens(tokens, snapshot, &list) }
    addMemory(snapshot.memory, &list)
    addPower(snapshot.power, &list)
    addHeat(snapshot, &list)
    addDrift(snapshot, &list)
    addMonitor(snapshot, &list)
    return list.rows
  }

  /// A reason of ours.
  static func why(_ text: StaticString) -> EscapedText { EscapedText(text) }

  private static func number(_ value: UInt64?) -> Double? { value.map { Double($0) } }

  static func microseconds(_ nanoseconds: UInt64?) -> Double? {
    nanoseconds.map { Double($0) / 1000 }
  }

  // MARK: The run

  private static func addRun(_ s: Snapshot, _ list: inout MetricList) {
    let facts = s.facts
    list.information(
      "build", "The tool that runs.",
      [MetricLabel("tool_version", EscapedText(Array(Release.version.utf8)))])
    list.information(
      "bundle", "What it runs.",
      [
        MetricLabel("bundle", facts.bundleName),
        MetricLabel("bundle_version", facts.bundleVersion),
        MetricLabel("scheme", facts.scheme), MetricLabel("device", facts.device),
      ])
    list.add(
      "elapsed", .seconds, s.elapsedSeconds, "Time since the run began.", why(""))
    list.count(
      "inferences", s.inferenceCount, "Inferences, those of the warm-up apart.",
      labels: [MetricLabel("outcome", why("success"))])
    list.count(
      "warm_up_inferences", UInt64(max(s.warmUpDone, 0)),
      "Inferences, those of the warm-up apart.", metric: "inferences",
      labels: [MetricLabel("outcome", why("warm_up"))])
    let budget = facts.latencyBudgetNanoseconds
    list.count(
      "dropped_items", s.droppedCount, "Items that came while the model had no time for them.")
    list.add(
      "deadline_missed", .count, budget.map { _ in Double(s.missedCount) },
      "Inferences that took longer than the latency budget.", why("no latency budget"),
      kind: .counter)
    list.add(
      "latency_budget", .microseconds, microseconds(budget),
      "The longest inference that is in time.", why("no latency budget"))
    list.add(
      "load", .microseconds, microseconds(facts.loadNanoseconds),
      "Time from opening the bundle to the end of loading.", why("not loaded yet"))
    list.add(
      "first_latency", .microseconds, microseconds(s.firstNanoseconds),
      "The very first inference.", why("no inference yet"), metric: "first_inference_duration")
    let labels = [("right", s.correctCount), ("wrong", s.labelledCount - s.correctCount)]
    for (result, count) in labels {
      list.add(
        "labelled_" + result, .count, s.labelledCount > 0 ? Double(count) : nil,
        "Answers that a label was known for.", why("no labels"), metric: "labelled_answers",
        kind: .counter, labels: [MetricLabel("result", EscapedText(Array(result.utf8)))])
    }
    list.add(
      "accuracy", .ratio, s.accuracy, "Share of right answers.", why("no labels"), metric: "")
  }

  // MARK: Latency

  /// Upper bounds of the histogram's buckets in nanoseconds, from 10 µs to 100 s; the budget is one.
  static func bounds(budgetNanoseconds budget: UInt64?) -> [UInt64] {
    var bounds: [UInt64] = []
    var decade: UInt64 = 10_000
    while decade < 100_000_000_000 {
      bounds += [decade, decade * 5 / 2, decade * 5]
      decade *= 10
    }
    bounds.append(decade)
    guard let budget, budget > 0, !bounds.contains(budget) else { return bounds }
    let at = bounds.firstIndex { $0 > budget } ?? bounds.count
    bounds.insert(budget, at: at)
    return bounds
  }

  private static func addLatency(_ s: Snapshot, _ list: inout MetricList) {
    list.histogram(
      "inference_duration", "How long inferences took.", s.overallHistogram,
      bounds: bounds(budgetNanoseconds: s.facts.latencyBudgetNanoseconds),
      labels: [MetricLabel("stage", why("infer"))])
    let none = why("no inference in the window")
    let latency = s.latency
    for (stem, value, reason) in [
      ("latency_p50", latency.p50, none),
      ("latency_p95", latency.p95, why("needs 20 inferences in the window")),
      ("latency_p99", latency.p99, why("needs 100 inferences in the window")),
      ("latency_max", latency.max, none),
    ] {
      list.add(
        stem, .microseconds, microseconds(value), "Latency in the window.", reason, metric: "")
    }
    list.add(
      "latency_mean", .microseconds, latency.mean.map { $0 / 1000 }, "Latency in the window.", none,
      metric: "")
    list.add(
      "throughput", .perSecond, s.perSecond, "Inferences in a second of running time.", none)
    list.add(
      "busy", .cores, s.busyCores, "Cores that the process kept busy in the window.",
      why("no processor time measured yet"), metric: "")
    list.add(
      "cpu", .seconds, s.cpuNanoseconds.map { Double($0) / 1e9 },
      "Processor time of the process.", why("no /proc/self/stat"), metric: "process_cpu",
      kind: .counter)
  }

  // MARK: Drift

  private static func addDrift(_ s: Snapshot, _ list: inout MetricList) {
    for row in s.drift {
      let name: EscapedText
      var origin: MetricOrigin?
      switch row.quantity {
      case .p50: name = why("latency_p50")
      case .peakMemory: name = why("peak_memory")
      case .energy:
        name = why("energy_per_inference")
        origin = self.origin(s.power)
      }
      list.add(
        "drift", .ratio, row.ratio, "Measured over predicted.", why("not measured yet"),
        labels: [MetricLabel("metric", name)], isListed: true, origin: origin)
    }
  }

  // MARK: The monitor

  private static func addMonitor(_ s: Snapshot, _ list: inout MetricList) {
    list.add(
      "monitor_cpu", .seconds, Double(s.monitorNanoseconds) / 1e9,
      "Processor time of the monitor itself.", why(""), kind: .counter)
    list.count(
      "lost_samples", UInt64(max(s.lostSampleCount, 0)),
      "Timings and events that came faster than they were taken in.",
      metric: "monitor_lost_samples")
  }
}

// MARK: Memory

extension Metrics {
  private static func addMemory(_ memory: MemoryReading, _ list: inout MetricList) {
    let help = "Memory by what it is: kinds are parts of each other and do not add up."
    for (kind, value, reason) in [
      ("weights", memory.weights, why("not loaded yet")),
      (
        "weights_resident", memory.weightsResident, why("the weights are in no memory of their own")
      ),
      ("arena", memory.arena, why("not loaded yet")),
      ("resident", memory.resident, why("no /proc/self/status")),
      ("anonymous", memory.anonymous, why("the kernel does not say")),
      ("file", memory.file, why("the kernel does not say")),
      ("peak", memory.peak, why("the kernel does not say")),
    ] {
      list.add(
        "memory_" + kind, .bytes, number(value), help, reason, metric: "memory",
        labels: [MetricLabel("kind", EscapedText(Array(kind.utf8)))])
    }
    list.add(
      "memory_budget", .bytes, number(memory.budget), "Memory that the target allows.",
      why("the bundle has no memory budget"))
    list.add(
      "memory_limit", .bytes, number(memory.limits.memoryLimit),
      "The control group's limit on memory.", memory.limits.reason, metric: "cgroup_memory_limit")
    list.add(
      "memory_limit_usage", .bytes, number(memory.limits.memoryUsage),
      "What the control group with that limit uses.", memory.limits.reason,
      metric: "cgroup_memory_usage")
    list.add(
      "cpu_quota", .cores, memory.limits.cpuQuotaCores, "Cores that the control group allows.",
      memory.limits.reason, metric: "cgroup_cpu_quota")
    list.add(
      "memory_growth", .bytesPerHour, memory.growth.kilobytesPerHour.map { $0 * 1000 },
      "Slope of anonymous memory after the warm-up.", why("needs a minute"))
    list.add(
      "major_faults", .perSecond, memory.majorFaultsPerSecond, "Page faults that had to read.",
      why("not measured yet"))
    list.add(
      "involuntary_switches", .perSecond, memory.involuntarySwitchesPerSecond,
      "Times that the process was taken off a core while it had work.", why("not measured yet"))
    let pressure = memory.pressure
    for (resource, kind, percent) in [
      ("memory", "some", pressure.memorySome), ("memory", "full", pressure.memoryFull),
      ("cpu", "some", pressure.cpuSome), ("io", "some", pressure.ioSome),
      ("io", "full", pressure.ioFull),
    ] {
      list.add(
        "pressure_" + resource + "_" + kind, .ratio, percent.map { $0 / 100 },
        "Share of the last 10 s in which tasks waited for a resource.", pressure.reason,
        metric: "pressure",
        labels: [
          MetricLabel("resource", EscapedText(Array(resource.utf8))),
          MetricLabel("kind", EscapedText(Array(kind.utf8))),
        ])
    }
  }
}

// MARK: Power and heat

extension Metrics {
  static func origin(_ power: PowerReading) -> MetricOrigin {
    MetricOrigin(source: power.source, grade: power.grade, bandPercent: power.bandPercent)
  }

  private static func addPower(_ power: PowerReading, _ list: inout MetricList) {
    let origin = origin(power)
    let reason = power.grade == .unknown ? power.source : why("not measured yet")
    list.add(
      "power", .watts, power.watts, "Power of the device, and of what its meter tells apart.",
      reason,
      labels: [MetricLabel("rail", why("total"))], origin: origin)
    for rail in power.rails where !(rail.isTotal && power.rails.count == 1) {
      list.add(
        "rail_power", .watts, rail.watts, "Power of the device, and of what its meter tells apart.",
        why("the rail does not answer"), metric: "power", labels: [MetricLabel("rail", rail.name)],
        isListed: true, origin: origin)
    }
    list.add(
      "idle_power", .watts, power.idleWatts, "Power when idle.",
      why("not measured: pause the run, or press b"), origin: origin)
    // The meter of now may not be the one that this was counted with.
    let total = MetricOrigin(
      source: power.totalSource, grade: power.totalGrade,
      bandPercent: power.grade == power.totalGrade ? power.bandPercent : 0)
    list.add(
      "energy", .joules, power.totalJoules, "Energy since the first counted inference.", reason,
      kind: .counter, origin: total)
    let few = power.grade == .unknown ? power.source : why("needs 10 s and 10 inferences")
    list.add(
      "energy_per_inference", .joules, power.joulesPerInference,
      "Energy of the whole device per inference in the window.", few, metric: "", origin: origin)
    list.add(
      "energy_per_inference_above_idle", .joules, power.joulesPerInferenceAboveIdle,
      "The same above idle.", power.idleWatts == nil ? why("idle power is not known") : few,
      metric: "", origin: origin)
    list.add(
      "carbon", .gramsPerHour, power.carbon.gramsPerHour, "Carbon dioxide at this power.", reason,
      metric: "", origin: origin)
    list.add(
      "carbon_per_thousand_inferences", .grams, power.carbon.gramsPerThousandInferences,
      "Carbon dioxide of a thousand inferences.", few, metric: "", origin: origin)
    list.add(
      "grid_intensity", .gramsPerKilowattHour, power.carbon.gridGramsPerKilowattHour,
      "Carbon dioxide of the grid: a setting, or the world's average.", why(""), metric: "")
    let battery = power.battery
    list.add(
      "battery_charge", .ratio, battery.percent.map { $0 / 100 }, "Charge of the battery.",
      battery.reason)
    list.add(
      "battery_left", .hours, battery.hoursLeft, "Until the battery is empty at this rate.",
      battery.percent == nil ? battery.reason : why("it does not discharge"))
  }

  private static func addHeat(_ s: Snapshot, _ list: inout MetricList) {
    list.add(
      "hottest", .celsius, s.thermal.celsius, "Temperature of the hottest zone.",
      s.thermal.reason, metric: "")
    for zone in s.thermal.zones {
      list.add(
        "temperature", .celsius, zone.celsius, "Temperature of a thermal zone.",
        why("the zone does not answer"), labels: [MetricLabel("zone", zone.name)], isListed: true)
    }
    let watched = s.throttle.isThrottled
    list.add(
      "throttled", .count, watched.map { $0 ? 1 : 0 }, "Whether the machine is held back.",
      s.throttle.reason)
    list.add(
      "throttled_time", .seconds, watched.map { _ in s.throttle.totalSeconds },
      "How long the machine was held back.", s.throttle.reason, metric: "")
    for cause in s.throttle.causes {
      list.add(
        "throttled_by", .seconds, cause.seconds, "How long the machine was held back, by cause.",
        why(""), metric: "throttled", kind: .counter,
        labels: [MetricLabel("cause", cause.cause)], isListed: true)
    }
    for clock in s.thermal.clocks {
      list.add(
        "cpu_frequency", .hertz, clock.megahertz.map { $0 * 1e6 }, "Clock of a core.",
        why("the core does not tell"),
        labels: [MetricLabel("cpu", EscapedText(Array(clock.core.description.utf8)))],
        isListed: true)
    }
    for device in s.thermal.cooling {
      let share = device.maxState > 0 ? Double(device.state) / Double(device.maxState) : nil
      list.add(
        "cooling", .ratio, share, "How much a fan or a limit on a clock is in use.",
        why("it has no states"), labels: [MetricLabel("device", device.name)], isListed: true)
    }
    for accelerator in s.accelerators.list {
      list.add(
        "accelerator_load", .ratio, accelerator.loadPercent.map { $0 / 100 },
        "How busy an accelerator is.", why("it does not tell"),
        labels: [MetricLabel("accelerator", accelerator.name)], isListed: true)
    }
    for accelerator in s.accelerators.list {
      list.add(
        "accelerator_frequency", .hertz, accelerator.megahertz.map { $0 * 1e6 },
        "Clock of an accelerator.", why("it does not tell"),
        labels: [MetricLabel("accelerator", accelerator.name)], isListed: true)
    }
  }
}
