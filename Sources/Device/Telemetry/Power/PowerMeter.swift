// The meters in the order of trust, and the one that this run uses.
import Bytes
import Platform

/// What a person chose about power.
public struct PowerSettings: Equatable, Sendable {
  /// A file or pipe that a bench meter's watts come through.
  public var meterPath: String?
  /// Grams of CO2e per kilowatt hour; nil is the world's average.
  public var gridGramsPerKilowattHour: Double?

  public init(meterPath: String? = nil, gridGramsPerKilowattHour: Double? = nil) {
    self.meterPath = meterPath
    self.gridGramsPerKilowattHour = gridGramsPerKilowattHour
  }

  /// The factor that a person typed; nil for what is no number from 0 to 5000.
  public static func gridIntensity(_ text: String) -> Double? {
    guard let value = NumberText.double(Array(text.utf8)), value >= 0, value <= 5000 else {
      return nil
    }
    return value
  }
}

/// A meter that was found.
enum PowerMeter {
  case rails(RailMeter)
  case counters(CounterMeter)
  case firmware(FirmwareMeter)
  case bench(BenchMeter)
}

/// Looks for every source once, and reads the first that works from then on.
final class PowerMeters {
  /// In the order they were tried. The battery is the last: what comes behind is the model.
  private(set) var tried: [PowerAttempt] = []
  private(set) var meter: PowerMeter?
  /// Why the meter that a person named cannot be read.
  private(set) var refusal: PlatformError?
  private let battery: BatteryGauge?

  /// `looksOn`: also tries what comes behind the first that works, to tell of it.
  init(
    _ tree: SensorTree, meterPath: String?, firmware: Result<FirmwareChannel, PlatformError>,
    looksOn: Bool = false
  ) {
    battery = BatteryGauge(tree)
    tryBench(meterPath)
    if meter == nil || looksOn { tryRails(tree) }
    if meter == nil || looksOn { tryCounters(tree) }
    if meter == nil || looksOn { tryFirmware(firmware) }
    if meter == nil || looksOn { tryBattery() }
  }

  private func note(
    _ name: StaticString, _ outcome: PowerAttempt.Outcome, _ detail: String, remedy: String = ""
  ) {
    tried.append(
      PowerAttempt(
        name: EscapedText(name), outcome: outcome, detail: EscapedText(string: detail),
        remedy: EscapedText(string: remedy)))
  }

  private func take(_ found: PowerMeter) { if meter == nil { meter = found } }

  private func tryBench(_ path: String?) {
    guard let path else { return note("bench meter", .absent, "no --power-from") }
    do throws(PlatformError) {
      take(.bench(try BenchMeter(path: path)))
      note("bench meter", .works, path)
    } catch {
      refusal = error
      note("bench meter", error.isNotPermitted ? .notPermitted : .noFigure, error.description)
    }
  }

  private func tryRails(_ tree: SensorTree) {
    let inputs: [(StaticString, [MeteredRail], String)] = [
      ("INA3221", RailSearch.ina3221(tree), "no ina3221 in /sys/class/hwmon"),
      (
        "INA3221 (iio)", RailSearch.ina3221iio(tree), "no rails in /sys/bus/i2c/drivers/ina3221x"
      ),
      ("INA2xx", RailSearch.ina2xx(tree), "no ina2* in /sys/class/hwmon"),
    ]
    var rails: [MeteredRail] = []
    for (name, found, absence) in inputs {
      rails += found
      note(
        name, found.isEmpty ? .absent : .works,
        found.isEmpty ? absence : found.count == 1 ? "1 rail" : "\(found.count) rails")
    }
    if let found = RailMeter(rails) { take(.rails(found)) }
  }

  private func tryCounters(_ tree: SensorTree) {
    let zones = CounterMeter.zones(tree)
    guard let first = zones.first else {
      return note("RAPL", .absent, "no intel-rapl zone in \(CounterMeter.folder)")
    }
    if let found = CounterMeter(tree) {
      take(.counters(found))
      return note("RAPL", .works, "\(zones.count) zones; the processor alone, not the board")
    }
    let path = "\(CounterMeter.folder)\(first)/energy_uj"
    guard let refusal = tree.refusal(path) else {
      return note("RAPL", .noFigure, "\(path) does not count")
    }
    guard refusal.isNotPermitted else {
      return note("RAPL", .noFigure, "\(path): \(refusal.reason)")
    }
    note(
      "RAPL", .notPermitted, "not permitted: \(path) is readable by root only",
      remedy: """
        in /etc/udev/rules.d/70-rapl.rules: ACTION=="add", SUBSYSTEM=="powercap", \
        KERNEL=="intel-rapl:*", RUN+="/bin/chgrp adm /sys%p/energy_uj", \
        RUN+="/bin/chmod g+r /sys%p/energy_uj"; then be in group adm
        """)
  }

  private func tryFirmware(_ firmware: Result<FirmwareChannel, PlatformError>) {
    switch firmware {
    case .success(let channel):
      if let found = FirmwareMeter(channel) {
        take(.firmware(found))
        note("Pi PMIC", .works, "/dev/vcio; the board's rails, not its input")
      } else {
        note("Pi PMIC", .noFigure, "/dev/vcio knows no pmic_read_adc")
      }
    case .failure(let error) where error.isNotPermitted:
      note(
        "Pi PMIC", .notPermitted, "not permitted: /dev/vcio is for root and group video",
        remedy: "sudo usermod -aG video $USER, then log in again")
    case .failure(let error):
      note("Pi PMIC", .absent, error.isNotFound ? "no /dev/vcio" : "/dev/vcio: \(error.reason)")
    }
  }

  private func tryBattery() {
    guard let battery else {
      return note("battery", .absent, "none in /sys/class/power_supply")
    }
    let reading = battery.reading()
    if reading.watts != nil { return note("battery", .works, "discharging") }
    note("battery", .noFigure, String(decoding: reading.reason.utf8, as: UTF8.self))
  }

  /// Whether there is anything to read.
  var isEmpty: Bool { meter == nil && battery == nil }

  /// What the meter says now, with the battery's state beside it. Without a meter the battery is
  /// one, while it discharges.
  func read(nowNanoseconds now: UInt64) -> PowerSample {
    let charge = battery?.reading()
    var sample: PowerSample
    switch meter {
    case .rails(let meter): sample = meter.read(nowNanoseconds: now)
    case .counters(let meter): sample = meter.read(nowNanoseconds: now)
    case .firmware(let meter): sample = meter.read(nowNanoseconds: now)
    case .bench(let meter): sample = meter.read(nowNanoseconds: now)
    case nil:
      sample = PowerSample()
      sample.source = EscapedText(string: Self.absence(tried))
      if let battery, let charge {
        let own = battery.read(charge, nowNanoseconds: now)
        if own.watts != nil { sample = own }
      }
    }
    if let charge {
      sample.battery = charge
    } else {
      sample.battery.reason = EscapedText("none")
    }
    return sample
  }

  /// The shortest true reason for no figure: a meter that may not be read comes before none at all.
  private static func absence(_ tried: [PowerAttempt]) -> String {
    for attempt in tried where attempt.outcome == .notPermitted {
      return String(decoding: attempt.detail.utf8, as: UTF8.self)
    }
    return "no meter found"
  }
}
