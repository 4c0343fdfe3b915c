// Meters on a board's supply lines: INA3221 and the INA2xx family, through hwmon or older iio names.
import Bytes
import Platform

/// How a rail's power is read.
enum RailSource {
  /// Watts are the product of two files times a factor.
  case product(volts: PolledFile, amperes: PolledFile, factor: Double)
  /// Watts are one file times a factor.
  case power(PolledFile, factor: Double)

  /// Nil for no answer, and for what no device takes. Lines without load may read a little below
  /// zero: that is zero. Further below, the meter is wired the other way round or broken.
  func watts() -> Double? {
    let watts: Double
    switch self {
    case .product(let volts, let amperes, let factor):
      guard let v = volts.integer(), let a = amperes.integer() else { return nil }
      watts = Double(v) * Double(a) * factor
    case .power(let file, let factor):
      guard let value = file.integer() else { return nil }
      watts = Double(value) * factor
    }
    guard watts >= -0.05, watts <= plausibleWatts else { return nil }
    return max(0, watts)
  }
}

/// One line with a meter on it.
struct MeteredRail {
  var name: [UInt8]
  /// The chip, such as `INA3221`.
  var chip: String
  var source: RailSource
}

/// All rails of a board.
final class RailMeter {
  private let rails: [MeteredRail]
  /// The rail that carries all others; nil where the total is their sum.
  private let total: Int?
  private let source: EscapedText
  private var integrator = PowerIntegrator()

  /// Nil for no rails.
  init?(_ rails: [MeteredRail]) {
    guard let first = rails.first else { return nil }
    self.rails = rails
    total = Self.totalRail(rails)
    if let total {
      source = EscapedText(
        string: rails[total].chip + " " + String(decoding: rails[total].name, as: UTF8.self))
    } else if rails.count == 1 {
      source = EscapedText(
        string: first.chip + " " + String(decoding: first.name, as: UTF8.self))
    } else {
      source = EscapedText(string: "\(first.chip) sum of \(rails.count) rails")
    }
  }

  /// The rail that the whole board is fed through, by its name: the boards of the Jetson family call
  /// it VDD_IN, POM_5V_IN or VIN, others something that ends in _IN.
  private static func totalRail(_ rails: [MeteredRail]) -> Int? {
    for name in ["VDD_IN", "POM_5V_IN", "VIN"] {
      if let found = rails.firstIndex(where: { $0.name == Array(name.utf8) }) { return found }
    }
    return rails.firstIndex { Array($0.name.suffix(3)) == Array("_IN".utf8) }
  }

  func read(nowNanoseconds now: UInt64) -> PowerSample {
    var sample = PowerSample()
    sample.source = source
    sample.grade = .meter
    var sum: Double? = 0
    for (i, rail) in rails.enumerated() {
      let watts = rail.source.watts()
      sample.rails.append(
        PowerRail(
          name: EscapedText(rail.name), watts: watts, isTotal: i == total,
          isPart: total != nil && i != total))
      if let before = sum, let watts { sum = before + watts } else { sum = nil }
    }
    sample.watts = total.map { sample.rails[$0].watts } ?? sum
    guard let watts = sample.watts else {
      sample.source = EscapedText(string: "a rail does not answer")
      return sample
    }
    if let span = integrator.add(watts: watts, atNanoseconds: now) { sample.take(span) }
    return sample
  }
}

extension PowerSample {
  mutating func take(_ span: EnergySpan) {
    joules = span.joules
    joulesNanoseconds = span.nanoseconds
  }
}

/// Where such meters are found.
enum RailSearch {
  private static let chipLimit = 64
  private static let hwmon = "/sys/class/hwmon/"
  /// Volts times amperes of files in millivolts and milliamperes.
  private static let milli = 1e-6

  /// Rails of the three-channel chip in hwmon. Channels 4 and up are shunt voltages and their sum.
  static func ina3221(_ tree: SensorTree) -> [MeteredRail] {
    var rails: [MeteredRail] = []
    for folder in chips(tree, where: { $0 == Array("ina3221".utf8) }) {
      for channel in 1...3 {
        let label = tree.word("\(folder)in\(channel)_label")
        guard isConnected(label),
          let volts = tree.open("\(folder)in\(channel)_input"),
          let amperes = tree.open("\(folder)curr\(channel)_input")
        else { continue }
        add(
          MeteredRail(
            name: label ?? Array("channel \(channel)".utf8), chip: "INA3221",
            source: .product(volts: volts, amperes: amperes, factor: milli)), to: &rails)
      }
    }
    return rails
  }

  /// The same chip under the names of older JetPack releases, in milliwatts where it tells them.
  static func ina3221iio(_ tree: SensorTree) -> [MeteredRail] {
    var rails: [MeteredRail] = []
    let driver = "/sys/bus/i2c/drivers/ina3221x/"
    for device in tree.names(driver).prefix(chipLimit) {
      for inner in tree.names(driver + device)
      where inner.hasPrefix("iio:device") || inner == "iio_device" {
        let folder = "\(driver)\(device)/\(inner)/"
        for channel in 0..<3 {
          guard let label = tree.word("\(folder)rail_name_\(channel)"), isConnected(label) else {
            continue
          }
          let source: RailSource
          if let power = tree.open("\(folder)in_power\(channel)_input") {
            source = .power(power, factor: 1e-3)
          } else if let volts = tree.open("\(folder)in_voltage\(channel)_input"),
            let amperes = tree.open("\(folder)in_current\(channel)_input")
          {
            source = .product(volts: volts, amperes: amperes, factor: milli)
          } else {
            continue
          }
          add(MeteredRail(name: label, chip: "INA3221", source: source), to: &rails)
        }
      }
    }
    return rails
  }

  /// Chips of one channel: their power in microwatts where they tell it, else volts times amperes.
  static func ina2xx(_ tree: SensorTree) -> [MeteredRail] {
    let family = Array("ina2".utf8)
    var rails: [MeteredRail] = []
    for folder in chips(tree, where: { $0.starts(with: family) }) {
      let chip = String(
        decoding: (tree.word(folder + "name") ?? family).map { $0 >= 0x61 ? $0 - 0x20 : $0 },
        as: UTF8.self)
      let label = tree.word(folder + "label") ?? tree.word(folder + "in1_label")
      guard isConnected(label) else { continue }
      let source: RailSource
      if let power = tree.open(folder + "power1_input") {
        source = .power(power, factor: 1e-6)
      } else if let volts = tree.open(folder + "in1_input"),
        let amperes = tree.open(folder + "curr1_input")
      {
        source = .product(volts: volts, amperes: amperes, factor: milli)
      } else {
        continue
      }
      add(
        MeteredRail(
          name: label ?? Array("rail \(rails.count + 1)".utf8), chip: chip, source: source),
        to: &rails)
    }
    return rails
  }

  /// Keeps a rail that answers: channels may be switched off.
  private static func add(_ rail: MeteredRail, to rails: inout [MeteredRail]) {
    if rail.source.watts() != nil { rails.append(rail) }
  }

  /// Not connected are those labelled NC; the sum of shunt voltages is no rail.
  private static func isConnected(_ label: [UInt8]?) -> Bool {
    guard let label else { return true }
    return label != Array("NC".utf8) && !label.isEmpty
      && !label.starts(with: "sum of shunt".utf8)
  }

  private static func chips(_ tree: SensorTree, where isMeant: ([UInt8]) -> Bool) -> [String] {
    var found: [String] = []
    for name in tree.names(hwmon).prefix(chipLimit) {
      let folder = "\(hwmon)\(name)/"
      if let chip = tree.word(folder + "name"), isMeant(chip) { found.append(folder) }
    }
    return found
  }
}
