// A run that generates text, in virtual time: speeds, waits and counts against sums made here.
import Randomness
import RecordedMachines
import Telemetry
import Testing

struct TokenTests {
  private static let second: UInt64 = 1_000_000_000

  private func collector(
    warmUp: Int = 0, energy: EnergyFigures? = nil,
    sampler: SystemSampler = SystemSampler(root: "/nonexistent")
  ) -> Collector {
    var facts = RunFacts()
    facts.warmUpCount = warmUp
    facts.generation = GenerationFacts(contextTokens: 2048, keyValueBytes: 96 << 20)
    facts.energy = energy
    let collector = Collector(facts: facts, nowNanoseconds: 0, sampler: sampler)
    collector.setState(.running)
    return collector
  }

  /// What a request took, and what it was.
  private struct Request {
    var start: UInt64
    var promptTokens: Int
    var prefill: UInt64
    var firstToken: UInt64
    var tokens: [UInt64]
    var end: UInt64
  }

  /// Runs a request that comes at `start`: 0.2 ms until its prompt is read, 0.1 ms until its first token.
  private func request(
    _ collector: Collector, at start: UInt64, promptTokens: Int, prefill: UInt64, tokens: [UInt64]
  ) -> Request {
    collector.recordPrompt(
      tokenCount: promptTokens, startNanoseconds: start + 200_000, durationNanoseconds: prefill)
    let first = 300_000 + prefill
    collector.recordFirstToken(startNanoseconds: start, durationNanoseconds: first)
    var now = start + first
    for (i, duration) in tokens.enumerated() {
      collector.recordToken(startNanoseconds: now, durationNanoseconds: duration)
      collector.setContext(
        usedTokens: promptTokens + i + 2, keyValueBytes: UInt64(promptTokens + i + 2) * 1000)
      now += duration
      collector.poll(nowNanoseconds: now)
    }
    collector.recordRequest(
      tokenCount: tokens.count + 1, startNanoseconds: start, durationNanoseconds: now - start)
    return Request(
      start: start, promptTokens: promptTokens, prefill: prefill, firstToken: first,
      tokens: tokens, end: now)
  }

  @Test(arguments: [1, 2, 3]) func figuresAreTheSums(seed: UInt64) throws {
    let collector = collector()
    var random = SeededRandom(state: seed)
    var requests: [Request] = []
    var now = Self.second
    for _ in 0..<150 {
      let count = Int.random(in: 0...20, using: &random)
      let request = request(
        collector, at: now, promptTokens: Int.random(in: 1...400, using: &random),
        prefill: UInt64.random(in: 5_000_000...300_000_000, using: &random),
        tokens: (0..<count).map { _ in
          UInt64.random(in: 20_000_000...50_000_000, using: &random)
        })
      requests.append(request)
      now = request.end + UInt64.random(in: 0...200_000_000, using: &random)
    }
    let run = collector.snapshot(nowNanoseconds: now, windowSeconds: nil)
    let minute = collector.snapshot(nowNanoseconds: now, windowSeconds: 60)
    // A window begins with a second of the clock.
    let from = (now / Self.second - 59) * Self.second
    for (snapshot, since) in [(run, 0), (minute, from)] {
      let reading = try #require(snapshot.tokens)
      #expect(reading.requestCount == 150)
      #expect(reading.promptTokenCount == requests.reduce(0) { $0 + UInt64($1.promptTokens) })
      #expect(
        reading.outputTokenCount == requests.reduce(0) { $0 + UInt64($1.tokens.count) } + 150)
      let prompts = requests.filter { $0.start + 200_000 + $0.prefill >= since }
      let read = prompts.reduce(0.0) { $0 + Double($1.promptTokens) }
      let took = prompts.reduce(0.0) { $0 + Double($1.prefill) } / 1e9
      #expect(abs(try #require(reading.prefillPerSecond) - read / took) < 1e-6 * read / took)
      let firsts = requests.filter { $0.start + $0.firstToken >= since }.map { $0.firstToken }
      try check(reading.firstToken, firsts)
      try check(reading.request, requests.filter { $0.end >= since }.map { $0.end - $0.start })
      let tokens = requests.flatMap { request in
        var end = request.start + request.firstToken
        return request.tokens.filter {
          end += $0
          return end >= since
        }
      }
      let seconds = tokens.reduce(0.0) { $0 + Double($1) } / 1e9
      let speed = Double(tokens.count) / seconds
      #expect(abs(try #require(reading.decodePerSecond) - speed) < 1e-6 * speed)
      try check(snapshot.latency, tokens)
    }
    let reading = try #require(run.tokens)
    #expect(reading.overallFirstToken.count == 150 && reading.overallRequest.count == 150)
    #expect(reading.decodePerSecond == reading.overallDecodePerSecond)
    #expect(reading.overallPrefillPerSecond == minute.tokens?.overallPrefillPerSecond)
    let last = try #require(requests.last { !$0.tokens.isEmpty })
    #expect(reading.contextUsed == UInt64(last.promptTokens + last.tokens.count + 1))
    #expect(reading.keyValueBytes == reading.contextUsed.map { $0 * 1000 })
    #expect(reading.contextLimit == 2048 && reading.keyValueReservedBytes == 96 << 20)
    #expect(reading.latestPromptTokens == UInt64(requests[149].promptTokens))
    #expect(reading.latestOutputTokens == UInt64(requests[149].tokens.count + 1))
    #expect(!reading.isGenerating && reading.joulesPerRequest == nil)
  }

  /// Percentiles with enough behind them, at most a bucket away from the exact ones.
  private func check(_ summary: LatencySummary, _ exact: [UInt64]) throws {
    #expect(summary.count == UInt64(exact.count))
    #expect((summary.p95 != nil) == (exact.count >= 20))
    #expect((summary.p99 != nil) == (exact.count >= 100))
    for (found, share) in [(summary.p50, 0.5), (summary.p95, 0.95), (summary.p99, 0.99)] {
      guard let found else { continue }
      let truth = nearestRank(exact, share)
      #expect(abs(Double(found) - truth) <= truth / 128)
    }
    #expect(summary.max == exact.max())
  }

  @Test func aRequestThatIsAnswered() throws {
    let collector = collector()
    #expect(collector.snapshot(nowNanoseconds: 1).tokens?.latestPromptTokens == nil)
    collector.recordPrompt(
      tokenCount: 12, startNanoseconds: Self.second, durationNanoseconds: 40_000_000)
    collector.recordFirstToken(
      startNanoseconds: Self.second, durationNanoseconds: 50_000_000)
    for i in 0..<3 {
      collector.recordToken(
        startNanoseconds: Self.second + 50_000_000 + UInt64(i) * 25_000_000,
        durationNanoseconds: 25_000_000)
    }
    let now = Self.second + 125_000_000
    var reading = try #require(collector.snapshot(nowNanoseconds: now).tokens)
    #expect(reading.isGenerating && reading.requestCount == 0)
    #expect(reading.latestPromptTokens == 12 && reading.latestOutputTokens == 4)
    #expect(reading.history == [40_000])
    #expect(reading.contextUsed == nil && reading.keyValueBytes == nil)
    collector.recordRequest(
      tokenCount: 4, startNanoseconds: Self.second, durationNanoseconds: 125_000_000)
    reading = try #require(collector.snapshot(nowNanoseconds: now).tokens)
    #expect(!reading.isGenerating && reading.requestCount == 1)
    #expect(reading.prefillPerSecond == 300)
    #expect(reading.decodePerSecond == 40)
    collector.reset(nowNanoseconds: now)
    reading = try #require(collector.snapshot(nowNanoseconds: now).tokens)
    #expect(reading.outputTokenCount == 0 && reading.latestPromptTokens == nil)
  }

  /// The warm-up is of tokens, and what comes with them does not count either.
  @Test func theWarmUpIsNotCounted() throws {
    let collector = collector(warmUp: 5)
    var now = request(
      collector, at: Self.second, promptTokens: 100, prefill: 900_000_000,
      tokens: [UInt64](repeating: 500_000_000, count: 5)
    ).end
    now =
      request(
        collector, at: now, promptTokens: 10, prefill: 20_000_000,
        tokens: [UInt64](repeating: 10_000_000, count: 4)
      ).end
    let snapshot = collector.snapshot(nowNanoseconds: now)
    let reading = try #require(snapshot.tokens)
    // The request of the warm-up ends behind its last token.
    #expect(reading.promptTokenCount == 10 && reading.outputTokenCount == 5)
    #expect(reading.firstToken.count == 1 && snapshot.inferenceCount == 4)
    #expect(reading.decodePerSecond == 100)
  }

  /// Joules of a request are those of the window over its requests.
  @Test func aRequestCostsWhatItsTokensCost() throws {
    let tree = RecordedTree([
      "proc/self/stat": "1 (k) S 1 1 1 0 -1 0 10 0 3 0 0 0 0 0 20 0 5 0 1 1\n"
    ])
    let collector = collector(
      energy: EnergyFigures(idleWatts: 2, wattsPerActiveCore: 1), sampler: tree.sampler)
    var now = Self.second
    for _ in 0..<40 {
      // Two cores are busy.
      tree.write(
        "proc/self/stat", "1 (k) S 1 1 1 0 -1 0 10 0 3 0 \(now / 5_000_000) 0 0 0 20 0 5 0 1 1\n")
      now =
        request(
          collector, at: now, promptTokens: 10, prefill: 19_700_000,
          tokens: [UInt64](repeating: 60_000_000, count: 8)
        ).end
    }
    let snapshot = collector.snapshot(nowNanoseconds: now)
    let reading = try #require(snapshot.tokens)
    let perToken = try #require(snapshot.power.joulesPerInference)
    // 4 W for half a second.
    #expect(abs(try #require(reading.joulesPerRequest) - 2) < 0.05)
    #expect(abs(perToken - 0.25) < 0.01)
  }

  /// More requests than are kept: windows see the latest, the run all.
  @Test func manyRequests() throws {
    let collector = collector()
    var now = Self.second
    for _ in 0..<9000 {
      now = request(collector, at: now, promptTokens: 3, prefill: 700_000, tokens: []).end
      collector.poll(nowNanoseconds: now)
    }
    let reading = try #require(collector.snapshot(nowNanoseconds: now, windowSeconds: nil).tokens)
    #expect(reading.requestCount == 9000 && reading.promptTokenCount == 27_000)
    #expect(reading.firstToken.count == 9000)
    let minute = try #require(collector.snapshot(nowNanoseconds: now).tokens)
    #expect((2048...4096).contains(minute.firstToken.count))
    // What is not known whole is not divided by.
    #expect(minute.joulesPerRequest == nil)
    #expect(abs(try #require(minute.prefillPerSecond) - 3 / 0.0007) < 1e-3)
  }

  /// A model that does not generate has nothing of it, whatever is recorded.
  @Test func othersHaveNoTokens() {
    let collector = Collector(
      facts: RunFacts(), nowNanoseconds: 0, sampler: SystemSampler(root: "/nonexistent"))
    _ = request(
      collector, at: Self.second, promptTokens: 3, prefill: 700_000, tokens: [1_000_000])
    let snapshot = collector.snapshot(nowNanoseconds: 2 * Self.second)
    #expect(snapshot.tokens == nil && snapshot.inferenceCount == 1)
  }
}
