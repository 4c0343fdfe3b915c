// The detected host: recorded /proc and /sys files, and this machine.

import Fitting
import Foundation
import Testing

@Suite struct HostProfileTests {
  /// A folder that holds `files`, while `body` runs.
  private func withRoot(_ files: [String: String], _ body: (String) throws -> Void) throws {
    let root = FileManager.default.temporaryDirectory.appending(
      path: "knapsack-\(ProcessInfo.processInfo.globallyUniqueString)")
    defer { try? FileManager.default.removeItem(at: root) }
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    for (path, text) in files {
      let file = root.appending(path: path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    try body(root.path)
  }

  private let memory = "MemTotal:  8000000 kB\nMemFree: 6000000 kB\nMemAvailable: 7000000 kB\n"

  /// /proc/cpuinfo of an RK3588: four little cores, then four big ones.
  private var bigLittle: String {
    let features = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimddp"
    return (0..<8).map { core in
      """
      processor\t: \(core)
      BogoMIPS\t: 48.00
      Features\t: \(features)
      CPU implementer\t: 0x41
      CPU part\t: \(core < 4 ? "0xd05" : "0xd0b")

      """
    }.joined(separator: "\n") + "Serial\t\t: 0123456789abcdef\n"
  }

  @Test func armClustersAreFoundFastestFirst() throws {
    var files = ["proc/cpuinfo": bigLittle, "proc/meminfo": memory]
    for core in 0..<8 {
      files["sys/devices/system/cpu/cpu\(core)/cpufreq/cpuinfo_max_freq"] =
        core < 4 ? "1800000\n" : "2400000\n"
    }
    try withRoot(files) { root in
      let profile = try DeviceProfile.host(root: root, usableCores: nil)
      #expect(profile.name == "host")
      #expect(profile.cpu.architecture == .aarch64)
      #expect(profile.cpu.clusters.map(\.core) == ["Cortex-A76", "Cortex-A55"])
      #expect(profile.cpu.clusters.map(\.coreCount) == [4, 4])
      #expect(profile.cpu.clusters.map(\.clockHertz) == [2.4e9, 1.8e9])
      #expect(profile.cpu.clusters[0].features == [.neon, .fp16, .dotprod])
      #expect(profile.memory.ramTotalBytes == 8_000_000 * 1024)
      #expect(profile.memory.ramReservedBytes == 1_000_000 * 1024)
      #expect(profile.power == nil)
      let five = try DeviceProfile.host(root: root, usableCores: 5)
      #expect(five.cpu.clusters.map(\.coreCount) == [4, 1])
    }
  }

  @Test func x86FeaturesAreFound() throws {
    let text = (0..<2).map {
      """
      processor\t: \($0)
      model name\t: Some CPU @ 2.60GHz
      cpu MHz\t\t: 2596.120
      flags\t\t: fpu sse2 avx fma f16c avx2 avx512f avx512bw avx512vl avx_vnni avx512_vnni

      """
    }.joined(separator: "\n")
    try withRoot(["proc/cpuinfo": text, "proc/meminfo": memory]) { root in
      let cpu = try DeviceProfile.host(root: root, usableCores: nil).cpu
      #expect(cpu.architecture == .amd64)
      #expect(cpu.clusters.count == 1)
      #expect(cpu.clusters[0].core == "Some CPU @ 2.60GHz")
      #expect(cpu.coreCount == 2)
      #expect(cpu.clusters[0].clockHertz == 2.6e9)
      #expect(cpu.clusters[0].features == [.avx2, .fma, .f16c, .avxvnni, .avx512, .avx512vnni])
    }
  }

  @Test func aGroupOfVersion2LimitsMemory() throws {
    // The parent's limit is the tighter one; 100 MiB of what is used only cache files.
    let files = [
      "proc/meminfo": memory, "proc/self/cgroup": "0::/outer/inner\n",
      "sys/fs/cgroup/outer/inner/memory.max": "max\n",
      "sys/fs/cgroup/outer/memory.max": "1073741824\n",
      "sys/fs/cgroup/outer/memory.current": "314572800\n",
      "sys/fs/cgroup/outer/memory.stat": "anon 1\ninactive_file 104857600\n",
    ]
    try withRoot(files) { root in
      let memory = try DeviceProfile.host(root: root).memory
      #expect(memory.ramTotalBytes == 1 << 30)
      #expect(memory.ramReservedBytes == 200 << 20)
    }
  }

  @Test func aGroupOfVersion1LimitsMemory() throws {
    let files = [
      "proc/meminfo": memory, "proc/self/cgroup": "4:cpu,memory:/job\n0::/\n",
      "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "536870912\n",
      "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "536870912000\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    ]
    try withRoot(files) { root in
      let memory = try DeviceProfile.host(root: root).memory
      #expect(memory.ramTotalBytes == 512 << 20)
      // Over its limit: next to nothing is left, but never less than nothing.
      #expect(memory.ramReservedBytes == (512 << 20) - 1)
    }
  }

  @Test(arguments: [
    "", "MemTotal: 0 kB\n", "MemTotal: 99999999999999999999 kB\n", "MemTotal: -5 kB\n",
    "MemTotal: 9223372036854775807 kB\n", "MemTotal\n", "\u{0}\u{1}",
  ])
  func unbelievableMemoryIsRefused(text: String) throws {
    try withRoot(["proc/meminfo": text]) { root in
      #expect(throws: ProfileError.self) { try DeviceProfile.host(root: root) }
    }
  }

  @Test(arguments: ["", ":", "processor", "processor : x\n: :\nFeatures\n", "\u{FFFD}\n\n\n"])
  func aStrangeCPUInfoStillGivesACore(text: String) throws {
    try withRoot(["proc/meminfo": memory, "proc/cpuinfo": text]) { root in
      let cpu = try DeviceProfile.host(root: root, usableCores: 3).cpu
      #expect((1...3).contains(cpu.coreCount))
      #expect(cpu.clusters.allSatisfy { !$0.core.isEmpty })
    }
  }

  @Test func thisMachineIsDetected() throws {
    let profile = try DeviceProfile.named("host")
    #expect(profile.cpu.coreCount >= 1)
    #expect(profile.cpu.coreCount <= ProcessInfo.processInfo.activeProcessorCount)
    #expect(profile.memory.ramTotalBytes <= Int(ProcessInfo.processInfo.physicalMemory))
    #expect(profile.memory.ramReservedBytes >= 0)
    #expect(FitBudget(profile).ramBytes > 0)
    #expect(profile.storage.freeBytes > 0)
  }
}
