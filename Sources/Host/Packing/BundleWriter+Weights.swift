// Constants laid one behind the other, each at a multiple of 64 bytes.

import BundleFormat

/// One constant of the weights section.
public struct WeightBlock {
  /// Where it begins in the section, a multiple of 64.
  public var offset: Int
  public var byteCount: Int
  /// Its bytes, asked for once, when they are written.
  public var bytes: () throws -> [UInt8]

  public init(offset: Int, byteCount: Int, bytes: @escaping () throws -> [UInt8]) {
    self.offset = offset
    self.byteCount = byteCount
    self.bytes = bytes
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

  /// A block that gave another number of bytes than it had promised.
  struct WrongSize: Error, CustomStringConvertible {
    let description: String
  }
}

extension BundleWriter {
  /// Adds the weights: blocks in ascending order that do not overlap, zeros between them. One block
  /// is in memory at a time. The section ends with the last block, or has `byteCount` bytes.
  public mutating func add(
    weights blocks: [WeightBlock], byteCount: Int? = nil, storage: Storage
  ) {
    var end = 0
    for block in blocks {
      precondition(
        block.offset >= end && block.offset % BundleLayout.alignment == 0 && block.byteCount >= 0,
        "weights ascend, do not overlap and are aligned")
      end = block.offset + block.byteCount
    }
    let cursor = WeightCursor(blocks)
    add(.weights, byteCount: max(byteCount ?? end, end), storage: storage) {
      try cursor.fill($0, $1)
    }
  }
}

/// Walks over blocks as ranges of the section are asked for, from the first to the last.
private final class WeightCursor {
  private let blocks: [WeightBlock]
  private var index = 0
  private var current: [UInt8]?

  init(_ blocks: [WeightBlock]) { self.blocks = blocks }

  func fill(_ range: Range<Int>, _ target: UnsafeMutableRawBufferPointer) throws {
    if range.lowerBound == 0 {
      index = 0
      current = nil
    }
    target.initializeMemory(as: UInt8.self, repeating: 0)
    while index < blocks.count, blocks[index].offset < range.upperBound {
      let block = blocks[index]
      let whole = block.offset..<block.offset + block.byteCount
      let part = whole.clamped(to: range)
      if !part.isEmpty {
        let bytes = try current ?? self.bytes(of: block)
        current = bytes
        bytes.withUnsafeBytes { bytes in
          let from = bytes[part.lowerBound - block.offset..<part.upperBound - block.offset]
          UnsafeMutableRawBufferPointer(
            rebasing: target[
              part.lowerBound - range.lowerBound..<part.upperBound - range.lowerBound]
          ).copyMemory(from: UnsafeRawBufferPointer(rebasing: from))
        }
      }
      if whole.upperBound > range.upperBound { return }
      index += 1
      current = nil
    }
  }

  private func bytes(of block: WeightBlock) throws -> [UInt8] {
    let bytes = try block.bytes()
    guard bytes.count == block.byteCount else {
      throw WeightBlock.WrongSize(
        description: "a weight of \(block.byteCount) bytes gave \(bytes.count)")
    }
    return bytes
  }
}
