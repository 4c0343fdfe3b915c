// What a run is asked to tell other programs.
import Bytes

/// An address and a port.
public struct ListenAddress: Equatable, Sendable {
  /// In digits, IPv4 or IPv6.
  public var host: String
  public var port: Int

  /// `[ADDR:]PORT`; an IPv6 address stands in brackets. Without an address, this machine alone can
  /// connect. Nil for anything else.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    var host = "127.0.0.1"
    var digits = bytes[...]
    if let colon = bytes.lastIndex(of: UInt8(ascii: ":")) {
      var name = bytes[..<colon]
      digits = bytes[(colon + 1)...]
      let isBracketed = name.first == UInt8(ascii: "[") && name.last == UInt8(ascii: "]")
      if isBracketed { name = name.dropFirst().dropLast() }
      // An address has digits, dots, colons and letters up to f; whether it is one, the system says.
      let isPlausible = name.allSatisfy {
        switch $0 {
        case 0x30...0x39, UInt8(ascii: "."): true
        case UInt8(ascii: ":"), 0x41...0x46, 0x61...0x66: isBracketed
        default: false
        }
      }
      guard isPlausible, !name.isEmpty, name.count < 64 else { return nil }
      host = String(decoding: name, as: UTF8.self)
    }
    guard (1...5).contains(digits.count) else { return nil }
    port = 0
    for digit in digits {
      guard digit >= 0x30, digit <= 0x39 else { return nil }
      port = port * 10 + Int(digit - 0x30)
    }
    guard port <= 65535 else { return nil }
    self.host = host
  }

  /// As it is written.
  public var text: String { url(port: port) }

  /// With the port that was found, where any was asked for.
  func url(port: Int) -> String {
    host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
  }
}

/// The wishes of a run.
public struct ReportingOptions: Sendable {
  public static var traceCounts: ClosedRange<Int> { 1...10_000 }

  /// Seconds between interval objects among the results; nil for none.
  public var metricsIntervalSeconds: Double?
  /// Prometheus metrics, written again every five seconds.
  public var metricsFile: String?
  /// Prometheus metrics, served.
  public var metricsListen: ListenAddress?
  /// Where the report of the run goes; nil is the state folder, for runs that loop or last.
  public var reportFile: String?
  public var writesReport = true
  /// Whether also a short run leaves one.
  public var isReportAsked = false
  /// A trace of the first inferences.
  public var traceFile: String?
  public var traceCount = 100

  public init() {}

  /// Every file that is written because somebody named it.
  public var files: [(option: String, path: String)] {
    var files: [(option: String, path: String)] = []
    for (option, path) in [
      ("--metrics-file", metricsFile), ("--report-file", reportFile), ("--trace", traceFile),
    ] {
      if let path { files.append((option, path)) }
    }
    return files
  }

  /// The seconds that `--metrics-interval` takes, 0.1 to 86,400; nil for anything else.
  public static func seconds(_ text: String) -> Double? {
    guard let value = NumberText.double(Array(text.utf8)), value >= 0.1, value <= 86_400 else {
      return nil
    }
    return value
  }
}
