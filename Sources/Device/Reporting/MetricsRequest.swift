// What somebody asks of the metrics port, judged byte by byte: one page, for reading only.

/// HTTP/1.1 (RFC 9112) as far as one page needs it.
package enum MetricsRequest {
  /// The most bytes of a request.
  package static let limit = 4096

  package enum Verdict: Equatable {
    /// More bytes have to come.
    case incomplete
    case page(hasBody: Bool)
    case refusal(Int)
  }

  /// What the bytes received so far ask for.
  package static func judge(_ bytes: [UInt8]) -> Verdict {
    guard let end = headEnd(bytes) else {
      return bytes.count >= limit ? .refusal(431) : .incomplete
    }
    guard end <= limit else { return .refusal(431) }
    var lines = bytes[..<end].split(
      separator: 0x0A, omittingEmptySubsequences: false
    ).map { $0.last == 0x0D ? $0.dropLast() : $0 }
    // Empty lines before a request are passed over.
    while lines.first?.isEmpty ?? false { lines.removeFirst() }
    guard let first = lines.first else { return .refusal(400) }
    for line in lines where line.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }) {
      return .refusal(400)
    }
    let words = first.split(separator: 0x20, omittingEmptySubsequences: false)
    guard words.count == 3, !words[0].isEmpty, !words[1].isEmpty else { return .refusal(400) }
    let version = words[2]
    guard version.starts(with: "HTTP/".utf8) else { return .refusal(400) }
    let isNew = version.elementsEqual("HTTP/1.1".utf8)
    guard isNew || version.elementsEqual("HTTP/1.0".utf8) else { return .refusal(505) }
    let hosts = lines.dropFirst().filter { isHost($0) }.count
    guard hosts == 1 || (hosts == 0 && !isNew) else { return .refusal(400) }
    let isHead = words[0].elementsEqual("HEAD".utf8)
    guard isHead || words[0].elementsEqual("GET".utf8) else { return .refusal(405) }
    return isPage(words[1]) ? .page(hasBody: !isHead) : .refusal(404)
  }

  /// Where the head of a request ends: behind its empty line.
  private static func headEnd(_ bytes: [UInt8]) -> Int? {
    var lineStart = 0
    var hasText = false
    for (i, byte) in bytes.enumerated() where byte == 0x0A {
      let isEmpty = i == lineStart || (i == lineStart + 1 && bytes[lineStart] == 0x0D)
      if isEmpty, hasText { return i + 1 }
      hasText = hasText || !isEmpty
      lineStart = i + 1
    }
    return nil
  }

  private static func isHost(_ line: ArraySlice<UInt8>) -> Bool {
    let key = Array("host:".utf8)
    guard line.count >= key.count else { return false }
    return zip(line, key).allSatisfy { $0 | 0x20 == $1 || $0 == $1 }
  }

  /// `/metrics`, with any query, also behind `http://HOST`.
  private static func isPage(_ target: ArraySlice<UInt8>) -> Bool {
    var path = target
    let scheme = Array("http://".utf8)
    if path.starts(with: scheme) {
      path = path.dropFirst(scheme.count).drop { $0 != UInt8(ascii: "/") }
    }
    if let query = path.firstIndex(of: UInt8(ascii: "?")) { path = path[..<query] }
    return path.elementsEqual("/metrics".utf8)
  }

  /// A whole answer, with which the connection ends. Empty while the request is not whole.
  static func answer(_ verdict: Verdict, page: () -> [UInt8]) -> [UInt8] {
    switch verdict {
    case .incomplete: return []
    case .page(let hasBody):
      let body = page()
      var bytes = answer(200, PrometheusText.contentType, body, "")
      if !hasBody { bytes.removeLast(body.count) }
      return bytes
    case .refusal(let status):
      let allow = status == 405 ? "Allow: GET, HEAD\r\n" : ""
      return answer(status, "text/plain", Array((reason(status) + "\n").utf8), allow)
    }
  }

  private static func answer(
    _ status: Int, _ type: String, _ body: [UInt8], _ more: String
  ) -> [UInt8] {
    let head =
      "HTTP/1.1 \(status) \(reason(status))\r\nContent-Type: \(type)\r\n"
      + "Content-Length: \(body.count)\r\n\(more)Connection: close\r\n\r\n"
    return Array(head.utf8) + body
  }

  private static func reason(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 431: "Request Header Fields Too Large"
    case 505: "HTTP Version Not Supported"
    default: "Bad Request"
    }
  }
}
