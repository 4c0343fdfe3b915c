// Finds out what the machine it runs on is, from /proc and /sys. Nothing is measured.

import Foundation

extension DeviceProfile {
  /// This machine. RAM is what the kernel and the control groups leave; cores are those this process
  /// may use. Figures that have to be measured are nil.
  ///
  /// `root` is where `proc` and `sys` are found; `folder` is on the disk that counts as storage;
  /// `usableCores` is how many cores the process may use, if the caller knows.
  public static func host(
    root: String = "/", folder: String = FileManager.default.currentDirectoryPath,
    usableCores: Int? = ProcessInfo.processInfo.activeProcessorCount
  ) throws(ProfileError) -> DeviceProfile {
    let machine = SystemFiles(root: root)
    let (architecture, clusters) = machine.processor(usableCores: usableCores)
    guard let memory = machine.memory() else {
      throw ProfileError(
        source: "\(root)/proc/meminfo".replacing("//", with: "/"), keyPath: "MemTotal", offset: nil,
        reason: .unreadable("no memory figures there"))
    }
    let disk = try? FileManager.default.attributesOfFileSystem(forPath: folder)
    return DeviceProfile(
      name: hostName,
      description: "this machine: \(clusters[0].core)",
      cpu: Processor(architecture: architecture, clusters: clusters),
      memory: memory,
      storage: Storage(
        freeBytes: (disk?[.systemFreeSize] as? NSNumber)?.intValue ?? 0, readBytesPerSecond: nil),
      accelerator: nil, power: nil, measured: nil)
  }
}

/// The kernel's files below a root, read as text.
struct SystemFiles {
  let root: String

  /// The file's text; nil when it cannot be read. Reads at most 1 MiB.
  func text(_ path: String) -> String? {
    guard let file = FileHandle(forReadingAtPath: "\(root)/\(path)") else { return nil }
    defer { try? file.close() }
    guard let data = try? file.read(upToCount: 1 << 20) else { return nil }
    return String(decoding: data, as: UTF8.self)
  }

  func integer(_ path: String) -> Int? {
    text(path).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
  }

  /// Total and reserved bytes; nil without a believable MemTotal.
  func memory() -> DeviceProfile.Memory? {
    var figures: [Substring: Int] = [:]
    for line in (text("proc/meminfo") ?? "").split(separator: "\n") {
      let words = line.split { $0 == " " || $0 == ":" }
      guard words.count == 3, words[2] == "kB", let kibibytes = Int(words[1]) else { continue }
      let (bytes, isTooLarge) = kibibytes.multipliedReportingOverflow(by: 1024)
      if !isTooLarge, bytes >= 0 { figures[words[0]] = bytes }
    }
    guard var total = figures["MemTotal"], total > 0 else { return nil }
    // Kernels before 3.14 do not estimate what is available.
    var available = figures["MemAvailable"] ?? figures["MemFree"] ?? total
    for limit in controlGroupLimits() {
      total = min(total, limit.total)
      available = min(available, limit.available)
    }
    available = min(max(available, 1), total)
    return DeviceProfile.Memory(
      ramTotalBytes: total, ramReservedBytes: total - available, bandwidthBytesPerSecond: nil)
  }

  /// What the memory controllers of this process's groups and their parents allow, and have left.
  private func controlGroupLimits() -> [(total: Int, available: Int)] {
    var limits: [(total: Int, available: Int)] = []
    for line in (text("proc/self/cgroup") ?? "").split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let base: String
      let limit: String
      let usage: String
      if fields[1].isEmpty {
        (base, limit, usage) = ("sys/fs/cgroup", "memory.max", "memory.current")
      } else if fields[1].split(separator: ",").contains("memory") {
        base = "sys/fs/cgroup/memory"
        (limit, usage) = ("memory.limit_in_bytes", "memory.usage_in_bytes")
      } else {
        continue
      }
      // Every level counts, and inside of a container the group's path may not exist.
      var path = fields[2].split(separator: "/")
      guard path.count <= 32, !path.contains("..") else { continue }
      while true {
        let group = ([base] + path.map(String.init)).joined(separator: "/")
        if let total = integer("\(group)/\(limit)"), total > 0 {
          // Pages that only cache files are given back on demand.
          let cached = inactiveFileBytes("\(group)/memory.stat")
          let used = max((integer("\(group)/\(usage)") ?? 0) - cached, 0)
          limits.append((total, max(total - used, 0)))
        }
        if path.isEmpty { break }
        path.removeLast()
      }
    }
    return limits
  }

  private func inactiveFileBytes(_ path: String) -> Int {
    for line in (text(path) ?? "").split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2, words[0] == "inactive_file" || words[0] == "total_inactive_file" {
        return max(Int(words[1]) ?? 0, 0)
      }
    }
    return 0
  }
}
