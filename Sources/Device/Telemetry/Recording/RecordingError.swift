// Why bytes from outside are no recording, or no message of a run.
import Bytes
import Platform

/// What is wrong with a recording or a message, and where.
public struct RecordingError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was wrong at `offset`.
  public enum Reason: Equatable, Sendable {
    /// Too few bytes, an integer that is too long, text that is none.
    case bytes(ByteError.Reason)
    /// It begins with something else.
    case notARecording
    /// It was made by another version of the tool.
    case version(found: UInt8, known: UInt8)
    /// An entry or a case that this version does not know.
    case unknown(UInt8)
    /// A figure that no run has.
    case outOfRange(UInt64)
    /// A figure that is not a number.
    case notANumber
    /// An entry that is longer than its fields.
    case leftOver(Int)
    /// The system would not read on.
    case file(PlatformError)
  }

  /// Where, in bytes from the start of the file or the message.
  public let offset: Int
  public let reason: Reason

  public init(offset: Int, reason: Reason) {
    self.offset = offset
    self.reason = reason
  }

  init(_ error: ByteError) { self.init(offset: error.offset, reason: .bytes(error.reason)) }

  /// One line, without a full stop: where, and what.
  public var description: String {
    switch reason {
    case .file(let error): return error.description
    case .bytes(let reason): return ByteError(offset: offset, reason: reason).description
    case .notARecording: return "byte \(offset): expected a recording of a run"
    case .version(let found, let known):
      return "byte \(offset): version \(found) of recordings; this tool reads version \(known)"
    case .unknown(let value): return "byte \(offset): unknown kind \(value)"
    case .outOfRange(let value): return "byte \(offset): \(value) is out of range"
    case .notANumber: return "byte \(offset): expected a number"
    case .leftOver(let count): return "byte \(offset): \(count) bytes too many"
    }
  }
}
