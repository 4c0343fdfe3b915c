// The battery's own gauge: what it gives, and how long it will.
import Bytes
import Platform

/// All batteries of the machine together. A peripheral's battery is not one of them.
final class BatteryGauge {
  private struct Battery {
    var status: PolledFile
    var power: PolledFile?
    var current: PolledFile?
    var voltage: PolledFile?
    /// Microwatt hours, or microampere hours.
    var energy: PolledFile?
    var charge: PolledFile?
    var capacity: PolledFile?
  }

  private static let folder = "/sys/class/power_supply/"
  private static let batteryLimit = 8
  private let batteries: [Battery]
  private var integrator = PowerIntegrator()

  /// Nil where there is none.
  init?(_ tree: SensorTree) {
    var found: [Battery] = []
    for name in tree.names(Self.folder) where found.count < Self.batteryLimit {
      let path = Self.folder + name + "/"
      guard tree.word(path + "type") == Array("Battery".utf8),
        tree.word(path + "scope") != Array("Device".utf8),
        tree.integer(path + "present") != 0, let status = tree.open(path + "status")
      else { continue }
      found.append(
        Battery(
          status: status, power: tree.open(path + "power_now"),
          current: tree.open(path + "current_now"), voltage: tree.open(path + "voltage_now"),
          energy: tree.open(path + "energy_now"), charge: tree.open(path + "charge_now"),
          capacity: tree.open(path + "capacity")))
    }
    guard !found.isEmpty else { return nil }
    batteries = found
  }

  private static func isDischarging(_ battery: Battery) -> Bool? {
    battery.status.read { ProbeText.matches("Discharging", in: $0, at: 0) }
  }

  /// Drivers differ in the sign of what flows out. On mains some say 0: that is no figure.
  private static func watts(_ battery: Battery) -> Double? {
    var watts: Double?
    if let power = battery.power?.integer() {
      watts = Double(power).magnitude / 1e6
    } else if let current = battery.current?.integer(), let voltage = battery.voltage?.integer() {
      watts = Double(current).magnitude * Double(voltage).magnitude / 1e12
    }
    guard let watts, watts > 0, watts <= plausibleWatts else { return nil }
    return watts
  }

  private static func wattHours(_ battery: Battery) -> Double? {
    if let energy = battery.energy?.integer(), energy >= 0 { return Double(energy) / 1e6 }
    guard let charge = battery.charge?.integer(), let voltage = battery.voltage?.integer(),
      charge >= 0, voltage > 0
    else { return nil }
    return Double(charge) * Double(voltage) / 1e12
  }

  /// What all gauges say.
  func reading() -> BatteryReading {
    var reading = BatteryReading()
    var watts: Double? = nil
    var hours: Double? = 0
    var percents = 0.0
    var percentCount = 0
    for battery in batteries {
      let isDischarging = Self.isDischarging(battery)
      reading.isDischarging = (reading.isDischarging ?? false) || (isDischarging ?? false)
      if isDischarging == true, let one = Self.watts(battery) { watts = (watts ?? 0) + one }
      if let sum = hours, let one = Self.wattHours(battery) {
        hours = sum + one
      } else {
        hours = nil
      }
      if let percent = battery.capacity?.integer(), percent >= 0, percent <= 100 {
        percents += Double(percent)
        percentCount += 1
      }
    }
    reading.watts = watts
    reading.wattHours = hours
    if percentCount > 0 { reading.percent = percents / Double(percentCount) }
    if let watts, let hours { reading.hoursLeft = hours / watts }
    if reading.isDischarging != true {
      reading.reason = EscapedText("not discharging")
    } else if watts == nil {
      reading.reason = EscapedText("discharging, its rate is not told")
    } else {
      reading.reason = EscapedText(hours == nil ? "its charge is not told" : "")
    }
    return reading
  }

  /// The gauge as a meter: it sees all that the machine takes, its screen too.
  func read(_ reading: BatteryReading, nowNanoseconds now: UInt64) -> PowerSample {
    var sample = PowerSample()
    sample.grade = .battery
    sample.source = EscapedText("battery gauge")
    guard let watts = reading.watts else {
      sample.source = EscapedText(
        string: "battery: \(String(decoding: reading.reason.utf8, as: UTF8.self))")
      integrator = PowerIntegrator()
      return sample
    }
    sample.watts = watts
    if let span = integrator.add(watts: watts, atNanoseconds: now) { sample.take(span) }
    return sample
  }
}
