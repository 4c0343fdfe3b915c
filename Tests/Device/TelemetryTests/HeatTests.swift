// Zones, clocks and what holds a machine back, on recorded trees.
import Foundation
import RecordedMachines
import Telemetry
import Testing

private let second: UInt64 = 1_000_000_000

struct HeatTests {
  private static let zone = "sys/class/thermal/thermal_zone"
  private static let cpu = "sys/devices/system/cpu/cpu"

  /// The slow half of the sampler answers at every second call.
  private func thermal(_ sampler: SystemSampler, _ call: UInt64 = 0) -> ThermalReading {
    _ = sampler.reading(nowNanoseconds: (2 * call + 1) * second)
    return sampler.reading(nowNanoseconds: (2 * call + 2) * second).thermal
  }

  static let board = Machine.joined([
    [
      "\(zone)0/type": "gpu-thermal\n", "\(zone)0/temp": "55100\n",
      // A sensor that is off says so with a number.
      "\(zone)1/type": "cv0-thermal\n", "\(zone)1/temp": "-256000\n",
      "\(zone)2/type": "cpu-thermal\n", "\(zone)2/temp": "71300\n",
      "\(zone)2/trip_point_0_type": "passive\n", "\(zone)2/trip_point_0_temp": "80000\n",
      "\(zone)2/trip_point_1_type": "passive\n", "\(zone)2/trip_point_1_temp": "85000\n",
      "\(zone)2/trip_point_2_type": "critical\n", "\(zone)2/trip_point_2_temp": "95000\n",
      "\(zone)10/type": "pmic\n", "\(zone)10/temp": "58000\n",
      "sys/class/thermal/cooling_device0/type": "thermal-cpufreq-0\n",
      "sys/class/thermal/cooling_device0/cur_state": "0\n",
      "sys/class/thermal/cooling_device0/max_state": "8\n",
    ],
    (0..<4).reduce(into: [:]) { files, core in
      files["\(cpu)\(core)/cpufreq/scaling_cur_freq"] = "2400000\n"
      files["\(cpu)\(core)/cpufreq/cpuinfo_max_freq"] = "2400000\n"
    },
  ])

  @Test func zonesTripsAndClocks() {
    let tree = RecordedTree(Self.board)
    let reading = thermal(tree.sampler)
    #expect(
      reading.zones.map { $0.name.string } == ["gpu-thermal", "cv0-thermal", "cpu-thermal", "pmic"])
    #expect(reading.zones.map { $0.celsius } == [55.1, nil, 71.3, 58])
    #expect(reading.celsius == 71.3)
    #expect(reading.zone == EscapedText("cpu-thermal"))
    #expect(reading.passiveCelsius == 80)
    #expect(reading.criticalCelsius == 95)
    #expect(reading.clocks.count == 4)
    #expect(reading.clocks[3] == ClockReading(core: 3, megahertz: 2400, maxMegahertz: 2400))
    #expect(
      reading.cooling == [
        CoolingReading(name: EscapedText("thermal-cpufreq-0"), state: 0, maxState: 8)
      ])
    #expect(reading.throttleCause == nil)
    #expect(reading.throttleWatch == EscapedText("clocks over trips"))
  }

  /// Without zones the processor's own sensors speak; a disk's does not.
  @Test func processorSensors() {
    let hwmon = "sys/class/hwmon/hwmon"
    let tree = RecordedTree([
      "\(hwmon)0/name": "nvme\n", "\(hwmon)0/temp1_input": "88000\n",
      "\(hwmon)1/name": "coretemp\n", "\(hwmon)1/temp1_input": "64000\n",
      "\(hwmon)1/temp1_label": "Package id 0\n", "\(hwmon)1/temp1_crit": "100000\n",
      "\(hwmon)1/temp2_input": "61000\n", "\(hwmon)1/temp2_label": "Core 0\n",
      "\(hwmon)1/in0_input": "1200\n",
    ])
    let reading = thermal(tree.sampler)
    #expect(reading.zones.map { $0.name.string } == ["Package id 0", "Core 0"])
    #expect(reading.celsius == 64)
    #expect(reading.criticalCelsius == 100)
  }

  @Test func theHighestOfTheRunIsKept() {
    let tree = RecordedTree(Self.board)
    let sampler = tree.sampler
    _ = thermal(sampler)
    tree.write("\(Self.zone)2/temp", "66000\n")
    let zone = thermal(sampler, 1).zones[2]
    #expect(zone.celsius == 66)
    #expect(zone.maxCelsius == 71.3)
  }

  /// What is off, in every way that boards have for saying so.
  @Test(arguments: ["-256000", "-256", "0", "-1", "", "x", "999999999"])
  func sentinelsAreNoTemperatures(text: String) {
    let tree = RecordedTree(["\(Self.zone)0/type": "soc\n", "\(Self.zone)0/temp": text + "\n"])
    let reading = thermal(tree.sampler)
    #expect(reading.celsius == nil)
    #expect(reading.zones.count == 1)
    #expect(reading.reason == EscapedText("no zone answers"))
  }

  @Test func nothingToTellThrottlingBy() {
    let reading = thermal(RecordedTree().sampler)
    #expect(reading.throttleWatch.isEmpty)
    let collector = Collector(
      facts: RunFacts(), nowNanoseconds: 0, sampler: RecordedTree().sampler)
    let throttle = collector.snapshot(nowNanoseconds: second).throttle
    #expect(throttle.isThrottled == nil)
    #expect(throttle.reason == EscapedText("nothing here tells of throttling"))
  }

  /// A machine, what happens to it, and what is then said to hold it back.
  struct Cause: Sendable {
    var files: [String: String]
    var later: [String: String]
    var text: String?
  }

  static let causes: [Cause] = [
    Cause(
      files: board,
      later: ["\(zone)2/temp": "82000\n", "\(cpu)0/cpufreq/scaling_cur_freq": "1800000\n"],
      text: "thermal: cpu-thermal over its trip"),
    Cause(
      files: board,
      later: [
        "\(zone)2/temp": "80000\n", "sys/class/thermal/cooling_device0/cur_state": "3\n",
      ], text: "thermal: cpu-thermal over its trip"),
    // A slow clock alone is an idle core; heat alone slows nothing.
    Cause(files: board, later: ["\(cpu)0/cpufreq/scaling_cur_freq": "600000\n"], text: nil),
    Cause(files: board, later: ["\(zone)2/temp": "82000\n"], text: nil),
    Cause(
      files: [
        "\(cpu)0/thermal_throttle/core_throttle_count": "17\n",
        "\(cpu)0/thermal_throttle/package_throttle_count": "4\n",
      ], later: ["\(cpu)0/thermal_throttle/package_throttle_count": "5\n"],
      text: "cpu thermal counter"),
    Cause(
      files: ["\(cpu)0/thermal_throttle/core_throttle_count": "17\n"], later: [:], text: nil),
    Cause(
      files: [
        "sys/class/hwmon/hwmon5/name": "soctherm_oc\n",
        "sys/class/hwmon/hwmon5/oc1_event_cnt": "0\n",
        "sys/class/hwmon/hwmon5/oc3_event_cnt": "2\n",
      ], later: ["sys/class/hwmon/hwmon5/oc3_event_cnt": "3\n"], text: "over-current"),
    Cause(
      files: Machine.pi5, later: ["dev/vcio/get_throttled": "throttled=0x80008\n"],
      text: "firmware: soft temperature limit"),
    Cause(
      files: Machine.pi5, later: ["dev/vcio/get_throttled": "throttled=0x50005\n"],
      text: "under-voltage"),
    // Since boot, but not now.
    Cause(
      files: Machine.pi5, later: ["dev/vcio/get_throttled": "throttled=0x50000\n"], text: nil),
    Cause(
      files: ["sys/devices/platform/soc/soc:firmware/get_throttled": "0\n"],
      later: ["sys/devices/platform/soc/soc:firmware/get_throttled": "6\n"],
      text: "firmware: throttled"),
  ]

  @Test(arguments: causes.indices) func cause(index: Int) {
    let expected = Self.causes[index]
    let tree = RecordedTree(expected.files)
    let sampler = tree.sampler
    #expect(thermal(sampler).throttleCause == nil)
    #expect(!thermal(sampler).throttleWatch.isEmpty)
    tree.write(expected.later)
    #expect(thermal(sampler, 1).throttleCause?.string == expected.text)
  }

  @Test(arguments: ["", "throttled=", "0x", "zz", "123456789", "throttled=0x1g"])
  func brokenFlagsAreNoFlags(text: String) {
    #expect(FirmwareFlags(Array(text.utf8)) == nil)
  }

  /// A run that is throttled for 30 s and takes 5 ms then instead of 4: since when, how long, what it
  /// costs, and two events.
  @Test func aThrottledRun() throws {
    let tree = RecordedTree(Self.board)
    let collector = Collector(facts: RunFacts(), nowNanoseconds: 0, sampler: tree.sampler)
    collector.setState(.running)
    var now = second
    func run(seconds: Int, duration: UInt64) {
      for _ in 0..<seconds * 10 {
        for i in 0..<5 {
          collector.recordInference(
            startNanoseconds: now + UInt64(i) * 10_000_000, durationNanoseconds: duration)
        }
        now += second / 10
        collector.poll(nowNanoseconds: now)
      }
    }
    run(seconds: 20, duration: 4_000_000)
    var throttle = collector.snapshot(nowNanoseconds: now).throttle
    #expect(throttle.isThrottled == false)
    #expect(throttle.count == 0)
    #expect(throttle.totalSeconds == 0)
    tree.write(Self.causes[0].later)
    run(seconds: 30, duration: 5_000_000)
    throttle = collector.snapshot(nowNanoseconds: now).throttle
    #expect(throttle.isThrottled == true)
    let current = try #require(throttle.current)
    #expect(abs(current.beginSeconds - 21) <= 1.1)
    #expect(current.maxCelsius == 82)
    #expect(abs(try #require(current.slowdown) - 0.25) < 0.02)
    #expect(abs(throttle.totalSeconds - 30) <= 1.1)
    tree.write(Self.board)
    run(seconds: 10, duration: 4_000_000)
    let snapshot = collector.snapshot(nowNanoseconds: now)
    #expect(snapshot.throttle.isThrottled == false)
    #expect(snapshot.throttle.current == nil)
    let last = try #require(snapshot.throttle.episodes.last)
    #expect(abs(try #require(last.endSeconds) - 53) <= 1.6)
    #expect(snapshot.throttle.causes.map { $0.cause } == [last.cause])
    #expect(snapshot.throttle.causes.first?.seconds == snapshot.throttle.totalSeconds)
    let events = snapshot.events.map { $0.text.string }
    #expect(
      events.first
        == "throttled: thermal: cpu-thermal over its trip, 82.0 °C, 2400>1800 MHz")
    #expect(events.count == 2)
    #expect(try #require(events.last).hasPrefix("throttling over after 3"))
    #expect(try #require(events.last).hasSuffix("latency +25 %"))
    #expect(snapshot.events.first?.level == .warning)
  }
}
