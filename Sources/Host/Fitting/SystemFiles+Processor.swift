// Reads what /proc/cpuinfo says about the cores, on Arm and x86.

extension SystemFiles {
  /// The architecture and the clusters of equal cores, the highest clock first. `usableCores` cuts the
  /// slowest off; what is not said is left nil or called `unknown`.
  func processor(
    usableCores: Int?
  ) -> (architecture: DeviceProfile.Architecture, clusters: [DeviceProfile.Cluster]) {
    var architecture = Self.buildArchitecture
    var clusters: [DeviceProfile.Cluster] = []
    for (index, core) in cores().prefix(4096).enumerated() {
      let words = core["flags"] ?? core["Features"] ?? core["isa"] ?? ""
      if core["flags"] != nil { architecture = .amd64 }
      if core["Features"] != nil { architecture = core["CPU part"] == nil ? .armv7 : .aarch64 }
      let kilohertz = integer("sys/devices/system/cpu/cpu\(index)/cpufreq/cpuinfo_max_freq")
      let megahertz = core["cpu MHz"].flatMap(Double.init).map { ($0 / 100).rounded() * 100 }
      let cluster = DeviceProfile.Cluster(
        core: Self.coreName(core), coreCount: 1,
        clockHertz: kilohertz.map { Double($0) * 1000 } ?? megahertz.map { $0 * 1e6 },
        features: Self.features(words), f32OperationsPerSecondPerCore: nil,
        int8OperationsPerSecondPerCore: nil, activeWattsPerCore: nil)
      if let known = clusters.firstIndex(where: {
        $0.core == cluster.core && $0.features == cluster.features
      }) {
        clusters[known].coreCount += 1
        if let clock = cluster.clockHertz {
          clusters[known].clockHertz = max(clock, clusters[known].clockHertz ?? 0)
        }
      } else if clusters.count < 16 {
        clusters.append(cluster)
      }
    }
    if clusters.isEmpty {
      clusters = [
        DeviceProfile.Cluster(
          core: "unknown", coreCount: max(usableCores ?? 1, 1), clockHertz: nil, features: [],
          f32OperationsPerSecondPerCore: nil, int8OperationsPerSecondPerCore: nil,
          activeWattsPerCore: nil)
      ]
    }
    clusters.sort { ($0.clockHertz ?? 0) > ($1.clockHertz ?? 0) }
    return (architecture, Self.cut(clusters, to: usableCores))
  }

  /// The key-value pairs of each processor's paragraph; those that stand alone count for all.
  private func cores() -> [[String: String]] {
    var cores: [[String: String]] = []
    var shared: [String: String] = [:]
    for line in (text("proc/cpuinfo") ?? "").split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 1)
      guard let first = fields.first else { continue }
      let key = Self.trimmed(first)
      let value = fields.count == 2 ? Self.trimmed(fields[1]) : ""
      if key == "processor" {
        cores.append([:])
      } else if cores.isEmpty {
        shared[key] = value
      } else {
        cores[cores.count - 1][key] = value
      }
    }
    return cores.map { $0.merging(shared) { own, _ in own } }
  }

  private static func trimmed(_ text: Substring) -> String {
    text.split { $0 == " " || $0 == "\t" }.joined(separator: " ")
  }

  /// `count` cores, dropping from the slowest cluster; nil or too many leaves all.
  private static func cut(
    _ clusters: [DeviceProfile.Cluster], to count: Int?
  ) -> [DeviceProfile.Cluster] {
    guard var left = count, left > 0 else { return clusters }
    var kept: [DeviceProfile.Cluster] = []
    for var cluster in clusters where left > 0 {
      cluster.coreCount = min(cluster.coreCount, left)
      left -= cluster.coreCount
      kept.append(cluster)
    }
    return kept
  }

  private static var buildArchitecture: DeviceProfile.Architecture {
    #if arch(x86_64)
      .amd64
    #elseif arch(arm)
      .armv7
    #elseif arch(riscv64)
      .riscv64
    #else
      .aarch64
    #endif
  }

  private static func coreName(_ core: [String: String]) -> String {
    if let model = core["model name"], !model.isEmpty { return model }
    if let part = core["CPU part"] { return armParts[part] ?? "Arm core \(part)" }
    return core["uarch"] ?? core["Processor"] ?? "unknown"
  }

  /// Main ID register part numbers of Arm's own cores.
  private static let armParts = [
    "0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72", "0xd09": "Cortex-A73", "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1", "0xd0d": "Cortex-A77", "0xd40": "Neoverse-V1", "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE", "0xd44": "Cortex-X1", "0xd46": "Cortex-A510", "0xd47": "Cortex-A710",
    "0xd48": "Cortex-X2", "0xd49": "Neoverse-N2", "0xd4d": "Cortex-A715", "0xd4e": "Cortex-X3",
    "0xd4f": "Neoverse-V2", "0xd80": "Cortex-A520", "0xd81": "Cortex-A720", "0xd82": "Cortex-X4",
  ]

  /// The kernel's words for the extensions we know.
  private static let words: [(word: Substring, feature: DeviceProfile.Feature)] = [
    ("avx2", .avx2), ("fma", .fma), ("f16c", .f16c), ("avx_vnni", .avxvnni), ("avx512bw", .avx512),
    ("avx512_vnni", .avx512vnni), ("avx512_bf16", .avx512bf16), ("asimd", .neon), ("neon", .neon),
    ("asimdhp", .fp16), ("asimddp", .dotprod), ("bf16", .bf16), ("i8mm", .i8mm), ("sve", .sve),
  ]

  private static func features(_ text: String) -> [DeviceProfile.Feature] {
    let present = Set(text.split(separator: " "))
    return words.filter { present.contains($0.word) }.map(\.feature)
  }
}
