// The dashboard that is shipped asks for nothing that a run does not tell.

import DebianPrograms
import Foundation
import Reporting
import Telemetry
import Testing

struct GrafanaTests {
  /// Every query of the dashboard, its variables replaced.
  private func queries() throws -> [String] {
    let data = try Data(contentsOf: Debian.root.appending(path: "share/grafana/knapsack.json"))
    let board = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let panels = try #require(board["panels"] as? [[String: Any]])
    #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
    var queries = panels.flatMap { panel in
      (panel["targets"] as? [[String: Any]] ?? []).compactMap { $0["expr"] as? String }
    }
    #expect(queries.count >= 20 && panels.allSatisfy { $0["title"] as? String != "" })
    let variables = (board["templating"] as? [String: Any])?["list"] as? [[String: Any]] ?? []
    for variable in variables {
      if let query = (variable["query"] as? [String: Any])?["query"] as? String {
        queries.append(query)
      }
    }
    return queries
  }

  @Test func itAsksForNamesThatAreExported() throws {
    var snapshot = measuredSnapshot()
    var accelerator = AcceleratorReading(name: escaped("npu"))
    accelerator.loadPercent = 40
    snapshot.accelerators.list = [accelerator]
    var exported: Set<String> = []
    for row in Metrics.rows(snapshot) {
      guard let name = row.name else { continue }
      if row.kind == .histogram {
        for ending in ["_bucket", "_sum", "_count"] { exported.insert(name + ending) }
      } else {
        exported.insert(name)
      }
    }
    var asked: Set<String> = []
    for query in try queries() {
      for match in query.matches(of: /knapsack_[a-z0-9_]+/) { asked.insert(String(match.0)) }
    }
    #expect(asked.subtracting(exported).isEmpty)
    #expect(asked.count >= 20)
  }

  @Test(.enabled(if: Debian.program("promtool") != nil, "no promtool: scripts/setup.sh test"))
  func promtoolUnderstandsTheQueries() throws {
    let folder = try Folder()
    var rules = "groups:\n- name: dashboard\n  rules:\n"
    for (i, query) in try queries().filter({ !$0.hasPrefix("label_values") }).enumerated() {
      let plain = query.replacingOccurrences(of: "$__rate_interval", with: "1m")
        .replacingOccurrences(of: "$instance", with: ".*")
      rules += "  - record: dashboard:query:\(i)\n    expr: '\(plain)'\n"
    }
    try Data(rules.utf8).write(to: URL(filePath: folder.file("rules.yml")))
    let process = Process()
    process.executableURL = URL(filePath: try #require(Debian.program("promtool")))
    process.arguments = ["check", "rules", folder.file("rules.yml")]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let said = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(String(decoding: said, as: UTF8.self))")
  }
}
