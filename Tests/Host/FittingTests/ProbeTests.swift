// The probe: every case it measures is one step, and what it writes reads back.
import Bytes
import Fitting
import Foundation
import Lowering
import Platform
import Testing

@Suite struct ProbeTests {
  /// A folder that holds `files`, while `body` runs.
  private func withRoot(_ files: [String: String], _ body: (String) throws -> Void) throws {
    let root = FileManager.default.temporaryDirectory.appending(
      path: "knapsack-\(ProcessInfo.processInfo.globallyUniqueString)")
    defer { try? FileManager.default.removeItem(at: root) }
    for (path, text) in files {
      let file = root.appending(path: path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    try body(root.path)
  }

  /// Each case lowers to a step that the cost model knows, and runs.
  @Test func everyCaseRuns() throws {
    var kinds: [String: Int] = [:]
    for make in ProbeCase.all {
      let made = make()
      let model = try #require(try ProbeModel(made, threads: 1))
      #expect(model.work.amount > 0 && !model.work.extents.isEmpty)
      #expect(try model.measure(seconds: 0, atMost: 3) > 0)
      let count = kinds[model.work.kind] ?? model.work.extents.count
      #expect(count == model.work.extents.count, "\(model.work.kind): one number of extents")
      kinds[model.work.kind] = count
    }
    for kind in [
      "MatMul f32", "MatMul f16", "MatMul int8", "MatMul blocks", "Conv f32", "Conv int8",
      "Conv depthwise", "IntegerConv", "IntegerDepthwise", "Attention", "Trees", "Trees row",
      "Trees row wide", "Trees vectors row", "Softmax",
    ] {
      #expect(kinds[kind] != nil, "\(kind)")
    }
  }

  @Test func threadCountsDouble() {
    var probe = Probe()
    for (threads, counts) in [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])] {
      probe.threads = threads
      #expect(probe.threadCounts == counts)
    }
  }

  /// What others slowed is not taken, as long as anything else is there.
  @Test func samplesAtFullPaceCount() {
    var samples = ProbeSamples()
    #expect(samples.seconds(best: 1) == nil)
    samples.add(15, pace: 2.25, best: 1)
    samples.add(16, pace: 4, best: 1)
    #expect(samples.fullCount == 0 && samples.seconds(best: 1) == 10)
    samples.add(9, pace: 1.5, best: 1)
    samples.add(12, pace: 1.05, best: 1)
    samples.add(11, pace: 1, best: 1)
    #expect(samples.fullCount == 2 && samples.seconds(best: 1) == 11)
    // A faster moment shows that none of them was at full pace.
    samples.countAgain(best: 0.25)
    #expect(samples.fullCount == 0 && samples.seconds(best: 0.25) == 5.5)
  }

  /// Steps of about the same length gain about the same.
  @Test func gainsAreThoseOfTheirLike() {
    var gains = SharingGains()
    #expect(gains.seconds(alone: 1) == nil)
    for (alone, shared) in [(8, 4), (9, 5), (10, 4), (1, 1), (1.5, 1), (100, 25)]
      as [(Double, Double)]
    {
      gains.add(alone: alone, shared: shared)
    }
    #expect(gains.seconds(alone: 10) == 5)
    #expect(gains.seconds(alone: 150) == 37.5)
    #expect(gains.seconds(alone: 1) == 1 / 1.5)
    #expect(gains.seconds(alone: 1000) == nil)
  }

  /// On a machine too slow to measure all of them, some steps are enough for a profile that can be read.
  @Test(arguments: [1, 2]) func aProbeThatIsCutShortIsAProfile(threads: Int) throws {
    var probe = Probe()
    (probe.seconds, probe.longest, probe.threads) = (0.4, 0.2, threads)
    let profile = try probe.profile()
    let written = json(profile)
    let read = try DeviceProfile(json5: written, source: "short")
    #expect(read.measured == profile.measured)
    let measured = try #require(read.measured)
    #expect(!measured.steps.isEmpty && measured.steps.count < 60)
    #expect(measured.steps.allSatisfy { $0.points.allSatisfy { $0.seconds > 0 } })
    #expect(measured.memory.count == 4 * threads)
  }

  /// What is too small to be shared takes several threads as long as one, whatever their pace is.
  @Test func whatIsNotSharedIsNotMeasuredAgain() throws {
    let measuring = try ProbeMeasuring(
      [1, 2], keptBytes: 1 << 24,
      cases: [{ .depthwise(64, 5, kernel: 3) }, { .depthwise(32, 56, kernel: 5) }])
    try measuring.run(seconds: 0, longest: 60) { _ in }
    let tables = measuring.tables
    #expect(tables.map(\.threads) == [1, 2] && tables.allSatisfy { $0.points.count == 2 })
    let (one, two) = (tables[0].points, tables[1].points)
    #expect(one[0] == two[0] && one[1].extents == two[1].extents && one[1] != two[1])
  }

  @Test func memoryGetsSlowerAsItGrows() {
    let points = MemoryProbe(threadCounts: [1]).points()
    #expect(points.map(\.workingSetBytes) == points.map(\.workingSetBytes).sorted())
    #expect(points.allSatisfy { $0.readBytesPerSecond > 0 && $0.copyBytesPerSecond > 0 })
  }

  private var speeds: MeasuredSpeeds {
    MeasuredSpeeds(
      kernels: "fast-kernels", dispatchSeconds: 1.25e-7, inferenceSeconds: 6.25e-8,
      contextFactor: 1.125, wideFactor: 1.375,
      weightExposure: 2.5, integerWeightExposure: 3.5, rowWeightExposure: 1.5,
      handoverSeconds: 5e-7,
      runtimeBytes: 21_000_000,
      conditions: MachineConditions(
        loadAverage: 0.25, governor: "performance", clockHertz: 2.4e9, throttleCount: 0,
        disturbedShare: 0.125),
      memory: [
        .init(
          threads: 1, workingSetBytes: 1 << 20, readBytesPerSecond: 1.5e11,
          copyBytesPerSecond: 7e10),
        .init(
          threads: 2, workingSetBytes: 1 << 26, readBytesPerSecond: 3e10,
          copyBytesPerSecond: 1e10),
      ],
      steps: [
        .init(
          kind: "MatMul f32", threads: 1,
          points: [
            .init(extents: [1, 16, 64], amount: 1024, seconds: 1.5e-7),
            .init(extents: [64, 512, 512], amount: 1 << 24, seconds: 3.25e-4),
          ]),
        .init(
          kind: "Unary exp", threads: 2,
          points: [.init(extents: [1024], amount: 1024, seconds: 4e-7)]),
      ],
      power: .init(meter: "RAPL package", idleWatts: 5.5, activeWattsPerCore: 3.25))
  }

  private func json(_ profile: DeviceProfile) -> [UInt8] {
    var json = JSONWriter(isPretty: true)
    profile.write(to: &json)
    return json.bytes
  }

  /// A probed machine has gaps where nothing could be measured; the file reads back equal.
  @Test func aProbedProfileReadsBack() throws {
    var profile = try DeviceProfile.host()
    profile.measured = speeds
    #expect(profile.power == nil && profile.storage.readBytesPerSecond == nil)
    let read = try DeviceProfile(json5: json(profile), source: "host.json5")
    #expect(read == profile)
    // Without the measurement the same gaps are mistakes.
    profile.measured = nil
    let error = #expect(throws: ProfileError.self) {
      try DeviceProfile(json5: json(profile), source: "host.json5")
    }
    #expect(error?.reason == .missingKey)
  }

  @Test(arguments: [
    ("[1, 16, 64, 1024, 1.5e-07]", "[1, 16, 64, 1024]", "measured.steps[0].points[1]"),
    ("[64, 512, 512,", "[64, 512,", "measured.steps[0].points[1]"),
    ("[64, 512, 512,", "[64, -1, 512,", "measured.steps[0].points[1]"),
    ("[64, 512, 512,", "[64, 1.5, 512,", "measured.steps[0].points[1]"),
    ("[64, 512, 512,", "[64, 1e300, 512,", "measured.steps[0].points[1]"),
    ("[64, 512, 512,", "[64, \"x\", 512,", "measured.steps[0].points[1]"),
    ("0.000325]", "0]", "measured.steps[0].points[1]"),
    ("\"threads\": 2", "\"threads\": 0", "measured.memory[1].threads"),
    ("\"fast-kernels\"", "7", "measured.kernels"),
    ("\"runtime_bytes\": 21000000", "\"runtime_bytes\": -1", "measured.runtime_bytes"),
    (
      "\"inference_seconds\": 6.25e-08", "\"inference_seconds\": -1", "measured.inference_seconds"
    ),
    ("\"context_factor\": 1.125", "\"context_factor\": 9", "measured.context_factor"),
    ("\"wide_factor\": 1.375", "\"wide_factor\": 0", "measured.wide_factor"),
    ("\"weight_exposure\": 2.5", "\"weight_exposure\": -1", "measured.weight_exposure"),
    (
      "\"integer_weight_exposure\": 3.5", "\"integer_weight_exposure\": 17",
      "measured.integer_weight_exposure"
    ),
    (
      "\"row_weight_exposure\": 1.5", "\"row_weight_exposure\": 17",
      "measured.row_weight_exposure"
    ),
    ("\"handover_seconds\": 5e-07", "\"handover_seconds\": -1", "measured.handover_seconds"),
    ("\"governor\"", "\"governer\"", "measured.conditions.governer"),
    ("\"throttle_count\": 0", "\"throttle_count\": -3", "measured.conditions.throttle_count"),
    ("\"meter\"", "\"metre\"", "measured.power.metre"),
  ])
  func aDamagedMeasurementIsRefused(from: String, to: String, place: String) throws {
    var profile = try DeviceProfile.host()
    profile.measured = speeds
    let compact = String(decoding: json(profile), as: UTF8.self)
      .replacing(try Regex(#"\s*\n\s*"#), with: " ")
      .replacing("[ ", with: "[").replacing(" ]", with: "]")
    #expect(compact.contains(from), "\(from)")
    let damaged = compact.replacing(from, with: to, maxReplacements: 1)
    let error = #expect(throws: ProfileError.self) {
      try DeviceProfile(json5: Array(damaged.utf8), source: "host.json5")
    }
    #expect(error?.keyPath.hasPrefix(place) == true || from.contains("1.5e-07"), "\(error!)")
  }

  /// What was measured counts for the machine it was measured on, and for no other.
  @Test func theHostTakesItsOwnMeasurement() throws {
    var profile = try DeviceProfile.host()
    profile.measured = speeds
    profile.measured?.kernels = Probe.kernels
    let same = String(decoding: json(profile), as: UTF8.self)
    // Its tables describe steps by other extents.
    profile.measured?.version -= 1
    let older = String(decoding: json(profile), as: UTF8.self)
    profile.measured?.version += 1
    profile.cpu.clusters[0].core = "another"
    let other = String(decoding: json(profile), as: UTF8.self)
    try withRoot(["same.json5": same, "older.json5": older, "other.json5": other]) { root in
      let found = try ["same", "older", "other", "none"].map { name in
        try DeviceProfile.probedHost("\(root)/\(name).json5").measured != nil
      }
      #expect(found == [true, false, false, false])
      // Elsewhere nothing stands in for it.
      #expect(try DeviceProfile.named("\(root)/other.json5").measured != nil)
      for (target, folder) in [("\(root)/older.json5", nil), ("older", root)] {
        let error = #expect(throws: ProfileError.self) {
          try DeviceProfile.named(target, folder: folder)
        }
        #expect(error?.keyPath == "measured.version")
        #expect(error?.description.contains("probe that machine again") == true)
      }
    }
  }

  @Test func conditionsComeFromTheKernel() throws {
    let cpu = "sys/devices/system/cpu/cpu0"
    try withRoot([
      "proc/loadavg": "1.25 0.80 0.60 2/345 6789\n",
      "\(cpu)/cpufreq/scaling_governor": "ondemand\n",
      "\(cpu)/cpufreq/scaling_cur_freq": "2400000\n",
      "\(cpu)/thermal_throttle/core_throttle_count": "3\n",
    ]) { root in
      let found = MachineConditions(root: root)
      #expect(
        found
          == MachineConditions(
            loadAverage: 1.25, governor: "ondemand", clockHertz: 2.4e9, throttleCount: 3))
    }
    try withRoot([
      "proc/loadavg": "nan", "\(cpu)/cpufreq/scaling_cur_freq": "-5",
      "\(cpu)/thermal_throttle/core_throttle_count": "x",
    ]) { root in
      #expect(MachineConditions(root: root) == MachineConditions(loadAverage: nil))
    }
  }

  /// The counter starts anew now and then.
  @Test func joulesSurviveAWrap() throws {
    let rapl = "sys/class/powercap/intel-rapl:0"
    try withRoot([
      "\(rapl)/energy_uj": "5000000\n", "\(rapl)/max_energy_range_uj": "10000000\n",
    ]) { root in
      let probe = try #require(PowerProbe(root: root))
      #expect(probe.energy == 5_000_000)
      #expect(probe.joules(from: 1_000_000, to: 3_500_000) == 2.5)
      #expect(probe.joules(from: 9_000_000, to: 500_000) == 1.5)
      #expect(probe.joules(from: 11_000_000, to: 500_000) == nil)
    }
    try withRoot(["\(rapl)/energy_uj": "secret"]) { #expect(PowerProbe(root: $0) == nil) }
    try withRoot(["proc/none": ""]) { #expect(PowerProbe(root: $0) == nil) }
  }
}
