// Writes a profile as JSON, with the keys that profile files have.

import Bytes

extension DeviceProfile {
  /// Writes one object; figures that are not known are left out. What a file gave reads back equal.
  public func write(to json: inout JSONWriter) {
    json.beginObject()
    json.field("name", name)
    json.field("description", description)
    json.key("cpu")
    json.beginObject()
    json.field("architecture", cpu.architecture.rawValue)
    json.key("clusters")
    json.beginArray()
    for cluster in cpu.clusters { cluster.write(to: &json) }
    json.endArray()
    json.endObject()
    json.key("memory")
    json.beginObject()
    json.field("ram_total_bytes", memory.ramTotalBytes)
    json.field("ram_reserved_bytes", memory.ramReservedBytes)
    json.known("bandwidth_bytes_per_second", memory.bandwidthBytesPerSecond)
    json.endObject()
    json.key("storage")
    json.beginObject()
    json.field("free_bytes", storage.freeBytes)
    json.known("read_bytes_per_second", storage.readBytesPerSecond)
    json.endObject()
    if let accelerator {
      json.key("accelerator")
      accelerator.write(to: &json)
    }
    if let power {
      json.key("power")
      power.write(to: &json)
    }
    if let measured {
      json.key("measured")
      measured.write(to: &json)
    }
    json.endObject()
  }
}

extension JSONWriter {
  fileprivate mutating func known(_ key: String, _ number: Double?) {
    if let number { field(key, number) }
  }

  fileprivate mutating func texts(_ key: String, _ texts: [String]) {
    self.key(key)
    beginArray()
    for text in texts { value(text) }
    endArray()
  }
}

extension DeviceProfile.Cluster {
  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.field("core", core)
    json.field("cores", coreCount)
    json.known("clock_hertz", clockHertz)
    json.texts("isa", features.map(\.rawValue))
    json.known("f32_operations_per_second_per_core", f32OperationsPerSecondPerCore)
    json.known("int8_operations_per_second_per_core", int8OperationsPerSecondPerCore)
    json.known("active_watts_per_core", activeWattsPerCore)
    json.endObject()
  }
}

extension DeviceProfile.Accelerator {
  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.field("kind", kind.rawValue)
    json.field("name", name)
    json.texts("element_types", elementTypes)
    json.texts("operators", operators)
    json.field("int8_operations_per_second", int8OperationsPerSecond)
    json.field("sustained_int8_operations_per_second", sustainedInt8OperationsPerSecond)
    json.field("local_memory_bytes", localMemoryBytes)
    json.field("active_watts", activeWatts)
    json.field("compiler", compiler)
    if let compilerTarget { json.field("compiler_target", compilerTarget) }
    json.known("clock_hertz", clockHertz)
    json.field("needs_static_shapes", needsStaticShapes)
    json.field("symmetric_activations", isSymmetric)
    json.field("transfer_bytes_per_second", transferBytesPerSecond)
    json.field("transfer_seconds", transferSeconds)
    json.endObject()
  }
}

extension DeviceProfile.Power {
  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.field("supply", supply.rawValue)
    json.field("supply_watts", supplyWatts)
    json.known("battery_watt_hours", batteryWattHours)
    json.field("idle_watts", idleWatts)
    json.field("picojoules_per_f32_operation", picojoulesPerF32Operation)
    json.field("picojoules_per_int8_operation", picojoulesPerInt8Operation)
    json.field("picojoules_per_dram_byte", picojoulesPerDRAMByte)
    json.endObject()
  }
}
