// A tree of /proc and /sys files for one test, and the machines that the tests know.
import Foundation
import Glibc
import Telemetry

/// A folder of files that is removed with the value.
package final class RecordedTree {
  package let root: String

  /// Writes files by their path below the root.
  package init(_ files: [String: String] = [:]) {
    root =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("telemetry-\(UUID().uuidString)").path
    try? FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    for (path, text) in files { write(path, text) }
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  /// Writes or overwrites a file in place, as a kernel's file changes: one that is open sees it.
  package func write(_ path: String, _ text: String) {
    let file = root + "/" + path
    let folder = (file as NSString).deletingLastPathComponent
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    let bytes = Array(text.utf8)
    _ = Glibc.write(descriptor, bytes, bytes.count)
    close(descriptor)
  }

  package func write(_ files: [String: String]) { for (path, text) in files { write(path, text) } }

  /// A sampler that has found and opened everything.
  package var sampler: SystemSampler {
    let sampler = SystemSampler(root: root)
    _ = sampler.powerTried
    return sampler
  }
}

extension EscapedText {
  package var string: String { String(decoding: utf8, as: UTF8.self) }
}

/// Machines as their kernels describe themselves.
package enum Machine {
  private static let hwmon = "sys/class/hwmon/hwmon"

  /// One channel of an INA3221: label, millivolts, milliamperes.
  package static func channel(
    _ chip: Int, _ number: Int, _ label: String, _ millivolts: Int, _ milliamperes: Int
  ) -> [String: String] {
    [
      "\(hwmon)\(chip)/name": "ina3221\n",
      "\(hwmon)\(chip)/in\(number)_label": label + "\n",
      "\(hwmon)\(chip)/in\(number)_input": "\(millivolts)\n",
      "\(hwmon)\(chip)/curr\(number)_input": "\(milliamperes)\n",
    ]
  }

  package static func joined(_ parts: [[String: String]]) -> [String: String] {
    parts.reduce(into: [:]) { all, part in all.merge(part) { $1 } }
  }

  /// Jetson Orin NX: the total has a rail of its own; channel 7 sums shunt voltages.
  package static let orinNX = joined([
    channel(3, 1, "VDD_IN", 5016, 1192), channel(3, 2, "VDD_CPU_GPU_CV", 5016, 400),
    channel(3, 3, "VDD_SOC", 5016, 312), channel(3, 7, "sum of shunt voltages", 120, 9999),
    ["\(hwmon)0/name": "nvme\n", "\(hwmon)0/power1_input": "1000000\n"],
  ])

  /// Jetson AGX Orin: two chips, no total, unused channels.
  package static let orinAGX = joined([
    channel(1, 1, "VDD_GPU_SOC", 19_000, 200), channel(1, 2, "VDD_CPU_CV", 19_000, 50),
    channel(1, 3, "VIN_SYS_5V0", 5000, 800), channel(2, 1, "NC", 19_000, 77),
    channel(2, 2, "VDDQ_VDD2_1V8AO", 19_000, 30), channel(2, 3, "NC", 19_000, 88),
  ])

  /// Jetson Nano under JetPack 4.
  package static let nano: [String: String] = {
    let chip = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/"
    return [
      chip + "rail_name_0": "POM_5V_IN\n", chip + "in_power0_input": "3412\n",
      chip + "rail_name_1": "POM_5V_GPU\n", chip + "in_power1_input": "80\n",
      chip + "rail_name_2": "POM_5V_CPU\n", chip + "in_voltage2_input": "5000\n",
      chip + "in_current2_input": "264\n",
    ]
  }()

  /// Jetson AGX Thor: a chip for the input that tells microwatts beside milli everything.
  package static let thor = joined([
    channel(2, 1, "VDD_GPU", 20_000, 900), channel(2, 2, "VDD_CPU_SOC_MSS", 20_000, 600),
    channel(2, 3, "VIN_SYS_5V0", 5000, 700),
    [
      "\(hwmon)4/name": "ina238\n", "\(hwmon)4/in1_label": "VIN\n",
      "\(hwmon)4/in1_input": "20000\n", "\(hwmon)4/curr1_input": "2100\n",
      "\(hwmon)4/power1_input": "42000000\n",
    ],
  ])

  /// A board with one INA219 that tells no power.
  package static let ina219 = [
    "\(hwmon)0/name": "ina219\n", "\(hwmon)0/in1_input": "5100\n",
    "\(hwmon)0/curr1_input": "640\n",
  ]

  package static let pmic = """
         3V7_WL_SW_A current(0)=0.00200000A
           3V3_SYS_A current(1)=0.10000000A
           1V8_SYS_A current(2)=0.15000000A
          DDR_VDD2_A current(3)=0.02000000A
          DDR_VDDQ_A current(4)=0.00000000A
           1V1_SYS_A current(5)=0.20000000A
            0V8_SW_A current(6)=0.35000000A
          VDD_CORE_A current(7)=2.00000000A
           3V3_DAC_A current(17)=0.00010000A
           3V3_ADC_A current(18)=0.00040000A
           0V8_AON_A current(16)=0.00400000A
              HDMI_A current(22)=0.01660000A
         3V7_WL_SW_V volt(8)=3.70000000V
           3V3_SYS_V volt(9)=3.30000000V
           1V8_SYS_V volt(10)=1.80000000V
          DDR_VDD2_V volt(11)=1.10000000V
          DDR_VDDQ_V volt(12)=0.60000000V
           1V1_SYS_V volt(13)=1.10000000V
            0V8_SW_V volt(14)=0.80000000V
          VDD_CORE_V volt(15)=0.75000000V
           3V3_DAC_V volt(20)=3.30000000V
           3V3_ADC_V volt(21)=3.30000000V
           0V8_AON_V volt(19)=0.80000000V
              HDMI_V volt(23)=5.10000000V
             EXT5V_V volt(24)=5.14116000V
              BATT_V volt(25)=0.00000000V

    """

  /// Raspberry Pi 5: the firmware's answers, its zone and its fan.
  package static let pi5 = [
    "dev/vcio/pmic_read_adc": pmic, "dev/vcio/get_throttled": "throttled=0x0\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "71300\n",
    "sys/class/thermal/thermal_zone0/trip_point_0_type": "critical\n",
    "sys/class/thermal/thermal_zone0/trip_point_0_temp": "110000\n",
    "sys/class/thermal/thermal_zone0/trip_point_1_type": "active\n",
    "sys/class/thermal/thermal_zone0/trip_point_1_temp": "50000\n",
    "sys/class/thermal/cooling_device0/type": "pwm-fan\n",
    "sys/class/thermal/cooling_device0/cur_state": "2\n",
    "sys/class/thermal/cooling_device0/max_state": "4\n",
  ]

  private static let rapl = "sys/class/powercap/intel-rapl"

  /// A zone of RAPL: its name, microjoules and range.
  package static func zone(
    _ place: String, _ name: String, _ microjoules: Int, range: Int = 262_143_328_850
  ) -> [String: String] {
    [
      "\(rapl):\(place)/name": name + "\n", "\(rapl):\(place)/energy_uj": "\(microjoules)\n",
      "\(rapl):\(place)/max_energy_range_uj": "\(range)\n",
    ]
  }

  /// A desktop: a package with its cores and memory, the platform, the package again under mmio.
  package static func x86(_ package: Int, _ core: Int, _ memory: Int) -> [String: String] {
    joined([
      zone("0", "package-0", package), zone("0:0", "core", core), zone("0:2", "dram", memory),
      zone("1", "psys", 5_000_000),
      [
        "\(rapl)-mmio:0/name": "package-0\n", "\(rapl)-mmio:0/energy_uj": "\(package)\n",
        "\(rapl)-mmio:0/max_energy_range_uj": "262143328850\n",
      ],
    ])
  }

  /// A laptop's battery beside a mouse's.
  package static func battery(_ files: [String: String]) -> [String: String] {
    let supply = "sys/class/power_supply/"
    return files.reduce(
      into: [
        supply + "AC/type": "Mains\n", supply + "mouse/type": "Battery\n",
        supply + "mouse/scope": "Device\n", supply + "mouse/status": "Discharging\n",
        supply + "mouse/power_now": "900000\n", supply + "BAT0/type": "Battery\n",
        supply + "BAT0/present": "1\n",
      ]) { all, file in all[supply + "BAT0/" + file.key] = file.value + "\n" }
  }
}
