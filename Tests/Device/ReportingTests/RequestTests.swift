// What the metrics port makes of bytes from anybody.

import Randomness
import Reporting
import Testing

struct RequestTests {
  private func judge(_ text: String) -> MetricsRequest.Verdict {
    MetricsRequest.judge(Array(text.utf8))
  }

  @Test(arguments: [
    (
      "GET /metrics HTTP/1.1\r\nHost: localhost:9464\r\n\r\n",
      MetricsRequest.Verdict.page(hasBody: true)
    ),
    (
      "GET /metrics?name=x HTTP/1.1\r\nUser-Agent: Prometheus\r\nhOST:a\r\n\r\n",
      .page(hasBody: true)
    ),
    ("GET http://a:1/metrics HTTP/1.1\nHost: a\n\n", .page(hasBody: true)),
    ("\r\nGET /metrics HTTP/1.0\r\n\r\n", .page(hasBody: true)),
    ("HEAD /metrics HTTP/1.0\r\n\r\n", .page(hasBody: false)),
    ("GET /metrics HTTP/1.0\r\n\r\nGET /metrics HTTP/1.0\r\n\r\n", .page(hasBody: true)),
    ("GET /metrics HTTP/1.1\r\n\r\n", .refusal(400)),
    ("GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", .refusal(400)),
    ("GET / HTTP/1.0\r\n\r\n", .refusal(404)),
    ("GET /metrics/ HTTP/1.0\r\n\r\n", .refusal(404)),
    ("GET /%6detrics HTTP/1.0\r\n\r\n", .refusal(404)),
    ("GET /../metrics HTTP/1.0\r\n\r\n", .refusal(404)),
    ("GET http://a HTTP/1.0\r\n\r\n", .refusal(404)),
    ("POST /metrics HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", .refusal(405)),
    ("get /metrics HTTP/1.0\r\n\r\n", .refusal(405)),
    ("GET /metrics HTTP/2.0\r\n\r\n", .refusal(505)),
    ("GET /metrics\r\n\r\n", .refusal(400)),
    ("GET  /metrics HTTP/1.0\r\n\r\n", .refusal(400)),
    ("GET /metrics HTTP/1.0 \r\n\r\n", .refusal(400)),
    ("GET /metrics FTP/1.0\r\n\r\n", .refusal(400)),
    ("GET /metrics HTTP/1.0\r\nA: \u{0}\r\n\r\n", .refusal(400)),
    ("GET /met\rrics HTTP/1.0\r\n\r\n", .refusal(400)),
    ("", .incomplete), ("\r\n\r\n", .incomplete), ("GET /metrics HTTP/1.0\r\n", .incomplete),
    ("GET /metrics HTTP/1.0\r\nHost", .incomplete),
  ])
  func verdicts(text: String, expected: MetricsRequest.Verdict) {
    #expect(judge(text) == expected)
  }

  /// A request may come in any pieces; only the whole one counts.
  @Test func everyPrefixIsIncomplete() {
    let whole = Array("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n".utf8)
    for count in 0..<whole.count {
      #expect(MetricsRequest.judge(Array(whole[..<count])) == .incomplete)
    }
    #expect(MetricsRequest.judge(whole) == .page(hasBody: true))
  }

  @Test func sizeIsBounded() {
    let head = "GET /metrics HTTP/1.0\r\n"
    let room = MetricsRequest.limit - head.utf8.count - 4
    let fits = head + String(repeating: "a", count: room) + "\r\n\r\n"
    #expect(judge(fits) == .page(hasBody: true))
    #expect(judge(head + String(repeating: "a", count: room + 1) + "\r\n\r\n") == .refusal(431))
    #expect(judge(String(repeating: "a", count: MetricsRequest.limit)) == .refusal(431))
    #expect(judge(String(repeating: "\r\n", count: MetricsRequest.limit)) == .refusal(431))
  }

  /// Any bytes get a verdict.
  @Test func anyBytes() {
    var generator = SeededRandom(state: 20_261_121)
    let pieces = [
      "GET", "HEAD", " ", "/metrics", "http://", "?", "HTTP/1.1", "HTTP/1.0", "\r\n", "\n", "\r",
      "Host:", "a", ":", "\u{0}", "\u{7F}", "é",
    ].map { Array($0.utf8) }
    for _ in 0..<20_000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0..<24, using: &generator) {
        if Int.random(in: 0..<6, using: &generator) == 0 {
          bytes.append(UInt8.random(in: 0...255, using: &generator))
        } else if let piece = pieces.randomElement(using: &generator) {
          bytes += piece
        }
      }
      let verdict = MetricsRequest.judge(bytes)
      if case .page = verdict {
        #expect(bytes.contains(0x0A) && String(decoding: bytes, as: UTF8.self).contains("/metrics"))
      }
    }
  }

  @Test(arguments: [
    ("9464", "127.0.0.1", 9464), ("0", "127.0.0.1", 0), ("0.0.0.0:9464", "0.0.0.0", 9464),
    ("[::1]:65535", "::1", 65535), ("[fe80::1]:1", "fe80::1", 1),
  ])
  func addresses(text: String, host: String, port: Int) throws {
    let address = try #require(ListenAddress(text))
    #expect(address.host == host && address.port == port)
    #expect(address.text == (text.contains(":") ? text : "127.0.0.1:\(text)"))
  }

  @Test(arguments: [
    "", ":", ":9464", "a", "65536", "99999", "123456", "-1", "+1", "1:", "localhost:9464",
    "::1:9464",
    "[::1]", "[]:1", "1.2.3.4:", "1.2.3.4:x", " 9464", "9464 ", "1.2.3.4:5\u{0}",
    String(repeating: "1", count: 80) + ":9",
  ])
  func noAddresses(text: String) {
    #expect(ListenAddress(text) == nil)
  }
}
