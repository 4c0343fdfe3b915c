// Temperatures and clocks out of /sys: what a reading means, and which to believe.

/// One thermal zone.
struct ThermalZone: Equatable, Sendable {
  var name: [UInt8]
  var celsius: Double

  /// From the texts of `type` and `temp`. Nil for sensors that are off: they answer with nothing,
  /// with 0 or less, or with a number beyond any board.
  init?(type: Span<UInt8>, temperature: Span<UInt8>) {
    guard let millidegrees = ProbeText.integer(temperature), millidegrees > 0,
      millidegrees < 200_000
    else { return nil }
    celsius = Double(millidegrees) / 1000
    name = []
    for i in 0..<min(type.count, 24) where type[i] != 0x0A { name.append(type[i]) }
  }

  /// The hottest of them: it is the one that throttles.
  static func hottest(_ zones: [ThermalZone]) -> ThermalZone? {
    zones.max { $0.celsius < $1.celsius }
  }
}

/// A clock from `scaling_cur_freq` or `cpuinfo_max_freq`.
enum ClockProbe {
  /// Kilohertz in the file to MHz; nil when the text is no such number.
  static func megahertz(_ text: Span<UInt8>) -> Double? {
    guard let kilohertz = ProbeText.integer(text), kilohertz > 0 else { return nil }
    return Double(kilohertz) / 1000
  }
}
