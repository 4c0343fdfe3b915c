// What holds the machine back: counters of the processor, flags of the firmware, clocks under heat.
import Bytes
import Platform

/// What the Raspberry Pi's firmware says of itself. Bits 16 to 19 tell of the time since boot and are
/// not looked at.
package struct FirmwareFlags: Equatable {
  package var bits: UInt64

  /// `throttled=0x50005`, as vcgencmd prints it, or bare hexadecimal digits, as in /sys. Nil for
  /// anything else.
  package init?(_ text: [UInt8]) {
    var rest = ArraySlice(text)
    let key = Array("throttled=".utf8)
    if rest.starts(with: key) { rest = rest.dropFirst(key.count) }
    if rest.starts(with: "0x".utf8) { rest = rest.dropFirst(2) }
    while let last = rest.last, last == 0x0A || last == 0x20 || last == 0 { rest.removeLast() }
    guard !rest.isEmpty, rest.count <= 8 else { return nil }
    bits = 0
    for byte in rest {
      let digit: UInt64
      switch byte {
      case 0x30...0x39: digit = UInt64(byte - 0x30)
      case 0x41...0x46: digit = UInt64(byte - 0x37)
      case 0x61...0x66: digit = UInt64(byte - 0x57)
      default: return nil
      }
      bits = bits << 4 | digit
    }
  }

  /// The reason that weighs most; nil for none.
  package var cause: EscapedText? {
    if bits & 1 != 0 { return EscapedText("under-voltage") }
    if bits & 8 != 0 { return EscapedText("firmware: soft temperature limit") }
    if bits & 4 != 0 { return EscapedText("firmware: throttled") }
    if bits & 2 != 0 { return EscapedText("firmware: clock capped") }
    return nil
  }
}

/// Looks at everything that tells.
final class ThrottleProbe {
  private static let coreLimit = 128
  private static let platform = "/sys/devices/platform/"
  /// A clock this far below its maximum is held down, not merely rounded.
  private static let fullSpeed = 0.97

  private var coreCounts: [PolledFile] = []
  private var currentCounts: [PolledFile] = []
  private var flags: PolledFile?
  private let firmware: FirmwareChannel?
  private var lastCoreCount: Int64?
  private var lastCurrentCount: Int64?

  init(_ tree: SensorTree, firmware: FirmwareChannel?) {
    let cpus = "/sys/devices/system/cpu/"
    for name in tree.names(cpus).prefix(Self.coreLimit) where name.hasPrefix("cpu") {
      // The packages' counters are the same for all their cores.
      for level in name == "cpu0" ? ["core", "package"] : ["core"] {
        if let file = tree.open("\(cpus)\(name)/thermal_throttle/\(level)_throttle_count") {
          coreCounts.append(file)
        }
      }
    }
    let hwmon = "/sys/class/hwmon/"
    for name in tree.names(hwmon) where tree.word("\(hwmon)\(name)/name") == Self.overCurrent {
      for file in tree.names(hwmon + name)
      where file.hasPrefix("oc") && file.hasSuffix("_event_cnt") {
        if let file = tree.open("\(hwmon)\(name)/\(file)") { currentCounts.append(file) }
      }
    }
    flags = Self.firmwareFlags(tree)
    // The channel is dearer than the file.
    self.firmware =
      flags == nil && firmware?.ask("get_throttled").flatMap(FirmwareFlags.init) != nil
      ? firmware : nil
  }

  private static let overCurrent: [UInt8] = Array("soctherm_oc".utf8)

  /// `soc/soc:firmware/get_throttled`; the first folder's name differs between boards.
  private static func firmwareFlags(_ tree: SensorTree) -> PolledFile? {
    for soc in tree.names(platform) where soc.hasPrefix("soc") {
      if let file = tree.open("\(platform)\(soc)/get_throttled") { return file }
      for inner in tree.names(platform + soc) where inner.hasSuffix("firmware") {
        if let file = tree.open("\(platform)\(soc)/\(inner)/get_throttled") { return file }
      }
    }
    return nil
  }

  /// Adds what it found to a reading of zones and clocks.
  func judge(_ reading: inout ThermalReading) {
    let counted = Self.growth(coreCounts, &lastCoreCount)
    let current = Self.growth(currentCounts, &lastCurrentCount)
    var cause: EscapedText?
    if counted { cause = EscapedText("cpu thermal counter") }
    if current { cause = EscapedText("over-current") }
    let answer = flags?.read { text in FirmwareFlags((0..<text.count).map { text[$0] }) }
    if let flags = answer ?? firmware?.ask("get_throttled").flatMap(FirmwareFlags.init),
      let said = flags.cause
    {
      cause = said
    }
    reading.throttleCause = cause ?? Self.heldDown(reading)
    reading.throttleWatch = watch(reading)
  }

  /// Whether the sum of the counters grew since the reading before.
  private static func growth(_ counters: [PolledFile], _ last: inout Int64?) -> Bool {
    guard !counters.isEmpty else { return false }
    var sum: Int64 = 0
    for counter in counters { sum = sum &+ (counter.integer() ?? 0) }
    defer { last = sum }
    return last.map { sum > $0 } ?? false
  }

  /// A clock below its maximum, or a limit on it, while a zone is over its passive trip.
  private static func heldDown(_ reading: ThermalReading) -> EscapedText? {
    guard let zone = reading.zones.first(where: { $0.isOverPassiveTrip }) else { return nil }
    let clock = reading.clocks.first {
      guard let now = $0.megahertz, let most = $0.maxMegahertz else { return false }
      return now < most * fullSpeed
    }
    let isLimited = reading.cooling.contains { $0.state > 0 && isClockLimit($0.name.utf8) }
    guard clock != nil || isLimited else { return nil }
    return EscapedText(
      string: "thermal: \(String(decoding: zone.name.utf8, as: UTF8.self)) over its trip")
  }

  /// Cooling devices that slow the processor, by the kernel's names for them.
  private static func isClockLimit(_ name: [UInt8]) -> Bool {
    for word in ["Processor", "thermal-cpufreq", "cpufreq", "thermal-devfreq"] {
      if name.starts(with: word.utf8) { return true }
    }
    return false
  }

  /// What there is to tell by; empty for nothing.
  private func watch(_ reading: ThermalReading) -> EscapedText {
    var parts: [String] = []
    if !coreCounts.isEmpty { parts.append("cpu counters") }
    if !currentCounts.isEmpty { parts.append("over-current counters") }
    if flags != nil || firmware != nil { parts.append("firmware flags") }
    let hasTrip = reading.zones.contains { $0.celsius != nil && $0.passiveCelsius != nil }
    let hasClock = reading.clocks.contains { $0.megahertz != nil && $0.maxMegahertz != nil }
    if hasTrip, hasClock || !reading.cooling.isEmpty { parts.append("clocks over trips") }
    return EscapedText(string: parts.joined(separator: ", "))
  }
}
