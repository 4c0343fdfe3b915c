// Does it fit: weights, arena and resident memory against the budget.
import Telemetry

extension Panel {
  /// Memory in MiB; the bars are shares of the budget, or of the peak where there is no budget.
  static let memory = Panel(
    name: "Mem", title: { _ in Row("Memory MiB") },
    note: { snapshot in snapshot.memory.budget == nil ? Row.empty : Row("of budget") },
    draw: { snapshot, _, frame in
      let memory = snapshot.memory
      let whole = Double(memory.budget ?? memory.peak ?? memory.resident ?? 0)
      func line(
        _ name: StaticString, _ bytes: UInt64?, _ note: [UInt8], style: Style = .normal
      ) -> Row {
        var row = Row()
        row.put(name, .label)
        row.put(Figure.mebibytes(bytes), bytes == nil ? .unknown : style, right: 7)
        row.put("  ", drop: 2)
        if let bytes, whole > 0 {
          row.add(
            Graphics.bar(Double(bytes) / whole, width: max(4, frame.columns - 28)), drop: 2)
        }
        row.spring()
        row.put(note, .label, drop: 1)
        return row
      }
      func with(_ name: StaticString, _ bytes: UInt64?) -> [UInt8] {
        bytes == nil ? [] : Self.ascii(name) + Figure.mebibytes(bytes)
      }
      frame.put(line("weights", memory.weights, with("file ", memory.file)), row: 0)
      frame.put(line("arena  ", memory.arena, []), row: 1)
      frame.put(line("rss    ", memory.resident, with("anon ", memory.anonymous)), row: 2)
      let isOver = isOverBudget(memory)
      frame.put(
        line(
          "peak   ", memory.peak, isOver ? Self.ascii("!! over") : [],
          style: isOver ? .critical : .normal), row: 3)
      frame.put(budget(memory), row: 4)
    })

  static func isOverBudget(_ memory: MemoryReading) -> Bool {
    guard let peak = memory.peak, let budget = memory.budget else { return false }
    return peak > budget
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

  /// The bytes of a literal.
  static func ascii(_ text: StaticString) -> [UInt8] { EscapedText(text).utf8 }
}
