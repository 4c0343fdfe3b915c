// BLAKE2b-256, the one digest of the bundle format.

import Bytes
import CSodium

/// A BLAKE2b-256 digest: what `b2sum -l 256` prints for the same bytes.
public struct Digest: Equatable, Sendable {
  /// Bytes in a digest.
  public static var byteCount: Int { 32 }

  // Little-endian words; an array would be allocated per chunk.
  private let words: (UInt64, UInt64, UInt64, UInt64)

  /// The digest of `bytes`.
  public init(of bytes: RawSpan) {
    _ = isSodiumReady
    let digest = unsafe bytes.withUnsafeBytes { bytes in
      var out: InlineArray<32, UInt8> = .init(repeating: 0)
      var span = out.mutableSpan
      unsafe span.withUnsafeMutableBufferPointer { out in
        guard let start = out.baseAddress else { return }
        // It fails only for output lengths that libsodium does not have; 32 is one it has.
        _ = unsafe crypto_generichash(
          start, 32, bytes.baseAddress, UInt64(bytes.count), nil, 0)
      }
      return out
    }
    self.init { digest[$0] }
  }

  /// The digest of `bytes`.
  public init(of bytes: [UInt8]) {
    let span = bytes.span
    unsafe self.init(of: span.bytes)
  }

  /// A digest that stands at `offset` of `table`, which is long enough.
  init(in table: [UInt8], at offset: Int) { self.init { table[offset + $0] } }

  private init(byteAt: (Int) -> UInt8) {
    func word(_ index: Int) -> UInt64 {
      var value: UInt64 = 0
      for i in 0..<8 { value |= UInt64(byteAt(index * 8 + i)) << UInt64(8 * i) }
      return value
    }
    words = (word(0), word(1), word(2), word(3))
  }

  /// The 32 bytes.
  public var bytes: [UInt8] {
    var writer = ByteWriter()
    append(to: &writer)
    return writer.bytes
  }

  /// 64 hexadecimal digits.
  public var hexadecimal: String {
    var text = TextBuffer()
    text.put(hexadecimal: bytes)
    return text.text
  }

  /// Appends the 32 bytes.
  public func append(to writer: inout ByteWriter) {
    writer.put(words.0)
    writer.put(words.1)
    writer.put(words.2)
    writer.put(words.3)
  }

  public static func == (a: Digest, b: Digest) -> Bool {
    a.words.0 == b.words.0 && a.words.1 == b.words.1 && a.words.2 == b.words.2
      && a.words.3 == b.words.3
  }
}

/// Has libsodium choose its fastest code for this CPU, once; without that it runs its slowest.
private let isSodiumReady = sodium_init() >= 0
