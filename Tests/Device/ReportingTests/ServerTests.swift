// The metrics port over real sockets: readers, and peers that want nothing good.

import Foundation
import Platform
import Randomness
import Reporting
import Testing

struct ServerTests {
  /// A socket to the server, blocking, with a time limit for what does not come.
  private final class Client {
    let descriptor: Int32

    init(port: Int) throws {
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var limit = timeval(tv_sec: 20, tv_usec: 0)
      setsockopt(
        descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_port = in_port_t(port).bigEndian
      inet_pton(AF_INET, "127.0.0.1", &name.sin_addr)
      let result = withUnsafePointer(to: &name) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      try #require(result == 0)
    }

    deinit { close(descriptor) }

    func send(_ text: String) {
      let bytes = Array(text.utf8)
      _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Everything until the server closes; nil where it never does.
    func rest() -> String? {
      var all: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 65536)
      while true {
        let count = recv(descriptor, &chunk, chunk.count, 0)
        if count == 0 { return String(decoding: all, as: UTF8.self) }
        if count < 0 { return errno == ECONNRESET ? String(decoding: all, as: UTF8.self) : nil }
        all += chunk[..<count]
      }
    }
  }

  private func serving(
    _ page: [UInt8] = Array("up 1\n".utf8), isAsked: Bool = true,
    _ body: (Int) throws -> Void
  ) throws {
    let server = try MetricsServer(try #require(ListenAddress("0")))
    let cost = Shared<UInt64>(0)
    let isServing = server.start(page: { page }, cost: { cpu in cost.use { $0 += cpu } })
    #expect(isServing)
    defer { server.stop() }
    try body(server.port)
    server.stop()
    if isAsked { #expect(cost.use { $0 } > 0) }
  }

  private func answer(_ request: String, port: Int) throws -> String {
    let client = try Client(port: port)
    client.send(request)
    return try #require(client.rest())
  }

  @Test func itAnswersAndRefuses() throws {
    try serving { port in
      let page = try answer("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", port: port)
      let parts = page.components(separatedBy: "\r\n\r\n")
      #expect(parts.count == 2 && parts[1] == "up 1\n")
      let head = parts[0].components(separatedBy: "\r\n")
      #expect(head[0] == "HTTP/1.1 200 OK")
      #expect(head.contains("Content-Length: 5") && head.contains("Connection: close"))
      #expect(head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"))
      let bare = try answer("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", port: port)
      #expect(bare.hasSuffix("\r\n\r\n") && bare.contains("Content-Length: 5"))
      for (request, status) in [
        ("GET / HTTP/1.0\r\n\r\n", "404 Not Found"), ("\u{1}\u{2}\r\n\r\n", "400 Bad Request"),
        ("PUT /metrics HTTP/1.0\r\nContent-Length: 9\r\n\r\n", "405 Method Not Allowed"),
        (
          "GET /metrics HTTP/1.0\r\n" + String(repeating: "x", count: 30_000),
          "431 Request Header Fields Too Large"
        ),
      ] {
        #expect(try answer(request, port: port).hasPrefix("HTTP/1.1 \(status)\r\n"))
      }
      #expect(try answer("DELETE /metrics HTTP/1.0\r\n\r\n", port: port).contains("\r\nAllow: GET"))
    }
  }

  /// Peers that say nothing hold their places for a while, and nobody's answer for ever.
  @Test func silentPeersAreLetGo() throws {
    try serving { port in
      let silent = try (0..<8).map { _ in try Client(port: port) }
      for client in silent { client.send("GET /metr") }
      // More than there are places for: this one waits until those have timed out.
      let page = try answer("GET /metrics HTTP/1.0\r\n\r\n", port: port)
      #expect(page.hasSuffix("up 1\n"))
      #expect(silent[0].rest()?.isEmpty == true)
    }
  }

  /// A page larger than any socket's buffer reaches a reader that takes its time.
  @Test func largePages() throws {
    let body = [UInt8](repeating: UInt8(ascii: "x"), count: 12 << 20)
    try serving(body) { port in
      let client = try Client(port: port)
      client.send("GET /metrics HTTP/1.0\r\n\r\n")
      usleep(50_000)
      let text = try #require(client.rest())
      #expect(text.utf8.count > body.count && text.hasSuffix("xxxx"))
      // One that goes away in the middle harms nobody.
      let lost = try Client(port: port)
      lost.send("GET /metrics HTTP/1.0\r\n\r\n")
      var few = [UInt8](repeating: 0, count: 16)
      #expect(recv(lost.descriptor, &few, 16, 0) > 0)
      shutdown(lost.descriptor, Int32(SHUT_RDWR))
      #expect(try answer("HEAD /metrics HTTP/1.0\r\n\r\n", port: port).contains("200 OK"))
    }
  }

  @Test func randomBytesHarmNobody() throws {
    try serving { port in
      var generator = SeededRandom(state: 7)
      for _ in 0..<60 {
        let client = try Client(port: port)
        let count = Int.random(in: 1..<3000, using: &generator)
        var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        bytes += Array("\r\n\r\n".utf8)
        _ = send(client.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        #expect(client.rest()?.hasPrefix("HTTP/1.1 4") == true)
      }
      #expect(try answer("GET /metrics HTTP/1.0\r\n\r\n", port: port).hasSuffix("up 1\n"))
    }
  }

  @Test func aPortThatIsTaken() throws {
    try serving(isAsked: false) { port in
      let address = try #require(ListenAddress("\(port)"))
      do throws(PlatformError) {
        _ = try MetricsServer(address)
        Issue.record("listens twice")
      } catch {
        #expect(error.operation == "listen" && error.path == "127.0.0.1:\(port)")
      }
    }
    #expect(throws: PlatformError.self) {
      _ = try MetricsServer(try #require(ListenAddress("1.2.3:80")))
    }
  }
}
