// Predicted time and energy: against laws that the tables are made of, and against figures by hand.
import Fitting
import GraphRunning
import Graphs
import Lowering
import Operators
import Tensors
import Testing

extension DeviceProfile {
  /// A shipped profile with a measured table, its own figures and power left out.
  static func measured(_ speeds: MeasuredSpeeds) throws -> DeviceProfile {
    var profile = try DeviceProfile.named("vps-2gb")
    profile.measured = speeds
    profile.power = nil
    return profile
  }
}

extension MeasuredSpeeds {
  /// Tables that follow a law: seconds of a product of these extents.
  static func products(
    _ extents: [[Int]], threads: Int = 1, bytesPerSecond: Double = 1e13, _ law: ([Int]) -> Double
  ) -> MeasuredSpeeds {
    let points = extents.map { e in
      StepPoint(extents: e, amount: e[0] * ((e[1] + 15) / 16 * 16) * e[2], seconds: law(e))
    }
    return MeasuredSpeeds(
      kernels: "test", dispatchSeconds: 1e-7, runtimeBytes: 1 << 20,
      memory: [
        MemoryPoint(
          threads: 1, workingSetBytes: 1 << 20, readBytesPerSecond: 10 * bytesPerSecond,
          copyBytesPerSecond: 5e10),
        MemoryPoint(
          threads: 1, workingSetBytes: 1 << 26, readBytesPerSecond: bytesPerSecond,
          copyBytesPerSecond: 5e9),
      ],
      steps: [StepTable(kind: "MatMul f32", threads: threads, points: points)])
  }
}

@Suite struct LatencyEstimateTests {
  /// One layer, with `before` in front of it.
  private func layer(_ m: Int, _ n: Int, _ k: Int, scheme: QuantizationScheme = .f32) throws
    -> [StepWork]
  {
    var random = RandomSource(1)
    var graph = Graph(name: "layer")
    let x = graph.addInput("x", .f32, [.constant(m), .constant(k)])
    let w = graph.addConstant("w", random.floats([k, n]))
    graph.addOutput("y", graph.add(.matMul(MatMul()), [x, w], name: "layer"))
    return try Lowering.lower(graph) { _ in scheme }.work
  }

  private static let grid = [1, 8, 64].flatMap { m in
    [16, 64, 256, 1024].flatMap { n in [32, 128, 512].map { k in [m, n, k] } }
  }

  /// A kernel with a start-up cost, slower where there are few rows: between the points the prediction
  /// is within a fifth of the law, for each of many extents.
  @Test func tablesPredictWhatIsBetweenTheirPoints() throws {
    func law(_ e: [Int]) -> Double {
      let panels = (e[1] + 15) / 16 * 16
      return 2e-7 + Double(e[0] * panels * e[2]) / (5e10 * Double(e[0]) / (Double(e[0]) + 2))
    }
    let profile = try DeviceProfile.measured(.products(Self.grid, law))
    var worst = 0.0
    for (m, n, k) in [(1, 32, 64), (4, 128, 256), (20, 512, 300), (64, 100, 128), (12, 48, 400)] {
      let work = try layer(m, n, k)
      let estimate = try #require(LatencyEstimate(work, on: profile, threads: 1))
      let expected = law([m, n, k])
      worst = max(worst, abs(estimate.seconds.value / expected - 1))
      #expect(estimate.seconds.low < estimate.seconds.value)
      #expect(estimate.seconds.value < estimate.seconds.high)
      #expect(estimate.steps.count == work.count && estimate.origin == .measured)
      #expect(!estimate.isLowerBound)
    }
    #expect(worst < 0.2, "\(worst)")
  }

  /// At a point the prediction is near what was measured there.
  @Test func tablesKnowTheirPoints() throws {
    func law(_ e: [Int]) -> Double { 1e-6 + Double(e[0] * e[1] * e[2]) * 1e-11 }
    let profile = try DeviceProfile.measured(.products(Self.grid, law))
    for e in Self.grid {
      let found = try #require(
        LatencyEstimate(try layer(e[0], e[1], e[2]), on: profile, threads: 1))
      #expect(abs(found.seconds.value / law(e) - 1) < 0.25, "\(e)")
    }
  }

  /// Weights that no cache holds take as long as memory needs, whatever the kernel does.
  @Test func memoryBoundsWhatTheTableSays() throws {
    let speeds = MeasuredSpeeds.products(Self.grid, bytesPerSecond: 1e10) { e in
      Double(e[0] * e[1] * e[2]) * 1e-12
    }
    let profile = try DeviceProfile.measured(speeds)
    let small = try layer(1, 1024, 128)
    let large = try layer(1, 16384, 1024)
    #expect(large[0].weightBytes == 64 << 20)
    let slow = try #require(LatencyEstimate(large, on: profile, threads: 1))
    #expect(abs(slow.seconds.value - Double(64 << 20) / 1e10) < 1e-9)
    let fast = try #require(LatencyEstimate(small, on: profile, threads: 1))
    #expect(fast.seconds.value < 1e-5)
  }

  /// As many threads as were measured, no more; what was not measured on several counts as on one.
  @Test func threadsTakeTheirOwnTable() throws {
    var speeds = MeasuredSpeeds.products(Self.grid) { e in Double(e[0] * e[1] * e[2]) * 1e-10 }
    let two = MeasuredSpeeds.products(Self.grid, threads: 2) { e in
      Double(e[0] * e[1] * e[2]) * 0.5e-10
    }
    let work = try layer(64, 256, 128)
    func seconds(_ threads: Int) throws -> Double {
      let profile = try DeviceProfile.measured(speeds)
      return try #require(LatencyEstimate(work, on: profile, threads: threads)).seconds.value
    }
    let one = try seconds(1)
    #expect(try seconds(2) == one)
    speeds.steps += two.steps
    #expect(try seconds(1) == one)
    #expect(abs(try seconds(2) / one - 0.5) < 0.01)
    #expect(try seconds(8) == seconds(2))
  }

  /// Steps in a model take longer than alone, but for those whose data the nearest cache holds.
  @Test(arguments: [(8, 1.0), (60, 1.125), (256, 1.25)])
  func modelsAreSlowerThanTheirSteps(rows: Int, factor: Double) throws {
    var speeds = MeasuredSpeeds.products(Self.grid) { e in Double(e[0] * e[1] * e[2]) * 1e-10 }
    let work = try layer(rows, 256, 128)
    let alone = try #require(
      LatencyEstimate(work, on: try .measured(speeds), threads: 1)
    ).seconds.value
    speeds.contextFactor = 1.25
    let inModel = try #require(LatencyEstimate(work, on: try .measured(speeds), threads: 1))
    // 60 rows have 90 KiB, about the middle between nothing and all.
    #expect(abs(inModel.seconds.value / alone - factor) < (rows == 60 ? 2e-3 : 1e-9))
  }

  /// An inference takes something beside its steps, once; a point was measured with it.
  @Test func anInferenceTakesTimeOfItsOwn() throws {
    var speeds = MeasuredSpeeds.products(Self.grid) { e in Double(e[0] * e[1] * e[2]) * 1e-10 }
    let work = try layer(64, 256, 128)
    let alone = try #require(LatencyEstimate(work, on: try .measured(speeds), threads: 1))
    speeds.inferenceSeconds = 1e-6
    let beside = try #require(LatencyEstimate(work, on: try .measured(speeds), threads: 1))
    #expect(abs(beside.seconds.value - alone.seconds.value - 1e-6) < 1e-12)
    #expect(beside.steps == alone.steps)
    let point = MeasuredSpeeds.StepPoint(extents: [1], amount: 1, seconds: 1e-6)
    let table = MeasuredSpeeds.StepTable(kind: "Unary exp", threads: 1, points: [point])
    #expect(abs(table.without(4e-7).points[0].seconds - 6e-7) < 1e-15)
    #expect(abs(table.without(2e-6).points[0].seconds - 2e-7) < 1e-15)
  }

  /// Steps with more data than a near cache holds have a factor of their own.
  @Test func wideStepsHaveTheirOwnFactor() throws {
    var speeds = MeasuredSpeeds.products(Self.grid) { e in Double(e[0] * e[1] * e[2]) * 1e-10 }
    let works = [try layer(256, 256, 128), try layer(4096, 256, 128)]
    #expect(works[0].reduce(0) { $0 + $1.dataBytes } < MeasuredSpeeds.wideBytes)
    func seconds() throws -> [Double] {
      try works.map {
        try #require(LatencyEstimate($0, on: try .measured(speeds), threads: 1)).seconds.value
      }
    }
    let alone = try seconds()
    (speeds.contextFactor, speeds.wideFactor) = (1.25, 1.5)
    let inModel = try seconds()
    #expect(abs(inModel[0] / alone[0] - 1.25) < 1e-9)
    #expect(abs(inModel[1] / alone[1] - 1.5) < 1e-9)
  }

  /// A function after a product takes what it takes on its own; a bound takes nothing.
  @Test func activationsAreCounted() throws {
    var speeds = MeasuredSpeeds.products(Self.grid) { e in Double(e[0] * e[1] * e[2]) * 1e-10 }
    speeds.steps.append(
      .init(
        kind: "Unary gelu", threads: 1,
        points: [.init(extents: [1 << 14], amount: 1 << 14, seconds: 2e-5)]))
    let profile = try DeviceProfile.measured(speeds)
    func seconds(_ activation: Activation) throws -> Double {
      var random = RandomSource(1)
      var graph = Graph(name: "layer")
      let x = graph.addInput("x", .f32, [.constant(64), .constant(128)])
      let w = graph.addConstant("w", random.floats([128, 256]))
      let op = MatMul(activation: FusedActivation(activation))
      graph.addOutput("y", graph.add(.matMul(op), [x, w], name: "layer"))
      let work = try Lowering.lower(graph) { _ in .f32 }.work
      return try #require(LatencyEstimate(work, on: profile, threads: 1)).seconds.value
    }
    let plain = try seconds(.linear)
    #expect(try seconds(.relu) == plain)
    #expect(abs(try seconds(.gelu) - plain - 2e-5) < 1e-9)
  }

  /// Kinds that were not measured: the nearest kind, or the bytes; with an interval that says so.
  @Test func unknownKindsGetAWideInterval() throws {
    let speeds = MeasuredSpeeds.products(Self.grid) { e in Double(e[0] * e[1] * e[2]) * 1e-11 }
    let profile = try DeviceProfile.measured(speeds)
    let work = try layer(8, 256, 128)
    let known = try #require(LatencyEstimate(work, on: profile, threads: 1)).seconds
    var other = work
    other[0].kind = "MatMul somehow"
    let nearest = try #require(LatencyEstimate(other, on: profile, threads: 1)).seconds
    #expect(nearest.value == known.value)
    other[0].kind = "Fold"
    other[0].extents = [100]
    let general = try #require(LatencyEstimate(other, on: profile, threads: 1)).seconds
    #expect(general.value > 0 && general.high / general.low > 4)
    #expect(general.high / general.low > known.high / known.low)
  }

  /// A machine that others slowed while it was probed has a wider interval around the same value.
  @Test func disturbedMachinesGetAWiderInterval() throws {
    var speeds = MeasuredSpeeds.products(Self.grid) { e in Double(e[0] * e[1] * e[2]) * 1e-11 }
    let work = try layer(8, 256, 128)
    var last: CostEstimate?
    for share in [0, 0.25, 0.75] {
      speeds.conditions.disturbedShare = share
      let now = try #require(
        LatencyEstimate(work, on: try .measured(speeds), threads: 1)
      ).seconds
      if let last {
        #expect(now.value == last.value && now.low < last.low && now.high > last.high)
      }
      last = now
    }
    #expect(try #require(last).high / #require(last).value < 2)
  }

  /// Steps that a run finds the extents of are not counted, and the estimate says that.
  @Test func openStepsMakeALowerBound() throws {
    let speeds = MeasuredSpeeds.products(Self.grid) { _ in 1e-6 }
    let profile = try DeviceProfile.measured(speeds)
    var work = try layer(8, 256, 128)
    let closed = try #require(LatencyEstimate(work, on: profile, threads: 1))
    var open = work[0]
    open.time = .open
    work.append(open)
    open.time = .ahead
    work.append(open)
    let estimate = try #require(LatencyEstimate(work, on: profile, threads: 1))
    #expect(estimate.isLowerBound && !closed.isLowerBound)
    #expect(estimate.seconds.value == closed.seconds.value)
    #expect(estimate.steps.map(\.value) == [closed.steps[0].value, 0, 0])
    #expect(estimate.bounds.count == 3 && estimate.bounds[0] != nil)
    #expect(estimate.bounds[1] == nil && estimate.bounds[2] == nil)
  }

  /// What a step's time goes into: products of many rows into arithmetic, of one row over weights that no
  /// cache holds into memory, tiny ones into starting. The same from a table and from figures.
  @Test func stepsAreBoundByWhatTheirTimeGoesInto() throws {
    let speeds = MeasuredSpeeds.products(Self.grid, bytesPerSecond: 1e10) { e in
      1e-7 + Double(e[0] * e[1] * e[2]) * 1e-11
    }
    for profile in [
      try DeviceProfile.measured(speeds), try DeviceProfile.named("raspberry-pi-5"),
    ] {
      func bound(_ m: Int, _ n: Int, _ k: Int) throws -> LatencyEstimate.Bound? {
        try #require(LatencyEstimate(try layer(m, n, k), on: profile, threads: 1)).bounds[0]
      }
      #expect(try bound(64, 1024, 512) == .compute, "\(profile.name)")
      #expect(try bound(1, 16384, 1024) == .memory, "\(profile.name)")
      #expect(try bound(1, 16, 32) == .launch, "\(profile.name)")
    }
  }

  /// Without a table: the longer of arithmetic and memory, and a dispatch; half to twice and more.
  @Test func figuresMakeARoofline() throws {
    let profile = try DeviceProfile.named("raspberry-pi-5")
    let cluster = profile.cpu.clusters[0]
    let f32 = try #require(cluster.f32OperationsPerSecondPerCore)
    let work = try layer(128, 256, 512)
    let one = try #require(LatencyEstimate(work, on: profile, threads: 1))
    let expected = 2.0 * 128 * 256 * 512 / f32 + 2e-6
    #expect(abs(one.seconds.value / expected - 1) < 1e-9)
    #expect(one.seconds.high / one.seconds.low >= 4 && one.origin == .profile)
    let four = try #require(LatencyEstimate(work, on: profile, threads: 9))
    #expect(abs(four.seconds.value / ((expected - 2e-6) / 4 + 2e-6) - 1) < 1e-9)
    // One row: 8 MiB of weights come from memory.
    let thin = try layer(1, 2048, 1024)
    let way = Double(thin[0].weightBytes) / (try #require(profile.memory.bandwidthBytesPerSecond))
    let bound = try #require(LatencyEstimate(thin, on: profile, threads: 4))
    #expect(abs(bound.seconds.value / (way + 2e-6) - 1) < 1e-9)
    // A detected host without a probe says nothing of speed.
    #expect(LatencyEstimate(work, on: try DeviceProfile.host(), threads: 1) == nil)
  }

  /// Idle and busy watts over the time, and picojoules for the weights' bytes.
  @Test func energyIsTimeAndBytes() throws {
    let profile = try DeviceProfile.named("raspberry-pi-5")
    let work = try layer(128, 256, 512)
    let latency = try #require(LatencyEstimate(work, on: profile, threads: 2))
    let energy = try #require(EnergyEstimate(work, latency, on: profile))
    let watts = 3.0 + 2 * 0.87
    let expected = watts * latency.seconds.value + Double(work[0].weightBytes) * 40e-12
    #expect(abs(energy.joules.value / expected - 1) < 1e-9 && energy.grade == .profile)
    #expect(energy.joules.low < energy.joules.value && energy.joules.value < energy.joules.high)
    var speeds = MeasuredSpeeds.products(Self.grid) { _ in 1e-3 }
    let silent = try DeviceProfile.measured(speeds)
    #expect(EnergyEstimate(work, latency, on: silent) == nil, "no meter, no figures")
    speeds.power = .init(meter: "RAPL package", idleWatts: 5, activeWattsPerCore: 3)
    let metered = try #require(EnergyEstimate(work, latency, on: try .measured(speeds)))
    #expect(metered.grade == .meter)
    let active = 5 + 3 * Double(min(2, silent.cpu.coreCount))
    #expect(abs(metered.joules.value / (active * latency.seconds.value) - 1) < 1e-9)
  }
}
