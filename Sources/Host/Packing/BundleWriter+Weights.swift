// Constants laid one behind the other, each at a multiple of 64 bytes.

import BundleFormat

/// A part of a section whose bytes are somewhere else, such as one constant of the weights section.
public struct WeightBlock {
  /// Where it begins in the section.
  public var offset: Int
  public var byteCount: Int
  /// Fills the buffer with the block's bytes from an offset on; parts are asked for in their order.
  public var fill: (_ offset: Int, UnsafeMutableRawBufferPointer) throws -> Void

  public init(
    offset: Int, byteCount: Int,
    fill: @escaping (_ offset: Int, UnsafeMutableRawBufferPointer) throws -> Void
  ) {
    self.offset = offset
    self.byteCount = byteCount
    self.fill = fill
  }

  /// Where constants of these sizes go, and the size of the section that holds them.
  public static func layout(_ byteCounts: [Int]) -> (offsets: [Int], byteCount: Int) {
    var end = 0
    var offsets: [Int] = []
    for count in byteCounts {
      let mask = BundleLayout.alignment - 1
      offsets.append((end + mask) & ~mask)
      end = offsets[offsets.count - 1] + count
    }
    return (offsets, end)
  }
}

extension BundleWriter {
  /// Adds the weights: aligned blocks in ascending order that do not overlap, zeros between them. The
  /// section ends with the last block, or has `byteCount` bytes.
  public mutating func add(
    weights blocks: [WeightBlock], byteCount: Int? = nil, storage: Storage
  ) {
    precondition(
      blocks.allSatisfy { $0.offset % BundleLayout.alignment == 0 }, "weights are aligned")
    let end = blocks.last.map { $0.offset + $0.byteCount } ?? 0
    add(.weights, blocks, byteCount: max(byteCount ?? end, end), storage: storage)
  }

  /// Adds a section of blocks in ascending order that do not overlap, zeros between them.
  mutating func add(
    _ kind: BundleSectionKind, _ blocks: [WeightBlock], byteCount: Int, storage: Storage
  ) {
    var end = 0
    for block in blocks {
      precondition(block.offset >= end && block.byteCount >= 0, "blocks ascend and do not overlap")
      end = block.offset + block.byteCount
    }
    let cursor = WeightCursor(blocks)
    add(kind, byteCount: byteCount, storage: storage) { try cursor.fill($0, $1) }
  }
}

/// Walks over blocks as ranges of the section are asked for, from the first to the last.
private final class WeightCursor {
  private let blocks: [WeightBlock]
  private var index = 0

  init(_ blocks: [WeightBlock]) { self.blocks = blocks }

  func fill(_ range: Range<Int>, _ target: UnsafeMutableRawBufferPointer) throws {
    if range.lowerBound == 0 { index = 0 }
    target.initializeMemory(as: UInt8.self, repeating: 0)
    while index < blocks.count, blocks[index].offset < range.upperBound {
      let block = blocks[index]
      let whole = block.offset..<block.offset + block.byteCount
      let part = whole.clamped(to: range)
      if !part.isEmpty {
        try block.fill(
          part.lowerBound - block.offset,
          UnsafeMutableRawBufferPointer(
            rebasing: target[
              part.lowerBound - range.lowerBound..<part.upperBound - range.lowerBound]))
      }
      if whole.upperBound > range.upperBound { return }
      index += 1
    }
  }
}
