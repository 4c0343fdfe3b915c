// A meter of one's own: something writes watts, a line each, on a file or pipe.
import Bytes
import Platform

/// One line of such a file.
package struct BenchLine: Equatable {
  /// Seconds since any moment; nil where the line has no time.
  package var seconds: Double?
  package var watts: Double

  /// `6.82`, `6.82 W`, or with a time before it: `1732200123.25 6.82`, also with a comma, semicolon
  /// or tab between. Nil for anything else: a heading, a comment, a cut line.
  package init?(_ line: ArraySlice<UInt8>) {
    var fields: [[UInt8]] = []
    for part in line.split(whereSeparator: { [0x20, 0x09, 0x2C, 0x3B, 0x0D].contains($0) }) {
      fields.append(Array(part))
    }
    if let last = fields.last, last == [0x57] { fields.removeLast() }
    guard let first = fields.first, fields.count <= 2 else { return nil }
    var value = fields.count == 2 ? fields[1] : first
    if value.last == 0x57 { value.removeLast() }
    guard let watts = NumberText.double(value), watts >= 0, watts <= plausibleWatts else {
      return nil
    }
    self.watts = watts
    guard fields.count == 2 else { return }
    guard let seconds = NumberText.double(first), seconds.isFinite, seconds >= 0, seconds < 1e12
    else { return nil }
    self.seconds = seconds
  }
}

/// Follows the file from its last line on.
final class BenchMeter {
  private static let tailBytes = 256
  private static let lineLimit = 256
  /// A meter that says nothing for so long tells nothing any more.
  private static let patienceNanoseconds: UInt64 = 5_000_000_000

  private let file: TailedFile
  private let name: String
  private var rest: [UInt8] = []
  private var integrator = PowerIntegrator()
  private var last: (watts: Double, at: UInt64)?
  /// Our clock minus the meter's, by the line that came fastest.
  private var offset: Double?
  private var isFirst = true
  private var badLines = 0

  /// Throws what the system says of the file.
  init(path: String) throws(PlatformError) {
    file = try TailedFile(path: path, tailBytes: Self.tailBytes)
    name = path
  }

  func read(nowNanoseconds now: UInt64) -> PowerSample {
    var sample = PowerSample()
    sample.grade = .meter
    sample.source = EscapedText(string: "meter \(name)")
    var energy = EnergySpan()
    var lines = newLines()
    // What stood there before the run is one value, not a history.
    if isFirst, let latest = lines.last(where: { BenchLine($0) != nil }) {
      lines = [latest]
      isFirst = false
    }
    for text in lines {
      guard let line = BenchLine(text) else {
        badLines += 1
        continue
      }
      let at = moment(line.seconds, now: now)
      if let span = integrator.add(watts: line.watts, atNanoseconds: at) { energy.add(span) }
      last = (line.watts, now)
    }
    guard let last else {
      sample.source = EscapedText(
        string: "meter \(name): " + (badLines > 0 ? "no line is a number of watts" : "no line yet"))
      return sample
    }
    guard now - last.at < Self.patienceNanoseconds else {
      let seconds = (now - last.at) / 1_000_000_000
      sample.source = EscapedText(string: "meter \(name): silent for \(seconds) s")
      return sample
    }
    sample.watts = last.watts
    if energy.nanoseconds > 0 { sample.take(energy) }
    return sample
  }

  /// When a line was measured, on our clock. Lines come late by what the way takes: the shortest
  /// difference of the clocks seen is the one with the least delay in it.
  private func moment(_ seconds: Double?, now: UInt64) -> UInt64 {
    guard let seconds else { return now }
    let difference = Double(now) / 1e9 - seconds
    let least = min(offset ?? difference, difference)
    // A meter that was set anew is far from where it was.
    offset = difference - least > 60 ? difference : least
    return UInt64(max(0, (seconds + (offset ?? difference)) * 1e9))
  }

  /// Lines that are complete.
  private func newLines() -> [ArraySlice<UInt8>] {
    let fresh = file.readNew()
    guard !fresh.isEmpty else { return [] }
    rest += fresh
    var lines: [ArraySlice<UInt8>] = []
    var start = 0
    for i in rest.indices where rest[i] == 0x0A {
      lines.append(rest[start..<i])
      start = i + 1
    }
    rest.removeFirst(start)
    if rest.count > Self.lineLimit { rest = [] }
    return lines
  }
}
