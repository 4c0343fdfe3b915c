// Which nodes run on an accelerator: the sides with the least time, transfers included.

/// Nodes with a time on each side, and tensors that cost time to change sides.
///
/// All times are whole picoseconds: sums are exact, and the answer does not depend on rounding.
public struct PlacementProblem: Sendable {
  public struct Node: Sendable {
    public var processorTime: Int
    /// nil where the accelerator does not take the node.
    public var acceleratorTime: Int?

    public init(processorTime: Int, acceleratorTime: Int?) {
      self.processorTime = processorTime
      self.acceleratorTime = acceleratorTime
    }
  }

  /// A tensor that nodes exchange. It is sent at most once each way.
  public struct Tensor: Sendable {
    /// nil for inputs, which the processor has.
    public var maker: Int?
    public var readers: [Int]
    /// The processor needs it whoever reads it besides: an output.
    public var isOutput: Bool
    public var transferTime: Int

    public init(maker: Int?, readers: [Int], isOutput: Bool = false, transferTime: Int) {
      self.maker = maker
      self.readers = readers
      self.isOutput = isOutput
      self.transferTime = transferTime
    }
  }

  /// In running order.
  public var nodes: [Node]
  public var tensors: [Tensor]

  public init(nodes: [Node], tensors: [Tensor]) {
    self.nodes = nodes
    self.tensors = tensors
  }

  /// Whether tensor `t` has to change sides.
  public func isSent(_ t: Tensor, _ isAccelerated: [Bool]) -> Bool {
    guard let maker = t.maker, isAccelerated[maker] else {
      return t.readers.contains { isAccelerated[$0] }
    }
    return t.isOutput || t.readers.contains { !isAccelerated[$0] }
  }

  /// The time of all nodes and transfers; nil where a node stands on a side that does not take it.
  public func time(_ isAccelerated: [Bool]) -> Int? {
    var total = 0
    for (node, isThere) in zip(nodes, isAccelerated) {
      guard let time = isThere ? node.acceleratorTime : node.processorTime else { return nil }
      total += time
    }
    for t in tensors where isSent(t, isAccelerated) { total += t.transferTime }
    return total
  }

  /// The sides with the least time: a minimum cut.
  ///
  /// The accelerator is the source's side. A node's edge from the source is its time on the processor,
  /// its edge to the sink that on the accelerator. Of a tensor's two helpers one is on the processor as
  /// soon as any reader is, the other on the accelerator as soon as any is; the edge between helper and
  /// maker is then cut once, however many readers there are.
  public func solve() -> [Bool] {
    let (source, sink) = (0, 1)
    let first = 2 + nodes.count
    var cut = MinimumCut(nodeCount: first + 2 * tensors.count)
    let unlimited = MinimumCut.unlimited
    for (i, node) in nodes.enumerated() {
      cut.add(from: source, to: 2 + i, capacity: node.processorTime)
      cut.add(from: 2 + i, to: sink, capacity: node.acceleratorTime ?? unlimited)
    }
    for (n, t) in tensors.enumerated() {
      let maker = t.maker.map { 2 + $0 } ?? sink
      let (toProcessor, toAccelerator) = (first + 2 * n, first + 2 * n + 1)
      cut.add(from: maker, to: toProcessor, capacity: t.transferTime)
      cut.add(from: toAccelerator, to: maker, capacity: t.transferTime)
      if t.isOutput { cut.add(from: toProcessor, to: sink, capacity: unlimited) }
      for r in t.readers {
        cut.add(from: toProcessor, to: 2 + r, capacity: unlimited)
        cut.add(from: 2 + r, to: toAccelerator, capacity: unlimited)
      }
    }
    let side = cut.sourceSide(source, sink)
    return nodes.indices.map { side[2 + $0] }
  }

  /// The accelerator's nodes in groups that can each run in one go: connected, and with no way out of a
  /// group and back into it. In running order.
  public func parts(_ isAccelerated: [Bool]) -> [[Int]] {
    // How many times the way to a node has come back from the processor.
    var depth = [Int](repeating: 0, count: nodes.count)
    var group = Array(nodes.indices)
    func root(_ i: Int) -> Int {
      var i = i
      while group[i] != i { i = group[i] }
      return i
    }
    var incoming = [[Int]](repeating: [], count: nodes.count)
    for t in tensors {
      if let maker = t.maker { for r in t.readers { incoming[r].append(maker) } }
    }
    for i in nodes.indices {
      for maker in incoming[i] {
        let returns = isAccelerated[i] && !isAccelerated[maker]
        depth[i] = max(depth[i], depth[maker] + (returns ? 1 : 0))
      }
    }
    for i in nodes.indices where isAccelerated[i] {
      for maker in incoming[i] where isAccelerated[maker] && depth[maker] == depth[i] {
        let (a, b) = (root(i), root(maker))
        group[max(a, b)] = min(a, b)
      }
    }
    var members: [Int: [Int]] = [:]
    for i in nodes.indices where isAccelerated[i] { members[root(i), default: []].append(i) }
    return members.values.sorted { $0[0] < $1[0] }
  }

  /// What a part by itself costs and saves, its transfers counted as if nothing else were accelerated.
  func gain(of part: [Int]) -> Int {
    var alone = [Bool](repeating: false, count: nodes.count)
    for i in part { alone[i] = true }
    let sent = tensors.reduce(0) { $0 + (isSent($1, alone) ? $1.transferTime : 0) }
    return part.reduce(-sent) {
      $0 + nodes[$1].processorTime - (nodes[$1].acceleratorTime ?? 0)
    }
  }

  /// The parts of the best sides that pay for themselves: between two parts a tensor goes through the
  /// processor's memory, which the cut takes for free.
  public func paying() -> [[Int]] {
    parts(solve()).filter { gain(of: $0) > 0 }
  }
}
