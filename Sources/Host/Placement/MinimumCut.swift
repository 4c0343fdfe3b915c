// The cheapest set of edges that parts a source from a sink, by blocking flows (Dinic, 1970).

/// A directed graph with whole capacities.
struct MinimumCut {
  /// Stands for a capacity that no cut goes through.
  static let unlimited = Int.max / 4

  private struct Edge {
    var to: Int
    var room: Int
  }

  /// Edge 2 k and its way back, 2 k + 1, behind one another.
  private var edges: [Edge] = []
  private var leaving: [[Int]]
  private var level: [Int] = []
  private var next: [Int] = []

  init(nodeCount: Int) { leaving = [[Int]](repeating: [], count: nodeCount) }

  mutating func add(from: Int, to: Int, capacity: Int) {
    guard capacity > 0 else { return }
    leaving[from].append(edges.count)
    edges.append(Edge(to: to, room: min(capacity, Self.unlimited)))
    leaving[to].append(edges.count)
    edges.append(Edge(to: from, room: 0))
  }

  /// True for the nodes on the source's side of a cheapest cut, the smallest such side.
  mutating func sourceSide(_ source: Int, _ sink: Int) -> [Bool] {
    while findLevels(source, sink) {
      next = [Int](repeating: 0, count: leaving.count)
      while push(source, sink) > 0 {}
    }
    return level.map { $0 >= 0 }
  }

  /// Distances from the source over edges with room; false where the sink has none.
  private mutating func findLevels(_ source: Int, _ sink: Int) -> Bool {
    level = [Int](repeating: -1, count: leaving.count)
    level[source] = 0
    var queue = [source]
    var at = 0
    while at < queue.count {
      let node = queue[at]
      at += 1
      for e in leaving[node] where edges[e].room > 0 && level[edges[e].to] < 0 {
        level[edges[e].to] = level[node] + 1
        queue.append(edges[e].to)
      }
    }
    return level[sink] >= 0
  }

  /// Sends what one path of rising levels takes; 0 where there is none left. A path is kept as a list:
  /// graphs are too deep for a call per node.
  private mutating func push(_ source: Int, _ sink: Int) -> Int {
    var path: [Int] = []
    var node = source
    while node != sink {
      if next[node] < leaving[node].count {
        let e = leaving[node][next[node]]
        if edges[e].room > 0, level[edges[e].to] == level[node] + 1 {
          path.append(e)
          node = edges[e].to
        } else {
          next[node] += 1
        }
      } else {
        guard let last = path.popLast() else { return 0 }
        node = edges[last ^ 1].to
        next[node] += 1
      }
    }
    let amount = path.reduce(Int.max) { min($0, edges[$1].room) }
    for e in path {
      edges[e].room -= amount
      edges[e ^ 1].room += amount
    }
    return amount
  }
}
