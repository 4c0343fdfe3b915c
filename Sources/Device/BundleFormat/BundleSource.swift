// Where a bundle's bytes come from: a file read at any offset, or memory.

import Bytes
import Platform

/// The bytes of a bundle.
enum BundleSource {
  case file(FileReader)
  case memory([UInt8])

  var count: Int {
    switch self {
    case .file(let reader): reader.count
    case .memory(let bytes): bytes.count
    }
  }

  var path: String {
    switch self {
    case .file(let reader): reader.path
    case .memory: "bundle in memory"
    }
  }

  /// Fills `target` from `offset` on, or throws: the range was checked against the file's size, so
  /// that fewer bytes mean a file that shrank.
  func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws(BundleError) {
    var found = 0
    switch self {
    case .file(let reader):
      do throws(PlatformError) {
        found = try unsafe reader.read(at: offset, into: target)
      } catch { throw .platform(error) }
    case .memory(let bytes):
      if Checked.fits(offset: offset, count: target.count, in: bytes.count) {
        unsafe bytes.withUnsafeBytes { bytes in
          let part = unsafe UnsafeRawBufferPointer(
            rebasing: bytes[offset..<offset + target.count])
          unsafe target.copyMemory(from: part)
        }
        found = target.count
      }
    }
    guard found == target.count else {
      throw .invalid(
        BundleFault(
          path: path, offset: offset, reason: .truncated(expected: target.count, found: found)))
    }
  }

  /// `count` bytes from `offset` on; both are known to lie within the source.
  func bytes(at offset: Int, count: Int) throws(BundleError) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: count)
    try read(at: offset, count: count, into: &buffer)
    return buffer
  }

  /// Fills the first `count` bytes of `buffer` from `offset` on.
  func read(at offset: Int, count: Int, into buffer: inout [UInt8]) throws(BundleError) {
    try unsafe buffer.withUnsafeMutableBufferPointer { bytes throws(BundleError) in
      try unsafe read(
        at: offset, into: UnsafeMutableRawBufferPointer(start: bytes.baseAddress, count: count))
    }
  }
}
