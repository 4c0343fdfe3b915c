// A plot: lines stretched to the page's width, marks and labels that are not.
import Foundation

/// An axis from one number to another.
struct PlotAxis {
  var range: ClosedRange<Double>
  var isLogarithmic = false
  var label: (Double) -> String

  /// Where a number is, from 0 to 1.
  func place(_ x: Double) -> Double {
    let (low, high) = (scaled(range.lowerBound), scaled(range.upperBound))
    guard high > low else { return 0.5 }
    return min(max((scaled(x) - low) / (high - low), 0), 1)
  }

  private func scaled(_ x: Double) -> Double {
    isLogarithmic ? log10(max(x, .leastNormalMagnitude)) : x
  }

  /// Round numbers along the axis, about `count` of them.
  func ticks(_ count: Int) -> [Double] {
    let (low, high) = (range.lowerBound, range.upperBound)
    guard high > low else { return [low] }
    if isLogarithmic {
      let first = Int(log10(low).rounded(.up))
      let last = Int(log10(high).rounded(.down))
      guard last > first else { return [low, high] }
      let step = max(1, (last - first + count) / count)
      return stride(from: first, through: last, by: step).map { pow(10, Double($0)) }
    }
    let rough = (high - low) / Double(max(count, 1))
    let power = pow(10, log10(rough).rounded(.down))
    let step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 >= rough * 0.999 } ?? rough
    return stride(from: (low / step).rounded(.up) * step, through: high * 1.0001, by: step)
      .map { $0 }
  }

  /// A power of ten as people write it.
  static func power(_ value: Double) -> String {
    let exponent = log10(value)
    guard exponent == exponent.rounded(), abs(exponent) < 100 else { return ReportPage.loss(value) }
    guard abs(exponent) > 2 else { return ReportPage.loss(value) }
    let raised = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
    let digits = String(Int(abs(exponent))).compactMap { $0.wholeNumberValue.map { raised[$0] } }
    return "10" + (exponent < 0 ? "⁻" : "") + String(digits)
  }

  /// From zero on.
  static func numbers(upTo most: Double, _ label: @escaping (Double) -> String) -> PlotAxis {
    PlotAxis(range: 0...max(most, .leastNormalMagnitude), label: label)
  }
}

/// Draws into markup.
struct Plot {
  var x: PlotAxis
  var y: PlotAxis
  /// What screen readers say of it.
  var summary: String
  private var lines = Markup()
  private var marks = Markup()

  init(x: PlotAxis, y: PlotAxis, summary: String) {
    self.x = x
    self.y = y
    self.summary = summary
  }

  /// A number with few digits, for coordinates and styles.
  static func number(_ x: Double) -> String {
    guard x.isFinite, abs(x) < 1e15 else { return "0" }
    let rounded = (x * 100).rounded() / 100
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }

  private func point(_ px: Double, _ py: Double) -> String {
    "\(Plot.number(x.place(px) * 1000)),\(Plot.number(1000 - y.place(py) * 1000))"
  }

  /// A line through points.
  mutating func line(_ points: [(Double, Double)], _ style: String) {
    let list = points.map { point($0.0, $0.1) }.joined(separator: " ")
    lines.put("polyline", ["points": list, "class": style])
  }

  /// What is below a line of steps, each one unit wide from `x` on.
  mutating func area(_ heights: [Double], _ style: String) {
    var list = [point(0, y.range.lowerBound)]
    for (i, height) in heights.enumerated() {
      list.append(point(Double(i), height))
      list.append(point(Double(i + 1), height))
    }
    list.append(point(Double(heights.count), y.range.lowerBound))
    lines.put("polygon", ["points": list.joined(separator: " "), "class": style])
  }

  /// A column from the axis to `height`.
  mutating func column(from low: Double, to high: Double, _ height: Double, _ style: String) {
    let (a, b) = (x.place(low) * 1000, x.place(high) * 1000)
    let top = 1000 - y.place(height) * 1000
    lines.put(
      "rect",
      [
        "x": Plot.number(a), "y": Plot.number(top), "width": Plot.number(max(b - a, 0.5)),
        "height": Plot.number(1000 - top), "class": style,
      ])
  }

  /// A dot with a title, and a label beside it where one is given.
  mutating func dot(
    _ px: Double, _ py: Double, _ style: String, title: String, label: String? = nil
  ) {
    let (left, bottom) = (x.place(px), y.place(py))
    let place = "left:\(Plot.number(left * 100))%;bottom:\(Plot.number(bottom * 100))%"
    marks.put("span", ["class": "dot \(style)", "style": place, "title": title])
    guard let label else { return }
    // Labels of what was packed are above its dot, others below: the dots may be close.
    let side = (left > 0.6 ? "west" : "east") + (style == "chosen" ? " above" : " below")
    marks.put("span", ["class": "tag \(side)", "style": place], label)
  }

  /// The plot, `height` pixels high.
  func put(into page: inout Markup, xTicks: Int = 4, yTicks: Int = 4) {
    page.put("div", ["class": "plot", "role": "img", "aria-label": summary]) { page in
      for tick in y.ticks(yTicks) {
        let bottom = Plot.number(y.place(tick) * 100)
        page.put("span", ["class": "ytick", "style": "bottom:\(bottom)%"], y.label(tick))
      }
      page.put(
        "svg",
        [
          "xmlns": "http://www.w3.org/2000/svg", "viewBox": "0 0 1000 1000",
          "preserveAspectRatio": "none", "aria-hidden": "true",
        ]
      ) { page in
        for tick in y.ticks(yTicks) {
          let at = Plot.number(1000 - y.place(tick) * 1000)
          page.put("line", ["x1": "0", "x2": "1000", "y1": at, "y2": at, "class": "grid"])
        }
        page.append(lines)
      }
      page.append(marks)
      for tick in x.ticks(xTicks) {
        let left = Plot.number(x.place(tick) * 100)
        page.put("span", ["class": "xtick", "style": "left:\(left)%"], x.label(tick))
      }
    }
  }
}
