// What it costs: power with its grade, energy per inference, temperature, clock.
import Telemetry

extension Panel {
  /// Every figure with where it comes from; what nobody measures is `-` with the reason.
  static let power = Panel(
    name: "Power", title: { _ in Row("Power, thermal") },
    note: { snapshot in snapshot.power.grade == .model ? Row("estimate") : Row.empty },
    draw: { snapshot, _, frame in
      let rows = [
        board(snapshot.power), perInference(snapshot.power), temperature(snapshot.thermal),
        clock(snapshot.thermal), processor(snapshot), total(snapshot.power),
      ]
      for (i, row) in rows.enumerated() { frame.put(row, row: i) }
    })

  static func gradeText(_ power: PowerReading) -> [UInt8] { [0x5B, power.grade.letter, 0x5D] }

  private static func value(
    _ name: StaticString, _ text: [UInt8], _ unit: StaticString, estimate: Bool
  ) -> Row {
    var row = Row(name)
    let isUnknown = text == Figure.unknown
    let style: Style = isUnknown ? .unknown : estimate ? .estimate : .normal
    row.put((estimate && !isUnknown ? [0x7E] : []) + text, style, right: 7)
    if !isUnknown { row.put(unit, .label) }
    return row
  }

  private static func board(_ power: PowerReading) -> Row {
    var row = value("board  ", Figure.three(power.watts), " W", estimate: power.grade == .model)
    row.put("  ")
    if power.watts != nil {
      row.put(gradeText(power), .estimate)
      row.put(" ", .label, drop: 2)
      row.put(power.source.utf8, .label, drop: 2)
      if power.bandPercent > 0 {
        row.put(Panel.ascii(" +-") + Figure.fixed(power.bandPercent, 0), .label, drop: 1)
        row.put(" %", .label, drop: 1)
      }
    } else {
      row.put(power.source.utf8, .unknown, canShrink: true)
    }
    return row
  }

  private static func perInference(_ power: PowerReading) -> Row {
    let isEstimate = power.grade == .model
    let (text, unit) = energy(power.joulesPerInference)
    var row = value("infer  ", text, unit, estimate: isEstimate)
    if power.joulesPerInference != nil {
      if let idle = power.idleWatts {
        row.put("  idle ", .label, drop: 1)
        row.put(Figure.three(idle), .normal, drop: 1)
        row.put(" W", .label, drop: 1)
      }
    } else if power.watts != nil {
      row.put("  from 10 s and n 10", .unknown, drop: 1)
    }
    return row
  }

  /// Joules in the unit that fits them.
  static func energy(_ joules: Double?) -> (text: [UInt8], unit: StaticString) {
    guard let joules else { return (Figure.unknown, " J") }
    if joules < 1e-3 { return (Figure.three(joules * 1e6), " uJ") }
    if joules < 1 { return (Figure.three(joules * 1e3), " mJ") }
    return (Figure.three(joules), " J")
  }

  private static func temperature(_ thermal: ThermalReading) -> Row {
    var row = value(
      "temp   ", Figure.fixed(thermal.celsius, 1), " °C", estimate: false)
    guard thermal.celsius != nil else {
      row.put("  ")
      row.put(thermal.reason.utf8, .unknown, canShrink: true)
      return row
    }
    row.put("  ", .label, drop: 2)
    row.put(thermal.zone.utf8, .label, drop: 2)
    if let critical = thermal.criticalCelsius {
      row.put("  crit ", .label, drop: 1)
      row.put(Figure.fixed(critical, 0), .normal, drop: 1)
    }
    return row
  }

  private static func clock(_ thermal: ThermalReading) -> Row {
    var row = Row("clock  ")
    guard let megahertz = thermal.clockMegahertz else {
      row.put(Figure.unknown, .unknown, right: 7)
      row.put("  no cpufreq", .unknown, drop: 1)
      return row
    }
    row.put(Figure.plain(UInt64(max(0, megahertz))), right: 7)
    if let most = thermal.maxClockMegahertz {
      row.put(" of ", .label, drop: 1)
      row.put(Figure.plain(UInt64(max(0, most))), drop: 1)
    }
    row.put(" MHz", .label)
    return row
  }

  private static func processor(_ snapshot: Snapshot) -> Row {
    var row = Row("cpu    ")
    row.put(
      Figure.fixed(snapshot.busyCores, 2), snapshot.busyCores == nil ? .unknown : .normal, right: 7)
    row.put(" cores busy", .label, drop: 1)
    return row
  }

  private static func total(_ power: PowerReading) -> Row {
    let (text, unit) = energy(power.totalJoules)
    var row = value("total  ", text, unit, estimate: power.grade == .model)
    row.put("  since the first counted", .label, drop: 1)
    return row
  }
}
