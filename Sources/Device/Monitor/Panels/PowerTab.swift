// The power tab: everything that is known of power, heat, clocks and throttling.
import Telemetry

extension Panel {
  /// Two columns where there is room for them, else one that scrolls.
  static func drawPowerTab(_ snapshot: Snapshot, _ ui: UIState, _ frame: inout Frame) {
    if frame.columns >= 140 {
      let width = frame.columns / 2 - 2
      for (i, row) in powerRows(snapshot, width: width).enumerated() {
        frame.put(row.cells(width: width), column: 0, row: i)
      }
      let rest = frame.columns - width - 4
      for (i, row) in thermalRows(snapshot).enumerated() {
        frame.put(row.cells(width: rest), column: width + 4, row: i)
      }
      return
    }
    let rows = powerRows(snapshot, width: frame.columns) + thermalRows(snapshot)
    let first = min(max(0, ui.scroll), max(0, rows.count - frame.rows))
    for (i, row) in rows[first...].prefix(frame.rows).enumerated() { frame.put(row, row: i) }
  }

  // MARK: Power

  private static func powerRows(_ snapshot: Snapshot, width: Int) -> [Row] {
    let power = snapshot.power
    var rows = boardRows(power)
    if !power.history.isEmpty {
      var line = Row()
      line.add(Graphics.sparkline(power.history, width: width))
      rows.append(line)
    }
    rows += rails(power, width: width)
    rows.append(idle(power))
    rows.append(gross(snapshot))
    rows.append(aboveIdle(power))
    if let request = perRequest(snapshot) { rows.append(request) }
    rows.append(wattHours(power))
    rows.append(battery(power.battery))
    rows.append(carbon(power))
    rows.append(carbonPerThousand(power))
    if power.grade == .model || power.grade == .unknown {
      rows += tried(power, width: width)
      rows.append(Row("see: knapsack doctor power", .unknown))
    }
    return rows
  }

  private static func idle(_ power: PowerReading) -> Row {
    var row = value("idle   ", Figure.three(power.idleWatts), " W", estimate: power.grade == .model)
    if let at = power.idleMeasuredSeconds {
      row.put("  measured at ", .label, drop: 1)
      row.put(Figure.clock(at), drop: 1)
      row.put(", b measures anew", .label, drop: 2)
    } else if power.idleWatts != nil {
      row.put("  the profile's", .label, drop: 1)
    } else if power.watts != nil {
      row.put("  b pauses the run for 11 s to measure it", .unknown, drop: 1)
    }
    return row
  }

  private static func gross(_ snapshot: Snapshot) -> Row {
    let power = snapshot.power
    let (text, unit) = energy(power.joulesPerInference)
    var row = value(inferenceName(snapshot), text, unit, estimate: power.grade == .model)
    if power.joulesPerInference != nil {
      row.put("  each, gross", .label, drop: 1)
    } else if power.watts != nil {
      row.put("  from 10 s and n 10", .unknown, drop: 1)
    }
    return row
  }

  private static func aboveIdle(_ power: PowerReading) -> Row {
    let (text, unit) = energy(power.joulesPerInferenceAboveIdle)
    var row = value("       ", text, unit, estimate: power.grade == .model)
    row.put(
      power.joulesPerInference != nil && power.idleWatts == nil
        ? "  above idle: no idle baseline yet" : "  each, above idle", .label, drop: 1)
    return row
  }

  private static func wattHours(_ power: PowerReading) -> Row {
    var row = total(power)
    if let joules = power.totalJoules {
      row.put(", ", .label, drop: 2)
      row.put(Figure.three(joules / 3600), drop: 2)
      row.put(" Wh", .label, drop: 2)
    }
    return row
  }

  private static func carbonPerThousand(_ power: PowerReading) -> Row {
    let grams = power.carbon.gramsPerThousandInferences
    let text = (grams ?? 1) < 0.1 ? Figure.three(grams.map { $0 * 1000 }) : Figure.three(grams)
    var row = value(
      "       ", text, (grams ?? 1) < 0.1 ? " mg" : " g", estimate: power.grade == .model)
    row.put("  per 1 000 inferences, idle included", .label, drop: 1)
    return row
  }

  // MARK: Heat

  private static func thermalRows(_ snapshot: Snapshot) -> [Row] {
    var rows = zones(snapshot.thermal)
    rows += clocks(snapshot.thermal)
    rows += cooling(snapshot.thermal)
    rows += accelerators(snapshot.accelerators)
    let line = throttleLine(snapshot.throttle, elapsed: snapshot.elapsedSeconds)
    let log = throttleLog(snapshot.throttle)
    guard snapshot.throttle.current != nil else { return rows + [line] + log }
    // What is wrong now comes first: on a small screen the last rows are out of sight.
    return [line] + log.prefix(1) + rows + log.dropFirst()
  }

  private static func zones(_ thermal: ThermalReading) -> [Row] {
    guard !thermal.zones.isEmpty else {
      var row = Row("temp   ")
      row.put(Figure.unknown, .unknown, right: 7)
      row.put("  ")
      row.put(thermal.reason.utf8, .unknown, canShrink: true)
      return [row]
    }
    var head = Row("zone °C               ")
    for name: StaticString in ["now", "max", "trip", "crit"] {
      head.put(ascii(name), .label, right: 7)
    }
    return [head]
      + thermal.zones.map { zone in
        var row = Row()
        row.put(zone.name.utf8, .label, left: 22)
        let isHot = zone.isOverPassiveTrip
        row.put(
          Figure.fixed(zone.celsius, 1),
          zone.celsius == nil ? .unknown : isHot ? .warning : .normal, right: 7)
        for other in [zone.maxCelsius, zone.passiveCelsius, zone.criticalCelsius] {
          row.put(Figure.fixed(other, 1), other == nil ? .unknown : .normal, right: 7)
        }
        if zone.celsius == nil { row.put("  sensor off", .unknown, drop: 1) }
        if isHot { row.put(" !", .warning) }
        return row
      }
  }

  /// Cores that follow each other with the same clock share a line.
  private static func clocks(_ thermal: ThermalReading) -> [Row] {
    guard !thermal.clocks.isEmpty else {
      var row = Row("clock  ")
      row.put(Figure.unknown, .unknown, right: 7)
      row.put("  no cpufreq", .unknown)
      return [row]
    }
    var rows: [Row] = []
    var start = 0
    for i in thermal.clocks.indices {
      let first = thermal.clocks[start]
      if i + 1 < thermal.clocks.count, thermal.clocks[i + 1].megahertz == first.megahertz,
        thermal.clocks[i + 1].maxMegahertz == first.maxMegahertz
      {
        continue
      }
      var name = ascii("cpu") + Figure.plain(UInt64(max(0, first.core)))
      if i > start { name += [0x2D] + Figure.plain(UInt64(max(0, thermal.clocks[i].core))) }
      rows.append(clockLine(name, first.megahertz, first.maxMegahertz))
      start = i + 1
    }
    return rows
  }

  private static func clockLine(_ name: [UInt8], _ now: Double?, _ most: Double?) -> Row {
    var row = Row()
    row.put(name, .label, left: 22)
    row.put(
      now.map { Figure.plain(UInt64(max(0, $0))) } ?? Figure.unknown,
      now == nil ? .unknown : .normal, right: 7)
    row.put(" of ", .label)
    row.put(
      most.map { Figure.plain(UInt64(max(0, $0))) } ?? Figure.unknown,
      most == nil ? .unknown : .normal)
    row.put(" MHz", .label)
    return row
  }

  /// Only what is at work; devices that are off say nothing.
  private static func cooling(_ thermal: ThermalReading) -> [Row] {
    thermal.cooling.filter { $0.state > 0 }.map { device in
      var row = Row()
      row.put(device.name.utf8, .label, left: 22)
      row.put(Figure.count(device.state), right: 7)
      row.put(" of ", .label)
      row.put(Figure.count(device.maxState))
      row.put("  cooling", .label, drop: 1)
      return row
    }
  }

  private static func accelerators(_ reading: AcceleratorsReading) -> [Row] {
    reading.list.map { node in
      var row = Row()
      row.put(node.name.utf8, .label, left: 22)
      row.put(
        Figure.fixed(node.loadPercent, 0), node.loadPercent == nil ? .unknown : .normal, right: 7)
      row.put(" % busy", .label)
      if let clock = node.megahertz {
        row.put("  ", drop: 1)
        row.put(Figure.plain(UInt64(max(0, clock))), drop: 1)
        row.put(" MHz", .label, drop: 1)
      }
      return row
    }
  }

  /// `throttled  38.0 s: thermal: cpu-thermal over its trip, latency +24 %`
  private static func throttleLine(_ throttle: ThrottleReading, elapsed: Double) -> Row {
    var row = Row("throttled")
    guard let isThrottled = throttle.isThrottled else {
      row.put(Figure.unknown, .unknown, right: 5)
      row.put("  ")
      row.put(throttle.reason.utf8, .unknown, canShrink: true)
      return row
    }
    row.put("  ")
    row.put(isThrottled ? "! yes" : "no", isThrottled ? .warning : .normal)
    row.put("  ")
    row.put(Figure.three(throttle.totalSeconds))
    row.put(" s of ", .label)
    row.put(Figure.clock(elapsed))
    row.put("  times ", .label, drop: 1)
    row.put(Figure.count(throttle.count), drop: 1)
    row.put("  by ", .label, drop: 2)
    row.put(throttle.reason.utf8, .label, drop: 2)
    return row
  }

  /// A share as `+24 %`.
  static func signedPercent(_ share: Double) -> [UInt8] {
    (share < 0 ? [0x2D] : [0x2B]) + Figure.fixed(share.magnitude * 100, 0) + [0x20, 0x25]
  }

  /// The latest first.
  private static func throttleLog(_ throttle: ThrottleReading) -> [Row] {
    throttle.episodes.reversed().map { episode in
      var row = Row()
      row.put(Figure.clock(episode.beginSeconds), .label)
      row.put(episode.endSeconds == nil ? " !  " : "    ", .warning)
      if let end = episode.endSeconds {
        row.put(Figure.three(end - episode.beginSeconds))
        row.put(" s  ", .label)
      } else {
        row.put("now  ", .warning)
      }
      if let slowdown = episode.slowdown {
        row.put("latency ", .label, drop: 1)
        row.put(signedPercent(slowdown), drop: 1)
        row.put("  ", drop: 1)
      }
      if let celsius = episode.maxCelsius {
        row.put(Figure.fixed(celsius, 1), drop: 2)
        row.put(" °C  ", .label, drop: 2)
      }
      row.put(episode.cause.utf8, .normal, canShrink: true)
      return row
    }
  }
}
