// The sections of a bundle that hold its weights, copied from where packing left them.
import BundleFormat
import Bytes
import Programs

extension PackedWeights {
  /// Bytes of codes after which a chunk ends.
  private static let chunkByteCount = 64 << 10

  /// Adds the sections.
  func add(to writer: inout BundleWriter) {
    let blocks = program.weights.indices.filter { codings[$0] == nil }.map { i in
      WeightBlock(offset: program.weights[i].offset, byteCount: forms[i].byteCount) {
        [form = forms[i]] offset, target in try form.read(at: offset, into: target)
      }
    }
    writer.add(weights: blocks, byteCount: mappedByteCount, storage: .mappable)
    guard codings.contains(where: { $0 != nil }) else { return }
    var list = ByteWriter()
    list.put(UInt64(decodedByteCount))
    list.put(varint: UInt64(codings.reduce(0) { $0 + ($1 == nil ? 0 : 1) }))
    var pieces: [WeightBlock] = []
    var chunks: [Int] = []
    var end = 0
    for (i, coded) in codings.enumerated() {
      guard let coded else { continue }
      list.put(varint: UInt64(i))
      list.put(varint: UInt64(coded.head.count))
      list.put(coded.head)
      for (count, place) in zip(coded.pieceByteCounts, coded.places) {
        list.put(varint: UInt64(count))
        guard count > 0 else { continue }
        pieces.append(
          WeightBlock(offset: end, byteCount: count) { [file = scratch.file] offset, target in
            try file.read(at: place + offset, into: target)
          })
        end += count
        if let last = chunks.last, last < PackedWeights.chunkByteCount {
          chunks[chunks.count - 1] += count
        } else {
          chunks.append(count)
        }
      }
    }
    writer.add(.coding, list.bytes)
    writer.add(.codes, pieces, byteCount: end, storage: .uneven(chunks))
  }
}
