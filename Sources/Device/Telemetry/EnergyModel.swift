// Power where there is no meter: an estimate from the device profile's figures, marked as one.

/// How far a power figure can be trusted.
public enum PowerGrade: Equatable, Sendable {
  /// A meter sees the whole device.
  case meter
  /// A meter sees a part of it.
  case partialMeter
  /// The battery's own gauge.
  case battery
  /// A model, from processor time and the device profile.
  case model
  /// Nothing to tell from.
  case unknown

  /// `A`, `B`, `C`, `D`, or `-`.
  public var letter: UInt8 {
    switch self {
    case .meter: 0x41
    case .partialMeter: 0x42
    case .battery: 0x43
    case .model: 0x44
    case .unknown: 0x2D
    }
  }
}

/// What a device profile says about power.
public struct EnergyFigures: Equatable, Sendable {
  /// Watts of the whole device doing nothing.
  public var idleWatts: Double
  /// Watts that each busy core adds.
  public var wattsPerActiveCore: Double
  /// How far the estimate may be off, in percent either way.
  public var bandPercent: Double

  public init(idleWatts: Double, wattsPerActiveCore: Double, bandPercent: Double = 35) {
    self.idleWatts = idleWatts
    self.wattsPerActiveCore = wattsPerActiveCore
    self.bandPercent = bandPercent
  }

  var areUsable: Bool {
    idleWatts.isFinite && wattsPerActiveCore.isFinite && idleWatts >= 0 && wattsPerActiveCore >= 0
  }
}

/// A power figure with where it comes from. An unknown one has no watts and says why.
public struct PowerReading: Equatable, Sendable {
  public var watts: Double?
  /// Watts when idle, where known.
  public var idleWatts: Double?
  public var grade: PowerGrade
  /// How far off it may be, in percent; 0 where it is not an estimate.
  public var bandPercent: Double
  /// Which meter or model, or why there is no figure.
  public var source: EscapedText
  /// Joules of the whole device per inference; nil below 10 s or 10 inferences.
  public var joulesPerInference: Double?
  /// Joules since the first counted inference; nil when unknown.
  public var totalJoules: Double?

  /// No figure, for a reason.
  public init(unknown reason: EscapedText) {
    grade = .unknown
    bandPercent = 0
    source = reason
  }
}

/// Watts = idle + busy cores × watts per active core.
public struct EnergyModel: Sendable {
  /// The profile's figures; nil when the profile has none.
  public var figures: EnergyFigures?

  public init(figures: EnergyFigures?) { self.figures = figures }

  /// The power over a stretch of the run in which `busyCores` cores worked on average.
  public func reading(busyCores: Double?) -> PowerReading {
    guard let figures else {
      return PowerReading(unknown: EscapedText("no meter, no model"))
    }
    guard figures.areUsable else {
      return PowerReading(unknown: EscapedText("the profile's power figures are not numbers"))
    }
    guard let busyCores else {
      return PowerReading(unknown: EscapedText("no processor time measured yet"))
    }
    var reading = PowerReading(unknown: EscapedText("profile x cpu time"))
    reading.watts = figures.idleWatts + max(0, busyCores) * figures.wattsPerActiveCore
    reading.idleWatts = figures.idleWatts
    reading.grade = .model
    reading.bandPercent = figures.bandPercent
    return reading
  }

  /// Joules of a stretch of time; nil when the profile has no figures.
  public func joules(seconds: Double, cpuSeconds: Double) -> Double? {
    guard let figures, figures.areUsable else { return nil }
    return figures.idleWatts * seconds + figures.wattsPerActiveCore * cpuSeconds
  }
}
