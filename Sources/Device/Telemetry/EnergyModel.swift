// Power where there is no meter: an estimate from the device profile's figures, marked as one.

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

/// Watts = idle + busy cores × watts per active core.
public struct EnergyModel: Sendable {
  /// The profile's figures; nil when the profile has none.
  public var figures: EnergyFigures?

  public init(figures: EnergyFigures?) { self.figures = figures }

  static var source: EscapedText { EscapedText("profile x cpu time") }

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
    var reading = PowerReading(unknown: Self.source)
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
