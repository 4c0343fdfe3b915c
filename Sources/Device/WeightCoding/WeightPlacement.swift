// Where decoded integers go: from runs of a matrix, row after row, to the stored form of a weight.

import CKernels
import Tensors

/// The matrix of integers that a weight is made of, and the place of each in the weight's bytes.
struct WeightPlacement {
  let encoding: WeightEncoding
  let rows: Int
  /// Integers of a row; those that fill its last block are among them.
  let columns: Int
  /// Where int8 scales start.
  private let scaleOffset: Int

  init(_ encoding: WeightEncoding, _ shape: Shape) {
    self.encoding = encoding
    let (rows, columns) = WeightEncoding.matrix(of: shape, encoding.layout)
    self.rows = rows
    self.columns =
      encoding.scheme.block == nil ? columns : BlockFormat.count(columns) * BlockFormat.length
    scaleOffset = encoding.scaleOffset(shape)
  }

  /// Integers in all.
  var count: Int { rows * columns }

  /// The largest magnitude of a value.
  var limit: Int {
    encoding.scheme.block?.middle ?? (encoding.scheme == .int8 ? 127 : Int(Int16.max))
  }

  /// Integers that share bytes: pieces end between them.
  var granule: Int { encoding.scheme.block == nil ? 1 : BlockFormat.length }

  /// Writes the f32 scale of every row, where the form has one.
  func placeScales(_ scale: Float, _ base: UnsafeMutableRawPointer) {
    guard encoding.scheme == .int8 else { return }
    for r in 0..<rows {
      unsafe base.storeBytes(of: scale, toByteOffset: scaleOffset + r * 4, as: Float.self)
    }
  }

  /// Writes `count` values of the integers from `position` on, all of them within the matrix.
  /// Bytes of blocks are zero before.
  func place(
    _ values: UnsafePointer<Int16>, count: Int, from position: Int, scale: Float,
    _ base: UnsafeMutableRawPointer
  ) {
    var done = 0
    while done < count {
      let row = (position + done) / columns
      let column = (position + done) % columns
      let part = min(columns - column, count - done)
      let from = unsafe values + done
      if let block = encoding.scheme.block {
        unsafe placeBlocks(block, from, part, row * columns + column, base)
      } else if encoding.scheme == .int8 {
        unsafe placeCodes(from, part, row, column, base)
      } else {
        unsafe placeReals(from, part, row, column, scale, base)
      }
      done += part
    }
  }

  private func placeCodes(
    _ values: UnsafePointer<Int16>, _ count: Int, _ row: Int, _ column: Int,
    _ base: UnsafeMutableRawPointer
  ) {
    guard encoding.layout == .panels else {
      let start = row * WeightEncoding.int8RowBytes(columns) + column
      let codes = unsafe (base + start).assumingMemoryBound(to: Int8.self)
      for i in 0..<count { unsafe codes[i] = Int8(truncatingIfNeeded: values[i]) }
      return
    }
    let panel = row / 16 * ((columns + 3) / 4) * 64 + row % 16 * 4
    let codes = unsafe (base + panel).assumingMemoryBound(to: Int8.self)
    for i in 0..<count {
      let c = column + i
      unsafe codes[c / 4 * 64 + c % 4] = Int8(truncatingIfNeeded: values[i])
    }
  }

  /// Field by field of a code, the lowest bits first: those of one width stand together.
  private func placeBlocks(
    _ format: BlockFormat, _ values: UnsafePointer<Int16>, _ count: Int, _ position: Int,
    _ base: UnsafeMutableRawPointer
  ) {
    var offset = 2
    var shift = 0
    for width in [4, 2, 1] where format.bits & width != 0 {
      let stride = 4 * width
      let strideBits = stride.trailingZeroBitCount
      for i in 0..<count {
        let (block, place) = (
          (position + i) / BlockFormat.length, (position + i) % BlockFormat.length
        )
        let code = unsafe Int(values[i]) &+ format.middle
        let field = UInt8(truncatingIfNeeded: (code >> shift) & ((1 << width) - 1))
        let byte = block * format.byteCount + offset + place & (stride - 1)
        let old = unsafe base.load(fromByteOffset: byte, as: UInt8.self)
        unsafe base.storeBytes(
          of: old | field << UInt8(truncatingIfNeeded: (place >> strideBits) * width),
          toByteOffset: byte, as: UInt8.self)
      }
      offset += stride
      shift += width
    }
  }

  private func placeReals(
    _ values: UnsafePointer<Int16>, _ count: Int, _ row: Int, _ column: Int, _ scale: Float,
    _ base: UnsafeMutableRawPointer
  ) {
    let isPanels = encoding.layout == .panels
    let start = isPanels ? (row / 16 * columns + column) * 16 + row % 16 : row * columns + column
    let step = isPanels ? 16 : 1
    for i in 0..<count {
      let x = unsafe Float(values[i]) * scale
      let at = start + i * step
      switch encoding.scheme {
      case .f16:
        unsafe base.storeBytes(of: kn_f32_to_f16(x), toByteOffset: at * 2, as: UInt16.self)
      case .bf16:
        unsafe base.storeBytes(of: HalfPrecision.bf16(x), toByteOffset: at * 2, as: UInt16.self)
      default: unsafe base.storeBytes(of: x, toByteOffset: at * 4, as: Float.self)
      }
    }
  }
}
