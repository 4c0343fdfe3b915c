// The report as one page: inline styles and drawings, nothing to load, nothing to run.
import Bytes
import Foundation

/// Writes a report for people.
public enum ReportPage {
  /// The page about a packed model and the bundle written of it.
  public static func bytes(of packed: PackedModel, _ summary: BundleWriter.Summary) -> [UInt8] {
    bytes(FitReport(packed, summary))
  }

  /// The page as UTF-8, which is well-formed XML too.
  public static func bytes(_ report: FitReport) -> [UInt8] {
    var page = Markup()
    page.put(raw: "<!DOCTYPE html>\n")
    page.put("html", ["xmlns": "http://www.w3.org/1999/xhtml", "lang": "en"]) { page in
      page.put("head") { page in
        page.put(raw: #"<meta charset="utf-8"/>"#)
        page.put(raw: #"<meta name="viewport" content="width=device-width, initial-scale=1"/>"#)
        page.put(raw: #"<meta name="color-scheme" content="light dark"/>"#)
        page.put("title", "\(report.name) for \(report.target)")
        page.put("style") { $0.put(raw: ReportStyle.text) }
      }
      page.put("body") { page in
        page.put("main") { page in
          head(report, &page)
          promise(report, &page)
          budgets(report, &page)
          curve(report, &page)
          tensors(report, &page)
          memory(report, &page)
          times(report, &page)
        }
      }
    }
    page.put(raw: "\n")
    return Array(page.text.utf8)
  }

  static func section(
    _ page: inout Markup, _ title: String, _ lead: String, _ content: (inout Markup) -> Void
  ) {
    page.put("section") { page in
      page.put("h2", title)
      page.put("p", ["class": "lead"], lead)
      content(&page)
    }
  }

  private static func head(_ report: FitReport, _ page: inout Markup) {
    page.put("header") { page in
      page.put("p", ["class": "kicker"], "Knapsack fit report")
      page.put("h1", report.name)
      page.put("p", ["class": "lead"]) { page in
        page.put(text: "for ")
        page.put("strong", report.target)
        if !report.targetDescription.isEmpty { page.put(text: ", \(report.targetDescription)") }
      }
      page.put("dl", ["class": "facts"]) { page in
        for fact in report.facts {
          page.put("div") { page in
            page.put("dt", fact.name)
            page.put("dd", fact.value)
          }
        }
      }
    }
  }

  // MARK: Promise

  private static func promise(_ report: FitReport, _ page: inout Markup) {
    guard let promise = report.promise else {
      return section(
        &page, "Promise",
        "The loss against the float model was not measured for this bundle: one scheme was asked "
          + "for, and no inputs were run."
      ) { _ in }
    }
    let made = promise.inputsAreGenerated ? "made-up " : ""
    let inputs = "\(promise.itemCount) \(made)input\(promise.itemCount == 1 ? "" : "s")"
    section(
      &page, "Promise",
      "Loss of the outputs against the float model: \(promise.metric) over \(inputs)."
    ) { page in
      page.put("div", ["class": "tiles"]) { page in
        tile(&page, "predicted", figure(promise.predictedLoss), "not predicted")
        var note = ""
        if let predicted = promise.predictedLoss, let measured = promise.measuredLoss,
          predicted > 0, (measured / predicted).isFinite, measured / predicted < 1e6
        {
          let percent = Int(((measured / predicted - 1) * 100).rounded())
          note = "\(percent >= 0 ? "+" : "−")\(abs(percent))\u{A0}% against the prediction"
        }
        tile(&page, "measured", figure(promise.measuredLoss), "not measured", note)
        var size = ""
        if let bytes = promise.uniformBytes { size = "at \(fileBytes(Double(bytes)))" }
        tile(
          &page, "one step for all weights", figure(promise.uniformLoss), "not measured", size)
      }
      if promise.shipsUniform {
        page.put(
          "p", ["class": "note"],
          "The uniform choice was the better one at this size, and is what was packed.")
      }
    }
  }

  /// nil for what is no number.
  private static func figure(_ value: Double?) -> String? {
    value.flatMap { $0.isFinite ? loss($0) : nil }
  }

  private static func tile(
    _ page: inout Markup, _ name: String, _ value: String?, _ absent: String, _ note: String = ""
  ) {
    page.put("div", ["class": "tile"]) { page in
      page.put("span", ["class": "name"], name)
      page.put("span", ["class": value == nil ? "value absent" : "value"], value ?? absent)
      if !note.isEmpty { page.put("span", ["class": "under"], note) }
    }
  }

  // MARK: Budgets

  private static func budgets(_ report: FitReport, _ page: inout Markup) {
    guard !report.budgets.isEmpty else { return }
    section(&page, "Budgets", "What the bundle takes of what the target has.") { page in
      page.put("div", ["class": "bars"]) { page in
        for budget in report.budgets { bar(&page, budget) }
      }
    }
  }

  private static func bar(_ page: inout Markup, _ budget: FitReport.Budget) {
    page.put("div", ["class": "budget"]) { page in
      page.put("span", ["class": "name"], budget.name)
      page.put("span", ["class": "figure"]) { page in
        page.put("strong", text(budget.used, budget.unit))
        if let limit = budget.limit {
          page.put(text: " of \(text(limit, budget.unit)), \(share(budget.used, limit))")
        }
        if let interval = budget.interval {
          page.put(
            text: " (\(text(interval.lowerBound, budget.unit)) to "
              + "\(text(interval.upperBound, budget.unit)))")
        }
      }
      if let limit = budget.limit {
        let part = min(max(budget.used / max(limit, .leastNormalMagnitude), 0), 1)
        page.put("span", ["class": "track"]) { page in
          page.put(
            "span",
            [
              "class": budget.used > limit ? "fill over" : "fill",
              "style": "width:\(Plot.number(max(part * 100, 0.4)))%",
            ])
        }
      }
      let source = budget.source.isEmpty ? "" : "from \(budget.source)"
      let under =
        budget.limit == nil ? (source.isEmpty ? "no limit" : "no limit; \(source)") : source
      if !under.isEmpty { page.put("span", ["class": "under"], under) }
    }
  }

  private static func share(_ used: Double, _ limit: Double) -> String {
    guard limit > 0 else { return "all of it" }
    let percent = used / limit * 100
    return percent < 0.1
      ? "less than 0.1\u{A0}%" : "\(Plot.number((percent * 10).rounded() / 10))\u{A0}%"
  }

  // MARK: Figures

  static func text(_ value: Double, _ unit: FitReport.Unit) -> String {
    switch unit {
    case .bytes: return fileBytes(value)
    case .seconds: return seconds(value)
    case .joules:
      guard value.isFinite else { return "–" }
      var text = TextBuffer()
      text.put(significant: value * 1e3)
      return text.text + " mJ"
    }
  }

  /// Digits in threes.
  static func grouped(_ count: Int) -> String {
    var result = ""
    let digits = String(count)
    for (i, digit) in digits.enumerated() {
      if i > 0, (digits.count - i) % 3 == 0 { result += "\u{202F}" }
      result.append(digit)
    }
    return result
  }

  static func fileBytes(_ count: Double) -> String {
    var text = TextBuffer()
    text.put(fileBytes: Int(count.isNaN ? 0 : min(max(count, 0), 1e18)))
    return text.text
  }

  static func seconds(_ value: Double) -> String {
    var text = TextBuffer()
    text.put(durationNanoseconds: UInt64(value.isNaN ? 0 : min(max(value * 1e9, 0), 1e18)))
    return text.text
  }

  /// Three digits that tell something.
  static func loss(_ value: Double) -> String {
    value == 0
      ? "0" : String(format: abs(value) < 1e-3 || abs(value) >= 1e4 ? "%.2e" : "%.3g", value)
  }
}
