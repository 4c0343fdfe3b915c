// The Raspberry Pi 5's power chip, through the firmware: twelve rails with volts and amperes.
import Bytes
import Platform

/// What `pmic_read_adc` answers.
package enum FirmwareRails {
  private struct Line {
    var name: [UInt8]
    var isCurrent: Bool
    var value: Double
  }

  /// The rails in the order of the answer. A rail with volts alone, as the input and the clock's
  /// battery are, has no watts. Lines of another form are left out.
  package static func parse(_ text: [UInt8]) -> [PowerRail] {
    var volts: [Line] = []
    var amperes: [Line] = []
    for line in text.split(separator: 0x0A).prefix(64) {
      guard let parsed = parse(line: line) else { continue }
      if parsed.isCurrent { amperes.append(parsed) } else { volts.append(parsed) }
    }
    var rails: [PowerRail] = []
    for line in volts {
      let current = amperes.first { $0.name == line.name }
      rails.append(
        PowerRail(
          name: EscapedText(line.name), watts: current.map { $0.value * line.value },
          volts: line.value))
    }
    return rails
  }

  /// `     3V7_WL_SW_A current(0)=0.00195195A`
  private static func parse(line: ArraySlice<UInt8>) -> Line? {
    let words = line.split(separator: 0x20)
    guard words.count == 2, words[0].count > 2, words[0].count <= 40,
      let equals = words[1].firstIndex(of: 0x3D), let unit = words[1].last
    else { return nil }
    let isCurrent = unit == UInt8(ascii: "A")
    guard isCurrent || unit == UInt8(ascii: "V"), words[0].suffix(2).elementsEqual([0x5F, unit]),
      let value = NumberText.double(Array(words[1][(equals + 1)...].dropLast())), value.isFinite,
      value >= 0, value < 1000
    else { return nil }
    return Line(name: Array(words[0].dropLast(2)), isCurrent: isCurrent, value: value)
  }
}

/// The sum of the rails that have both. What the board takes from its supply is not measured: USB
/// devices and the converters' losses are missing.
final class FirmwareMeter {
  static let command = "pmic_read_adc"
  private let channel: FirmwareChannel
  private var integrator = PowerIntegrator()

  /// Nil where the firmware knows no such rails, as on older boards.
  init?(_ channel: FirmwareChannel) {
    guard let answer = channel.ask(Self.command),
      FirmwareRails.parse(answer).contains(where: { $0.watts != nil })
    else { return nil }
    self.channel = channel
  }

  func read(nowNanoseconds now: UInt64) -> PowerSample {
    var sample = PowerSample()
    sample.grade = .partialMeter
    guard let answer = channel.ask(Self.command) else {
      sample.source = EscapedText(string: "the firmware does not answer")
      return sample
    }
    sample.rails = FirmwareRails.parse(answer)
    var count = 0
    var sum = 0.0
    for rail in sample.rails {
      guard let watts = rail.watts else { continue }
      count += 1
      sum += watts
    }
    guard count > 0, sum <= plausibleWatts else {
      sample.source = EscapedText(string: "the firmware answers without rails")
      return sample
    }
    sample.source = EscapedText(string: "PMIC \(count) rails")
    sample.watts = sum
    if let span = integrator.add(watts: sum, atNanoseconds: now) { sample.take(span) }
    return sample
  }
}
