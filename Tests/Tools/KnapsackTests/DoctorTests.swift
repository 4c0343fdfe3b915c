// knapsack doctor power on recorded machines, and where a run's figures come from there.

import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct DoctorTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  /// Writes files below `root` of this test's folder.
  private func tree(_ files: [String: String]) throws -> String {
    let root = folder.path("root")
    for (path, text) in files {
      let file = root + "/" + path
      try FileManager.default.createDirectory(
        atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    }
    return root
  }

  private static let orin = [
    "sys/class/hwmon/hwmon3/name": "ina3221\n",
    "sys/class/hwmon/hwmon3/in1_label": "VDD_IN\n", "sys/class/hwmon/hwmon3/in1_input": "5000\n",
    "sys/class/hwmon/hwmon3/curr1_input": "1200\n",
    "sys/class/hwmon/hwmon3/in2_label": "VDD_SOC\n", "sys/class/hwmon/hwmon3/in2_input": "5000\n",
    "sys/class/hwmon/hwmon3/curr2_input": "300\n",
  ]

  @Test func aBoardWithAMeter() throws {
    let root = try tree(Self.orin)
    let outcome = try Tool.knapsack.run(
      ["doctor", "power", "--target", "raspberry-pi-5", "--grid-intensity", "56"],
      environment: ["KNAPSACK_SYSROOT": root])
    #expect(outcome.status == 0)
    let text = outcome.text
    #expect(text.contains("  2  INA3221        works          2 rails\n"))
    #expect(text.contains("\nnow      6.00 W  [A] INA3221 VDD_IN, mean of 1 s\n"))
    #expect(text.contains("  VDD_SOC               1.50 W  part of the total\n"))
    #expect(text.contains("profile raspberry-pi-5"))
    #expect(text.contains("\nCO2e     kWh x 56.0 g/kWh\n"))
    #expect(text.contains("  8  model"))
  }

  @Test func aMachineWithoutAMeter() throws {
    let root = try tree(["proc/version": "none\n"])
    let outcome = try Tool.knapsack.run(
      ["doctor", "power"], environment: ["KNAPSACK_SYSROOT": root])
    #expect(outcome.status == 0)
    #expect(outcome.text.contains("\nnow      -  no meter found\n"))
    #expect(outcome.text.contains("no intel-rapl zone in /sys/class/powercap/"))
    #expect(outcome.text.contains("475 g/kWh, the world's average"))
  }

  @Test func wrongIntensities() throws {
    for text in ["-1", "green", "5001"] {
      let line = try Tool.knapsack.refusal(64, ["doctor", "power", "--grid-intensity=\(text)"])
      #expect(line.contains("0 to 5000"))
    }
    let bundle = try DigitsBundle.path()
    try Tool.knapsackRun.refusal(64, ["run", bundle, "--grid-intensity", "green"])
  }

  /// A meter that is not there is not silently another one.
  @Test func missingMeters() throws {
    let root = try tree(Self.orin)
    let bundle = try DigitsBundle.path()
    for tool in [Tool.knapsack, Tool.knapsackRun] {
      let outcome = try tool.run(
        ["run", bundle, "--power-from", folder.path("none")],
        environment: ["KNAPSACK_SYSROOT": root])
      #expect(outcome.status == 66 && outcome.error.contains("none"), "\(outcome.error)")
      #expect(outcome.output.isEmpty)
    }
  }

  /// Both tools take their power from the same meters: the board's, or one's own before it.
  @Test(arguments: [false, true]) func runsNameTheirMeter(hasBench: Bool) throws {
    let root = try tree(Self.orin)
    let meter = folder.path("meter")
    try Data("watts\n12.5\n".utf8).write(to: URL(fileURLWithPath: meter))
    let bundle = try DigitsBundle.path()
    for tool in [Tool.knapsack, Tool.knapsackRun] {
      let outcome = try tool.run(
        ["run", bundle, "--format", "json"] + (hasBench ? ["--power-from", meter] : []),
        environment: ["KNAPSACK_SYSROOT": root])
      let energy = try #require(try outcome.object()["energy_per_inference"] as? [String: Any])
      #expect(energy["grade"] as? String == "A")
      #expect(energy["source"] as? String == (hasBench ? "meter \(meter)" : "INA3221 VDD_IN"))
      // A run of a moment says nothing about energy per inference.
      #expect(energy["energy_j"] is NSNull)
    }
  }
}
