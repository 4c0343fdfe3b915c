// The metrics of a run in Prometheus' text format 0.0.4, for its server and for the node exporter.
import Bytes
import Telemetry

/// https://prometheus.io/docs/instrumenting/exposition_formats: base units, `_total` on counters,
/// durations as histograms, what is not known left out.
public enum PrometheusText {
  /// What HTTP calls it.
  public static var contentType: String { "text/plain; version=0.0.4; charset=utf-8" }

  /// Every known row.
  public static func page(_ rows: [MetricRow]) -> [UInt8] {
    var text = TextBuffer()
    var last = ""
    for row in rows {
      guard let name = row.name, row.value != nil || row.histogram != nil else { continue }
      if name != last { putHead(row, name, into: &text) }
      last = name
      if let histogram = row.histogram {
        put(row, name, histogram, into: &text)
      } else if let value = row.value {
        put(name, labels(row), row.unit.inBase(value), into: &text)
      }
    }
    return text.bytes
  }

  private static func putHead(_ row: MetricRow, _ name: String, into text: inout TextBuffer) {
    text.put("# HELP \(name) \(row.help)\n# TYPE \(name) ")
    switch row.kind {
    case .counter: text.put("counter\n")
    case .gauge, .information: text.put("gauge\n")
    case .histogram: text.put("histogram\n")
    }
  }

  /// What a power or an energy is made of belongs to it; other figures have no such labels.
  private static func labels(_ row: MetricRow) -> [MetricLabel] {
    guard let origin = row.origin, row.unit == .watts || row.unit == .joules else {
      return row.labels
    }
    return row.labels + [
      MetricLabel("source", origin.source),
      MetricLabel("grade", EscapedText([origin.grade.letter])),
    ]
  }

  private static func put(
    _ row: MetricRow, _ name: String, _ histogram: LatencyHistogram, into text: inout TextBuffer
  ) {
    for bound in row.bounds {
      let seconds = number(Double(bound) / 1e9)
      let labels = row.labels + [MetricLabel("le", EscapedText(Array(seconds.utf8)))]
      put(name + "_bucket", labels, Double(histogram.count(atMost: bound)), into: &text)
    }
    let all = row.labels + [MetricLabel("le", EscapedText("+Inf"))]
    put(name + "_bucket", all, Double(histogram.count), into: &text)
    put(name + "_sum", row.labels, Double(histogram.sumNanoseconds) / 1e9, into: &text)
    put(name + "_count", row.labels, Double(histogram.count), into: &text)
  }

  private static func put(
    _ name: String, _ labels: [MetricLabel], _ value: Double, into text: inout TextBuffer
  ) {
    text.put(name)
    for (i, label) in labels.enumerated() {
      text.put(i == 0 ? "{" : ",")
      text.put(label.name)
      text.put("=\"")
      for byte in label.value.utf8 {
        // Escaped text has no line feed.
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { text.put("\\") }
        text.put(byte: byte)
      }
      text.put("\"")
    }
    text.put(labels.isEmpty ? " " : "} ")
    text.put(number(value))
    text.endLine()
  }

  /// Whole numbers without a fraction, others as short as reads back the same.
  private static func number(_ value: Double) -> String {
    value.magnitude < 1e15 && value == value.rounded()
      ? Int64(value).description : value.description
  }
}
