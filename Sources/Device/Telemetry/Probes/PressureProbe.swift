// What presses on the process from outside: stalls, and the limits of its control groups.
import Bytes
import Platform

/// /proc/pressure.
final class PressureProbe {
  private let memory: PolledFile?
  private let cpu: PolledFile?
  private let io: PolledFile?

  init(_ tree: SensorTree) {
    memory = tree.open("/proc/pressure/memory", capacity: 256)
    cpu = tree.open("/proc/pressure/cpu", capacity: 256)
    io = tree.open("/proc/pressure/io", capacity: 256)
  }

  /// The percentage behind `avg10=` on the line that begins with `kind`.
  static func average(_ kind: StaticString, in text: Span<UInt8>) -> Double? {
    var at = 0
    while at < text.count {
      if ProbeText.matches(kind, in: text, at: at) {
        var start = at + kind.utf8CodeUnitCount
        guard ProbeText.matches(" avg10=", in: text, at: start) else { return nil }
        start += 7
        var end = start
        while end < text.count, text[end] != 0x20, text[end] != 0x0A { end += 1 }
        guard let value = NumberText.double(text.extracting(start..<end)), value >= 0, value <= 100
        else { return nil }
        return value
      }
      while at < text.count, text[at] != 0x0A { at += 1 }
      at += 1
    }
    return nil
  }

  private static func averages(_ file: PolledFile?) -> (some: Double?, full: Double?) {
    file?.read { (average("some", in: $0), average("full", in: $0)) } ?? (nil, nil)
  }

  func read() -> PressureReading {
    var reading = PressureReading()
    (reading.memorySome, reading.memoryFull) = Self.averages(memory)
    (reading.cpuSome, _) = Self.averages(cpu)
    (reading.ioSome, reading.ioFull) = Self.averages(io)
    if memory == nil, cpu == nil, io == nil {
      reading.reason = EscapedText("no /proc/pressure")
    } else if reading.memorySome == nil {
      reading.reason = EscapedText("pressure stalls are switched off")
    } else {
      reading.reason = EscapedText("")
    }
    return reading
  }
}

/// The control groups that this process is in, from its own up to the root, of either version.
final class LimitProbe {
  private struct Level {
    var limit: PolledFile
    var usage: PolledFile?
  }
  private struct Quota {
    /// Version 2: `max 100000` or `50000 100000`. Version 1: the quota alone.
    var quota: PolledFile
    var period: PolledFile?
  }

  private static let mount = "/sys/fs/cgroup"
  private static let depthLimit = 16
  /// From here on a limit of version 1 is none: it is rounded down from the largest number.
  private static let unlimited: Int64 = 1 << 60

  private var version: Int?
  private var levels: [Level] = []
  private var quotas: [Quota] = []

  init(_ tree: SensorTree) {
    guard let text = tree.text("/proc/self/cgroup") else { return }
    for line in text.split(separator: 0x0A).prefix(64) {
      let parts = line.split(separator: 0x3A, maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let path = Self.components(parts[2])
      let controllers = parts[1].split(separator: 0x2C).map { Array($0) }
      if parts[1].isEmpty {
        addSecond(tree, path)
      } else if controllers.contains(Array("memory".utf8)) {
        addFirstMemory(tree, path)
      } else if controllers.contains(Array("cpu".utf8)) {
        addFirstQuota(tree, String(decoding: parts[1], as: UTF8.self), path)
      }
    }
  }

  /// The folders of a path; none where it leaves the hierarchy, as seen from inside a container.
  private static func components(_ path: ArraySlice<UInt8>) -> [String] {
    var names: [String] = []
    for part in path.split(separator: 0x2F) {
      if part.elementsEqual("..".utf8) { return [] }
      names.append(String(decoding: part, as: UTF8.self))
    }
    return Array(names.prefix(depthLimit))
  }

  /// The group and those above it, its own first.
  private static func folders(_ base: String, _ path: [String]) -> [String] {
    (0...path.count).map { base + path.dropLast($0).reduce("") { $0 + "/" + $1 } + "/" }
  }

  private func addSecond(_ tree: SensorTree, _ path: [String]) {
    for base in [Self.mount, Self.mount + "/unified"] {
      guard tree.text(base + "/cgroup.controllers") != nil else { continue }
      version = version ?? 2
      for folder in Self.folders(base, path) {
        if let limit = tree.open(folder + "memory.max") {
          levels.append(Level(limit: limit, usage: tree.open(folder + "memory.current")))
        }
        if let quota = tree.open(folder + "cpu.max") {
          quotas.append(Quota(quota: quota, period: nil))
        }
      }
    }
  }

  private func addFirstMemory(_ tree: SensorTree, _ path: [String]) {
    for folder in Self.folders(Self.mount + "/memory", path) {
      guard let limit = tree.open(folder + "memory.limit_in_bytes") else { continue }
      version = 1
      levels.append(Level(limit: limit, usage: tree.open(folder + "memory.usage_in_bytes")))
    }
  }

  private func addFirstQuota(_ tree: SensorTree, _ controllers: String, _ path: [String]) {
    for name in ["cpu", controllers] {
      for folder in Self.folders(Self.mount + "/" + name, path) {
        guard let quota = tree.open(folder + "cpu.cfs_quota_us"),
          let period = tree.open(folder + "cpu.cfs_period_us")
        else { continue }
        version = 1
        quotas.append(Quota(quota: quota, period: period))
      }
      if !quotas.isEmpty { return }
    }
  }

  /// Cores of `max 100000` or `150000 100000`; nil for no limit.
  static func cores(_ text: Span<UInt8>) -> Double? {
    var at = 0
    guard let quota = ProbeText.number(in: text, at: &at),
      let period = ProbeText.number(in: text, at: &at), quota > 0, period > 0
    else { return nil }
    return Double(quota) / Double(period)
  }

  func read() -> LimitReading {
    var reading = LimitReading()
    reading.version = version
    for level in levels {
      guard let limit = level.limit.integer(), limit > 0, limit < Self.unlimited,
        UInt64(limit) < reading.memoryLimit ?? .max
      else { continue }
      reading.memoryLimit = UInt64(limit)
      reading.memoryUsage = level.usage?.integer().flatMap { $0 >= 0 ? UInt64($0) : nil }
    }
    for quota in quotas {
      var cores: Double?
      if let period = quota.period {
        if let allowed = quota.quota.integer(), let length = period.integer(), allowed > 0,
          length > 0
        {
          cores = Double(allowed) / Double(length)
        }
      } else {
        cores = quota.quota.read { Self.cores($0) }
      }
      if let cores { reading.cpuQuotaCores = min(reading.cpuQuotaCores ?? cores, cores) }
    }
    reading.reason = EscapedText(
      version == nil
        ? "no control groups"
        : levels.isEmpty
          ? "no memory controller" : reading.memoryLimit == nil ? "no memory limit" : "")
    return reading
  }
}
