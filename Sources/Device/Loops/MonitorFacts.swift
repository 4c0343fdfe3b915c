// What the monitor tells of single steps and tensors, and where predictions come from: out of the
// bundle's program and manifest.
import Bytes
import Operators
import Programs
import Telemetry
import Tensors

package enum MonitorFacts {
  /// The steps with what was predicted for each; what the bundle does not say, or cannot mean, is nil.
  package static func steps(_ model: LoadedModel) -> [StepFact] {
    let program = model.program
    func list(_ key: String) -> [CBORValue] {
      let values = model.manifest["predicted"]?[key]?.arrayValue ?? []
      return values.count == program.steps.count ? values : []
    }
    let predicted = list("step_us")
    let work = list("step_macs")
    let bounds = list("step_bound")
    return program.steps.enumerated().map { i, step in
      let read = step.inputs.filter { $0 >= 0 && !program.isSlot($0) }
      let bytes = read.reduce(UInt64(0)) {
        $0 &+ UInt64(max(0, program.weights[$1].byteCount ?? 0))
      }
      var nanoseconds: Double?
      // Zero is for steps that run ahead, or whose extents the run finds.
      if !predicted.isEmpty, let us = predicted[i].doubleValue, us > 0, us < 1e12 {
        nanoseconds = us * 1000
      }
      let count = work.isEmpty ? nil : work[i].integerValue
      return StepFact(
        name: EscapedText(Array(step.name.utf8)), kind: EscapedText(Array(step.op.name.utf8)),
        scheme: EscapedText(Array(RunReport.scheme(of: step, program).utf8)), weightBytes: bytes,
        predictedNanoseconds: nanoseconds,
        multiplyAccumulates: count.flatMap { UInt64(exactly: $0) },
        bound: bounds.isEmpty ? nil : bounds[i].textValue.flatMap { StepBound(name: $0) })
    }
  }

  /// The tensors of weights, with what packing foresaw for each.
  static func tensors(_ model: LoadedModel) -> [TensorFact] {
    let fitted = (model.manifest["fit"]?["tensors"]?.arrayValue ?? []).map {
      (name: $0["name"]?.textValue ?? "", entry: $0)
    }.sorted { Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) }
    return model.program.weights.map { weight in
      let entry = find(weight.name, in: fitted)
      let count = weight.shape.checkedElementCount ?? 0
      return TensorFact(
        name: EscapedText(Array(weight.name.utf8)), shape: EscapedText(extents(weight.shape)),
        scheme: EscapedText(Array(RunReport.schemeName(of: weight).utf8)),
        elementCount: UInt64(max(0, count)), byteCount: UInt64(max(0, weight.byteCount ?? 0)),
        storedBytes: entry?["stored_bytes"]?.integerValue.map { UInt64(max(0, $0)) },
        predictedLoss: entry?["predicted_loss"]?.doubleValue)
    }
  }

  private static func find(
    _ name: String, in sorted: [(name: String, entry: CBORValue)]
  ) -> CBORValue? {
    let key = Array(name.utf8)
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if Array(sorted[middle].name.utf8).lexicographicallyPrecedes(key) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    guard low < sorted.count, Array(sorted[low].name.utf8) == key else { return nil }
    return sorted[low].entry
  }

  /// `64x3x3`
  private static func extents(_ shape: Shape) -> [UInt8] {
    var text = TextBuffer()
    for (i, extent) in shape.dimensions.enumerated() {
      if i > 0 { text.put("x") }
      text.put(extent)
    }
    return text.bytes
  }

  /// A line for each prediction: its figure, its interval, what it rests on.
  static func predictionNotes(_ model: LoadedModel) -> [EscapedText] {
    var notes: [EscapedText] = []
    let predicted = model.manifest["predicted"]
    if let value = model.predicted("latency_us") {
      var text = TextBuffer()
      text.put("p50     ")
      text.put(significant: value)
      text.put(" us")
      putInterval(model, "latency_low_us", "latency_high_us", " us", &text)
      if let threads = model.predicted("threads") {
        text.put(", threads ")
        text.put(significant: threads)
      }
      notes.append(EscapedText(text.bytes))
      notes += source(predicted?["latency_source"]?.textValue)
      if predicted?["latency_is_lower_bound"]?.boolValue == true {
        notes.append(EscapedText("        steps whose extents the run finds are not counted"))
      }
    }
    if model.predicted("peak_memory_bytes") != nil {
      var text = TextBuffer()
      text.put("peak    ")
      let parts: [(String, String)] = [
        ("weights ", "weights"), ("tables ", "tables"), ("arena ", "arena"),
        ("program ", "program"), ("assets ", "assets"), ("runtime ", "runtime"),
      ]
      var isFirst = true
      for (name, key) in parts {
        guard let bytes = model.predicted("peak_memory_\(key)_bytes"), bytes > 0 else { continue }
        if !isFirst { text.put(" + ") }
        isFirst = false
        text.put(name)
        text.put(significant: bytes / 1_048_576)
      }
      text.put(" MiB")
      notes.append(EscapedText(text.bytes))
      notes.append(EscapedText("        of the model: watching it takes some 4 MiB more"))
    }
    if let joules = model.predicted("energy_j") {
      var text = TextBuffer()
      text.put("energy  ")
      text.put(significant: joules * 1000)
      text.put(" mJ")
      if let low = model.predicted("energy_low_j"), let high = model.predicted("energy_high_j") {
        text.put(", nine times in ten ")
        text.put(significant: low * 1000)
        text.put(" to ")
        text.put(significant: high * 1000)
      }
      notes.append(EscapedText(text.bytes))
      notes += source(predicted?["energy_source"]?.textValue)
    }
    return notes
  }

  private static func putInterval(
    _ model: LoadedModel, _ low: String, _ high: String, _ unit: String,
    _ text: inout TextBuffer
  ) {
    guard let low = model.predicted(low), let high = model.predicted(high) else { return }
    text.put(", nine times in ten ")
    text.put(significant: low)
    text.put(" to ")
    text.put(significant: high)
    text.put(unit)
  }

  private static func source(_ source: String?) -> [EscapedText] {
    guard let source else { return [] }
    var text = TextBuffer()
    text.put("        from ")
    text.put(untrusted: Array(source.utf8))
    return [EscapedText(text.bytes)]
  }
}
