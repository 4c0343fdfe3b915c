// Profile files to profiles, strictly: what is not understood is refused, with its place.

import Bytes

extension DeviceProfile {
  /// The most bytes a profile file may have.
  public static let maximumFileBytes = 1 << 18

  /// The profile that the JSON5 text `bytes` spells. `source` is what errors call the file.
  public init(json5 bytes: [UInt8], source: String) throws(ProfileError) {
    guard bytes.count <= Self.maximumFileBytes else {
      throw ProfileError(
        source: source, keyPath: "", offset: nil,
        reason: .tooLarge(bytes: bytes.count, limit: Self.maximumFileBytes))
    }
    let value: JSONValue
    do {
      value = try JSON.parse(bytes, dialect: .json5, maximumDepth: 16)
    } catch {
      throw ProfileError(
        source: source, keyPath: "", offset: error.offset, reason: .syntax(error.message))
    }
    var object = try ProfileObject(value, source: source, path: "")
    // What a probe could not measure is left out.
    object.allowsGaps = object.has("measured")
    name = try object.profileName("name")
    description = try object.text("description")
    cpu = try Processor(object.object("cpu"))
    memory = try Memory(object.object("memory"))
    storage = try Storage(object.object("storage"))
    accelerator = nil
    if let value = object.optional("accelerator") {
      accelerator = try Accelerator(
        ProfileObject(value, source: source, path: "accelerator"))
    }
    measured = nil
    if let value = object.optional("measured") {
      measured = try MeasuredSpeeds(
        ProfileObject(value, source: source, path: "measured"))
    }
    power = nil
    if !object.allowsGaps || object.has("power") {
      power = try Power(object.object("power"))
    }
    try object.finish()
  }
}

/// Rates and sizes beyond these are mistakes of unit, not devices.
private enum Plausible {
  static let clockHertz = 1e6...1e11
  static let operationsPerSecond = 1e6...1e16
  static let bytesPerSecond = 1e5...1e14
  static let transferSeconds = 0.0...0.1
  static let watts = 0.001...10_000.0
  static let picojoules = 0.001...1e6
  static let bytes = 1...(1 << 50)
}

extension ProfileObject {
  /// What `--target` takes and a file can be called.
  fileprivate mutating func profileName(_ key: String) throws(ProfileError) -> String {
    let value = try required(key)
    let name = try text(key)
    let isPlain = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
      default: byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
      }
    }
    guard isPlain, !name.hasPrefix("."), name.utf8.count <= 64 else {
      throw error(
        value, pathOf(key),
        .outOfRange(expected: "at most 64 lower-case letters, digits, '-', '_' or '.'"))
    }
    return name
  }
}

extension DeviceProfile.Processor {
  fileprivate init(_ object: ProfileObject) throws(ProfileError) {
    var object = object
    architecture = try object.name("architecture", of: DeviceProfile.Architecture.self)
    clusters = []
    for (value, path) in try object.list("clusters", 1...16) {
      var cluster = try ProfileObject(value, source: object.source, path: path)
      cluster.allowsGaps = object.allowsGaps
      clusters.append(try DeviceProfile.Cluster(cluster))
    }
    try object.finish()
  }
}

extension DeviceProfile.Cluster {
  fileprivate init(_ object: ProfileObject) throws(ProfileError) {
    var object = object
    core = try object.text("core")
    coreCount = try object.integer("cores", 1...1024)
    clockHertz = try object.figure("clock_hertz", Plausible.clockHertz)
    features = try object.names("isa", of: DeviceProfile.Feature.self)
    f32OperationsPerSecondPerCore = try object.figure(
      "f32_operations_per_second_per_core", Plausible.operationsPerSecond)
    int8OperationsPerSecondPerCore = try object.figure(
      "int8_operations_per_second_per_core", Plausible.operationsPerSecond)
    activeWattsPerCore = try object.figure("active_watts_per_core", Plausible.watts)
    try object.finish()
  }
}

extension DeviceProfile.Memory {
  fileprivate init(_ object: ProfileObject) throws(ProfileError) {
    var object = object
    ramTotalBytes = try object.integer("ram_total_bytes", Plausible.bytes)
    ramReservedBytes = try object.integer("ram_reserved_bytes", 0...(ramTotalBytes - 1))
    bandwidthBytesPerSecond = try object.figure(
      "bandwidth_bytes_per_second", Plausible.bytesPerSecond)
    try object.finish()
  }
}

extension DeviceProfile.Storage {
  fileprivate init(_ object: ProfileObject) throws(ProfileError) {
    var object = object
    freeBytes = try object.integer("free_bytes", Plausible.bytes)
    readBytesPerSecond = try object.figure("read_bytes_per_second", Plausible.bytesPerSecond)
    try object.finish()
  }
}

extension DeviceProfile.Accelerator {
  fileprivate init(_ object: ProfileObject) throws(ProfileError) {
    var object = object
    kind = try object.name("kind", of: Kind.self)
    name = try object.text("name")
    elementTypes = try object.texts("element_types")
    operators = try object.texts("operators")
    int8OperationsPerSecond = try object.number(
      "int8_operations_per_second", Plausible.operationsPerSecond)
    sustainedInt8OperationsPerSecond = try object.number(
      "sustained_int8_operations_per_second", Plausible.operationsPerSecond)
    localMemoryBytes = try object.integer("local_memory_bytes", 0...Plausible.bytes.upperBound)
    activeWatts = try object.number("active_watts", Plausible.watts)
    guard sustainedInt8OperationsPerSecond <= int8OperationsPerSecond else {
      throw object.error(
        try object.required("sustained_int8_operations_per_second"),
        object.pathOf("sustained_int8_operations_per_second"),
        .outOfRange(expected: "at most int8_operations_per_second"))
    }
    compiler = try object.text("compiler")
    compilerTarget = object.has("compiler_target") ? try object.text("compiler_target") : nil
    clockHertz = try object.optionalNumber("clock_hertz", Plausible.clockHertz)
    needsStaticShapes = try object.bool("needs_static_shapes")
    isSymmetric = try object.bool("symmetric_activations")
    transferBytesPerSecond = try object.number(
      "transfer_bytes_per_second", Plausible.bytesPerSecond)
    transferSeconds = try object.number("transfer_seconds", Plausible.transferSeconds)
    try object.finish()
  }
}

extension DeviceProfile.Power {
  fileprivate init(_ object: ProfileObject) throws(ProfileError) {
    var object = object
    supply = try object.name("supply", of: Supply.self)
    supplyWatts = try object.number("supply_watts", Plausible.watts)
    if supply == .battery {
      batteryWattHours = try object.number("battery_watt_hours", Plausible.watts)
    }
    idleWatts = try object.number("idle_watts", Plausible.watts)
    picojoulesPerF32Operation = try object.number(
      "picojoules_per_f32_operation", Plausible.picojoules)
    picojoulesPerInt8Operation = try object.number(
      "picojoules_per_int8_operation", Plausible.picojoules)
    picojoulesPerDRAMByte = try object.number("picojoules_per_dram_byte", Plausible.picojoules)
    try object.finish()
  }
}
