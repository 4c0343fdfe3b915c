// What packing has made of the weights and not yet written, in a file of its own.
import Foundation
import Platform
import Quantization

/// Bytes that several threads put into one scratch file.
final class WeightScratch: Sendable {
  let file: ScratchFile
  private let lock = NSLock()
  private nonisolated(unsafe) var end = 0

  /// path: of the bundle, whose folder has the room.
  init(beside path: String) throws { file = try ScratchFile(beside: path) }

  /// A place for so many bytes, which are zero until they are written.
  func reserve(_ byteCount: Int) -> Int {
    lock.withLock {
      let start = (end + 63) & ~63
      end = start + byteCount
      return start
    }
  }

  /// Where the bytes are from now on.
  func put(_ bytes: [UInt8]) throws -> Int {
    let place = reserve(bytes.count)
    try bytes.withUnsafeBytes { try file.write($0, at: place) }
    return place
  }

  /// What is at a place.
  func form(at place: Int, byteCount: Int) -> StoredForm {
    StoredForm(byteCount: byteCount) { [file] offset, target in
      try file.read(at: place + offset, into: target)
    }
  }
}
