// What can be wrong with a safetensors file.

import Bytes

/// Why bytes are not a safetensors file, with the tensor's key and the byte of the file.
public enum SafetensorsError: Error, Equatable, Sendable {
  /// The eight bytes of the header's length are missing, or it is past the file or the limit.
  case header(ByteError)
  /// The header is not JSON; `byteOffset` counts from the start of the file.
  case json(JSONError, byteOffset: Int)
  /// Something else than what the format demands stands there.
  case malformed(key: String, byteOffset: Int, expected: String)
  case unsupportedType(key: String, byteOffset: Int, name: String)
  /// More axes than a tensor may have.
  case rank(key: String, byteOffset: Int, rank: Int)
  /// Shape and type ask for other bytes than the offsets give; `expected` is nil on overflow.
  case tensorByteCount(key: String, byteOffset: Int, expected: Int?, found: Int)
  /// A tensor does not start where the one before it ends: they overlap or leave a gap.
  case notContiguous(key: String, byteOffset: Int, expectedOffset: Int, foundOffset: Int)
  /// The tensors end before or after the file does.
  case dataByteCount(expected: Int, found: Int)
  /// To be written, but there already.
  case duplicateName(String)
  /// To be written with fewer or more bytes than its shape takes.
  case wrongByteCount(key: String, expected: Int?, found: Int)
}

extension SafetensorsError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .header(let error): "not a safetensors file: header length: " + error.description
    case .json(let error, let offset): "not a safetensors header: byte \(offset): " + error.message
    case .malformed(let key, let offset, let expected):
      "\"\(key)\" at byte \(offset): expected \(expected)"
    case .unsupportedType(let key, let offset, let name):
      "\"\(key)\" at byte \(offset): unsupported dtype \(name)"
    case .rank(let key, let offset, let rank):
      "\"\(key)\" at byte \(offset): expected at most 8 axes, found \(rank)"
    case .tensorByteCount(let key, let offset, let expected, let found):
      "\"\(key)\" at byte \(offset): expected "
        + (expected.map { "\($0) bytes for its shape" } ?? "a shape that fits in memory")
        + ", found \(found)"
    case .notContiguous(let key, let offset, let expected, let found):
      "\"\(key)\" at byte \(offset): expected data offset \(expected), found \(found)"
    case .dataByteCount(let expected, let found):
      "expected \(expected) bytes of tensors, found \(found)"
    case .duplicateName(let name): "the tensor \"\(name)\" appears twice"
    case .wrongByteCount(let key, let expected, let found):
      "\"\(key)\": expected "
        + (expected.map { "\($0) bytes for its shape" } ?? "a shape that fits in memory")
        + ", found \(found)"
    }
  }
}
