// knapsack inspect --slack: what a model could do without.
import Bytes
import Packing

/// A slack report, printed.
struct SlackListing {
  var name: String
  var target: String
  var report: SlackReport

  init(
    _ path: String, _ target: String, _ choice: InMemoryOptions, _ threads: Int
  ) throws {
    var request = try PackRequest(
      model: path, target: target, scheme: nil, limits: choice.limits, states: choice.states)
    request.threads = threads
    report = try SlackFinder.report(request)
    name = path
    self.target = target
  }

  /// Findings of a kind that are listed for people.
  private static let shown = 10

  var text: [UInt8] {
    var text = TextBuffer()
    text.put(untrusted: Array(name.utf8))
    text.put("   ")
    text.put(fileBytes: report.tensorByteCount)
    text.put(" of tensors\n")
    for kind in SlackFinding.Kind.allCases {
      let found = report[kind]
      guard !found.isEmpty else { continue }
      text.put("\n\(kind.title), \(found.count)")
      if kind != .noGain {
        text.put(": ")
        text.put(fileBytes: found.reduce(0) { $0 + $1.byteCount })
      }
      text.put("\n")
      for finding in found.prefix(SlackListing.shown) {
        var size = TextBuffer()
        if kind != .noGain { size.put(fileBytes: finding.byteCount) }
        text.put(byte: 0x20, count: max(1, 12 - size.text.utf8.count))
        text.put(size.text)
        text.put("  ")
        text.put(untrusted: Array(SlackListing.short(finding.name).utf8))
        text.put("  ")
        text.put(untrusted: Array(finding.detail.utf8))
        text.put("\n")
      }
      if found.count > SlackListing.shown {
        text.put(
          "              … and \(found.count - SlackListing.shown) more; --format json lists all\n")
      }
    }
    if let note = report.speedNote {
      text.put("\n")
      text.put(untrusted: Array(note.utf8))
      text.put("\n")
    }
    text.put("\nin all       ")
    text.put(fileBytes: report.totalByteCount)
    text.put(", ")
    text.put(share(report.totalByteCount), places: 1)
    text.put(" % of the tensors\nzstd alone   ")
    text.put(fileBytes: report.zstdSavedByteCount)
    text.put(", ")
    text.put(share(report.zstdSavedByteCount), places: 1)
    text.put(" %\n")
    return text.bytes
  }

  /// The end of a name tells more than its beginning.
  private static func short(_ name: String) -> String {
    name.count > 48 ? "…" + name.suffix(47) : name
  }

  private func share(_ bytes: Int) -> Double {
    Double(bytes) * 100 / Double(max(report.tensorByteCount, 1))
  }

  var json: [UInt8] {
    var json = JSONWriter(isPretty: true)
    json.beginObject()
    json.field("schema", "knapsack.slack")
    json.field("version", 1)
    json.field("name", name)
    json.field("target", target)
    json.field("tensor_bytes", report.tensorByteCount)
    json.field("slack_bytes", report.totalByteCount)
    json.field("zstd_saved_bytes", report.zstdSavedByteCount)
    json.key("findings")
    json.beginArray()
    for finding in report.findings {
      json.beginObject()
      json.field("kind", finding.kind.rawValue)
      json.field("name", finding.name)
      json.field("bytes", finding.byteCount)
      json.field("detail", finding.detail)
      json.endObject()
    }
    json.endArray()
    if let note = report.speedNote { json.field("speed_note", note) }
    json.endObject()
    json.endDocument()
    return json.bytes
  }
}
