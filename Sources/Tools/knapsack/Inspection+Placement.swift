// inspect: the parts of a bundle that were placed on an accelerator.
import Bytes

extension Inspection {
  /// Name and value of each line; none where nothing was placed.
  var placementLines: [(String, String)] {
    guard let placement = manifest["placement"] else { return [] }
    let parts = placement["parts"]?.arrayValue ?? []
    var text = TextBuffer()
    text.put(placement["accelerator"]?.textValue ?? "")
    text.put(": ~")
    text.put(significant: (placement["predicted_us"]?.doubleValue ?? 0) / 1e3)
    text.put(" ms predicted there, ~")
    text.put(significant: (placement["cpu_f32_us"]?.doubleValue ?? 0) / 1e3)
    text.put(" ms on the CPU in f32")
    if let joules = placement["predicted_j"]?.doubleValue,
      let processor = placement["cpu_f32_j"]?.doubleValue
    {
      text.put(", ~")
      text.put(significant: joules * 1e3)
      text.put(" mJ for ~")
      text.put(significant: processor * 1e3)
      text.put(" mJ")
    }
    var lines = [("accelerator", text.text)]
    for (i, part) in parts.enumerated() {
      let names = part["nodes"]?.arrayValue ?? []
      var text = TextBuffer()
      text.put("\(names.count) nodes, ")
      text.put("\(names.first?.textValue ?? "") to \(names.last?.textValue ?? ""), ")
      text.put(fileBytes: Int(clamping: part["transfer_bytes"]?.integerValue ?? 0))
      text.put(" over")
      if let asset = part["asset"]?.textValue { text.put(", \(asset)") }
      lines.append(("  part \(i + 1)", text.text))
    }
    return lines
  }
}
