// What `pack` says of a search: the promise, its proof, and every weight's precision.
import Bytes
import Foundation
import Packing

struct FitLines {
  var fit: FittedWeights

  private func figure(_ x: Double) -> String { String(format: "%.3g", x) }

  func write(to json: inout JSONWriter) {
    json.key("fit")
    json.beginObject()
    json.key("metrics")
    json.beginArray()
    for metric in fit.metrics { json.value(metric.rawValue) }
    json.endArray()
    json.field("inputs", fit.itemCount)
    json.field("inputs_are_generated", fit.isGenerated)
    json.field("predicted_loss", fit.predictedLoss)
    json.field("measured_loss", fit.measuredLoss)
    if let loss = fit.uniformLoss { json.field("uniform_loss", loss) }
    if let bytes = fit.uniformBytes { json.field("uniform_weight_bytes", bytes) }
    json.field("is_uniform", fit.shipsUniform)
    json.field("optimality_gap", fit.optimalityGap)
    json.field("unmeasured_tensors", fit.unmeasuredCount)
    json.key("tensors")
    json.beginArray()
    for entry in fit.entries {
      json.beginObject()
      json.field("name", entry.name)
      json.field("elements", entry.elementCount)
      json.field("scheme", entry.scheme.name)
      if let step = entry.step { json.field("step", Double(step)) }
      json.field("sensitivity", entry.slope)
      json.field("predicted_loss", entry.predictedLoss)
      json.field("stored_bytes", entry.storedBytes)
      json.endObject()
    }
    json.endArray()
    json.key("curve")
    json.beginArray()
    for point in fit.curve {
      json.beginObject()
      json.field("stored_weight_bytes", point.storedBytes)
      json.field("predicted_loss", point.loss)
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }

  func write(to text: inout TextBuffer) {
    let metrics = Set(fit.metrics.map(\.rawValue)).sorted().joined(separator: ", ")
    text.put(
      "loss         \(figure(fit.measuredLoss)) measured, \(figure(fit.predictedLoss)) predicted")
    text.put(
      " (\(metrics); \(fit.itemCount) \(fit.isGenerated ? "made-up " : "")input\(fit.itemCount == 1 ? "" : "s"))\n"
    )
    if !fit.isPredictionKept {
      text.put("             the prediction is off by more than 15 %\n")
    }
    if let loss = fit.uniformLoss, let bytes = fit.uniformBytes {
      text.put("baseline     \(figure(loss)) with one step for all weights in ")
      text.put(fileBytes: bytes)
      text.put(fit.shipsUniform ? ", which was better and is packed\n" : "\n")
    }
    text.put("choice       ")
    text.put(
      fit.optimalityGap == 0
        ? "the best there is"
        : "at most \(figure(fit.optimalityGap * 100)) % from the best there is")
    text.put(", of \(fit.entries.count) weights\n")
    if fit.unmeasuredCount > 0 {
      text.put("             stopped early: \(fit.unmeasuredCount) of them were not measured\n")
    }
    for excess in fit.missed?.binding ?? [] {
      text.put("missed       \(excess.name): needs \(excess.needs), has \(excess.limit)\n")
    }
    for entry in fit.entries {
      text.put("  ")
      text.put(entry.bitsPerWeight, places: 2)
      text.put(" bit  \(entry.scheme.name)  loss \(figure(entry.predictedLoss))  ")
      text.put(untrusted: Array(entry.name.utf8))
      text.put("\n")
    }
  }
}
