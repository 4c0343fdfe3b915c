// How a table becomes a law, and what threads leave of a step: against laws that tables are made of.
import Fitting
import Foundation
import GraphRunning
import Graphs
import Lowering
import Operators
import Tensors
import Testing

@Suite struct StepFitTests {
  private func speeds(_ steps: [MeasuredSpeeds.StepTable]) -> MeasuredSpeeds {
    MeasuredSpeeds(
      kernels: "test", dispatchSeconds: 1e-9, runtimeBytes: 1 << 20,
      memory: [
        .init(
          threads: 1, workingSetBytes: 1 << 20, readBytesPerSecond: 1e13,
          copyBytesPerSecond: 1e13)
      ], steps: steps)
  }

  private func table(
    _ kind: String, threads: Int = 1, _ extents: [[Int]], _ amount: ([Int]) -> Int,
    _ law: ([Int]) -> Double
  ) -> MeasuredSpeeds.StepTable {
    .init(
      kind: kind, threads: threads,
      points: extents.map { .init(extents: $0, amount: amount($0), seconds: law($0)) })
  }

  private func step(
    _ op: Operator, _ inputs: [[Int]], constants: [Constant] = []
  ) throws -> [StepWork] {
    var graph = Graph(name: "step")
    let x = inputs.enumerated().map { i, shape in
      graph.addInput("x\(i)", .f32, shape.map { .constant($0) })
    }
    let w = constants.enumerated().map { i, constant in graph.addConstant("w\(i)", constant) }
    graph.addOutput("y", graph.add(op, x + w, name: "step"))
    return try Lowering.lower(graph) { _ in .f32 }.work
  }

  private func seconds(
    _ work: [StepWork], _ speeds: MeasuredSpeeds, threads: Int = 1
  ) throws -> Double {
    let profile = try DeviceProfile.measured(speeds)
    return try #require(LatencyEstimate(work, on: profile, threads: threads)).seconds.value
  }

  /// So much for a call, an element and a row: three points tell all three, far from where they are.
  @Test func threePointsTellThreePrices() throws {
    func law(_ e: [Int]) -> Double {
      1e-7 + 1e-9 * Double(e[0]) + 2e-8 * Double(e[0] / e[1])
    }
    let points = table("Slice", [[4096, 4096], [4096, 1], [16, 16]], { $0[0] }, law)
    for (rows, width, kept) in [(50, 40, 10), (512, 8, 2), (3, 2000, 1500), (1000, 20, 19)] {
      let slice = Slice(
        starts: IntegerList([0]), ends: IntegerList([kept]), axes: IntegerList([1]),
        steps: IntegerList([1]))
      let found = try seconds(try step(.slice(slice), [[rows, width]]), speeds([points]))
      #expect(abs(found / law([rows * kept, kept]) - 1) < 0.03, "\(rows) \(width) \(kept)")
    }
  }

  /// A picture's gathering costs by runs of its rows: narrow pictures are slower for the same products.
  @Test func narrowPicturesAreSlower() throws {
    func law(_ e: [Int]) -> Double {
      let (outputs, places, k, run) = (Double(e[0]), Double(e[1]), Double(e[2]), Double(e[3]))
      return 2e-7 + outputs * places * k * 1e-11 + k * places / run * 1e-8 + outputs * places
        * 1e-10
    }
    var extents: [[Int]] = []
    for outputs in [16, 64] {
      for size in [8, 16, 32] {
        for k in [72, 288] { extents.append([outputs, size * size, k, size, 9]) }
      }
    }
    extents.append([16, 1024, 64, 1024, 1])
    extents.append([64, 256, 32, 256, 1])
    let points = table("Conv f32", extents, { $0[0] * $0[1] * $0[2] }, law)
    var random = RandomSource(1)
    let weights = random.floats([48, 16, 3, 3])
    let window = Window(pads: IntegerList([1, 1, 1, 1]))
    var found: [Double] = []
    for (height, width) in [(128, 4), (16, 32), (4, 128)] {
      let work = try step(
        .conv(Conv(window: window)), [[1, 16, height, width]], constants: [weights])
      let predicted = try seconds(work, speeds([points]))
      let expected = law([48, 512, 144, width, 9])
      #expect(abs(predicted / expected - 1) < 0.15, "\(height) \(width)")
      found.append(predicted)
    }
    #expect(found[0] > found[1] && found[1] > found[2])
  }

  /// Small steps stay on one thread; large ones leave half, whatever the extents between.
  @Test func smallStepsAreNotShared() throws {
    func law(_ e: [Int]) -> Double { 1e-7 + 1e-9 * Double(e[0]) }
    let extents = [16, 256, 1024, 16384, 65536, 1 << 20].map { [$0] }
    let one = table("Unary exp", extents, { $0[0] }, law)
    let two = table("Unary exp", threads: 2, extents, \.[0]) { e in
      e[0] < 32768 ? law(e) : law(e) * 0.55
    }
    let both = speeds([one, two])
    for (count, left) in [(20, 1.0), (2000, 1), (20000, 1), (100_000, 0.55), (500_000, 0.55)] {
      let work = try step(.unary(Unary(.exp)), [[count]])
      let found = try seconds(work, both, threads: 2) / seconds(work, both)
      #expect(abs(found - left) < 1e-6, "\(count)")
    }
  }

  /// Weights from further away than alone: their way shows as much as was measured, once for rows.
  @Test func weightsFromFurtherAwayShow() throws {
    var speeds = MeasuredSpeeds.products(
      [[1, 256, 256], [64, 256, 256], [64, 64, 64]], bytesPerSecond: 1e10
    ) { e in Double(e[0] * e[1] * e[2]) * 1e-10 }
    var random = RandomSource(1)
    var graph = Graph(name: "layers")
    var x = graph.addInput("x", .f32, [.constant(64), .constant(512)])
    for i in 0..<16 {
      let w = graph.addConstant("w\(i)", random.floats([512, 512]))
      x = graph.add(.matMul(MatMul()), [x, w], name: "layer \(i)")
    }
    graph.addOutput("y", x)
    let work = try Lowering.lower(graph) { _ in .f32 }.work
    speeds.weightExposure = 0
    let hidden = try seconds(work, speeds)
    // 16 MiB in all, between 1 MiB at 1e11 and 64 MiB at 1e10: two thirds of the way in logarithms.
    let bytes = Double(16 << 20)
    let further = bytes / (1e11 * pow(10, -2.0 / 3)) - bytes / 1e11
    for exposure in [0.5, 2.0] {
      speeds.weightExposure = exposure
      let shown = try seconds(work, speeds)
      #expect(abs((shown - hidden) / (exposure * further) - 1) < 1e-6)
    }
  }

  /// What threads share, and that alone, takes so much longer where others have written its data.
  @Test func sharedStepsAreHandedOver() throws {
    func law(_ e: [Int]) -> Double { 1e-9 * Double(e[0]) }
    let extents = [1 << 10, 1 << 14, 1 << 16, 1 << 20].map { [$0] }
    let one = table("Unary exp", extents, { $0[0] }, law)
    let two = table("Unary exp", threads: 2, extents, \.[0]) { e in
      e[0] < 32768 ? law(e) : law(e) * 0.5
    }
    var both = speeds([one, two])
    for (count, handovers) in [(1 << 10, 0.0), (1 << 18, 1)] {
      let work = try step(.unary(Unary(.exp)), [[count]])
      both.handoverSeconds = 0
      let plain = try seconds(work, both, threads: 2)
      both.handoverSeconds = 3e-6
      #expect(try abs(seconds(work, both, threads: 2) - plain - handovers * 3e-6) < 1e-12)
      #expect(try seconds(work, both) == seconds(work, speeds([one])))
    }
  }
}
