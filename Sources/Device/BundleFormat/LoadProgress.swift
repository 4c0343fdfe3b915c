// How far the loading of a bundle is, for whoever watches.

import Synchronization

/// Counts the bytes of a bundle that were read and have their digest. Any thread may look.
public final class LoadProgress: Sendable {
  private let verified = Atomic<Int>(0)
  private let total = Atomic<Int>(0)

  public init() {}

  /// 0…1; nil while no bundle is being read.
  public var share: Double? {
    let total = total.load(ordering: .relaxed)
    guard total > 0 else { return nil }
    return min(1, Double(verified.load(ordering: .relaxed)) / Double(total))
  }

  func begin(_ byteCount: Int) { total.store(byteCount, ordering: .relaxed) }
  func add(_ byteCount: Int) { verified.wrappingAdd(byteCount, ordering: .relaxed) }
}
