// One figure of a run as other programs read it: its names, its unit, its value and where that is from.
import Telemetry

/// What a figure is measured in, and how its names end.
public enum MetricUnit: CaseIterable, Sendable {
  case count, seconds, microseconds, bytes, joules, watts, celsius, hertz, ratio, cores
  case perSecond, bytesPerHour, grams, gramsPerHour, gramsPerKilowattHour, hours

  /// The end of a JSON key.
  public var keyEnding: String {
    switch self {
    case .count: ""
    case .seconds: "_s"
    case .microseconds: "_us"
    case .bytes: "_bytes"
    case .joules: "_j"
    case .watts: "_w"
    case .celsius: "_c"
    case .hertz: "_hz"
    case .ratio: "_ratio"
    case .cores: "_cores"
    case .perSecond: "_per_s"
    case .bytesPerHour: "_bytes_per_h"
    case .grams: "_g"
    case .gramsPerHour: "_g_per_h"
    case .gramsPerKilowattHour: "_g_per_kwh"
    case .hours: "_h"
    }
  }

  /// The end of a Prometheus name, which has base units only; nil for what has none.
  public var nameEnding: String? {
    switch self {
    case .count: ""
    case .seconds, .microseconds, .hours: "_seconds"
    case .bytes: "_bytes"
    case .joules: "_joules"
    case .watts: "_watts"
    case .celsius: "_celsius"
    case .hertz: "_hertz"
    case .ratio: "_ratio"
    case .cores: "_cores"
    case .perSecond, .bytesPerHour, .grams, .gramsPerHour, .gramsPerKilowattHour: nil
    }
  }

  /// A value in this unit in the base unit of its Prometheus name.
  func inBase(_ value: Double) -> Double {
    switch self {
    case .microseconds: value / 1e6
    case .hours: value * 3600
    default: value
    }
  }
}

/// Where a figure comes from that could be an estimate.
public struct MetricOrigin: Equatable, Sendable {
  public var source: EscapedText
  public var grade: PowerGrade
  /// How far off it may be, in percent; 0 where it is not an estimate.
  public var bandPercent: Double
}

/// What a value is labelled with.
public struct MetricLabel: Equatable, Sendable {
  public var name: String
  public var value: EscapedText

  public init(_ name: String, _ value: EscapedText) {
    self.name = name
    self.value = value
  }
}

/// One figure.
public struct MetricRow: Sendable {
  public enum Kind: Sendable {
    /// Only grows, but for a reset of the statistics.
    case counter
    case gauge
    /// Durations in buckets: `histogram`.
    case histogram
    /// Its labels are what it says; the value is 1.
    case information
  }

  /// Its JSON key without the unit; empty where it is not in JSON.
  public var stem: String
  /// Its Prometheus name without prefix and unit; empty where it is not among the metrics.
  public var metric: String
  /// What it is, one sentence.
  public var help: String
  public var unit: MetricUnit
  public var kind: Kind
  public var labels: [MetricLabel]
  /// Whether the labels are names from outside: in JSON such rows are elements of an array.
  public var isListed: Bool
  /// In the unit; nil is unknown, and `reason` says why.
  public var value: Double?
  public var reason: EscapedText
  public var origin: MetricOrigin?
  public var histogram: LatencyHistogram?
  /// The upper bounds of the buckets in nanoseconds, ascending; more are behind the last one.
  public var bounds: [UInt64]

  /// The key of the value in JSON.
  public var key: String { stem + unit.keyEnding }

  /// The name among Prometheus metrics; nil where it is not among them.
  public var name: String? {
    guard !metric.isEmpty, let ending = unit.nameEnding else { return nil }
    switch kind {
    case .counter: return "knapsack_" + metric + ending + "_total"
    case .information: return "knapsack_" + metric + "_info"
    case .gauge, .histogram: return "knapsack_" + metric + ending
    }
  }
}

/// Rows in the order they are written: those of one name or key follow each other.
struct MetricList {
  private(set) var rows: [MetricRow] = []

  /// A figure. `metric` is the Prometheus name where it is not the stem; empty keeps it out.
  mutating func add(
    _ stem: String, _ unit: MetricUnit, _ value: Double?, _ help: String, _ reason: EscapedText,
    metric: String? = nil, kind: MetricRow.Kind = .gauge, labels: [MetricLabel] = [],
    isListed: Bool = false, origin: MetricOrigin? = nil
  ) {
    let isKnown = value?.isFinite ?? false
    let metric = metric ?? stem
    rows.append(
      MetricRow(
        stem: stem, metric: metric, help: help, unit: unit, kind: kind,
        labels: isListed ? distinct(labels, metric, unit) : labels,
        isListed: isListed, value: isKnown ? value : nil, reason: reason, origin: origin,
        histogram: nil, bounds: []))
  }

  /// Names from outside may be the same for two things; the second one is then called `NAME #2`.
  private func distinct(
    _ labels: [MetricLabel], _ metric: String, _ unit: MetricUnit
  ) -> [MetricLabel] {
    var labels = labels
    guard let name = labels.last?.value else { return labels }
    var count = 1
    while rows.contains(where: { $0.unit == unit && $0.metric == metric && $0.labels == labels }) {
      count += 1
      labels[labels.count - 1].value = EscapedText(name.utf8 + Array(" #\(count)".utf8))
    }
    return labels
  }

  /// As `add`, for a number that is always known.
  mutating func count(
    _ stem: String, _ value: UInt64, _ help: String, metric: String? = nil,
    labels: [MetricLabel] = []
  ) {
    add(
      stem, .count, Double(value), help, EscapedText(""), metric: metric, kind: .counter,
      labels: labels)
  }

  mutating func information(_ metric: String, _ help: String, _ labels: [MetricLabel]) {
    add(
      metric, .count, 1, help, EscapedText(""), kind: .information, labels: labels)
  }

  mutating func histogram(
    _ metric: String, _ help: String, _ histogram: LatencyHistogram, bounds: [UInt64],
    labels: [MetricLabel]
  ) {
    rows.append(
      MetricRow(
        stem: "", metric: metric, help: help, unit: .microseconds, kind: .histogram,
        labels: labels, isListed: false, value: nil, reason: EscapedText(""), origin: nil,
        histogram: histogram, bounds: bounds))
  }
}
