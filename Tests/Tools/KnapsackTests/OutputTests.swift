// What a run tells other programs: interval objects, reports, metrics for Prometheus, traces.

import Bytes
import DebianPrograms
import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct OutputTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  private func objects(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map { line in
      _ = try JSON.parse(Array(line.utf8))
      return try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
  }

  private func send(_ signal: Int32, to child: pid_t, afterMilliseconds: UInt32 = 1500) {
    usleep(afterMilliseconds * 1000)
    kill(child, signal)
  }

  @Test func intervalsStandBesideResults() throws {
    let bundle = try DigitsBundle.path()
    for tool in [Tool.knapsack, .knapsackRun] {
      let outcome = try tool.run(
        [
          "run", bundle, Repository.digitsData, "--loop", "--format", "ndjson",
          "--metrics-interval", "0.1", "--no-report",
        ], seconds: 20
      ) { send(SIGINT, to: $0) }
      #expect(outcome.status == -SIGINT)
      let objects = try objects(outcome.text)
      let intervals = objects.filter { $0["schema"] as? String == "knapsack.interval" }
      #expect(!intervals.isEmpty)
      #expect(intervals.map { $0["number"] as? Int } == Array(1...intervals.count))
      #expect(intervals.allSatisfy { ($0["inferences"] as? Int ?? 0) > 0 })
      #expect(objects.filter { $0["schema"] as? String == "knapsack.result" }.count == 450)
      #expect(objects.last?["schema"] as? String == "knapsack.run")
      #expect(objects.last?["report_file"] is NSNull)
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
  func aRunThatLoopsLeavesAReport(signal: Int32) throws {
    let bundle = try DigitsBundle.path()
    for tool in [Tool.knapsack, .knapsackRun] {
      let state = folder.path("state-\(tool.name)")
      let outcome = try tool.run(
        ["run", bundle, Repository.digitsData, "--loop", "--no-tui"],
        environment: ["XDG_STATE_HOME": state], seconds: 20
      ) { send(signal, to: $0) }
      #expect(outcome.status == -signal)
      let line = try #require(outcome.text.split(separator: "\n").last)
      #expect(line.hasPrefix("report            " + state + "/knapsack/runs/2"))
      let path = String(line.dropFirst(18))
      #expect(path.hasSuffix("Z.json"))
      let report = try #require(try objects(compact(path)).first)
      #expect(report["schema"] as? String == "knapsack.report")
      #expect(report["stopped_by"] as? String == "signal \(signal)")
      #expect(report["tool"] as? String == tool.name && report["window_s"] is NSNull)
      #expect(try #require(report["inferences"] as? Int) > 450)
      #expect((report["accuracy_ratio"] as? Double).map { $0 > 0.9 } == true)
      let steps = try #require(report["steps"] as? [[String: Any]])
      #expect(steps.contains { $0["multiply_accumulates"] as? Int ?? 0 > 0 })
      let stages = try #require(report["stage_share_ratio"] as? [[String: Any]])
      #expect(
        stages.map { $0["stage"] as? String } == ["prepare", "infer", "answer", "publish"])
      #expect((report["slowest"] as? [[String: Any]])?.count == 20)
      var folder = stat()
      #expect(stat(state + "/knapsack", &folder) == 0 && folder.st_mode & 0o777 == 0o700)
    }
  }

  /// A document in one line.
  private func compact(_ path: String) throws -> String {
    let bytes = try Repository.bytes(path)
    _ = try JSON.parse(bytes)
    let value = try JSONSerialization.jsonObject(with: Data(bytes))
    return String(decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self)
  }

  @Test func reportsWhereTheyAreWantedOnly() throws {
    let bundle = try DigitsBundle.path()
    let state = folder.path("state")
    let run = ["run", bundle, Repository.digitsData]
    let environment = ["XDG_STATE_HOME": state]
    let short = try Tool.knapsackRun.run(run, environment: environment)
    #expect(short.status == 0 && !short.text.contains("report"))
    let path = folder.path("r.json")
    let named = try Tool.knapsackRun.run(run + ["--report-file", path], environment: environment)
    #expect(named.status == 0 && named.text.hasSuffix("\nreport            \(path)\n"))
    #expect(try objects(compact(path))[0]["stopped_by"] is NSNull)
    let silent = try Tool.knapsackRun.run(
      run + ["--loop", "--no-report", "--no-tui"], environment: environment, seconds: 20
    ) { send(SIGTERM, to: $0) }
    #expect(silent.status == -SIGTERM && !silent.text.contains("report"))
    #expect(!FileManager.default.fileExists(atPath: state))
    // A state folder that cannot be: one notice, and the run ends as it would have.
    try folder.write("file", [])
    for home in [folder.path("file"), "/proc", "/" + String(repeating: "x/", count: 3000)] {
      let outcome = try Tool.knapsackRun.run(
        run + ["--loop", "--no-tui"], environment: ["XDG_STATE_HOME": home], seconds: 20
      ) { send(SIGTERM, to: $0) }
      #expect(outcome.status == -SIGTERM && outcome.text.contains("throughput"))
      #expect(outcome.errorLines.count == 1 && outcome.error.contains("no run report: "))
    }
    // What is not absolute counts as not set.
    let home = folder.path("home")
    let outcome = try Tool.knapsackRun.run(
      run + ["--loop", "--no-tui"], environment: ["XDG_STATE_HOME": "state", "HOME": home],
      seconds: 20
    ) { send(SIGTERM, to: $0) }
    #expect(outcome.text.contains("report            \(home)/.local/state/knapsack/runs/2"))
  }

  @Test func traces() throws {
    let bundle = try DigitsBundle.path()
    for tool in [Tool.knapsack, .knapsackRun] {
      let path = folder.path(tool.name + ".json")
      let outcome = try tool.run(
        ["run", bundle, Repository.digitsData, "--trace", path, "--trace-count", "20"])
      #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome.error)")
      let trace = try #require(try objects(compact(path)).first)
      let events = try #require(trace["traceEvents"] as? [[String: Any]])
      let inferences = events.filter { $0["name"] as? String == "inference" }
      #expect(inferences.count == 20 && inferences.allSatisfy { $0["ph"] as? String == "X" })
      let starts = inferences.compactMap { $0["ts"] as? Double }
      #expect(starts == starts.sorted() && starts.count == 20)
      let steps = events.filter { $0["cat"] as? String == "step" }
      #expect(!steps.isEmpty && steps.count % 20 == 0)
    }
    // A run that ends before is traced as far as it came.
    let path = folder.path("all.json")
    _ = try Tool.knapsackRun.run(
      ["run", bundle, Repository.digitsData, "--trace", path, "--trace-count", "10000"])
    let trace = try #require(try objects(compact(path)).first)
    let other = try #require(trace["otherData"] as? [String: Any])
    #expect(other["inferences"] as? Int == 450 && other["lost_samples"] as? Int == 0)
  }

  @Test func refusals() throws {
    let bundle = try DigitsBundle.path()
    for tool in [Tool.knapsack, .knapsackRun] {
      for (code, words) in [
        (64, ["--metrics-interval", "1"]), (64, ["--metrics-file", bundle]),
        (64, ["--trace", Repository.digitsData]), (64, ["--report-file", bundle]),
        (73, ["--metrics-file", folder.path("none/m.prom")]),
        (73, ["--trace", folder.path("none/t.json")]),
        (73, ["--report-file", folder.path("none/r.json")]),
        (69, ["--metrics-listen", "1.2.3:80"]), (69, ["--metrics-listen", "192.0.2.1:80"]),
      ] as [(Int32, [String])] {
        let said = try tool.refusal(code, ["run", bundle, Repository.digitsData] + words)
        #expect(said.contains(words[0]) || said.contains(words[1]), "\(said)")
      }
      for words in [
        ["--metrics-interval", "0.01", "--format", "ndjson"], ["--metrics-listen", "localhost:1"],
        ["--trace-count", "0"], ["--trace-count", "10001"],
      ] {
        let outcome = try tool.run(["run", bundle, Repository.digitsData] + words)
        #expect(outcome.status == 64 && outcome.error.contains(words[0]), "\(outcome.error)")
      }
    }
  }

  // MARK: Prometheus

  @Test(.enabled(if: Debian.program("promtool") != nil, "no promtool: scripts/setup.sh test"))
  func promtoolAcceptsTheFile() throws {
    let bundle = try DigitsBundle.path()
    for tool in [Tool.knapsack, .knapsackRun] {
      let path = folder.path(tool.name + ".prom")
      let outcome = try tool.run(
        ["run", bundle, Repository.digitsData, "--metrics-file", path])
      #expect(outcome.status == 0, "\(outcome.error)")
      let page = try Data(contentsOf: URL(filePath: path))
      #expect(try Debian.promtool(page).isEmpty)
      // The file has what the run was at its end.
      #expect(
        String(decoding: page, as: UTF8.self)
          .contains("\nknapsack_inferences_total{outcome=\"success\"} 450\n"))
    }
  }

  /// Debian's server scrapes the port of a run and answers a query about it.
  @Test(.enabled(if: Debian.program("prometheus") != nil, "no prometheus: scripts/setup.sh test"))
  func prometheusScrapesThePort() throws {
    let bundle = try DigitsBundle.path()
    let server = Process()
    defer { if server.isRunning { server.terminate() } }
    var found: [String: Double] = [:]
    let errors = folder.path("err")
    let run = Process()
    run.executableURL = URL(filePath: Tool.knapsackRun.path)
    run.arguments = [
      "run", bundle, Repository.digitsData, "--loop", "--no-tui", "--no-report",
      "--metrics-listen", "0",
    ]
    _ = try folder.write("err", [])
    run.standardOutput = FileHandle.nullDevice
    run.standardError = try FileHandle(forWritingTo: URL(filePath: errors))
    try run.run()
    defer {
      // Foundation may have started it with the signal blocked: it must end all the same.
      run.terminate()
      #expect(waitFor(20) { run.isRunning ? nil : true } == true)
      kill(run.processIdentifier, SIGKILL)
    }
    let port = try #require(waitFor(20) { metricsPort(errors) })
    #expect(try Debian.promtool(try page(port: port)).isEmpty)
    let own = freePort()
    let configuration = """
      global: {scrape_interval: 1s, scrape_timeout: 1s}
      scrape_configs:
        - job_name: knapsack
          static_configs: [{targets: ['127.0.0.1:\(port)']}]
      """
    let file = try folder.write("prometheus.yml", Array(configuration.utf8))
    server.executableURL = URL(filePath: try #require(Debian.program("prometheus")))
    server.arguments = [
      "--config.file=\(file)", "--storage.tsdb.path=\(folder.path("tsdb"))",
      "--web.listen-address=127.0.0.1:\(own)", "--web.console.templates=/",
      "--web.console.libraries=/",
    ]
    server.standardOutput = FileHandle.nullDevice
    server.standardError = FileHandle.nullDevice
    try server.run()
    for query in [
      "up", "knapsack_inferences_total%7Boutcome=%22success%22%7D",
      "histogram_quantile(0.5,knapsack_inference_duration_seconds_bucket)",
      "knapsack_memory_bytes%7Bkind=%22arena%22%7D",
    ] {
      found[query] = waitFor(40) { answer(query, port: own) }
    }
    #expect(found["up"] == 1)
    let inferences = found["knapsack_inferences_total%7Boutcome=%22success%22%7D"]
    #expect(inferences.map { $0 > 450 } == true)
    let median = found["histogram_quantile(0.5,knapsack_inference_duration_seconds_bucket)"]
    #expect(median.map { $0 > 0 && $0 < 0.1 } == true)
    #expect(found["knapsack_memory_bytes%7Bkind=%22arena%22%7D"].map { $0 > 0 } == true)
  }

  private func waitFor<T>(_ seconds: Int, _ look: () -> T?) -> T? {
    for _ in 0..<seconds * 5 {
      if let found = look() { return found }
      usleep(200_000)
    }
    return nil
  }

  private func metricsPort(_ path: String) -> Int? {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    guard let match = text.firstMatch(of: /metrics at http:\/\/127\.0\.0\.1:(\d+)\/metrics\n/)
    else {
      return nil
    }
    return Int(match.1)
  }

  private func page(port: Int) throws -> Data {
    Data(try #require(get("/metrics", port: port)).utf8)
  }

  /// The body of a page; nil where there is none.
  private func get(_ path: String, port: Int) -> String? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var limit = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = in_port_t(port).bigEndian
    inet_pton(AF_INET, "127.0.0.1", &name.sin_addr)
    let connected = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { return nil }
    let request = Array("GET \(path) HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".utf8)
    _ = Glibc.send(descriptor, request, request.count, Int32(MSG_NOSIGNAL))
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count <= 0 { break }
      all += chunk[..<count]
    }
    let text = String(decoding: all, as: UTF8.self)
    guard text.hasPrefix("HTTP/1.0 200") || text.hasPrefix("HTTP/1.1 200"),
      let end = text.range(of: "\r\n\r\n")
    else { return nil }
    return String(text[end.upperBound...])
  }

  /// A port that nobody listens at, at this moment.
  private func freePort() -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    inet_pton(AF_INET, "127.0.0.1", &name.sin_addr)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, size)
        _ = getsockname(descriptor, $0, &size)
      }
    }
    return Int(in_port_t(bigEndian: name.sin_port))
  }

  /// The value of a query that has one.
  private func answer(_ query: String, port: Int) -> Double? {
    guard let body = get("/api/v1/query?query=\(query)", port: port),
      let object = try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any],
      let result = (object["data"] as? [String: Any])?["result"] as? [[String: Any]],
      let value = (result.first?["value"] as? [Any])?.last as? String
    else { return nil }
    return Double(value).flatMap { $0.isNaN || $0 == 0 ? nil : $0 }
  }
}
