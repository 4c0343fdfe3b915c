// The best sides against all sides, on small random graphs.
import GraphRunning
import Placement
import Testing

@Suite struct PlacementProblemTests {
  /// Tensors with one maker or none, some readers, times with many ties.
  private func problem(_ random: inout RandomSource, nodes count: Int) -> PlacementProblem {
    let nodes = (0..<count).map { _ in
      PlacementProblem.Node(
        processorTime: Int.random(in: 0...20, using: &random),
        acceleratorTime: Int.random(in: 0..<4, using: &random) == 0
          ? nil : Int.random(in: 0...8, using: &random))
    }
    var tensors: [PlacementProblem.Tensor] = []
    for maker in -1..<count {
      let later = Array((maker + 1)..<count)
      let readers = later.filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
      guard !readers.isEmpty || maker >= 0 else { continue }
      tensors.append(
        PlacementProblem.Tensor(
          maker: maker < 0 ? nil : maker, readers: readers,
          isOutput: readers.isEmpty || Int.random(in: 0..<6, using: &random) == 0,
          transferTime: Int.random(in: 0...12, using: &random)))
    }
    return PlacementProblem(nodes: nodes, tensors: tensors)
  }

  @Test func isTheBestOfAll() throws {
    var random = RandomSource(21)
    for _ in 0..<1000 {
      let problem = problem(&random, nodes: Int.random(in: 1...9, using: &random))
      let count = problem.nodes.count
      let best = (0..<1 << count).compactMap { bits in
        problem.time((0..<count).map { bits >> $0 & 1 == 1 })
      }.min()
      let found = problem.solve()
      #expect(problem.time(found) == best)
    }
  }

  /// Every part is connected, no way leaves one and comes back, and together they are all there is.
  @Test func partsRunInOneGo() throws {
    var random = RandomSource(22)
    for _ in 0..<500 {
      let problem = problem(&random, nodes: Int.random(in: 1...14, using: &random))
      let count = problem.nodes.count
      let side = (0..<count).map {
        problem.nodes[$0].acceleratorTime != nil && Bool.random(using: &random)
      }
      let parts = problem.parts(side)
      #expect(parts.flatMap { $0 }.sorted() == (0..<count).filter { side[$0] })
      var reaches = [[Bool]](
        repeating: [Bool](repeating: false, count: count), count: count)
      for i in (0..<count).reversed() {
        for t in problem.tensors where t.maker == i {
          for r in t.readers {
            reaches[i][r] = true
            for k in 0..<count where reaches[r][k] { reaches[i][k] = true }
          }
        }
      }
      for part in parts {
        for i in 0..<count where !part.contains(i) {
          let isBehind = part.contains { reaches[$0][i] }
          let isBefore = part.contains { reaches[i][$0] }
          #expect(!(isBehind && isBefore))
        }
      }
    }
  }

  /// What is left out does not pay: no part that stays would be better left to the processor.
  @Test func partsPay() throws {
    var random = RandomSource(23)
    for _ in 0..<500 {
      let problem = problem(&random, nodes: Int.random(in: 1...12, using: &random))
      for part in problem.paying() {
        var alone = [Bool](repeating: false, count: problem.nodes.count)
        for i in part { alone[i] = true }
        let none = [Bool](repeating: false, count: problem.nodes.count)
        #expect(try #require(problem.time(alone)) < problem.time(none)!)
      }
    }
  }

  /// A long chain, where a call per node would be too deep.
  @Test func longChain() {
    let count = 20_000
    let problem = PlacementProblem(
      nodes: (0..<count).map { _ in
        PlacementProblem.Node(processorTime: 10, acceleratorTime: 1)
      },
      tensors: (0..<count).map {
        PlacementProblem.Tensor(
          maker: $0 == 0 ? nil : $0 - 1, readers: [$0], transferTime: 100)
      })
    #expect(problem.paying() == [Array(0..<count)])
  }
}
