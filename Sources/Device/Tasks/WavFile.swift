// Sound out of RIFF WAVE files.

/// What is wrong with a WAVE file.
public struct WavError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The byte at which it showed.
  public var at: Int
  public var expected: String

  public var description: String { "byte \(at): expected \(expected)" }
}

/// Sound of one channel.
public struct WavFile: Equatable, Sendable {
  /// Samples per second.
  public var rate: Int
  /// -1…1; the mean of all channels.
  public var samples: [Float]

  public init(rate: Int, samples: [Float]) {
    self.rate = rate
    self.samples = samples
  }

  /// Reads PCM of 8, 16, 24 and 32 bits and floating point of 32, up to 64 channels. A file that was cut
  /// gives what is there.
  public init(_ file: Span<UInt8>) throws(WavError) {
    guard file.count >= 12, WavFile.holds(file, 0, "RIFF"), WavFile.holds(file, 8, "WAVE") else {
      throw WavError(at: 0, expected: "RIFF and WAVE")
    }
    var format: Format?
    var at = 12
    while at <= file.count - 8 {
      let size = WavFile.number(file, at + 4, 4)
      let body = at + 8
      if WavFile.holds(file, at, "fmt ") {
        format = try Format(file, at: body, size: size)
      } else if WavFile.holds(file, at, "data") {
        guard let format else { throw WavError(at: at, expected: "fmt before data") }
        rate = format.rate
        samples = format.samples(file, from: body, byteCount: min(size, file.count - body))
        return
      }
      // Chunks begin at even places.
      let next = body + size + size % 2
      guard next > at else { break }
      at = next
    }
    throw WavError(
      at: min(at, file.count), expected: format == nil ? "a fmt chunk" : "a data chunk")
  }

  private struct Format {
    var isReal: Bool
    var channels: Int
    var rate: Int
    var bytes: Int

    init(_ file: Span<UInt8>, at: Int, size: Int) throws(WavError) {
      guard size >= 16, file.count - at >= 16 else {
        throw WavError(at: at, expected: "16 bytes of format")
      }
      var tag = WavFile.number(file, at, 2)
      // An extensible format names itself behind the fields that all have.
      if tag == 0xFFFE, size >= 26, file.count - at >= 26 { tag = WavFile.number(file, at + 24, 2) }
      channels = WavFile.number(file, at + 2, 2)
      rate = WavFile.number(file, at + 4, 4)
      let bits = WavFile.number(file, at + 14, 2)
      bytes = bits / 8
      isReal = tag == 3
      guard tag == 1 || tag == 3 else {
        throw WavError(at: at, expected: "format 1 (PCM) or 3 (real numbers), not \(tag)")
      }
      guard (1...64).contains(channels) else {
        throw WavError(at: at + 2, expected: "1 to 64 channels")
      }
      guard (1000...768_000).contains(rate) else {
        throw WavError(at: at + 4, expected: "1000 to 768000 samples per second")
      }
      guard isReal ? bits == 32 : [8, 16, 24, 32].contains(bits) else {
        throw WavError(at: at + 14, expected: "8, 16, 24 or 32 bits")
      }
    }

    func samples(_ file: Span<UInt8>, from start: Int, byteCount: Int) -> [Float] {
      let frame = bytes * channels
      var result: [Float] = []
      result.reserveCapacity(byteCount / frame)
      for i in 0..<byteCount / frame {
        var sum: Float = 0
        for c in 0..<channels { sum += sample(file, start + i * frame + c * bytes) }
        result.append(sum / Float(channels))
      }
      return result
    }

    private func sample(_ file: Span<UInt8>, _ at: Int) -> Float {
      let bits = UInt32(truncatingIfNeeded: WavFile.number(file, at, bytes))
      if isReal {
        let value = Float(bitPattern: bits)
        return value.isFinite ? value : 0
      }
      // Eight bits are unsigned, all others two's complement: shifted to the top of a word.
      if bytes == 1 { return (Float(bits) - 128) / 128 }
      return Float(Int32(bitPattern: bits << UInt32(32 - bytes * 8))) / 2_147_483_648
    }
  }

  private static func holds(_ file: Span<UInt8>, _ at: Int, _ name: StaticString) -> Bool {
    guard file.count - at >= name.utf8CodeUnitCount else { return false }
    for i in 0..<name.utf8CodeUnitCount where unsafe name.utf8Start[i] != file[at + i] {
      return false
    }
    return true
  }

  /// Little-endian, at most four bytes; the caller has checked that they are there.
  private static func number(_ file: Span<UInt8>, _ at: Int, _ count: Int) -> Int {
    var value = 0
    for i in (0..<count).reversed() { value = value << 8 | Int(file[at + i]) }
    return value
  }
}
