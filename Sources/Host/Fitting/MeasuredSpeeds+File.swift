// What a probe measured, in a profile file: strictly read, and written so that it reads back equal.
import Bytes

/// Figures beyond these are no measurements.
private enum Plausible {
  static let seconds = 1e-10...1e4
  static let bytesPerSecond = 1e5...1e14
  static let watts = 0.001...10_000.0
  static let threads = 1...1024
  static let bytes = 1...(1 << 50)
  static let extent = 0.0...0x1p+46
}

extension MeasuredSpeeds {
  init(_ object: ProfileObject) throws(ProfileError) {
    var object = object
    // Profiles of before it was written are of the first.
    version = object.optional("version") == nil ? 1 : try object.integer("version", 1...1_000_000)
    kernels = try object.text("kernels")
    dispatchSeconds = try object.number("dispatch_seconds", Plausible.seconds)
    inferenceSeconds = try object.optionalNumber("inference_seconds", 0...1) ?? 0
    contextFactor = try object.number("context_factor", 0.25...4)
    // Profiles of before it was measured; so with others below.
    wideFactor = try object.optionalNumber("wide_factor", 0.25...4) ?? contextFactor
    weightExposure = try object.number("weight_exposure", 0...16)
    integerWeightExposure =
      try object.optionalNumber("integer_weight_exposure", 0...16) ?? weightExposure
    rowWeightExposure = try object.optionalNumber("row_weight_exposure", 0...16) ?? 1
    handoverSeconds = try object.optionalNumber("handover_seconds", 0...1) ?? 0
    // Of versions before the third, when threads went to sleep within an inference.
    _ = object.optional("wake_seconds")
    runtimeBytes = try object.integer("runtime_bytes", Plausible.bytes)
    conditions = try MachineConditions(object.object("conditions"))
    memory = []
    for (value, path) in try object.list("memory", 1...256) {
      memory.append(
        try MemoryPoint(ProfileObject(value, source: object.source, path: path)))
    }
    steps = []
    for (value, path) in try object.list("steps", 1...4096) {
      steps.append(try StepTable(ProfileObject(value, source: object.source, path: path)))
    }
    power = nil
    if let value = object.optional("power") {
      power = try MeasuredPower(
        ProfileObject(value, source: object.source, path: "measured.power"))
    }
    try object.finish()
  }

  func write(to json: inout JSONWriter) {
    json.beginObject()
    json.field("version", version)
    json.field("kernels", kernels)
    json.field("dispatch_seconds", dispatchSeconds)
    json.field("inference_seconds", inferenceSeconds)
    json.field("context_factor", contextFactor)
    json.field("wide_factor", wideFactor)
    json.field("weight_exposure", weightExposure)
    json.field("integer_weight_exposure", integerWeightExposure)
    json.field("row_weight_exposure", rowWeightExposure)
    json.field("handover_seconds", handoverSeconds)
    json.field("runtime_bytes", runtimeBytes)
    json.key("conditions")
    conditions.write(to: &json)
    if let power {
      json.key("power")
      json.beginObject()
      json.field("meter", power.meter)
      json.field("idle_watts", power.idleWatts)
      json.field("active_watts_per_core", power.activeWattsPerCore)
      json.endObject()
    }
    json.key("memory")
    json.beginArray()
    for point in memory {
      json.beginObject()
      json.field("threads", point.threads)
      json.field("working_set_bytes", point.workingSetBytes)
      json.field("read_bytes_per_second", point.readBytesPerSecond)
      json.field("copy_bytes_per_second", point.copyBytesPerSecond)
      json.endObject()
    }
    json.endArray()
    json.key("steps")
    json.beginArray()
    for table in steps { table.write(to: &json) }
    json.endArray()
    json.endObject()
  }
}

extension MachineConditions {
  fileprivate init(_ object: ProfileObject) throws(ProfileError) {
    var object = object
    self.init(loadAverage: try object.optionalNumber("load_average", 0...1e6))
    if object.optional("governor") != nil { governor = try object.text("governor") }
    clockHertz = try object.optionalNumber("clock_hertz", 1e6...1e11)
    if object.optional("throttle_count") != nil {
      throttleCount = try object.integer("throttle_count", 0...Int.max)
    }
    disturbedShare = try object.optionalNumber("disturbed_share", 0...1)
    try object.finish()
  }

  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    if let loadAverage { json.field("load_average", loadAverage) }
    if let governor { json.field("governor", governor) }
    if let clockHertz { json.field("clock_hertz", clockHertz) }
    if let throttleCount { json.field("throttle_count", throttleCount) }
    if let disturbedShare { json.field("disturbed_share", disturbedShare) }
    json.endObject()
  }
}

extension MeasuredSpeeds.MemoryPoint {
  fileprivate init(_ object: ProfileObject) throws(ProfileError) {
    var object = object
    threads = try object.integer("threads", Plausible.threads)
    workingSetBytes = try object.integer("working_set_bytes", Plausible.bytes)
    readBytesPerSecond = try object.number("read_bytes_per_second", Plausible.bytesPerSecond)
    copyBytesPerSecond = try object.number("copy_bytes_per_second", Plausible.bytesPerSecond)
    try object.finish()
  }
}

extension MeasuredSpeeds.MeasuredPower {
  fileprivate init(_ object: ProfileObject) throws(ProfileError) {
    var object = object
    meter = try object.text("meter")
    idleWatts = try object.number("idle_watts", Plausible.watts)
    activeWattsPerCore = try object.number("active_watts_per_core", Plausible.watts)
    try object.finish()
  }
}

extension MeasuredSpeeds.StepTable {
  /// Each point is its extents, its amount of work and its seconds.
  fileprivate init(_ object: ProfileObject) throws(ProfileError) {
    var object = object
    kind = try object.text("kind")
    threads = try object.integer("threads", Plausible.threads)
    points = []
    for (value, path) in try object.list("points", 1...1024) {
      let numbers = value.arrayValue?.compactMap(\.numberValue) ?? []
      let extentCount = points.first?.extents.count ?? max(numbers.count - 2, 1)
      guard numbers.count == value.arrayValue?.count, numbers.count == extentCount + 2,
        extentCount <= 8
      else {
        throw object.error(
          value, path, .outOfRange(expected: "\(extentCount) extents, an amount and seconds"))
      }
      let whole = numbers.dropLast().compactMap { number -> Int? in
        Plausible.extent.contains(number) ? Int(exactly: number) : nil
      }
      guard whole.count == extentCount + 1, let seconds = numbers.last,
        Plausible.seconds.contains(seconds)
      else { throw object.error(value, path, .outOfRange(expected: "extents, amount, seconds")) }
      points.append(
        .init(
          extents: Array(whole.dropLast()), amount: whole[extentCount], seconds: seconds))
    }
    try object.finish()
  }

  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.field("kind", kind)
    json.field("threads", threads)
    json.key("points")
    json.beginArray()
    for point in points {
      json.beginArray()
      for extent in point.extents { json.value(extent) }
      json.value(point.amount)
      json.value(point.seconds)
      json.endArray()
    }
    json.endArray()
    json.endObject()
  }
}
