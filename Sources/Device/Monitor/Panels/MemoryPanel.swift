// Does it fit: weights, arena and resident memory against the budget, and what presses on them.
import Telemetry

extension Panel {
  /// Memory in MiB; the bars are shares of the budget, or of the peak where there is no budget.
  static let memory = Panel(
    name: "Mem", title: { _, _ in Row("Memory MiB") },
    note: { snapshot, ui in snapshot.memory.budget == nil ? Row.empty : Row("of budget") },
    draw: { snapshot, ui, frame in
      let memory = snapshot.memory
      let isOver = isOverBudget(memory)
      let over: [UInt8] = isOver ? Self.ascii("!! over") : []
      let peak: Style = isOver ? .critical : .normal
      let width = frame.columns
      var rows = [
        bar("weights", memory.weights, with("in RAM ", memory.weightsResident), memory, width),
        bar("arena  ", memory.arena, [], memory, width),
      ]
      if let tokens = snapshot.tokens {
        rows.append(
          bar(
            "kv     ", tokens.keyValueBytes, with("of ", tokens.keyValueReservedBytes), memory,
            width))
      } else if ui.tab > 0 {
        rows.append(bar("kv     ", nil, Self.ascii("not used by this model"), memory, width))
      }
      rows += [
        bar("rss    ", memory.resident, with("anon ", memory.anonymous), memory, width)
      ]
      if ui.tab > 0 {
        rows.append(
          bar(" anon  ", memory.anonymous, Self.ascii("no file behind it"), memory, width))
        rows.append(bar(" file  ", memory.file, Self.ascii("mapped weights, code"), memory, width))
      }
      rows.append(bar("peak   ", memory.peak, over, memory, width, style: peak))
      rows.append(budget(memory))
      rows.append(pressure(memory.pressure))
      rows.append(faults(memory))
      rows.append(limit(memory.limits))
      rows.append(growth(memory.growth))
      if ui.tab > 0 { rows.append(Row("rss = anon + file + shared memory; budget is for rss")) }
      for (i, row) in rows.enumerated() { frame.put(row, row: i) }
    })

  static func isOverBudget(_ memory: MemoryReading) -> Bool {
    guard let peak = memory.peak, let budget = memory.budget else { return false }
    return peak > budget
  }

  private static func with(_ name: StaticString, _ bytes: UInt64?) -> [UInt8] {
    bytes == nil ? [] : ascii(name) + Figure.mebibytes(bytes)
  }

  private static func bar(
    _ name: StaticString, _ bytes: UInt64?, _ note: [UInt8], _ memory: MemoryReading, _ width: Int,
    style: Style = .normal
  ) -> Row {
    let whole = Double(memory.budget ?? memory.peak ?? memory.resident ?? 0)
    var row = Row()
    row.put(name, .label)
    row.put(Figure.mebibytes(bytes), bytes == nil ? .unknown : style, right: 7)
    row.put("  ", drop: 2)
    if let bytes, whole > 0 {
      let room = width - 16 - max(12, note.count + 2)
      row.add(Graphics.bar(Double(bytes) / whole, width: max(4, room)), drop: 2)
    }
    row.spring()
    row.put(note, .label, drop: 1)
    return row
  }

  private static func budget(_ memory: MemoryReading) -> Row {
    var row = Row("budget ")
    row.put(Figure.mebibytes(memory.budget), memory.budget == nil ? .unknown : .normal, right: 7)
    row.spring()
    guard let budget = memory.budget, let resident = memory.resident, budget > 0 else {
      row.put(memory.budget == nil ? "none given" : "rss unknown", .unknown, drop: 1)
      return row
    }
    let free = budget > resident ? budget - resident : 0
    row.put("free ", .label, drop: 1)
    row.put(Figure.mebibytes(free), drop: 1)
    row.put(Figure.fixed(Double(free) / Double(budget) * 100, 0), right: 5)
    row.put(" %", .label)
    return row
  }

  /// `psi %     0.5 some  0.1 full  cpu 12.5  io 0.0`: shares of the last ten seconds.
  private static func pressure(_ pressure: PressureReading) -> Row {
    var row = Row("psi %  ")
    row.put(
      Figure.fixed(pressure.memorySome, 1), pressure.memorySome == nil ? .unknown : .normal,
      right: 7)
    guard pressure.memorySome != nil || pressure.cpuSome != nil else {
      row.put("  ")
      row.put(pressure.reason.utf8, .unknown, canShrink: true)
      return row
    }
    for (name, value, drop) in [
      ("  full ", pressure.memoryFull, 1), ("  cpu ", pressure.cpuSome, 2),
      ("  io ", pressure.ioSome, 3),
    ] as [(StaticString, Double?, Int)] {
      row.put(name, .label, drop: drop)
      row.put(Figure.fixed(value, 1), value == nil ? .unknown : .normal, drop: drop)
    }
    return row
  }

  private static func faults(_ memory: MemoryReading) -> Row {
    var row = Row("majflt ")
    let faults = memory.majorFaultsPerSecond
    row.put(Figure.three(faults), faults == nil ? .unknown : .normal, right: 7)
    row.put("/s", .label)
    row.put("  preempted ", .label, drop: 1)
    let switches = memory.involuntarySwitchesPerSecond
    row.put(Figure.three(switches), switches == nil ? .unknown : .normal, drop: 1)
    row.put("/s", .label, drop: 1)
    return row
  }

  private static func limit(_ limits: LimitReading) -> Row {
    var row = Row("limit  ")
    row.put(
      Figure.mebibytes(limits.memoryLimit), limits.memoryLimit == nil ? .unknown : .normal, right: 7
    )
    if limits.memoryLimit == nil {
      row.put("  ")
      row.put(limits.reason.utf8, .unknown, canShrink: true)
    } else {
      row.put("  used ", .label, drop: 1)
      row.put(
        Figure.mebibytes(limits.memoryUsage), limits.memoryUsage == nil ? .unknown : .normal,
        drop: 1)
    }
    if let version = limits.version {
      row.put("  cgroup v", .label, drop: 2)
      row.put(Figure.count(version), .label, drop: 2)
    }
    if let cores = limits.cpuQuotaCores {
      row.put("  cpu quota ", .label, drop: 1)
      row.put(Figure.three(cores), drop: 1)
      row.put(" cores", .label, drop: 1)
    }
    return row
  }

  /// `growth   +20.5 kB/h  r 0.12  over 00:12:30`: the slope of anonymous memory.
  private static func growth(_ growth: GrowthReading) -> Row {
    var row = Row("growth ")
    guard let slope = growth.kilobytesPerHour else {
      row.put(Figure.unknown, .unknown, right: 7)
      row.put("  from 60 s on", .unknown)
      return row
    }
    let sign: [UInt8] = slope.magnitude < 0.0005 ? [] : slope < 0 ? [0x2D] : [0x2B]
    row.put(sign + Figure.three(slope.magnitude), right: 7)
    row.put(" kB/h", .label)
    if let r = growth.correlation {
      row.put("  r ", .label, drop: 2)
      row.put(Figure.fixed(r, 2), drop: 2)
    }
    row.put("  over ", .label, drop: 1)
    row.put(Figure.clock(growth.overSeconds), drop: 1)
    return row
  }

  /// The bytes of a literal.
  static func ascii(_ text: StaticString) -> [UInt8] { EscapedText(text).utf8 }
}
