// Pieces made by all cores and kept in order, without all of them in memory.
import Dispatch

/// A few pieces at a time.
enum PieceWindow {
  /// Pieces that may be in memory: enough for most machines, about 2 MB.
  static let count = 8

  /// Makes pieces side by side and hands them to `keep` in order; what it says of each.
  static func map<Kept>(
    count: Int, _ keep: ([UInt8]) throws -> Kept, _ make: (Int) throws -> [UInt8]
  ) throws -> [Kept] {
    var kept: [Kept] = []
    kept.reserveCapacity(count)
    for first in stride(from: 0, to: count, by: PieceWindow.count) {
      var made = [Result<[UInt8], any Error>](
        repeating: .success([]), count: min(PieceWindow.count, count - first))
      made.withUnsafeMutableBufferPointer { made in
        nonisolated(unsafe) let made = made
        nonisolated(unsafe) let make = make
        DispatchQueue.concurrentPerform(iterations: made.count) { i in
          made[i] = Result { try make(first + i) }
        }
      }
      for piece in made { kept.append(try keep(piece.get())) }
    }
    return kept
  }
}
