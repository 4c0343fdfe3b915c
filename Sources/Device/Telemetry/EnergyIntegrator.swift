// Energy as energy: from a counter where there is one, else the area under the power.

/// Joules and the time they took.
struct EnergySpan: Equatable {
  var joules = 0.0
  var nanoseconds: UInt64 = 0

  /// Nil for no time at all.
  var watts: Double? { nanoseconds > 0 ? joules / (Double(nanoseconds) / 1e9) : nil }

  mutating func add(_ other: EnergySpan) {
    joules += other.joules
    nanoseconds &+= other.nanoseconds
  }
}

/// The most that any power or energy figure of a device is believed to be, in watts.
let plausibleWatts = 10_000.0

/// The area under readings of power, by the trapezoid rule: what lies between two readings is taken
/// for a straight line, also over a gap.
struct PowerIntegrator {
  private var last: (watts: Double, at: UInt64)?

  /// The energy since the reading before. Nil for the first, and for times that do not go forward.
  mutating func add(watts: Double, atNanoseconds now: UInt64) -> EnergySpan? {
    defer { last = (watts, now) }
    guard let last, now > last.at else { return nil }
    let seconds = Double(now - last.at) / 1e9
    return EnergySpan(joules: (last.watts + watts) / 2 * seconds, nanoseconds: now - last.at)
  }
}

/// Differences of a counter of microjoules that begins again at 0 behind `range`.
struct CounterIntegrator {
  let range: UInt64
  private var last: (count: UInt64, at: UInt64)?

  init(range: UInt64) { self.range = range }

  /// The energy since the reading before. Nil for the first one, and where the counter was set back
  /// by something else than its range: more than any device takes.
  mutating func add(microjoules count: UInt64, atNanoseconds now: UInt64) -> EnergySpan? {
    defer { last = (count, now) }
    guard let last, now > last.at else { return nil }
    var difference = count &- last.count
    if count < last.count {
      guard last.count <= range else { return nil }
      difference = range - last.count + count
    }
    let span = EnergySpan(joules: Double(difference) / 1e6, nanoseconds: now - last.at)
    guard let watts = span.watts, watts <= plausibleWatts else { return nil }
    return span
  }
}
