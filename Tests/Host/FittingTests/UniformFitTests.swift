// The first fit takes the most precise scheme there is room for, and says what is missing for none.

import Fitting
import GraphRunning
import Graphs
import Lowering
import Operators
import Programs
import Tensors
import Testing

@Suite struct UniformFitTests {
  let graph: Graph

  /// One layer of 256 by 4096 weights.
  init() {
    var random = RandomSource(1)
    var graph = Graph(name: "layer")
    let x = graph.addInput("x", .f32, [.symbol("batch"), .constant(256)])
    let w = graph.addConstant("w", random.floats([256, 4096]))
    graph.addOutput("y", graph.add(.matMul(MatMul()), [x, w], name: "layer"))
    self.graph = graph
  }

  private func candidate(_ scheme: QuantizationScheme) throws -> FitCandidate {
    let model = try Lowering.lower(graph, LoweringOptions(limits: ["batch": 1])) { _ in scheme }
    let memory = MemoryEstimate(model, mapsWeights: true, runtime: .knapsackRun)
    return FitCandidate(
      scheme: scheme, model: model, memory: memory, storageBytes: model.weightBytes + 4096)
  }

  private func fit(
    _ budget: FitBudget, scheme: QuantizationScheme? = nil
  ) throws -> (FitCandidate, tried: [QuantizationScheme]) {
    var tried: [QuantizationScheme] = []
    let found = try UniformFit.fit(budget, target: "board", scheme: scheme) { scheme in
      tried.append(scheme)
      return try candidate(scheme)
    }
    return (found, tried)
  }

  @Test func schemesAreOrderedByPrecision() throws {
    let sizes = try UniformFit.schemes.map { try candidate($0).storageBytes }
    #expect(UniformFit.schemes == [.f32, .f16, .int8, .nl6, .nl5, .nl4])
    #expect(sizes == sizes.sorted(by: >) && Set(sizes).count == sizes.count)
  }

  /// With just enough room for a scheme it is that one; with a byte less, the next.
  @Test(arguments: [true, false]) func theMostPreciseThatFits(isRAM: Bool) throws {
    func budget(_ bytes: Int) -> FitBudget {
      isRAM
        ? FitBudget(ramBytes: bytes, storageBytes: 1 << 40)
        : FitBudget(ramBytes: 1 << 40, storageBytes: bytes)
    }
    let order = UniformFit.schemes
    for (i, scheme) in order.enumerated() {
      let candidate = try candidate(scheme)
      let need = isRAM ? candidate.memory.peakBytes : candidate.storageBytes
      #expect(candidate.excess(over: budget(need)).isEmpty)
      let (found, tried) = try fit(budget(need))
      #expect(found.scheme == scheme)
      #expect(tried == Array(order[...i]), "none is tried that need not be")
      if i + 1 < order.count { #expect(try fit(budget(need - 1)).0.scheme == order[i + 1]) }
    }
  }

  @Test func nothingFits() throws {
    let smallest = try candidate(.nl4)
    let budget = FitBudget(
      ramBytes: smallest.memory.peakBytes - 5, storageBytes: smallest.storageBytes - 7)
    do {
      _ = try fit(budget)
      Issue.record("fits")
    } catch let error as FitError {
      #expect(error.target == "board" && error.nearest.scheme == .nl4)
      #expect(error.excess.map(\.limit) == [.ram, .storage])
      #expect(
        error.excess.map(\.needBytes) == [smallest.memory.peakBytes, smallest.storageBytes])
      #expect(error.excess.map(\.shortfallBytes) == [5, 7])
      let line = error.description
      for word in ["board", "nl4", "ram: needs", "storage: needs", "short by"] {
        #expect(line.contains(word), "\(line)")
      }
      #expect(!line.contains("\n"))
    }
  }

  @Test func aSchemeThatIsAskedForIsTheOnlyOne() throws {
    let wide = FitBudget(ramBytes: 1 << 40, storageBytes: 1 << 40)
    let (found, tried) = try fit(wide, scheme: .int8)
    #expect(found.scheme == .int8 && tried == [.int8])
    let need = try candidate(.f32).storageBytes
    let error = #expect(throws: FitError.self) {
      try fit(FitBudget(ramBytes: 1 << 40, storageBytes: need - 1), scheme: .f32)
    }
    #expect(error?.nearest.scheme == .f32)
    #expect(error?.excess.map(\.limit) == [.storage])
  }

  /// The estimate is the sum of its parts, and each of them is there for a reason.
  @Test func memoryHasItsParts() throws {
    let exact = try candidate(.f32)
    let memory = exact.memory
    #expect(memory.weightBytes == 256 * 4096 * 4)
    #expect(memory.tableBytes == 0)
    #expect(memory.arenaBytes == exact.model.program.plan.arenaBytes)
    #expect(memory.arenaBytes >= (256 + 4096) * 4)
    #expect(
      memory.peakBytes
        == memory.weightBytes + memory.arenaBytes + memory.programBytes + memory.runtimeBytes)
    #expect(memory.mappedBytes == memory.weightBytes && !memory.isLowerBound)
    #expect(memory.privateBytes == memory.peakBytes - memory.weightBytes)
    let read = MemoryEstimate(
      exact.model, mapsWeights: false, runtime: .knapsackRun, assetBytes: 1000)
    #expect(read.mappedBytes == 0 && read.peakBytes == memory.peakBytes + 1000)
    let four = try candidate(.nl4).memory
    #expect(four.weightBytes == 256 * 4096 / 32 * 18)
    #expect(
      MemoryEstimate(exact.model, mapsWeights: true, runtime: .knapsack).runtimeBytes
        > memory.runtimeBytes)
  }

  /// Of a table that is mapped, only the rows looked up count.
  @Test func tablesCountByTheirLookups() throws {
    var random = RandomSource(2)
    var graph = Graph(name: "table")
    let ids = graph.addInput("ids", .i64, [.symbol("n")])
    let table = graph.addConstant("table", random.floats([20_000, 64]))
    graph.addOutput("y", graph.add(.gather(Gather(axis: 0)), [table, ids], name: "look up"))
    let all = 20_000 * 64 * 4
    for (limit, isSmall) in [(4, true), (10_000, false)] {
      let model = try Lowering.lower(graph, LoweringOptions(limits: ["n": limit])) { _ in .f32 }
      let mapped = MemoryEstimate(model, mapsWeights: true, runtime: .knapsack)
      #expect(mapped.weightBytes == 0)
      #expect(mapped.tableBytes > 0 && (mapped.tableBytes < all / 8) == isSmall)
      #expect(mapped.tableBytes <= all, "never more than the table")
      let read = MemoryEstimate(model, mapsWeights: false, runtime: .knapsack)
      #expect(read.weightBytes == all && read.tableBytes == 0)
    }
  }
}
