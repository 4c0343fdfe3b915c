// What it costs: power with its grade, energy per inference, temperature, clock.
import Telemetry

extension Panel {
  /// Every figure with where it comes from; what nobody measures is `-` with the reason. On a tab of
  /// its own, everything that is known.
  static let power = Panel(
    name: "Power", title: { _, _ in Row("Power, thermal") },
    note: { snapshot, ui in
      if snapshot.throttle.isThrottled == true { return Row("! throttled", .warning) }
      return snapshot.power.grade == .model ? Row("estimate") : Row.empty
    },
    draw: { snapshot, ui, frame in
      if ui.tab > 0 { return drawPowerTab(snapshot, ui, &frame) }
      let power = snapshot.power
      var rows = boardRows(power)
      rows += perInference(snapshot)
      rows += [
        temperature(snapshot.thermal),
        clock(snapshot.thermal, snapshot.throttle), processor(snapshot), total(power),
      ]
      if power.grade == .model || power.grade == .unknown {
        rows += tried(power, width: frame.columns)
        rows.append(Row("see: knapsack doctor power", .unknown))
      } else {
        rows += rails(power, width: frame.columns)
      }
      rows.append(carbon(power))
      if power.battery.hoursLeft != nil {
        rows.insert(battery(power.battery), at: min(4, rows.count))
      }
      for (i, row) in rows.enumerated() { frame.put(row, row: i) }
    })

  static func gradeText(_ power: PowerReading) -> [UInt8] { [0x5B, power.grade.letter, 0x5D] }

  /// `name    value unit`, an estimate with `~` before it.
  static func value(
    _ name: StaticString, _ text: [UInt8], _ unit: StaticString, estimate: Bool
  ) -> Row {
    var row = Row(name)
    let isUnknown = text == Figure.unknown
    let style: Style = isUnknown ? .unknown : estimate ? .estimate : .normal
    row.put((estimate && !isUnknown ? [0x7E] : []) + text, style, right: 7)
    if !isUnknown { row.put(unit, .label) }
    return row
  }

  /// The power with its source. A reason with a colon goes on below: first what, then where.
  static func boardRows(_ power: PowerReading) -> [Row] {
    guard power.watts == nil else { return [board(power)] }
    var row = value("board  ", Figure.unknown, " W", estimate: false)
    row.put("  ")
    let reason = power.source.utf8
    guard let colon = reason.firstIndex(of: 0x3A), colon + 2 < reason.count else {
      row.put(reason, .unknown, canShrink: true)
      return [row]
    }
    row.put(Array(reason[..<colon]), .unknown, canShrink: true)
    var rest = Row("  ")
    rest.put(Array(reason[(colon + 2)...]), .unknown, canShrink: true)
    return [row, rest]
  }

  private static func board(_ power: PowerReading) -> Row {
    var row = value("board  ", Figure.three(power.watts), " W", estimate: power.grade == .model)
    row.put("  ")
    row.put(gradeText(power), .estimate)
    row.put(" ", .label, drop: 2)
    row.put(power.source.utf8, .label, drop: 2)
    if power.bandPercent > 0 {
      row.put(Panel.ascii(" +-") + Figure.fixed(power.bandPercent, 0), .label, drop: 1)
      row.put(" %", .label, drop: 1)
    }
    return row
  }

  /// What an inference costs is called by this name: it makes a token, where text is generated.
  static func inferenceName(_ snapshot: Snapshot) -> StaticString {
    snapshot.tokens == nil ? "infer  " : "token  "
  }

  /// Energy of a whole request; nil for models that have none.
  static func perRequest(_ snapshot: Snapshot) -> Row? {
    guard let tokens = snapshot.tokens else { return nil }
    let (text, unit) = energy(tokens.joulesPerRequest)
    return value("request", text, unit, estimate: snapshot.power.grade == .model)
  }

  private static func perInference(_ snapshot: Snapshot) -> [Row] {
    let power = snapshot.power
    let isEstimate = power.grade == .model
    let (text, unit) = energy(power.joulesPerInference)
    var row = value(inferenceName(snapshot), text, unit, estimate: isEstimate)
    if power.joulesPerInference != nil {
      if power.joulesPerInferenceAboveIdle != nil {
        let (above, unit) = energy(power.joulesPerInferenceAboveIdle)
        row.put("  ", drop: 1)
        row.put((isEstimate ? [0x7E] : []) + above, isEstimate ? .estimate : .normal, drop: 1)
        row.put(unit, .label, drop: 1)
        row.put(" above idle", .label, drop: 1)
      }
      if let idle = power.idleWatts {
        row.put("  idle ", .label, drop: 2)
        row.put(Figure.three(idle), .normal, drop: 2)
        row.put(" W", .label, drop: 2)
      }
    } else if power.watts != nil {
      row.put("  from 10 s and n 10", .unknown, drop: 1)
    }
    return [row] + (perRequest(snapshot).map { [$0] } ?? [])
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
    row.put("  ", .label, drop: 3)
    row.put(thermal.zone.utf8, .label, drop: 3)
    if let passive = thermal.passiveCelsius {
      row.put("  trip ", .label, drop: 1)
      row.put(Figure.fixed(passive, 0), .normal, drop: 1)
    }
    if let critical = thermal.criticalCelsius {
      row.put("  crit ", .label, drop: 2)
      row.put(Figure.fixed(critical, 0), .normal, drop: 2)
    }
    return row
  }

  private static func clock(_ thermal: ThermalReading, _ throttle: ThrottleReading) -> Row {
    var row = Row("clock  ")
    if let megahertz = thermal.clockMegahertz {
      row.put(Figure.plain(UInt64(max(0, megahertz))), right: 7)
      if let most = thermal.maxClockMegahertz {
        row.put(" of ", .label, drop: 2)
        row.put(Figure.plain(UInt64(max(0, most))), drop: 2)
      }
      row.put(" MHz", .label)
    } else {
      row.put(Figure.unknown, .unknown, right: 7)
      row.put("  no cpufreq", .unknown, drop: 2)
    }
    row.put("  throttle ", .label, drop: 1)
    switch throttle.isThrottled {
    case true?: row.put("! yes", .warning, drop: 1)
    case false?: row.put("none", drop: 1)
    case nil: row.put("-", .unknown, drop: 1)
    }
    return row
  }

  private static func processor(_ snapshot: Snapshot) -> Row {
    var row = Row("cpu    ")
    row.put(
      Figure.fixed(snapshot.busyCores, 2), snapshot.busyCores == nil ? .unknown : .normal, right: 7)
    row.put(" cores busy", .label, drop: 1)
    return row
  }

  static func total(_ power: PowerReading) -> Row {
    let (text, unit) = energy(power.totalJoules)
    var row = value("total  ", text, unit, estimate: power.grade == .model)
    row.put("  since the first counted", .label, drop: 1)
    return row
  }

  /// What was tried, for a machine without a meter, in as many rows as the names take.
  static func tried(_ power: PowerReading, width: Int) -> [Row] {
    var rows: [Row] = []
    var line = ascii("tried ")
    for (i, attempt) in power.tried.enumerated() {
      var name = attempt.name.utf8
      if attempt.outcome == .notPermitted { name += ascii(" (not permitted)") }
      if i + 1 < power.tried.count { name += [0x2C, 0x20] }
      if line.count + name.count > width + 1 {
        rows.append(plain(line))
        line = ascii("      ")
      }
      line += name
    }
    if power.tried.isEmpty { line += Figure.unknown }
    return rows + [plain(line)]
  }

  private static func plain(_ text: [UInt8]) -> Row {
    var row = Row()
    row.put(text, .unknown, canShrink: true)
    return row
  }

  /// `battery   35.4 Wh  64 %  3.53 h left`
  static func battery(_ battery: BatteryReading) -> Row {
    var row = value("battery", Figure.three(battery.wattHours), " Wh", estimate: false)
    if let percent = battery.percent {
      row.put("  ", drop: 2)
      row.put(Figure.fixed(percent, 0), drop: 2)
      row.put(" %", .label, drop: 2)
    }
    if let hours = battery.hoursLeft {
      row.put("  ", drop: 1)
      row.put(Figure.three(hours), .strong, drop: 1)
      row.put(" h left", .label, drop: 1)
    } else if !battery.reason.isEmpty {
      row.put("  ", drop: 1)
      row.put(battery.reason.utf8, .unknown, drop: 1)
    }
    return row
  }

  /// `CO2e       3.24 g/h = W x 475 g/kWh, world average`
  static func carbon(_ power: PowerReading) -> Row {
    let carbon = power.carbon
    let isEstimate = power.grade == .model
    var row = value("CO2e   ", Figure.three(carbon.gramsPerHour), " g/h", estimate: isEstimate)
    row.put(carbon.gramsPerHour == nil ? "  W x " : " = W x ", .label, drop: 1)
    row.put(Figure.three(carbon.gridGramsPerKilowattHour), drop: 1)
    row.put(" g/kWh", .label, drop: 1)
    if carbon.isWorldAverage { row.put(", world average", .label, drop: 2) }
    return row
  }

  /// The rails as columns of `name watts`, the total first; those without watts say so.
  static func rails(_ power: PowerReading, width: Int) -> [Row] {
    guard !power.rails.isEmpty else { return [] }
    let longest = power.rails.reduce(0) { max($0, min(20, $1.name.utf8.count)) }
    let column = longest + 12
    let perRow = max(1, (width + 2) / column)
    let ordered = power.rails.filter { $0.isTotal } + power.rails.filter { !$0.isTotal }
    var rows: [Row] = []
    for start in stride(from: 0, to: ordered.count, by: perRow) {
      var row = Row()
      for rail in ordered[start..<min(start + perRow, ordered.count)] {
        var cell = Row()
        cell.put(rail.isPart ? "- " : "  ", .label)
        cell.put(rail.name.utf8, .label, left: longest, canShrink: true)
        cell.put(Figure.three(rail.watts), rail.watts == nil ? .unknown : .normal, right: 6)
        cell.put(" W  ", .label)
        row.add(cell.cells(width: column))
      }
      rows.append(row)
    }
    return rows
  }
}
