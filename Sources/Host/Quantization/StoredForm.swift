// A weight's bytes as they are used, wherever they are: memory, a mapped file, a scratch file.
import Graphs

/// Bytes that are read in parts, so that a large weight never has to be in memory as a whole. Parts may
/// be read from several threads at once.
public struct StoredForm: Sendable {
  public let byteCount: Int
  private let fill: @Sendable (_ offset: Int, UnsafeMutableRawBufferPointer) throws -> Void

  /// fill: gives the bytes from an offset on.
  public init(
    byteCount: Int,
    fill: @escaping @Sendable (_ offset: Int, UnsafeMutableRawBufferPointer) throws -> Void
  ) {
    self.byteCount = byteCount
    self.fill = fill
  }

  /// Bytes in memory, which the caller keeps alive.
  public init(_ bytes: UnsafeRawBufferPointer) {
    nonisolated(unsafe) let bytes = bytes
    self.init(byteCount: bytes.count) { offset, target in
      target.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + target.count]))
    }
  }

  /// A constant's own bytes, whose pages are given back as they are read.
  public init(_ constant: Constant) {
    self.init(byteCount: constant.bytes.count) { offset, target in
      let part = UnsafeRawBufferPointer(
        rebasing: constant.bytes[offset..<offset + target.count])
      target.copyMemory(from: part)
      constant.releasePages(of: part)
    }
  }

  /// Fills `target` with the bytes from `offset` on, all of which must be there.
  public func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws {
    precondition(offset >= 0 && target.count <= byteCount - offset)
    if target.count > 0 { try fill(offset, target) }
  }

  /// Some of the bytes.
  public func bytes(_ range: Range<Int>) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    try bytes.withUnsafeMutableBytes { try read(at: range.lowerBound, into: $0) }
    return bytes
  }
}
