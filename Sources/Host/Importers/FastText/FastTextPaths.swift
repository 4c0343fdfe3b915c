// The tree of a hierarchical softmax: which decisions lead to which label.

/// Labels as leaves of the Huffman tree that fastText builds from their counts.
struct FastTextPaths {
  /// Decisions on the longest way to a label.
  let depth: Int
  /// For each label, `depth` places in [log-probabilities of left, those of right, 0]: the tree's inner
  /// nodes in order, twice, and one place that adds nothing.
  let places: [Int]

  /// counts: how often each label was met, the most frequent first. nil where the paths of all labels
  /// together have more than `limit` places.
  init?(counts: [Int64], limit: Int) {
    let labels = counts.count
    let inner = labels - 1
    // A leaf's or node's count; nodes that are not made yet count as more than any.
    var weights = counts.map { Double($0) } + [Double](repeating: 1e15, count: inner + 1)
    var parents = [Int](repeating: -1, count: labels + inner)
    var isRight = [Bool](repeating: false, count: labels + inner)
    var leaf = labels - 1
    var node = labels
    for i in 0..<inner {
      var sum = 0.0
      for side in 0..<2 {
        let child: Int
        if leaf >= 0, weights[leaf] < weights[node] {
          child = leaf
          leaf -= 1
        } else {
          child = node
          node += 1
        }
        // Counts out of order would make a node its own child.
        guard child < labels + i else { return nil }
        sum += weights[child]
        parents[child] = labels + i
        isRight[child] = side == 1
      }
      weights[labels + i] = sum
    }
    var paths: [[Int]] = []
    var longest = 0
    var total = 0
    for label in 0..<labels {
      var path: [Int] = []
      var at = label
      while parents[at] != -1 {
        path.append(parents[at] - labels + (isRight[at] ? inner : 0))
        at = parents[at]
      }
      total += path.count
      guard total <= limit else { return nil }
      longest = max(longest, path.count)
      paths.append(path)
    }
    guard labels.multipliedReportingOverflow(by: max(longest, 1)).partialValue <= limit else {
      return nil
    }
    depth = max(longest, 1)
    let nothing = 2 * inner
    var places: [Int] = []
    places.reserveCapacity(labels * depth)
    for path in paths {
      places += path + [Int](repeating: nothing, count: depth - path.count)
    }
    self.places = places
  }
}
