// Offsets for items that are live at different times, by the best of three greedy orders.

/// The result of packing; `offsets` follow the items.
///
/// Placement: items in some order, each at the lowest gap among the placed items that are live with
/// it (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020: greedy by
/// size and by breadth; first fit by start is the third).
public struct ArenaPacking: Sendable {
  public private(set) var offsets: [Int]
  public private(set) var totalBytes: Int
  public private(set) var lowerBoundBytes: Int
  public private(set) var peakStep: Int

  public init(_ items: [ArenaItem], stepCount: Int) {
    let aligned = items.map {
      ($0.bytes + ArenaPlan.alignment - 1) / ArenaPlan.alignment * ArenaPlan.alignment
    }
    let live = ArenaPacking.liveBytes(items, aligned, stepCount)
    lowerBoundBytes = 0
    peakStep = 0
    for (step, bytes) in live.enumerated() where bytes > lowerBoundBytes {
      lowerBoundBytes = bytes
      peakStep = step
    }
    let bySize = items.indices.sorted { a, b in
      aligned[a] != aligned[b] ? aligned[a] > aligned[b] : a < b
    }
    // Breadth: items of the step with the most live bytes first.
    let breadth = items.map { item in
      item.first <= item.last ? live[item.first...min(item.last, live.count - 1)].max() ?? 0 : 0
    }
    let byBreadth = items.indices.sorted { a, b in
      if breadth[a] != breadth[b] { return breadth[a] > breadth[b] }
      return aligned[a] != aligned[b] ? aligned[a] > aligned[b] : a < b
    }
    let byStart = items.indices.sorted { a, b in
      if items[a].first != items[b].first { return items[a].first < items[b].first }
      return aligned[a] != aligned[b] ? aligned[a] > aligned[b] : a < b
    }
    (offsets, totalBytes) = ArenaPacking.place(items, aligned, bySize)
    for order in [byBreadth, byStart] where totalBytes > lowerBoundBytes {
      let (candidate, bytes) = ArenaPacking.place(items, aligned, order)
      if bytes < totalBytes { (offsets, totalBytes) = (candidate, bytes) }
    }
  }

  /// Bytes live at each step, the end of the run included.
  private static func liveBytes(_ items: [ArenaItem], _ bytes: [Int], _ stepCount: Int) -> [Int] {
    var change = [Int](repeating: 0, count: stepCount + 2)
    for (i, item) in items.enumerated() where item.first <= item.last {
      change[item.first] += bytes[i]
      change[min(item.last, stepCount) + 1] -= bytes[i]
    }
    var sum = 0
    return change.dropLast().map { delta in
      sum += delta
      return sum
    }
  }

  private static func place(_ items: [ArenaItem], _ bytes: [Int], _ order: [Int]) -> ([Int], Int) {
    var offsets = [Int](repeating: 0, count: items.count)
    var placed: [Int] = []  // by offset
    var total = 0
    for i in order where bytes[i] > 0 {
      var best = -1
      var bestGap = Int.max
      var end = 0
      for j in placed where items[j].overlaps(items[i]) {
        let gap = offsets[j] - end
        if gap >= bytes[i], gap < bestGap {
          best = end
          bestGap = gap
        }
        end = max(end, offsets[j] + bytes[j])
      }
      offsets[i] = best >= 0 ? best : end
      total = max(total, offsets[i] + bytes[i])
      var at = placed.count
      while at > 0, offsets[placed[at - 1]] > offsets[i] { at -= 1 }
      placed.insert(i, at: at)
    }
    return (offsets, total)
  }

  /// Two items that are live together and overlap in memory, or nil: what a plan must never have.
  public static func firstOverlap(_ items: [ArenaItem], _ offsets: [Int]) -> (Int, Int)? {
    for a in items.indices {
      for b in items.indices where b > a && items[a].overlaps(items[b]) {
        if offsets[a] < offsets[b] + items[b].bytes, offsets[b] < offsets[a] + items[a].bytes {
          return (a, b)
        }
      }
    }
    return nil
  }
}
