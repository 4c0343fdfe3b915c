// The drawings of the report.
import Foundation

extension ReportPage {
  /// Whether a number has a place on an axis.
  private static func isDrawn(_ value: Double) -> Bool { (1e-30...1e30).contains(value) }

  // MARK: Size against loss

  static func curve(_ report: FitReport, _ page: inout Markup) {
    let points = report.curve.filter { isDrawn($0.bytes) && isDrawn($0.loss) }
      .sorted { $0.bytes < $1.bytes }
    let marked = ([report.chosen].compactMap { $0 } + report.baselines).filter {
      isDrawn($0.bytes) && isDrawn($0.loss)
    }
    let title = "Size against loss"
    let all = points + marked
    guard !all.isEmpty, points.count > 1 || marked.count > 1 else {
      return section(
        &page, title,
        "The search for sizes and losses was not run, so there is no curve to show."
      ) { _ in }
    }
    let sizes = all.map(\.bytes)
    let losses = all.map(\.loss)
    let span = (sizes.max()! - sizes.min()!) * 0.05 + 1
    var plot = Plot(
      x: PlotAxis(range: max(0, sizes.min()! - span)...(sizes.max()! + span), label: fileBytes),
      y: PlotAxis(
        range: losses.min()! / 1.5...losses.max()! * 1.5, isLogarithmic: true, label: PlotAxis.power
      ),
      summary: "Loss against bytes of the weights, \(all.count) points")
    plot.line(points.map { ($0.bytes, $0.loss) }, "curve")
    for point in points {
      plot.dot(point.bytes, point.loss, "small", title: caption(of: point, "a choice"))
    }
    for point in report.baselines where marked.contains(where: { $0.bytes == point.bytes }) {
      plot.dot(
        point.bytes, point.loss, "baseline", title: caption(of: point, "baseline"),
        label: point.name)
    }
    if let chosen = report.chosen, isDrawn(chosen.bytes), isDrawn(chosen.loss) {
      plot.dot(
        chosen.bytes, chosen.loss, "chosen", title: caption(of: chosen, "packed"),
        label: chosen.name.isEmpty ? "packed" : chosen.name)
    }
    section(
      &page, title,
      "Every point is a choice of precisions and the loss it is predicted to have; lower and further left "
        + "is better. Marked points are measured. The scale of the loss is logarithmic."
    ) { plot.put(into: &$0) }
  }

  private static func caption(of point: FitReport.Point, _ other: String) -> String {
    "\(point.name.isEmpty ? other : point.name): \(fileBytes(point.bytes)), loss \(loss(point.loss))"
  }

  // MARK: Tensors

  /// Rows of a table that stand there before the rest.
  private static let tableRows = 400

  static func tensors(_ report: FitReport, _ page: inout Markup) {
    guard !report.tensors.isEmpty else { return }
    // Small tensors stay as they are, at many bits and few bytes: they would fill the plot.
    let large = report.tensors.filter { $0.elementCount >= 1000 }
    let tensors = large.isEmpty ? report.tensors : large
    let hidden = report.tensors.count - tensors.count
    let hiddenBytes =
      Double(report.tensors.reduce(0) { $0 + $1.storedBytes })
      - Double(tensors.reduce(0) { $0 + $1.storedBytes })
    let count = Double(tensors.count)
    let hasSensitivity = tensors.contains { $0.sensitivity != nil }
    section(
      &page, "Bits per weight",
      "Each column is a tensor in the order of the model: bits of the bundle per element."
        + (hasSensitivity
          ? " The second plot is what an error in it costs the outputs."
          : " How sensitive the outputs are to each of them was not measured.")
    ) { page in
      let most = tensors.map(\.bitsPerElement).max() ?? 1
      var bits = Plot(
        x: PlotAxis(range: 0...count, label: { "\(Int($0))" }),
        y: .numbers(upTo: most * 1.05) { Plot.number($0) },
        summary: "Bits per element of \(tensors.count) tensors")
      for (i, tensor) in tensors.enumerated() {
        bits.column(
          from: Double(i) + 0.08, to: Double(i) + 0.92, tensor.bitsPerElement,
          tensor.coding == nil ? "column plain" : "column")
      }
      bits.put(into: &page)
      if tensors.contains(where: { $0.coding == nil }),
        tensors.contains(where: { $0.coding != nil })
      {
        page.put("p", ["class": "legend"]) { page in
          page.put("span", ["class": "key strong"], "coded")
          page.put("span", ["class": "key plain"], "stored as used")
        }
      }
      if hasSensitivity { sensitivities(tensors, &page) }
      if hidden > 0 {
        page.put(
          "p", ["class": "note"],
          "\(hidden) tensors of fewer than 1000 elements, \(fileBytes(hiddenBytes)) together, are in "
            + "the table only.")
      }
      table(report.tensors, &page)
    }
  }

  private static func sensitivities(_ tensors: [FitReport.Tensor], _ page: inout Markup) {
    let known = tensors.compactMap(\.sensitivity).filter(isDrawn)
    guard let least = known.min(), let most = known.max() else { return }
    page.put("h3", "Sensitivity")
    var plot = Plot(
      x: PlotAxis(range: 0...Double(tensors.count), label: { "\(Int($0))" }),
      y: PlotAxis(range: least / 2...most * 2, isLogarithmic: true, label: PlotAxis.power),
      summary: "Sensitivity of \(known.count) tensors")
    for (i, tensor) in tensors.enumerated() {
      guard let value = tensor.sensitivity, isDrawn(value) else { continue }
      plot.dot(
        Double(i) + 0.5, value, "small", title: "\(tensor.name): \(loss(value))")
    }
    plot.put(into: &page)
  }

  private static func table(_ tensors: [FitReport.Tensor], _ page: inout Markup) {
    let hasSensitivity = tensors.contains { $0.sensitivity != nil }
    let hasLoss = tensors.contains { $0.loss != nil }
    page.put("details") { page in
      page.put("summary", "All \(tensors.count) tensors")
      page.put("div", ["class": "scroll"]) { page in
        page.put("table") { page in
          page.put("thead") { page in
            page.put("tr") { page in
              for title in ["tensor", "elements", "stored", "bits", "form", "coding"]
                + (hasSensitivity ? ["sensitivity"] : []) + (hasLoss ? ["loss"] : [])
              {
                page.put("th", ["scope": "col"], title)
              }
            }
          }
          page.put("tbody") { page in
            for tensor in tensors.prefix(tableRows) {
              page.put("tr") { page in
                page.put("th", ["scope": "row"], tensor.name)
                var cells = [
                  "\(tensor.elementCount)", fileBytes(Double(tensor.storedBytes)),
                  Plot.number(tensor.bitsPerElement), tensor.scheme, tensor.coding ?? "as used",
                ]
                if hasSensitivity { cells.append(tensor.sensitivity.map(loss) ?? "–") }
                if hasLoss { cells.append(tensor.loss.map(loss) ?? "–") }
                for cell in cells { page.put("td", cell) }
              }
            }
          }
        }
      }
      if tensors.count > tableRows {
        page.put("p", ["class": "note"], "\(tensors.count - tableRows) more are not listed.")
      }
    }
  }

  // MARK: Steps

  static func memory(_ report: FitReport, _ page: inout Markup) {
    guard !report.steps.isEmpty else { return }
    let heights = report.steps.map { Double($0.liveBytes) }
    let peak = heights.indices.max { heights[$0] < heights[$1] } ?? 0
    let most = max(heights[peak], Double(report.arenaBytes))
    var plot = Plot(
      x: PlotAxis(range: 0...Double(heights.count), label: { "\(Int($0))" }),
      y: .numbers(upTo: most * 1.08, fileBytes),
      summary: "Working memory over \(heights.count) steps, at most \(fileBytes(heights[peak]))")
    plot.area(heights, "area")
    plot.line(
      [(0, Double(report.arenaBytes)), (Double(heights.count), Double(report.arenaBytes))], "limit")
    plot.dot(
      Double(peak) + 0.5, heights[peak], "chosen",
      title: "\(report.steps[peak].name): \(fileBytes(heights[peak]))")
    section(
      &page, "Working memory over the steps",
      "What is alive at each step of one inference. The line is the arena of "
        + "\(fileBytes(Double(report.arenaBytes))); the most, \(fileBytes(heights[peak])), is alive at step "
        + "\(peak), \(report.steps[peak].name)."
    ) { plot.put(into: &$0) }
  }

  /// Steps that are shown one by one.
  private static let longestSteps = 15

  static func times(_ report: FitReport, _ page: inout Markup) {
    let title = "Predicted time by step"
    let timed = report.steps.compactMap { step in step.seconds.map { (step, $0) } }
      .filter { isDrawn($0.1) }
    let total = timed.reduce(0) { $0 + $1.1 }
    guard total > 0 else {
      return section(
        &page, title, "The target's profile has no speed figures, so no time is predicted."
      ) { _ in }
    }
    var byOperation: [String: Double] = [:]
    for (step, seconds) in timed { byOperation[step.operation, default: 0] += seconds }
    let operations = byOperation.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let longest = timed.sorted { ($1.1, $0.0.name) < ($0.1, $1.0.name) }.prefix(longestSteps)
    let rest = timed.count - longest.count
    section(
      &page, title,
      "\(seconds(total)) in \(timed.count) steps: "
        + operations.prefix(5).filter { $0.value * 100 >= total }.map {
          "\($0.key) \(percent($0.value, total))"
        }
        .joined(separator: ", ") + "."
    ) { page in
      page.put("div", ["class": "bars"]) { page in
        let most = longest.first?.1 ?? 1
        for (step, time) in longest {
          page.put("div", ["class": "step"]) { page in
            page.put("span", ["class": "name", "title": step.name], step.name)
            page.put(
              "span", ["class": "figure"],
              "\(step.operation) · \(seconds(time)) · \(percent(time, total))")
            page.put("span", ["class": "track"]) { page in
              page.put(
                "span",
                ["class": "fill", "style": "width:\(Plot.number(max(time / most * 100, 0.4)))%"])
            }
          }
        }
      }
      if rest > 0 {
        let left = total - longest.reduce(0) { $0 + $1.1 }
        page.put(
          "p", ["class": "note"],
          "\(rest) shorter steps take \(seconds(left)) together, \(percent(left, total)).")
      }
    }
  }

  private static func percent(_ part: Double, _ whole: Double) -> String {
    let percent = part / whole * 100
    return percent < 1 ? "<1\u{A0}%" : "\(Int(percent.rounded()))\u{A0}%"
  }
}
