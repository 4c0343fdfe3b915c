// Where every slot and every step's scratch sits in the one block of working memory.
import Tensors

/// A memory plan: offsets in bytes, all multiples of 64.
public struct ArenaPlan: Equatable, Sendable {
  public static var alignment: Int { 64 }

  /// Bytes of the whole arena.
  public var arenaBytes: Int
  /// No placement for this order of steps needs less: the largest sum of what is live at one step.
  public var lowerBoundBytes: Int
  /// The step at which the most is live.
  public var peakStep: Int
  /// Per slot: offset and capacity of its memory; capacity 0 for slots that need none.
  public var offsets: [Int]
  public var capacities: [Int]
  /// Per slot: the slot whose memory it uses.
  public var roots: [Int]
  /// Per step: offset and capacity of its scratch.
  public var scratchOffsets: [Int]
  public var scratchCapacities: [Int]

  /// A plan for nothing.
  public init() {
    arenaBytes = 0
    lowerBoundBytes = 0
    peakStep = 0
    offsets = []
    capacities = []
    roots = []
    scratchOffsets = []
    scratchCapacities = []
  }

  /// Plans `program` for the given sizes: the best of three greedy orders.
  ///
  /// slotBytes, scratchBytes: what each slot and each step's scratch takes.
  public init(_ program: Program, slotBytes: [Int], scratchBytes: [Int]) {
    self.init()
    let live = Liveness(program, bytes: slotBytes)
    let items = ArenaPlan.items(program, live, slotBytes, scratchBytes)
    let packing = ArenaPacking(items, stepCount: program.steps.count)
    arenaBytes = packing.totalBytes
    lowerBoundBytes = packing.lowerBoundBytes
    peakStep = packing.peakStep
    roots = live.root
    offsets = [Int](repeating: 0, count: program.slotCount)
    capacities = [Int](repeating: 0, count: program.slotCount)
    scratchOffsets = [Int](repeating: 0, count: program.steps.count)
    scratchCapacities = [Int](repeating: 0, count: program.steps.count)
    for (item, offset) in zip(items, packing.offsets) {
      if item.id < program.slotCount {
        offsets[item.id] = offset
        capacities[item.id] = item.bytes
      } else {
        scratchOffsets[item.id - program.slotCount] = offset
        scratchCapacities[item.id - program.slotCount] = item.bytes
      }
    }
    for s in 0..<program.slotCount where roots[s] != s {
      offsets[s] = offsets[roots[s]]
      capacities[s] = capacities[roots[s]]
    }
  }

  /// Every root's memory and every step's scratch, with the steps at which they are live.
  private static func items(
    _ program: Program, _ live: Liveness, _ slotBytes: [Int], _ scratchBytes: [Int]
  ) -> [ArenaItem] {
    var items: [ArenaItem] = []
    for s in 0..<program.slotCount where live.root[s] == s && live.last[s] >= live.first[s] {
      items.append(
        ArenaItem(id: s, bytes: slotBytes[s], first: live.first[s], last: live.last[s]))
    }
    for i in 0..<program.steps.count where scratchBytes[i] > 0 && !live.isStatic[i] {
      items.append(
        ArenaItem(id: program.slotCount + i, bytes: scratchBytes[i], first: i, last: i))
    }
    return items
  }

  /// True when this plan, for these sizes, has room for everything and nothing that is live together
  /// overlaps: then results are those of separate memory.
  public func isSound(for program: Program, slotBytes: [Int], scratchBytes: [Int]) -> Bool {
    guard covers(program, slotBytes: slotBytes, scratchBytes: scratchBytes) else { return false }
    let live = Liveness(program, bytes: slotBytes)
    let items = ArenaPlan.items(program, live, slotBytes, scratchBytes)
    let places = items.map { item in
      item.id < program.slotCount ? offsets[item.id] : scratchOffsets[item.id - program.slotCount]
    }
    return ArenaPacking.firstOverlap(items, places) == nil
  }

  /// True when the plan has room for these sizes and its sharing is still right for them.
  public func covers(_ program: Program, slotBytes: [Int], scratchBytes: [Int]) -> Bool {
    guard roots.count == slotBytes.count, scratchCapacities.count == scratchBytes.count else {
      return false
    }
    let live = Liveness(program, bytes: slotBytes)
    for s in 0..<slotBytes.count {
      let needed = live.first[s] <= live.last[s] || live.root[s] != s
      if needed, slotBytes[s] > capacities[s] || live.root[s] != roots[s] { return false }
    }
    for i in 0..<scratchBytes.count where !live.isStatic[i] {
      if scratchBytes[i] > scratchCapacities[i] { return false }
    }
    return true
  }

  /// Refuses offsets outside the arena and unaligned ones. Whether live slots overlap is
  /// `isSound`'s question, asked by `verify`: it cannot harm memory, only results.
  func validate(for program: Program) throws(ProgramError) {
    let expected = "offsets inside the arena, multiples of 64"
    guard offsets.count == program.slotCount, capacities.count == program.slotCount,
      roots.count == program.slotCount, scratchOffsets.count == program.steps.count,
      scratchCapacities.count == program.steps.count, arenaBytes >= 0, arenaBytes <= 1 << 46,
      lowerBoundBytes >= 0, peakStep >= 0, peakStep <= program.steps.count
    else { throw .malformed(at: "plan", expected: expected) }
    for r in roots where r < 0 || r >= program.slotCount {
      throw .malformed(at: "plan", expected: "roots among the slots")
    }
    func fits(_ offset: Int, _ bytes: Int) -> Bool {
      offset >= 0 && bytes >= 0 && offset % 64 == 0 && offset <= arenaBytes
        && bytes <= arenaBytes - offset
    }
    for s in 0..<offsets.count where !fits(offsets[s], capacities[s]) {
      throw .malformed(at: "plan, slot \(s)", expected: expected)
    }
    for i in 0..<scratchOffsets.count where !fits(scratchOffsets[i], scratchCapacities[i]) {
      throw .malformed(at: "plan, scratch of step \(i)", expected: expected)
    }
  }
}

/// A piece of memory and when it is needed.
public struct ArenaItem: Equatable, Sendable {
  public var id: Int
  public var bytes: Int
  public var first: Int
  public var last: Int

  public init(id: Int, bytes: Int, first: Int, last: Int) {
    self.id = id
    self.bytes = bytes
    self.first = first
    self.last = last
  }

  func overlaps(_ other: ArenaItem) -> Bool { first <= other.last && other.first <= last }
}
