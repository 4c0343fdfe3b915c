// Sound out of files, and at other rates: against values and waves that are known.
import Foundation
import Tasks
import Testing

struct SoundTests {
  private static func number(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }

  private static func file(
    tag: Int = 1, channels: Int = 1, rate: Int = 16_000, bits: Int, data: [UInt8],
    before: [UInt8] = []
  ) -> [UInt8] {
    let frame = channels * bits / 8
    let format =
      number(tag, 2) + number(channels, 2) + number(rate, 4) + number(rate * frame, 4)
      + number(frame, 2) + number(bits, 2)
    let body =
      Array("WAVE".utf8) + before + Array("fmt ".utf8) + number(16, 4) + format
      + Array("data".utf8) + number(data.count, 4) + data
    return Array("RIFF".utf8) + number(body.count, 4) + body
  }

  @Test func everyWidth() throws {
    let eight = try WavFile(Self.file(bits: 8, data: [0, 128, 255]).span)
    #expect(eight.samples == [-1, 0, 127.0 / 128])
    let sixteen = try WavFile(Self.file(bits: 16, data: [0, 0x80, 0, 0x40, 0xFF, 0x7F]).span)
    #expect(sixteen.samples == [-1, 0.5, 32767.0 / 32768])
    let wide = try WavFile(Self.file(bits: 24, data: [0, 0, 0x80, 0, 0, 0x40]).span)
    #expect(wide.samples == [-1, 0.5])
    let widest = try WavFile(Self.file(bits: 32, data: [0, 0, 0, 0xC0]).span)
    #expect(widest.samples == [-0.5])
    let real = try WavFile(
      Self.file(tag: 3, bits: 32, data: Self.number(Int(Float(0.25).bitPattern), 4)).span)
    #expect(real.samples == [0.25])
  }

  /// Two channels become their mean; chunks that nobody knows are passed over, odd ones with their pad.
  @Test func channelsAndChunks() throws {
    let other = Array("LIST".utf8) + Self.number(3, 4) + [1, 2, 3, 0]
    let file = Self.file(
      channels: 2, rate: 44_100, bits: 16, data: [0, 0x40, 0, 0xC0, 0, 0x40, 0, 0x20, 9],
      before: other)
    let sound = try WavFile(file.span)
    #expect(sound.rate == 44_100)
    #expect(sound.samples == [0, 0.375])
    // Cut in the data: what is there.
    #expect(try WavFile(Array(file.dropLast(4)).span).samples == [0])
  }

  @Test func brokenFiles() {
    for (bytes, at) in [
      ([], 0), (Array("RIFFxxxxWAVX".utf8), 0), (Self.file(tag: 85, bits: 16, data: [0, 0]), 20),
      (Self.file(channels: 0, bits: 16, data: []), 22),
      (Self.file(rate: 1, bits: 16, data: []), 24), (Self.file(bits: 12, data: []), 34),
      (Self.file(tag: 3, bits: 64, data: []), 34),
    ] as [([UInt8], Int)] {
      let error = #expect(throws: WavError.self) { try WavFile(bytes.span) }
      #expect(error?.at == at)
    }
    // Every prefix and every flipped byte: an answer or an error, nothing else.
    let file = Self.file(bits: 16, data: [1, 2, 3, 4])
    for count in 0..<file.count { _ = try? WavFile(Array(file[..<count]).span) }
    for i in file.indices {
      for bit in 0..<8 {
        var broken = file
        broken[i] ^= 1 << bit
        _ = try? WavFile(broken.span)
      }
    }
  }

  /// A tone below both limits is the same tone at the other rate, however it comes in pieces.
  @Test(arguments: [(48_000, 16_000), (44_100, 16_000), (16_000, 48_000), (8_000, 16_000)])
  func tonesStayTones(source: Int, result: Int) {
    let turn = 2 * Double.pi * 1000
    let tone = (0..<source / 4).map { Float(sin(turn * Double($0) / Double(source))) }
    var resampler = Resampler(from: source, to: result)
    var out: [Float] = []
    for start in stride(from: 0, to: tone.count, by: 777) {
      out += resampler.take(Array(tone[start..<min(start + 777, tone.count)]))
    }
    out += resampler.finish()
    #expect(abs(out.count - result / 4) <= 1)
    var worst = 0.0
    // The ends lie beside silence.
    for i in 200..<out.count - 200 {
      worst = max(worst, abs(Double(out[i]) - sin(2 * .pi * 1000 * Double(i) / Double(result))))
    }
    #expect(worst < 2e-3)
  }

  /// A tone that the slower rate cannot hold is gone, rather than another tone.
  @Test func whatDoesNotFitIsGone() {
    let tone = (0..<12_000).map { Float(sin(2 * Double.pi * 11_000 * Double($0) / 48_000)) }
    var resampler = Resampler(from: 48_000, to: 16_000)
    let out = resampler.take(tone)
    #expect(out.dropFirst(200).allSatisfy { abs($0) < 0.01 })
  }

  @Test func sameRateIsUntouched() {
    var resampler = Resampler(from: 16_000, to: 16_000)
    #expect(resampler.take([1, 2, 3]) == [1, 2, 3])
    #expect(resampler.finish().isEmpty)
  }
}
