// Temperatures, what cools, and clocks, out of /sys.
import Platform

/// What a zone's reading means.
enum ZoneTemperature {
  /// Millidegrees to degrees. Nil for sensors that are off: they answer with nothing, with 0 or
  /// less, as -256 degrees, or with a number beyond any board.
  static func celsius(_ millidegrees: Int64?) -> Double? {
    guard let millidegrees, millidegrees > 0, millidegrees < 200_000 else { return nil }
    return Double(millidegrees) / 1000
  }
}

/// Everything below /sys/class/thermal and cpufreq, found once.
final class ThermalProbe {
  private struct Zone {
    var reading: ZoneReading
    var temperature: PolledFile?
  }
  private struct Cooler {
    var name: EscapedText
    var state: PolledFile
    var maxState: UInt64
  }
  private struct Core {
    var number: Int
    var clock: PolledFile
    var maxMegahertz: Double?
  }

  private static let folder = "/sys/class/thermal/"
  private static let zoneLimit = 64
  private static let coolerLimit = 64
  private static let coreLimit = 64
  private static let tripLimit = 12

  private var zones: [Zone] = []
  private var coolers: [Cooler] = []
  private var cores: [Core] = []

  init(_ tree: SensorTree) {
    for name in tree.names(Self.folder) {
      let path = Self.folder + name + "/"
      if name.hasPrefix("thermal_zone"), zones.count < Self.zoneLimit {
        zones.append(Self.zone(tree, path))
      } else if name.hasPrefix("cooling_device"), coolers.count < Self.coolerLimit,
        let state = tree.open(path + "cur_state"), let most = tree.integer(path + "max_state"),
        most > 0
      {
        let type = EscapedText(tree.word(path + "type") ?? Array(name.utf8))
        coolers.append(Cooler(name: type, state: state, maxState: UInt64(most)))
      }
    }
    if zones.isEmpty { addProcessorSensors(tree) }
    let cpus = "/sys/devices/system/cpu/"
    for name in tree.names(cpus) where name.hasPrefix("cpu") && cores.count < Self.coreLimit {
      guard let number = Int(name.dropFirst(3)),
        let clock = tree.open("\(cpus)\(name)/cpufreq/scaling_cur_freq")
      else { continue }
      cores.append(
        Core(
          number: number, clock: clock,
          maxMegahertz: Self.megahertz(tree.integer("\(cpus)\(name)/cpufreq/cpuinfo_max_freq"))))
    }
  }

  /// Desktops and servers often have no thermal zones, but a sensor in the processor.
  private func addProcessorSensors(_ tree: SensorTree) {
    let hwmon = "/sys/class/hwmon/"
    let chips = ["coretemp", "k10temp", "zenpower", "cpu_thermal"]
    for name in tree.names(hwmon) {
      let path = hwmon + name + "/"
      guard let chip = tree.word(path + "name"), chips.contains(where: { Array($0.utf8) == chip })
      else { continue }
      for file in tree.names(path)
      where file.hasPrefix("temp") && file.hasSuffix("_input") && zones.count < Self.zoneLimit {
        let sensor = path + file.dropLast(6)
        var reading = ZoneReading(name: EscapedText(tree.word(sensor + "_label") ?? chip))
        reading.criticalCelsius = ZoneTemperature.celsius(tree.integer(sensor + "_crit"))
        zones.append(Zone(reading: reading, temperature: tree.open(path + file)))
      }
    }
  }

  private static func zone(_ tree: SensorTree, _ path: String) -> Zone {
    var reading = ZoneReading(name: EscapedText(tree.word(path + "type") ?? Array("zone".utf8)))
    for point in 0..<tripLimit {
      guard let type = tree.word("\(path)trip_point_\(point)_type") else { break }
      guard let celsius = ZoneTemperature.celsius(tree.integer("\(path)trip_point_\(point)_temp"))
      else { continue }
      if type == Array("passive".utf8) {
        reading.passiveCelsius = min(reading.passiveCelsius ?? celsius, celsius)
      } else if type == Array("critical".utf8) {
        reading.criticalCelsius = min(reading.criticalCelsius ?? celsius, celsius)
      }
    }
    return Zone(reading: reading, temperature: tree.open(path + "temp"))
  }

  /// Kilohertz in the file to MHz; nil for no clock.
  private static func megahertz(_ kilohertz: Int64?) -> Double? {
    guard let kilohertz, kilohertz > 0, kilohertz < 100_000_000 else { return nil }
    return Double(kilohertz) / 1000
  }

  /// All of it as it is now.
  func read() -> ThermalReading {
    var reading = ThermalReading()
    for i in zones.indices {
      let celsius = ZoneTemperature.celsius(zones[i].temperature?.integer())
      zones[i].reading.celsius = celsius
      if let celsius {
        zones[i].reading.maxCelsius = max(zones[i].reading.maxCelsius ?? celsius, celsius)
      }
      reading.zones.append(zones[i].reading)
      // The hottest zone is the one that throttles.
      guard let celsius, celsius > reading.celsius ?? 0 else { continue }
      reading.celsius = celsius
      reading.zone = zones[i].reading.name
      reading.passiveCelsius = zones[i].reading.passiveCelsius
      reading.criticalCelsius = zones[i].reading.criticalCelsius
    }
    if reading.celsius == nil {
      reading.reason = EscapedText(zones.isEmpty ? "no thermal zones" : "no zone answers")
    }
    for cooler in coolers {
      guard let state = cooler.state.integer(), state >= 0 else { continue }
      reading.cooling.append(
        CoolingReading(name: cooler.name, state: UInt64(state), maxState: cooler.maxState))
    }
    for core in cores {
      reading.clocks.append(
        ClockReading(
          core: core.number, megahertz: Self.megahertz(core.clock.integer()),
          maxMegahertz: core.maxMegahertz))
    }
    reading.clockMegahertz = reading.clocks.first?.megahertz
    reading.maxClockMegahertz = reading.clocks.first?.maxMegahertz
    return reading
  }
}
