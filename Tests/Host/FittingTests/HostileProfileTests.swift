// Profiles that are wrong: each is refused with its place, and nothing crashes.

import Fitting
import Foundation
import Testing

@Suite struct HostileProfileTests {
  /// `raspberry-pi-5` with `old` replaced by `new`, decoded.
  private func decode(replacing old: String, with new: String) throws -> DeviceProfile {
    let text = String(decoding: try targetBytes("raspberry-pi-5"), as: UTF8.self)
    try #require(text.contains(old), "the fixture lacks \(old)")
    return try DeviceProfile(json5: Array(text.replacing(old, with: new).utf8), source: "pi.json5")
  }

  private func fault(replacing old: String, with new: String) throws -> ProfileError {
    try #require(throws: ProfileError.self) { try decode(replacing: old, with: new) }
  }

  @Test(arguments: targetNames)
  func everyTruncationIsRefused(name: String) throws {
    let bytes = try targetBytes(name)
    let end = try #require(bytes.lastIndex(of: UInt8(ascii: "}")))
    for count in 0...end {
      let error = #expect(throws: ProfileError.self) {
        try DeviceProfile(json5: Array(bytes[..<count]), source: name)
      }
      #expect(error?.source == name)
      #expect((0...count).contains(error?.offset ?? -1))
    }
  }

  @Test func flippedBitsAreRefusedOrRead() throws {
    let bytes = try targetBytes("snapdragon-phone")
    var refused = 0
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= 1 << UInt8(index % 8)
      do throws(ProfileError) {
        _ = try DeviceProfile(json5: damaged, source: "phone.json5")
      } catch {
        refused += 1
        #expect(!error.description.contains("\n"))
        #expect((0...bytes.count).contains(error.offset ?? -1))
      }
    }
    // Comments may be damaged, keys may not.
    #expect(refused > bytes.count / 3)
  }

  @Test func anUnknownKeyNamesFilePlaceAndNearestKey() throws {
    let error = try fault(replacing: "ram_total_bytes", with: "ram_totl_bytes")
    #expect(error.reason == .unknownKey(nearest: "ram_total_bytes"))
    #expect(error.keyPath == "memory.ram_totl_bytes")
    let text = String(decoding: try targetBytes("raspberry-pi-5"), as: UTF8.self)
    let place = try #require(text.range(of: "ram_total_bytes")?.lowerBound)
    let offset = text.utf8.distance(from: text.startIndex, to: place)
    #expect(
      error.description
        == "pi.json5: byte \(offset): memory.ram_totl_bytes: unknown key; "
        + "did you mean 'ram_total_bytes'?")
    #expect(ProfileError.exitCode == 78)
  }

  @Test func keysThatAreNotOursAreRefused() throws {
    let extra = try fault(replacing: "storage: {", with: "storage: { colour: 'red',")
    #expect(extra.keyPath == "storage.colour")
    #expect(extra.reason == .unknownKey(nearest: nil))
    let top = try fault(replacing: "cpu: {", with: "price_euros: 80, cpu: {")
    #expect(top.keyPath == "price_euros")
    let twice = try fault(replacing: "idle_watts: 3.0", with: "idle_watts: 3.0, idle_watts: 4")
    guard case .syntax = twice.reason else {
      Issue.record("a key that stands twice: \(twice)")
      return
    }
  }

  @Test(arguments: [
    ("clock_hertz: 2400000000,", "cpu.clusters[0].clock_hertz"),
    ("supply: \"mains\",", "power.supply"), ("idle_watts: 3.0,", "power.idle_watts"),
    ("architecture: \"aarch64\",", "cpu.architecture"), ("name: \"raspberry-pi-5\",", "name"),
  ])
  func aMissingKeyIsNamed(line: String, keyPath: String) throws {
    let error = try fault(replacing: line, with: "")
    #expect(error.reason == .missingKey)
    #expect(error.keyPath == keyPath)
    #expect(error.offset != nil)
  }

  @Test(arguments: [
    ("cores: 4,", "cores: \"4\",", "cpu.clusters[0].cores", "an integer", "a string"),
    ("idle_watts: 3.0", "idle_watts: null", "power.idle_watts", "a number", "null"),
    ("\"neon\"", "1", "cpu.clusters[0].isa[0]", "a string", "an integer"),
    (
      "isa: [\"neon\", \"fp16\", \"dotprod\"]", "isa: {}", "cpu.clusters[0].isa", "an array",
      "an object"
    ),
    ("name: \"raspberry-pi-5\"", "name: true", "name", "a string", "a boolean"),
  ])
  func aWrongTypeIsNamed(
    old: String, new: String, keyPath: String, expected: String, found: String
  ) throws {
    let error = try fault(replacing: old, with: new)
    #expect(error.reason == .wrongType(expected: expected, found: found))
    #expect(error.keyPath == keyPath)
  }

  @Test(arguments: [
    ("cores: 4,", "cores: 0,"), ("cores: 4,", "cores: 2.5,"), ("cores: 4,", "cores: 1e300,"),
    ("clock_hertz: 2400000000", "clock_hertz: 2.4"),
    ("ram_total_bytes: 8589934592", "ram_total_bytes: -1"),
    ("ram_total_bytes: 8589934592", "ram_total_bytes: 698351616"),
    ("ram_total_bytes: 8589934592", "ram_total_bytes: 9223372036854775807"),
    ("idle_watts: 3.0", "idle_watts: 0"), ("idle_watts: 3.0", "idle_watts: Infinity"),
    ("idle_watts: 3.0", "idle_watts: NaN"), ("idle_watts: 3.0", "idle_watts: -3"),
    ("name: \"raspberry-pi-5\"", "name: \"../../etc/passwd\""),
    ("name: \"raspberry-pi-5\"", "name: \"\""),
    ("description: \"Raspberry", "description: \"\\u001b[2J"),
    ("[\"neon\", \"fp16\", \"dotprod\"]", "[\"neon\", \"neon\"]"),
  ])
  func whatCannotBeIsRefused(old: String, new: String) throws {
    let error = try fault(replacing: old, with: new)
    guard case .outOfRange = error.reason else {
      Issue.record("\(new): \(error)")
      return
    }
    #expect(!error.keyPath.isEmpty)
  }

  @Test func unknownNamesSuggestTheNearest() throws {
    let feature = try fault(replacing: "\"dotprod\"", with: "\"dotprd\"")
    #expect(feature.reason == .unknownName("dotprd", nearest: "dotprod"))
    #expect(feature.keyPath == "cpu.clusters[0].isa[2]")
    let architecture = try fault(replacing: "\"aarch64\"", with: "\"aarch46\"")
    #expect(architecture.reason == .unknownName("aarch46", nearest: "aarch64"))
  }

  @Test func aBatteryHasAnEnergyAndMainsHasNone() throws {
    let none = try fault(replacing: "supply: \"mains\"", with: "supply: \"battery\"")
    #expect(none.reason == .missingKey)
    #expect(none.keyPath == "power.battery_watt_hours")
    let mains = try fault(replacing: "idle_watts:", with: "battery_watt_hours: 20, idle_watts:")
    #expect(mains.keyPath == "power.battery_watt_hours")
  }

  @Test func whatIsNoProfileIsRefused() throws {
    let large = [UInt8](repeating: 0x20, count: DeviceProfile.maximumFileBytes + 1)
    for bytes in [
      [], Array("[]".utf8), Array("{}".utf8), Array("null".utf8), [0xFF, 0xFE, 0x00],
      Array(String(repeating: "[", count: 100_000).utf8), large,
    ] {
      #expect(throws: ProfileError.self) {
        try DeviceProfile(json5: bytes, source: "nothing.json5")
      }
    }
  }

  @Test func aProfileIsFoundByPathFolderOrName() throws {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "knapsack-\(ProcessInfo.processInfo.globallyUniqueString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let text = String(decoding: try targetBytes("raspberry-pi-5"), as: UTF8.self)
      .replacing("\"raspberry-pi-5\"", with: "\"mine\"")
    let file = folder.appending(path: "mine.json5")
    try Data(text.utf8).write(to: file)

    #expect(try DeviceProfile.named(file.path).name == "mine")
    #expect(try DeviceProfile.named("mine", folder: folder.path).name == "mine")
    #expect(try DeviceProfile.named("vps-2gb", folder: folder.path).name == "vps-2gb")

    let typo = try #require(throws: ProfileError.self) {
      try DeviceProfile.named("raspbery-pi-5", folder: nil)
    }
    #expect(typo.reason == .unknownProfile(nearest: "raspberry-pi-5"))
    for path in [folder.path + "/none.json5", folder.path + "/", "/dev/zero", folder.path] {
      let error = try #require(throws: ProfileError.self) { try DeviceProfile.named(path) }
      guard case .unreadable = error.reason else {
        Issue.record("\(path): \(error)")
        continue
      }
      #expect(error.source == path)
    }
  }

  @Test func theNearestNameIsTheOneWithTheFewestChanges() {
    let names = ["inspect", "verify", "bench", "run"]
    #expect(nearestName(to: "inpsect", among: names) == "inspect")
    #expect(nearestName(to: "verfy", among: names) == "verify")
    #expect(nearestName(to: "RUN", among: names) == "run")
    #expect(nearestName(to: "telephone", among: names) == nil)
    #expect(nearestName(to: "", among: []) == nil)
  }
}
