// The report page: well-formed whatever it is told, and silent about what nobody measured.

import Fitting
import Foundation
import Packing
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Texts and elements of a page, by an XML parser that is not ours.
private final class PageReader: NSObject, XMLParserDelegate {
  var text = ""
  var counts: [String: Int] = [:]
  var attributes: [String] = []

  static func read(_ page: [UInt8]) throws -> PageReader {
    let reader = PageReader()
    let parser = XMLParser(data: Data(page))
    parser.shouldResolveExternalEntities = false
    parser.delegate = reader
    let isRead = parser.parse()
    try #require(isRead, "\(parser.parserError.map { "\($0)" } ?? "?") line \(parser.lineNumber)")
    return reader
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String] = [:]
  ) {
    counts[name, default: 0] += 1
    self.attributes += attributes.map { "\($0)=\($1)" }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
}

@Suite struct ReportTests {
  private static let hostile =
    "</title><script>alert('1')</script>&amp;\"<!--\u{0}\u{1}\u{202E}\u{FFFE}]]>"

  /// A report with everything in it.
  private func full(_ name: String = "encoder.layer.1") -> FitReport {
    var report = FitReport(name: name, target: name, targetDescription: name)
    report.facts = [(name, name)]
    report.budgets = [
      .init(name: name, unit: .bytes, used: 3e6, limit: 9e6, source: name),
      .init(name: "over", unit: .bytes, used: 9e6, limit: 3e6),
      .init(name: "time", unit: .seconds, used: 2e-3, interval: 1e-3...3e-3),
      .init(name: "energy", unit: .joules, used: 2e-3),
    ]
    report.promise = .init(
      metric: name, itemCount: 32, predictedLoss: 0.0123, measuredLoss: 0.0111, uniformLoss: 0.045,
      uniformBytes: 3_000_000, shipsUniform: true)
    report.tensors = (0..<30).map { i in
      .init(
        name: "\(name).\(i)", elementCount: 1000, storedBytes: 300 + i * 20, scheme: name,
        coding: i % 3 == 0 ? nil : name, sensitivity: Double(i + 1) * 1e-4, loss: Double(i) * 1e-5)
    }
    report.curve = (1...9).map { .init(bytes: Double($0) * 1e6, loss: 1 / Double($0 * $0)) }
    report.chosen = .init(bytes: 3e6, loss: 0.011, name: name)
    report.baselines = [.init(bytes: 5e6, loss: 0.05, name: name)]
    report.steps = (0..<20).map {
      .init(name: "\(name).\($0)", operation: name, liveBytes: $0 * 4096, seconds: 1e-5)
    }
    report.arenaBytes = 100_000
    return report
  }

  @Test func isWellFormedAndNeedsNothingElse() throws {
    let bytes = ReportPage.bytes(full())
    let page = try PageReader.read(bytes)
    let source = String(decoding: bytes, as: UTF8.self)
    for refused in ["<script", "<link", "<img", "@import", "url(", "src=", "href="] {
      #expect(!source.contains(refused), "\(refused)")
    }
    #expect(page.counts["svg"] == 4)
    #expect(page.counts["polygon"] == 1 && page.counts["rect"] == 30)
    // The words of the page, with the figures it was given.
    for word in [
      "0.0123", "0.0111", "0.045", "−10\u{A0}% against the prediction", "uniform choice", "3.00 MB",
      "33.3\u{A0}%", "300\u{A0}%", "All 30 tensors",
    ] {
      #expect(page.text.contains(word), "\(word)")
    }
    #expect(source.contains("prefers-color-scheme: dark") && source.contains("@media print"))
  }

  @Test func hostileNamesStayText() throws {
    let hostile = Self.hostile
    let bytes = ReportPage.bytes(full(hostile))
    let page = try PageReader.read(bytes)
    #expect(page.counts["script"] == nil && page.counts["title"] == 1)
    let visible =
      "</title><script>alert('1')</script>&amp;\"<!--\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}]]>"
    #expect(page.text.contains(visible))
    #expect(page.attributes.contains { $0.contains("<script>alert('1')</script>") })
    #expect(page.counts == (try PageReader.read(ReportPage.bytes(full()))).counts)
  }

  /// Whatever is left out is said to be, and figures that are none do no harm.
  @Test func whatIsMissingIsSaid() throws {
    let empty = try PageReader.read(ReportPage.bytes(FitReport(name: "m", target: "t")))
    for sentence in [
      "was not measured for this bundle", "there is no curve to show", "no time is predicted",
    ] {
      #expect(empty.text.contains(sentence), "\(sentence)")
    }
    #expect(empty.counts["svg"] == nil)
    var report = full()
    report.promise = .init(metric: "KL", itemCount: 1)
    report.chosen = nil
    report.curve = []
    report.tensors = report.tensors.map { tensor in
      var tensor = tensor
      (tensor.sensitivity, tensor.loss) = (nil, nil)
      return tensor
    }
    report.steps = report.steps.map { step in
      var step = step
      step.seconds = nil
      return step
    }
    let page = try PageReader.read(ReportPage.bytes(report))
    for sentence in [
      "not predicted", "not measured", "each of them was not measured", "no curve to show",
      "no time is predicted", "over 1 input.",
    ] {
      #expect(page.text.contains(sentence), "\(sentence)")
    }
    #expect(page.counts["svg"] == 2)
    report = full()
    for value in [Double.nan, .infinity, -1, 0, 1e300, .leastNonzeroMagnitude] {
      report.promise?.uniformLoss = value
      report.promise?.measuredLoss = value
      report.chosen = .init(bytes: value, loss: value)
      report.curve = [.init(bytes: value, loss: 1), .init(bytes: 1, loss: value)]
      report.tensors[0].sensitivity = value
      report.budgets = [.init(name: "b", unit: .bytes, used: value, limit: value)]
      report.budgets.append(.init(name: "t", unit: .seconds, used: value))
      report.budgets.append(.init(name: "e", unit: .joules, used: value))
      report.steps[0].seconds = value
      _ = try PageReader.read(ReportPage.bytes(report))
    }
  }

  /// The page of a real pack: all its tensors and steps, and a plan whose most is within the arena.
  @Test func tellsOfAPackedModel() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    var request = PackRequest(
      model: root.appending(path: "Bundles/digits").path, target: try .named("raspberry-pi-5"))
    request.scheme = .int8
    let path = NSTemporaryDirectory() + "knapsack-report-\(UUID().uuidString).knap"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let packed = try Packer.encode(try Packer.pack(request), for: path)
    let summary = try Packer.write(packed, to: path)
    let report = FitReport(packed, summary)
    #expect(report.tensors.count == packed.program.weights.count)
    #expect(report.steps.count == packed.program.steps.count)
    #expect(
      report.tensors.reduce(0) { $0 + $1.storedBytes } <= packed.weights?.storedByteCount ?? 0)
    let most = report.steps.map(\.liveBytes).max() ?? 0
    #expect(most > 0 && most <= report.arenaBytes)
    #expect(most == packed.program.plan.lowerBoundBytes)
    let page = try PageReader.read(ReportPage.bytes(report))
    #expect(page.text.contains("raspberry-pi-5"))
    #expect(page.text.contains("was not measured for this bundle"))
    #expect(page.counts["tr"] == report.tensors.count + 1)
  }
}
