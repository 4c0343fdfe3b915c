// Memory for tensors whose sizes are found in a run: blocks that are taken, given back and kept.
import CPlatform
import Programs

/// What a session and those of its program's bodies share.
final class SharedResources {
  let blocks: BlockPool
  /// Asked in long runs; true ends them.
  var shouldStop: (() -> Bool)?

  init(maximumBytes: Int) { blocks = BlockPool(maximumBytes: maximumBytes) }
}

/// Blocks of memory by number. A block that is given back is taken again for anything that fits, so that
/// runs over the same shapes soon ask the system for nothing.
@safe final class BlockPool {
  private var bases: [UnsafeMutableRawPointer]
  /// Bytes of each block; 0 for numbers without one.
  private var capacities: [Int] = []
  private var isFree: [Bool] = []
  /// Bytes that may be held in all, arenas included.
  let maximumBytes: Int
  private(set) var heldBytes = 0
  /// Bytes of the blocks alone.
  private(set) var blockBytes = 0

  init(maximumBytes: Int) {
    self.maximumBytes = maximumBytes
    unsafe bases = []
  }

  deinit {
    for i in capacities.indices where capacities[i] > 0 { unsafe munmap(bases[i], capacities[i]) }
  }

  /// Counts memory that is held elsewhere, or gives it back to the count where negative.
  func claim(_ bytes: Int) throws(SessionError) {
    guard bytes <= maximumBytes - heldBytes else {
      throw .preparation(.outOfMemory(bytes: heldBytes.addingReportingOverflow(bytes).partialValue))
    }
    heldBytes += bytes
  }

  /// A block of at least `bytes` bytes: the smallest free one, or a new one, for which the largest free
  /// one goes that was too small.
  func take(_ bytes: Int) throws(SessionError) -> Int {
    var best = -1
    var largest = -1
    var vacant = -1
    for i in capacities.indices {
      if capacities[i] == 0 {
        vacant = i
      } else if isFree[i] {
        if capacities[i] >= bytes, best < 0 || capacities[i] < capacities[best] { best = i }
        if largest < 0 || capacities[i] > capacities[largest] { largest = i }
      }
    }
    if best >= 0 {
      isFree[best] = false
      return best
    }
    if largest >= 0 {
      release(largest)
      vacant = largest
    }
    guard bytes <= 1 << 46 else { throw .preparation(.outOfMemory(bytes: bytes)) }
    // An eighth more: what grows a little from run to run need not move each time.
    let capacity = (bytes + bytes / 8 + 4095) & ~4095 | (bytes == 0 ? 4096 : 0)
    try claim(capacity)
    guard let memory = unsafe kp_map_anonymous(capacity) else {
      heldBytes -= capacity
      throw .preparation(.outOfMemory(bytes: capacity))
    }
    blockBytes += capacity
    guard vacant >= 0 else {
      unsafe bases.append(memory)
      capacities.append(capacity)
      isFree.append(false)
      return capacities.count - 1
    }
    unsafe bases[vacant] = unsafe memory
    capacities[vacant] = capacity
    isFree[vacant] = false
    return vacant
  }

  private func release(_ block: Int) {
    unsafe munmap(bases[block], capacities[block])
    heldBytes -= capacities[block]
    blockBytes -= capacities[block]
    capacities[block] = 0
    isFree[block] = false
  }

  /// The block may be taken by somebody else; its bytes stay as they are until then.
  func give(_ block: Int) {
    precondition(capacities[block] > 0 && !isFree[block])
    isFree[block] = true
  }

  func base(_ block: Int) -> UnsafeMutableRawPointer {
    precondition(capacities[block] > 0)
    return unsafe bases[block]
  }

  func capacity(_ block: Int) -> Int { capacities[block] }
}
