// What a bundle may take of a device.

/// The limits that a fit must keep.
public struct FitBudget: Equatable, Sendable {
  /// For weights, arena and runtime together.
  public var ramBytes: Int
  /// For the bundle file.
  public var storageBytes: Int

  public init(ramBytes: Int, storageBytes: Int) {
    self.ramBytes = ramBytes
    self.storageBytes = storageBytes
  }

  /// All that the system of `profile` leaves.
  public init(_ profile: DeviceProfile) {
    self.init(
      ramBytes: profile.memory.ramTotalBytes - profile.memory.ramReservedBytes,
      storageBytes: profile.storage.freeBytes)
  }
}
