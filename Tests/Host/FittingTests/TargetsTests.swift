// The profiles that come with the tool: each decodes, says where its figures come from, and fits together.

import Bytes
import Fitting
import Foundation
import Testing

/// The folder Targets of the repository this test was built from.
let targetsFolder = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appending(path: "Targets")

let targetNames =
  (try? FileManager.default.contentsOfDirectory(atPath: targetsFolder.path))?
  .filter { $0.hasSuffix(".json5") }.map { String($0.dropLast(6)) }.sorted() ?? []

func targetBytes(_ name: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: targetsFolder.appending(path: "\(name).json5")))
}

@Suite struct TargetsTests {
  @Test(arguments: targetNames)
  func everyTargetDecodes(name: String) throws {
    let profile = try DeviceProfile(json5: targetBytes(name), source: name)
    #expect(profile.name == name)
    #expect(profile.power != nil)
    #expect(profile.memory.bandwidthBytesPerSecond != nil)
    let budget = FitBudget(profile)
    #expect(budget.ramBytes == profile.memory.ramTotalBytes - profile.memory.ramReservedBytes)
    #expect(budget.ramBytes > 100 << 20, "what is left is too little to be a device of ours")
    #expect(budget.storageBytes == profile.storage.freeBytes)
  }

  @Test func theToolCarriesEveryFile() throws {
    #expect(try DeviceProfile.all().map(\.name) == targetNames)
    for name in [
      "linux-x86_64-avx2", "vps-2gb", "raspberry-pi-5", "raspberry-pi-4", "raspberry-pi-zero-2w",
      "jetson-orin-nano", "orange-pi-5", "imx8m-plus", "imx93", "snapdragon-phone",
    ] {
      let carried = try DeviceProfile.named(name, folder: nil)
      #expect(try carried == DeviceProfile(json5: targetBytes(name), source: name))
    }
  }

  /// A figure without a source is a guess that nobody can check.
  @Test(arguments: targetNames)
  func everyFigureHasItsSource(name: String) throws {
    let lines = String(decoding: try targetBytes(name), as: UTF8.self)
      .split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    for (index, line) in lines.enumerated() {
      guard let colon = line.firstIndex(of: ":"), !line.hasPrefix("//") else { continue }
      let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
      guard value.first?.isNumber == true else { continue }
      let hasSource = line.contains("//") || lines[index - 1].hasPrefix("//")
      #expect(hasSource, "\(name): no source for \(line)")
    }
  }

  /// The energy of an operation is the core's power over its rate, on one of the clusters.
  @Test(arguments: targetNames)
  func energyAgreesWithPower(name: String) throws {
    let profile = try DeviceProfile(json5: targetBytes(name), source: name)
    let power = try #require(profile.power)
    func agrees(_ picojoules: Double, _ rate: (DeviceProfile.Cluster) -> Double?) -> Bool {
      profile.cpu.clusters.contains { cluster in
        guard let rate = rate(cluster), let watts = cluster.activeWattsPerCore else { return false }
        return abs(picojoules * rate / 1e12 / watts - 1) < 0.05
      }
    }
    #expect(agrees(power.picojoulesPerF32Operation) { $0.f32OperationsPerSecondPerCore })
    #expect(agrees(power.picojoulesPerInt8Operation) { $0.int8OperationsPerSecondPerCore })
  }

  @Test(arguments: targetNames)
  func aProfileReadsBackFromItsJSON(name: String) throws {
    let profile = try DeviceProfile(json5: targetBytes(name), source: name)
    var json = JSONWriter()
    profile.write(to: &json)
    #expect(try DeviceProfile(json5: json.bytes, source: name) == profile)
  }

  @Test func figuresAreTheFilesOwn() throws {
    let profile = try DeviceProfile.named("orange-pi-5", folder: nil)
    #expect(profile.cpu.architecture == .aarch64)
    #expect(profile.cpu.coreCount == 8)
    #expect(profile.cpu.clusters.map(\.core) == ["Cortex-A76", "Cortex-A55"])
    #expect(profile.cpu.clusters[0].features == [.neon, .fp16, .dotprod])
    #expect(profile.cpu.clusters[0].clockHertz == 2.4e9)
    #expect(profile.memory.ramTotalBytes == 8 << 30)
    #expect(profile.accelerator?.kind == .npu)
    #expect(profile.accelerator?.int8OperationsPerSecond == 6e12)
    #expect(try DeviceProfile.named("snapdragon-phone", folder: nil).power?.supply == .battery)
    #expect(try DeviceProfile.named("imx8m-plus").accelerator?.int8OperationsPerSecond == 2.3e12)
  }
}
