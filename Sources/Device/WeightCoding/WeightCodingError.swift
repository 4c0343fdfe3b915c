// Why coded weights cannot be decoded.

import Bytes

/// Coded weights that are damaged, or were never weights.
public struct WeightCodingError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was wrong.
  public enum Reason: Equatable, Sendable {
    /// The bytes end before a field does, or a number has too many of them.
    case bytes(ByteError.Reason)
    /// A field outside of its bounds.
    case field(String, found: Int, expected: ClosedRange<Int>)
    /// The frequencies of a context that do not add up.
    case frequencies(context: Int, sum: Int, expected: Int)
    /// A coding that cannot make this weight's stored form.
    case mismatch(String)
    /// The stream of integers ends too early.
    case streamEnd
    /// An integer beyond what the stored form holds.
    case value
    /// An escape code that is none.
    case escape
    /// Decoding did not end where encoding began: the bytes were changed.
    case remainder
    /// A compressed plane of bytes that cannot be unpacked.
    case plane(String)
  }

  /// Bytes from the start of the head or piece that was being read.
  public var offset: Int
  public var reason: Reason

  public init(offset: Int, reason: Reason) {
    self.offset = offset
    self.reason = reason
  }

  init(_ error: ByteError) {
    self.init(offset: error.offset, reason: .bytes(error.reason))
  }

  /// One line, without a full stop: where, and what.
  public var description: String { "byte \(offset): \(message)" }

  /// What is wrong, without where.
  public var message: String {
    switch reason {
    case .bytes(let reason): ByteError(offset: offset, reason: reason).message
    case .field(let name, let found, let expected):
      "\(name) is \(found), expected \(expected.lowerBound) to \(expected.upperBound)"
    case .frequencies(let context, let sum, let expected):
      "the frequencies of context \(context) add up to \(sum), expected \(expected)"
    case .mismatch(let message): message
    case .streamEnd: "the coded integers end too early"
    case .value: "an integer is beyond what the weight's form holds"
    case .escape: "an escape code is too long"
    case .remainder: "decoding does not end where encoding began"
    case .plane(let message): "a compressed plane: \(message)"
    }
  }
}
