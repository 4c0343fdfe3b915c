// The plain lines and the summary, byte for byte.
import Monitor
import Telemetry
import Testing

struct PlainTests {
  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test func line() {
    #expect(
      text(PlainReporter.line(Samples.running()))
        == "00:12:41 n=152380 p50=4.88ms p95=5.28ms p99=6.52ms rate=207/s mem=21.7/64.0MiB "
        + "power=6.82W[D] energy=32.9mJ temp=71.3C throttle=none accuracy=98.3%\n")
  }

  @Test func aLanguageModelTellsOfItsTokens() {
    let snapshot = Samples.snapshot(.languageModel)
    let line = text(PlainReporter.line(snapshot))
    #expect(
      line.contains(" rate=36.9/s requests=28 tokens=5264 decode=38.2/s prefill=612/s ttft="))
    let lines = text(Summary.block(snapshot, stopped: nil)).split(separator: "\n")
    #expect(lines[0] == "smollm-360m 0.9.1 q4_0   28 requests, 5 264 tokens in 12 min 41 s")
    #expect(
      lines[1] == "tokens            decode 41.7 /s  prefill 640 /s   6 020 read, 5 264 written")
    #expect(lines[2].hasPrefix("first token ms    p50 ") && lines[2].contains("p99 -"))
    #expect(lines[3].hasPrefix("token ms          p50 2"))
    #expect(lines.contains { $0.contains("~258 mJ per token, ~148 mJ of them above idle") })
    var empty = Snapshot()
    empty.tokens = TokenReading()
    #expect(text(PlainReporter.line(empty)).contains("tokens=0 decode=- prefill=- ttft=- mem="))
    #expect(text(Summary.block(empty, stopped: nil)).contains("decode -"))
  }

  @Test func unknownsAreDashes() {
    var snapshot = Snapshot()
    #expect(
      text(PlainReporter.line(snapshot))
        == "00:00:00 state=loading n=0 p50=- p95=- p99=- rate=- mem=- power=- energy=- temp=- "
        + "throttle=-\n")
    snapshot.state = .running
    snapshot.lostSampleCount = 3
    #expect(text(PlainReporter.line(snapshot)).hasSuffix(" lost=3\n"))
  }

  @Test func summary() {
    #expect(
      text(Summary.block(Samples.running(), stopped: .user)) == """
        mnv2 1.2.0 int8   152 380 inferences in 12 min 41 s   stopped by user
        latency ms        p50 4.88  p95 5.28  p99 6.52  max 18.5  first 48.2   missed 3 of budget 12.0 ms
        throughput        200 /s
        memory            peak 22.4 of 64.0 MiB (arena 6.10, weights 3.50)
        energy            ~32.9 mJ per inference, ~18.2 mJ of them above idle, total ~5 190 J, ~6.82 W   [D] profile x cpu time, +-35 %
        carbon            ~0.00434 g CO2e per 1 000 inferences, at 475 g/kWh (world average)
        thermal           71.3 C now (cpu-thermal), throttled 0 s
        drift             p50 x1.07 ok   peak memory x1.02 ok   energy x1.17 ! high
        accuracy          98.33 % (177 of 180 right)

        """)
  }

  @Test func summaryOfNothing() {
    var snapshot = Snapshot()
    snapshot.facts.bundleName = Samples.text("digits")
    snapshot.inferenceCount = 1
    let lines = text(Summary.block(snapshot, stopped: .signal(15))).split(separator: "\n")
    #expect(lines[0] == "digits   1 inference in 0 s   stopped by signal 15")
    #expect(lines[1] == "latency ms        p50 -  p95 -  p99 -  max -")
    #expect(lines.count == 4)
  }

  /// Nothing that moves a cursor, whatever a bundle is called.
  @Test func noEscapes() {
    var snapshot = Samples.running()
    snapshot.facts.bundleName = Samples.text("evil\u{1B}]0;x\u{7}\r\n")
    for bytes in [PlainReporter.line(snapshot), Summary.block(snapshot, stopped: nil)] {
      #expect(bytes.allSatisfy { $0 >= 0x20 || $0 == 0x0A })
    }
  }
}
