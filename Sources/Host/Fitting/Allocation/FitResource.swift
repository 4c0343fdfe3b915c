// What a device has only so much of, and amounts of it.

/// A resource that a fit has a budget of.
public enum FitResource: Int, CaseIterable, Sendable {
  /// Bytes of the bundle file.
  case storage
  /// Bytes at the peak of a run.
  case ram
  /// Seconds of one inference.
  case latency
  /// Joules of one inference.
  case energy

  /// What people read: `storage`, `ram`, `latency`, `energy`.
  public var name: String {
    switch self {
    case .storage: "storage"
    case .ram: "ram"
    case .latency: "latency"
    case .energy: "energy"
    }
  }
}

/// An amount of every resource: what an option costs, or what there is.
public struct ResourceAmounts: Equatable, Sendable {
  public var storageBytes: Double
  public var ramBytes: Double
  public var latencySeconds: Double
  public var energyJoules: Double

  public init(
    storageBytes: Double = 0, ramBytes: Double = 0, latencySeconds: Double = 0,
    energyJoules: Double = 0
  ) {
    self.storageBytes = storageBytes
    self.ramBytes = ramBytes
    self.latencySeconds = latencySeconds
    self.energyJoules = energyJoules
  }

  public static let zero = ResourceAmounts()

  /// More than any cost: a budget that does not bind.
  public static let unlimited = ResourceAmounts(
    storageBytes: .infinity, ramBytes: .infinity, latencySeconds: .infinity,
    energyJoules: .infinity)

  public subscript(resource: FitResource) -> Double {
    get {
      switch resource {
      case .storage: storageBytes
      case .ram: ramBytes
      case .latency: latencySeconds
      case .energy: energyJoules
      }
    }
    set {
      switch resource {
      case .storage: storageBytes = newValue
      case .ram: ramBytes = newValue
      case .latency: latencySeconds = newValue
      case .energy: energyJoules = newValue
      }
    }
  }

  public static func + (a: ResourceAmounts, b: ResourceAmounts) -> ResourceAmounts {
    ResourceAmounts(a.lanes + b.lanes)
  }

  /// In the order of `FitResource`.
  var lanes: SIMD4<Double> {
    SIMD4(storageBytes, ramBytes, latencySeconds, energyJoules)
  }

  init(_ lanes: SIMD4<Double>) {
    self.init(
      storageBytes: lanes[0], ramBytes: lanes[1], latencySeconds: lanes[2], energyJoules: lanes[3])
  }
}
