// Stalls, limits, faults, growth and accelerators, on recorded trees.
import Foundation
import Randomness
import RecordedMachines
import Telemetry
import Testing

private let second: UInt64 = 1_000_000_000

struct PressureTests {
  private func memory(_ files: [String: String]) -> MemoryReading {
    RecordedTree(files).sampler.reading(nowNanoseconds: second).memory
  }

  private static let stalls = [
    "proc/pressure/memory":
      "some avg10=1.25 avg60=0.50 avg300=0.10 total=12345\n"
      + "full avg10=0.75 avg60=0.00 avg300=0.00 total=99\n",
    "proc/pressure/cpu": "some avg10=12.50 avg60=0.00 avg300=0.00 total=1\n",
    "proc/pressure/io":
      "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
      + "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
  ]

  @Test func stallFigures() {
    let pressure = memory(Self.stalls).pressure
    #expect(pressure.memorySome == 1.25)
    #expect(pressure.memoryFull == 0.75)
    #expect(pressure.cpuSome == 12.5)
    #expect(pressure.ioSome == 0)
    #expect(pressure.ioFull == 0)
    #expect(pressure.reason.isEmpty)
  }

  /// Switched off, absent or of another form: no figure, and why.
  @Test func missingStallsAreUnknown() {
    let none = memory([:]).pressure
    #expect(none.memorySome == nil)
    #expect(none.reason == EscapedText("no /proc/pressure"))
    for text in ["", "some avg60=1\n", "some avg10=x\n", "some avg10=101\n", "full avg10=1.00\n"] {
      let off = memory(["proc/pressure/memory": text]).pressure
      #expect(off.memorySome == nil)
      #expect(off.reason == EscapedText("pressure stalls are switched off"))
    }
  }

  /// Version 2: the tightest limit on the way to the root counts, with the use of that group.
  @Test func secondVersion() {
    let group = "sys/fs/cgroup"
    let limits = memory([
      "proc/self/cgroup": "0::/user.slice/app\n", "\(group)/cgroup.controllers": "cpu memory\n",
      "\(group)/user.slice/memory.max": "67108864\n",
      "\(group)/user.slice/memory.current": "33554432\n",
      "\(group)/user.slice/app/memory.max": "max\n",
      "\(group)/user.slice/app/memory.current": "1048576\n",
      "\(group)/user.slice/app/cpu.max": "150000 100000\n",
      "\(group)/user.slice/cpu.max": "max 100000\n",
    ]).limits
    #expect(limits.version == 2)
    #expect(limits.memoryLimit == 67_108_864)
    #expect(limits.memoryUsage == 33_554_432)
    #expect(limits.cpuQuotaCores == 1.5)
    #expect(limits.reason.isEmpty)
  }

  /// Version 1, seen from inside a container: the path of the host is not there, the root is.
  @Test func firstVersion() {
    let group = "sys/fs/cgroup"
    let limits = memory([
      "proc/self/cgroup": "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n",
      "\(group)/memory/memory.limit_in_bytes": "134217728\n",
      "\(group)/memory/memory.usage_in_bytes": "20971520\n",
      "\(group)/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
      "\(group)/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    ]).limits
    #expect(limits.version == 1)
    #expect(limits.memoryLimit == 134_217_728)
    #expect(limits.memoryUsage == 20_971_520)
    #expect(limits.cpuQuotaCores == 0.5)
  }

  @Test func noLimitIsNotALimitOfZero() {
    let group = "sys/fs/cgroup/memory"
    let open = memory([
      "proc/self/cgroup": "9:memory:/\n",
      "\(group)/memory.limit_in_bytes": "9223372036854771712\n",
      "\(group)/memory.usage_in_bytes": "1\n",
    ]).limits
    #expect(open.memoryLimit == nil)
    #expect(open.memoryUsage == nil)
    #expect(open.reason == EscapedText("no memory limit"))
    #expect(memory([:]).limits.reason == EscapedText("no control groups"))
    // A path that climbs out of the tree is not followed.
    let outside = memory([
      "proc/self/cgroup": "9:memory:/../../secret\n", "secret/memory.limit_in_bytes": "5\n",
    ]).limits
    #expect(outside.memoryLimit == nil)
  }

  private static func process(faults: Int, switches: Int, anonymous: Int = 100) -> [String: String]
  {
    [
      "proc/self/stat": "1 (k) S 1 1 1 0 -1 0 10 0 \(faults) 0 0 0 0 0 20 0 5 0 1 1\n",
      "proc/self/status":
        "VmRSS:\t  900 kB\nRssAnon:\t  \(anonymous) kB\nnonvoluntary_ctxt_switches:\t\(switches)\n",
    ]
  }

  @Test func faultsAndSwitchesPerSecond() {
    let tree = RecordedTree(Self.process(faults: 10, switches: 100))
    let sampler = tree.sampler
    let first = sampler.reading(nowNanoseconds: second).memory
    #expect(first.majorFaultsPerSecond == nil)
    #expect(first.involuntarySwitchesPerSecond == nil)
    tree.write(Self.process(faults: 13, switches: 120))
    let later = sampler.reading(nowNanoseconds: 3 * second).memory
    #expect(later.majorFaultsPerSecond == 1.5)
    #expect(later.involuntarySwitchesPerSecond == 10)
    // Counters that went back are another process's.
    tree.write(Self.process(faults: 1, switches: 1))
    let back = sampler.reading(nowNanoseconds: 4 * second).memory
    #expect(back.majorFaultsPerSecond == nil)
  }

  /// This machine has no limits on what may be read of the own process.
  @Test func ownProcess() {
    let sampler = SystemSampler(root: "")
    _ = sampler.reading(nowNanoseconds: second)
    let reading = sampler.reading(nowNanoseconds: 2 * second)
    #expect((reading.memory.resident ?? 0) > 1 << 20)
    #expect(reading.memory.involuntarySwitchesPerSecond != nil)
    #expect(reading.cpuNanoseconds != nil)
  }

  /// Memory that grows by 4 kB every two seconds on a saw of 32 kB: 7.37 MB/h.
  @Test func growthIsTheSlopeAfterTheWarmUp() throws {
    var facts = RunFacts()
    facts.warmUpCount = 1
    let tree = RecordedTree(Self.process(faults: 0, switches: 0, anonymous: 90_000))
    let collector = Collector(facts: facts, nowNanoseconds: 0, sampler: tree.sampler)
    collector.setState(.running)
    var now = second
    func run(_ polls: Int, _ anonymous: (Int) -> Int) {
      for i in 0..<polls {
        tree.write(Self.process(faults: 0, switches: 0, anonymous: anonymous(i)))
        now += second / 2
        collector.recordInference(startNanoseconds: now - 1000, durationNanoseconds: 1000)
        collector.poll(nowNanoseconds: now)
      }
    }
    run(100) { 10_000 + $0 / 4 * 4 + $0 % 8 * 4 }
    // 50 s are too few.
    #expect(collector.snapshot(nowNanoseconds: now).memory.growth.kilobytesPerHour == nil)
    run(500) { 10_100 + $0 / 4 * 4 + $0 % 8 * 4 }
    let growth = collector.snapshot(nowNanoseconds: now).memory.growth
    #expect(abs(growth.overSeconds - 300) < 3)
    let slope = try #require(growth.kilobytesPerHour)
    #expect(abs(slope / (4096 * 1800 / 1000) - 1) < 0.02)
    #expect(try #require(growth.correlation) > 0.98)
  }

  @Test func steadyMemoryDoesNotGrow() {
    let tree = RecordedTree(Self.process(faults: 0, switches: 0))
    let collector = Collector(facts: RunFacts(), nowNanoseconds: 0, sampler: tree.sampler)
    collector.setState(.running)
    for i in 1..<200 {
      let now = UInt64(i) * second / 2
      collector.recordInference(startNanoseconds: now - 1000, durationNanoseconds: 1000)
      collector.poll(nowNanoseconds: now)
    }
    let growth = collector.snapshot(nowNanoseconds: 100 * second).memory.growth
    #expect(growth.kilobytesPerHour == 0)
    #expect(growth.correlation == nil)
  }

  @Test func accelerators() throws {
    let tree = RecordedTree([
      "sys/kernel/debug/rknpu/load": "NPU load:  Core0: 30%, Core1: 60%, Core2:  0%,\n",
      "sys/devices/platform/17000000.gpu/load": "437\n",
      "sys/class/devfreq/17000000.gpu/cur_freq": "612000000\n",
      "sys/class/devfreq/17000000.gpu/max_freq": "918000000\n",
      "sys/class/devfreq/fb000000.gpu-mali/cur_freq": "300000000\n",
      "sys/class/devfreq/fb000000.gpu-mali/load": "35@300000000Hz\n",
      "sys/class/devfreq/dmc/cur_freq": "2112000000\n",
    ])
    let list = tree.sampler.reading(nowNanoseconds: second).accelerators.list
    #expect(list.map { $0.name.string } == ["rknpu", "17000000.gpu", "fb000000.gpu-mali"])
    #expect(list.map { $0.loadPercent } == [30, 43.7, 35])
    #expect(list.map { $0.megahertz } == [nil, 612, 300])
    #expect(list.map { $0.maxMegahertz } == [nil, 918, nil])
    let none = RecordedTree().sampler.reading(nowNanoseconds: second).accelerators
    #expect(none.reason == EscapedText("no accelerator tells"))
  }

  /// Whatever the files hold, nothing crashes and nothing becomes a zero that was not there.
  @Test func hostileTrees() {
    var random = SeededRandom(state: 7)
    let paths = Array(
      Machine.joined([
        HeatTests.board, Machine.pi5, Machine.thor, Machine.nano, Machine.x86(1, 2, 3),
        Machine.battery(["status": "Discharging", "power_now": "1", "capacity": "1"]), Self.stalls,
        Self.process(faults: 1, switches: 1),
        [
          "proc/self/cgroup": "", "sys/fs/cgroup/cgroup.controllers": "",
          "sys/fs/cgroup/memory.max": "", "sys/fs/cgroup/cpu.max": "",
          "sys/kernel/debug/rknpu/load": "", "sys/class/devfreq/gpu/cur_freq": "",
        ],
      ]).keys
    ).sorted()
    let texts = [
      "", "\n", "-", "9223372036854775807\n", "-9223372036854775808\n", "18446744073709551616\n",
      "max 0\n", "0 0\n", "0::/\n", ":::\n", "%%%", "1%", "=\n", "A A A=\n", "x_A y=1e400A\n",
      "some avg10=", String(repeating: "9", count: 3000), "Discharging\n", "\u{0}\u{0}",
      "passive\n", "ina3221\n", "NC\n", "0:memory:/a/b\n",
    ]
    for _ in 0..<40 {
      let tree = RecordedTree()
      for path in paths { tree.write(path, texts[Int(random.next() % UInt64(texts.count))]) }
      let sampler = SystemSampler(
        root: tree.root, settings: PowerSettings(meterPath: tree.root + "/proc/self/cgroup"))
      for call in 1..<4 {
        let sample = sampler.power(nowNanoseconds: UInt64(call) * second)
        if let watts = sample.watts { #expect(watts >= 0 && watts <= 20_000) }
        let reading = sampler.reading(nowNanoseconds: UInt64(call) * second)
        for zone in reading.thermal.zones { #expect((zone.celsius ?? 1) > 0) }
        if let limit = reading.memory.limits.memoryLimit { #expect(limit > 0) }
      }
    }
  }
}
