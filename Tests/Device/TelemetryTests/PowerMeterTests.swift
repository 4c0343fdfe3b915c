// What each machine's meter says: value, grade and reason, in one table; then the traps one by one.
import Foundation
import RecordedMachines
import Telemetry
import Testing

private let second: UInt64 = 1_000_000_000

/// A machine, what changes on it in the second between two looks, and what the second look must say.
struct MeterCase: CustomTestStringConvertible, Sendable {
  var name: String
  var files: [String: String]
  var later: [String: String] = [:]
  var watts: Double?
  var grade: PowerGrade
  var source: String
  /// Names of the rails that have watts.
  var rails: [String] = []

  var testDescription: String { name }

  static let all: [MeterCase] = [
    MeterCase(
      name: "Raspberry Pi 5", files: Machine.pi5, watts: 2.71891, grade: .partialMeter,
      source: "PMIC 12 rails",
      rails: [
        "3V7_WL_SW", "3V3_SYS", "1V8_SYS", "DDR_VDD2", "DDR_VDDQ", "1V1_SYS", "0V8_SW",
        "VDD_CORE", "3V3_DAC", "3V3_ADC", "0V8_AON", "HDMI",
      ]),
    MeterCase(
      name: "Jetson Nano, iio", files: Machine.nano, watts: 3.412, grade: .meter,
      source: "INA3221 POM_5V_IN", rails: ["POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"]),
    MeterCase(
      name: "Jetson Orin NX", files: Machine.orinNX, watts: 5.979072, grade: .meter,
      source: "INA3221 VDD_IN", rails: ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]),
    MeterCase(
      name: "Jetson AGX Orin", files: Machine.orinAGX, watts: 9.32, grade: .meter,
      source: "INA3221 sum of 4 rails",
      rails: ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"]),
    MeterCase(
      name: "Jetson Thor", files: Machine.thor, watts: 42, grade: .meter, source: "INA238 VIN",
      rails: ["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0", "VIN"]),
    MeterCase(
      name: "INA219 without power", files: Machine.ina219, watts: 3.264, grade: .meter,
      source: "INA219 rail 1", rails: ["rail 1"]),
    MeterCase(
      name: "x86 RAPL", files: Machine.x86(1_000_000, 500_000, 200_000),
      later: Machine.x86(16_000_000, 7_500_000, 2_200_000), watts: 17, grade: .partialMeter,
      source: "RAPL package and memory", rails: ["package-0", "core", "dram", "psys"]),
    MeterCase(
      name: "counter wrap", files: Machine.zone("0", "package-0", 262_143_000_000),
      later: Machine.zone("0", "package-0", 671_150), watts: 1, grade: .partialMeter,
      source: "RAPL package", rails: ["package-0"]),
    MeterCase(
      name: "counter set back", files: Machine.zone("0", "package-0", 900_000_000, range: 1000),
      later: Machine.zone("0", "package-0", 5, range: 1000), watts: nil, grade: .partialMeter,
      source: "RAPL: a counter was set back"),
    MeterCase(
      name: "laptop on battery",
      files: Machine.battery([
        "status": "Discharging", "power_now": "9800000", "energy_now": "49000000",
        "capacity": "81",
      ]), watts: 9.8, grade: .battery, source: "battery gauge"),
    MeterCase(
      name: "battery that tells amperes below zero",
      files: Machine.battery([
        "status": "Discharging", "current_now": "-850000", "voltage_now": "11800000",
        "charge_now": "3000000",
      ]), watts: 10.03, grade: .battery, source: "battery gauge"),
    MeterCase(
      name: "laptop on mains",
      files: Machine.battery(["status": "Not charging", "power_now": "0", "energy_now": "49000000"]
      ),
      watts: nil, grade: .unknown, source: "no meter found"),
    MeterCase(
      name: "no meter", files: [:], watts: nil, grade: .unknown, source: "no meter found"),
    MeterCase(
      name: "older Pi: the firmware knows no rails",
      files: ["dev/vcio/pmic_read_adc": "error=1 error_msg=\"Command not registered\"\n"],
      watts: nil, grade: .unknown, source: "no meter found"),
    MeterCase(
      name: "a rail that stops answering", files: Machine.orinNX,
      later: ["sys/class/hwmon/hwmon3/in1_input": ""], watts: nil, grade: .meter,
      source: "a rail does not answer", rails: ["VDD_CPU_GPU_CV", "VDD_SOC"]),
    MeterCase(
      name: "figures beyond any device",
      files: Machine.joined([Machine.channel(0, 1, "VDD_IN", 2_000_000_000, 2_000_000_000)]),
      watts: nil, grade: .unknown, source: "no meter found"),
  ]
}

struct PowerMeterTests {
  @Test(arguments: MeterCase.all) func machine(_ expected: MeterCase) throws {
    let tree = RecordedTree(expected.files)
    let sampler = tree.sampler
    _ = sampler.power(nowNanoseconds: second)
    tree.write(expected.later)
    let sample = sampler.power(nowNanoseconds: 2 * second)
    #expect(sample.grade == expected.grade)
    #expect(sample.source == EscapedText(Array(expected.source.utf8)))
    let rails = sample.rails.filter { $0.watts != nil }.map { $0.name.string }
    if let watts = expected.watts {
      #expect(abs(try #require(sample.watts) - watts) < 1e-6)
      // A second at this power, or what the counters counted in it.
      #expect(abs(try #require(sample.joules) - watts) < 1e-6)
      #expect(sample.joulesNanoseconds == second)
    } else {
      #expect(sample.watts == nil)
      #expect(sample.joules == nil)
    }
    #expect(rails == expected.rails)
  }

  /// A total carries its parts; the parts are marked so that nobody adds them to it.
  @Test func totalsAreMarked() {
    let rails = RecordedTree(Machine.thor).sampler.power(nowNanoseconds: 1).rails
    #expect(rails.filter { $0.isTotal }.map { $0.name.string } == ["VIN"])
    #expect(rails.filter { $0.isPart }.count == 3)
    let x86 = RecordedTree(Machine.x86(1, 2, 3)).sampler.power(nowNanoseconds: 1).rails
    #expect(x86.filter { $0.isPart }.map { $0.name.string } == ["core", "psys"])
  }

  @Test func voltsWithoutAmperesAreNoWatts() throws {
    let tree = RecordedTree(Machine.pi5)
    let rails = tree.sampler.power(nowNanoseconds: 1).rails
    #expect(rails.count == 14)
    let input = try #require(rails.first { $0.name.string == "EXT5V" })
    #expect(input.watts == nil)
    #expect(abs(try #require(input.volts) - 5.14116) < 1e-9)
  }

  @Test func batteryTellsHoursLeft() throws {
    let tree = RecordedTree(
      Machine.battery([
        "status": "Discharging", "current_now": "-850000", "voltage_now": "11800000",
        "charge_now": "3000000", "capacity": "64",
      ]))
    let battery = tree.sampler.power(nowNanoseconds: 1).battery
    #expect(abs(try #require(battery.wattHours) - 35.4) < 1e-9)
    #expect(abs(try #require(battery.hoursLeft) - 35.4 / 10.03) < 1e-9)
    #expect(battery.percent == 64)
    tree.write("sys/class/power_supply/BAT0/status", "Charging\n")
    let charging = tree.sampler.power(nowNanoseconds: 2).battery
    #expect(charging.watts == nil)
    #expect(charging.hoursLeft == nil)
    #expect(charging.reason == EscapedText("not discharging"))
  }

  /// The battery is a meter from the moment the plug is pulled, and no longer than that.
  @Test func batteryTakesOverWhenThePlugIsPulled() {
    let tree = RecordedTree(
      Machine.battery(["status": "Charging", "power_now": "20000000", "energy_now": "1000000"]))
    let sampler = tree.sampler
    #expect(sampler.power(nowNanoseconds: second).grade == .unknown)
    tree.write("sys/class/power_supply/BAT0/status", "Discharging\n")
    #expect(sampler.power(nowNanoseconds: 2 * second).grade == .battery)
    tree.write("sys/class/power_supply/BAT0/status", "Charging\n")
    #expect(sampler.power(nowNanoseconds: 3 * second).grade == .unknown)
  }

  @Test func everySourceIsToldInOrder() {
    let tried = RecordedTree([:]).sampler.powerTried
    #expect(
      tried.map { $0.name.string } == [
        "bench meter", "INA3221", "INA3221 (iio)", "INA2xx", "RAPL", "Pi PMIC", "battery",
      ])
    #expect(tried.allSatisfy { $0.outcome == .absent })
    let board = RecordedTree(Machine.orinNX)
    let orin = board.sampler
    #expect(orin.powerTried.last?.name == EscapedText("INA2xx"))
    #expect(orin.everyPowerSource().count == 7)
  }

  /// As a user who is not root: root may read what nobody else may.
  @Test func permissionIsToldWithItsRemedy() throws {
    let tree = RecordedTree(Machine.x86(1, 2, 3))
    for zone in ["0", "0:0", "0:2", "1"] {
      let file = "\(tree.root)/sys/class/powercap/intel-rapl:\(zone)/energy_uj"
      try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: file)
    }
    let sampler = SystemSampler(root: tree.root)
    let sample = asNobody { sampler.power(nowNanoseconds: 1) }
    #expect(sample.grade == .unknown)
    #expect(sample.watts == nil)
    #expect(
      sample.source.string
        == "not permitted: /sys/class/powercap/intel-rapl:0/energy_uj is readable by root only")
    let rapl = try #require(sampler.powerTried.first { $0.name.string == "RAPL" })
    #expect(rapl.outcome == .notPermitted)
    #expect(rapl.remedy.string.contains("SUBSYSTEM==\"powercap\""))
  }

  @Test func benchLines() {
    func parse(_ text: String) -> BenchLine? { BenchLine(Array(text.utf8)[...]) }
    #expect(parse("6.82")?.watts == 6.82)
    #expect(parse(" 6.82 W\r")?.watts == 6.82)
    #expect(parse("1732200123.25 7W")?.watts == 7)
    #expect(parse("1732200123.25 7W")?.seconds == 1_732_200_123.25)
    #expect(parse("12;0")?.watts == 0)
    for text in ["", "watts", "nan", "-1", "1e9", "1 2 3", "x 5", "-3 5", "5 V"] {
      #expect(parse(text) == nil)
    }
  }

  @Test func benchMeterFollowsItsFile() throws {
    let tree = RecordedTree(["meter": "time watts\n0.0 3\n0.5 4.5\n"])
    func append(_ text: String) throws {
      let file = try #require(FileHandle(forWritingAtPath: tree.root + "/meter"))
      _ = try file.seekToEnd()
      try file.write(contentsOf: Data(text.utf8))
      try file.close()
    }
    let sampler = SystemSampler(
      root: tree.root, settings: PowerSettings(meterPath: tree.root + "/meter"))
    // What stands there already is one value.
    let first = sampler.power(nowNanoseconds: 10 * second)
    #expect(first.watts == 4.5)
    #expect(first.joules == nil)
    #expect(first.grade == .meter)
    // Two lines at once: their times are theirs, not ours; the second line is not finished.
    try append("1.5 5.5\n2.5 6.5\n3.5 9")
    let both = sampler.power(nowNanoseconds: 12 * second)
    #expect(both.watts == 6.5)
    #expect(abs(try #require(both.joules) - (5 + 6)) < 1e-6)
    #expect(both.joulesNanoseconds == 2 * second)
    let silent = sampler.power(nowNanoseconds: 20 * second)
    #expect(silent.watts == nil)
    #expect(silent.source.string.hasSuffix("silent for 8 s"))
    #expect(silent.grade == .meter)
  }

  /// A pipe whose writer comes late, goes and comes back.
  @Test func benchMeterOnAPipe() throws {
    let tree = RecordedTree()
    let pipe = tree.root + "/fifo"
    try #require(mkfifo(pipe, 0o600) == 0)
    let sampler = SystemSampler(root: tree.root, settings: PowerSettings(meterPath: pipe))
    let none = sampler.power(nowNanoseconds: second)
    #expect(none.watts == nil)
    #expect(none.source.string.hasSuffix("no line yet"))
    for (watts, at) in [(6.0, UInt64(2)), (8.0, 3)] {
      let writer = try #require(FileHandle(forWritingAtPath: pipe))
      try writer.write(contentsOf: Data("\(watts)\n".utf8))
      let sample = sampler.power(nowNanoseconds: at * second)
      #expect(sample.watts == watts)
      #expect(sample.grade == .meter)
      try writer.close()
    }
    #expect(sampler.power(nowNanoseconds: 4 * second).watts == 8)
  }

  @Test func benchMeterThatIsNotThere() {
    let settings = PowerSettings(meterPath: "/nonexistent/meter")
    let tree = RecordedTree(Machine.orinNX)
    let sampler = SystemSampler(root: tree.root, settings: settings)
    #expect(sampler.power(nowNanoseconds: 1).source.string == "INA3221 VDD_IN")
    #expect(sampler.powerTried.first?.outcome == .noFigure)
  }

  @Test func carbonHasItsTwoFactors() throws {
    let world = CarbonReading(
      gridGramsPerKilowattHour: nil, watts: 6.82, joulesPerInference: 0.0329)
    #expect(world.isWorldAverage)
    #expect(abs(try #require(world.gramsPerHour) - 3.2395) < 1e-9)
    #expect(abs(try #require(world.gramsPerThousandInferences) - 0.004_340_972_2) < 1e-9)
    let unknown = CarbonReading(
      gridGramsPerKilowattHour: 30, watts: nil, joulesPerInference: nil)
    #expect(unknown.gramsPerHour == nil)
    #expect(unknown.gramsPerThousandInferences == nil)
    #expect(PowerSettings.gridIntensity("56.5") == 56.5)
    for text in ["", "-1", "5001", "green", "nan"] {
      #expect(PowerSettings.gridIntensity(text) == nil)
    }
  }
}

/// Runs `body` with this thread's files opened as user `nobody`.
func asNobody<T>(_ body: () -> T) -> T {
  // Not in the C library's module.
  typealias SetFileUser = @convention(c) (UInt32) -> Int32
  let address = dlsym(nil, "setfsuid")
  let setFileUser = unsafeBitCast(address, to: SetFileUser.self)
  _ = setFileUser(65534)
  defer { _ = setFileUser(geteuid()) }
  return body()
}
