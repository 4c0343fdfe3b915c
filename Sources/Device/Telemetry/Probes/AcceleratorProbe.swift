// Accelerators whose kernel driver tells how busy they are or how fast they run.
import Bytes
import Platform

final class AcceleratorProbe {
  private struct Node {
    var name: EscapedText
    var load: Load?
    var clock: PolledFile?
    var maxMegahertz: Double?
  }
  private enum Load {
    /// Thousandths, as Jetson's GPU tells.
    case perMille(PolledFile)
    /// `NPU load:  Core0:  5%, Core1:  0%,` or `NPU load:  5%`.
    case percentages(PolledFile)
    /// `35@800000000Hz`.
    case beforeClock(PolledFile)
  }

  private static let nodeLimit = 16
  private static let names = ["gpu", "npu", "ga10b", "gv11b", "gp10b", "mali", "nvdla", "ethos"]
  private var nodes: [Node] = []

  init(_ tree: SensorTree) {
    for path in ["/sys/kernel/debug/rknpu/load", "/proc/rknpu/load"] {
      guard let file = tree.open(path, capacity: 512) else { continue }
      add(Node(name: EscapedText("rknpu"), load: .percentages(file)))
      break
    }
    for folder in ["/sys/devices", "/sys/devices/platform", "/sys/devices/platform/bus@0"] {
      for name in tree.names(folder) where Self.isAccelerator(name) {
        guard let file = tree.open("\(folder)/\(name)/load") else { continue }
        add(Node(name: EscapedText(string: name), load: .perMille(file)))
      }
    }
    let devfreq = "/sys/class/devfreq/"
    for name in tree.names(devfreq) where Self.isAccelerator(name) {
      let path = devfreq + name + "/"
      guard let clock = tree.open(path + "cur_freq") else { continue }
      var node = Node(name: EscapedText(string: name), clock: clock)
      node.maxMegahertz = Self.megahertz(tree.integer(path + "max_freq"))
      if let load = tree.open(path + "load") { node.load = .beforeClock(load) }
      add(node)
    }
  }

  private static func isAccelerator(_ name: String) -> Bool {
    let letters = Array(name.utf8)
    for word in names {
      let wanted = Array(word.utf8)
      guard letters.count >= wanted.count else { continue }
      for i in 0...letters.count - wanted.count where letters[i...].starts(with: wanted) {
        return true
      }
    }
    return false
  }

  /// One device may be known in two places: its load in one, its clock in the other.
  private func add(_ node: Node) {
    if let i = nodes.firstIndex(where: { $0.name == node.name }) {
      nodes[i].load = nodes[i].load ?? node.load
      nodes[i].clock = nodes[i].clock ?? node.clock
      nodes[i].maxMegahertz = nodes[i].maxMegahertz ?? node.maxMegahertz
    } else if nodes.count < Self.nodeLimit {
      nodes.append(node)
    }
  }

  private static func megahertz(_ hertz: Int64?) -> Double? {
    guard let hertz, hertz > 0 else { return nil }
    return Double(hertz) / 1e6
  }

  /// The mean of all numbers that stand before a percent sign; nil for none.
  static func percentages(_ text: Span<UInt8>) -> Double? {
    var sum = 0.0
    var count = 0
    var at = 0
    while at < text.count {
      let start = at
      if let number = ProbeText.number(in: text, at: &at) {
        if at < text.count, text[at] == 0x25, number <= 100 {
          sum += Double(number)
          count += 1
        }
      } else if at == start {
        at += 1
      }
    }
    return count > 0 ? sum / Double(count) : nil
  }

  private static func percent(_ load: Load) -> Double? {
    switch load {
    case .perMille(let file):
      guard let value = file.integer(), value >= 0, value <= 1000 else { return nil }
      return Double(value) / 10
    case .percentages(let file): return file.read { percentages($0) }
    case .beforeClock(let file):
      return file.read { text in
        var at = 0
        guard let value = ProbeText.number(in: text, at: &at), value <= 100 else { return nil }
        return Double(value)
      }
    }
  }

  func read() -> AcceleratorsReading {
    var reading = AcceleratorsReading()
    for node in nodes {
      var one = AcceleratorReading(name: node.name)
      one.loadPercent = node.load.flatMap { Self.percent($0) }
      one.megahertz = Self.megahertz(node.clock?.integer())
      one.maxMegahertz = node.maxMegahertz
      reading.list.append(one)
    }
    reading.reason = EscapedText(nodes.isEmpty ? "no accelerator tells" : "")
    return reading
  }
}
