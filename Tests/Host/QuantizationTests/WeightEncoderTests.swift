// Encoded weights come back through the kernels' own decoders, within each scheme's error.
import CKernels
import Graphs
import Kernels
import Lowering
import Quantization
import Randomness
import Tensors
import Testing

struct WeightEncoderTests {
  private let table = KernelSet.best.table

  /// `rows` output channels of `columns` weights, channels of very different size.
  private func weights(_ rows: Int, _ columns: Int) -> [Float] {
    var random = SeededRandom(state: UInt64(rows * 1000 + columns))
    return (0..<rows * columns).map { i in
      Float.random(in: -1...1, using: &random) * Float(1 + i / columns % 7)
    }
  }

  private func encode(
    _ values: [Float], _ shape: Shape, _ role: WeightRole, _ encoding: WeightEncoding
  ) -> [UInt8] {
    let source = WeightSource(
      name: "w", constant: Constant(floats: values, shape: shape), role: role)
    let encoder = WeightEncoder(source, encoding)
    // Typed as words so that the bytes are aligned for every decoder.
    var bytes = [UInt8](repeating: 0, count: encoder.byteCount)
    bytes.withUnsafeMutableBytes { encoder.encode(into: $0) }
    return bytes
  }

  /// Row `r` of row-major bytes, decoded.
  private func row(
    _ r: Int, _ columns: Int, _ bytes: [UInt8], _ encoding: WeightEncoding, _ shape: Shape
  ) -> [Float] {
    var out = [Float](repeating: .nan, count: columns)
    bytes.withUnsafeBytes { raw in
      let base = raw.baseAddress!
      switch encoding.scheme {
      case .f32:
        for c in 0..<columns {
          out[c] = base.loadUnaligned(fromByteOffset: (r * columns + c) * 4, as: Float.self)
        }
      case .f16:
        table.pointee.decode_f16(
          (base + r * columns * 2).assumingMemoryBound(to: UInt16.self), &out, columns)
      case .bf16:
        table.pointee.decode_bf16(
          (base + r * columns * 2).assumingMemoryBound(to: UInt16.self), &out, columns)
      case .int8:
        let scale = base.loadUnaligned(
          fromByteOffset: encoding.scaleOffset(shape) + r * 4, as: Float.self)
        table.pointee.decode_i8(
          (base + r * WeightEncoding.int8RowBytes(columns)).assumingMemoryBound(to: Int8.self),
          scale, &out, columns)
      default:
        table.pointee.decode_blocks(
          Int32(encoding.scheme.rawValue), base + r * encoding.scheme.block!.rowBytes(columns),
          &out,
          columns)
      }
    }
    return out
  }

  /// The largest error allowed for a weight: half a step of the scheme at the row's or block's peak.
  private func bound(_ scheme: QuantizationScheme, _ peak: Float) -> Float {
    switch scheme {
    case .f32: 0
    case .f16: peak * 0x1p-11
    case .bf16: peak * 0x1p-8
    case .int8: peak / 127 * 0.5001
    // The widest gap between neighbours is 25 of 127, and the best scale may clip the peak a little.
    case .iq4_nl, .nl4: peak * 0.2
    case .nl2: peak * 0.8
    case .nl3: peak * 0.4
    case .nl5: peak * 0.12
    case .nl6: peak * 0.07
    }
  }

  @Test(arguments: QuantizationScheme.allCases)
  func `rows come back within half a step`(_ scheme: QuantizationScheme) {
    for (rows, columns) in [(1, 1), (3, 31), (5, 32), (16, 33), (17, 130)] {
      let values = weights(rows, columns)
      let shape = Shape([rows, columns])
      let encoding = WeightEncoding(scheme, .rowMajor)
      let bytes = encode(values, shape, .kernel, encoding)
      #expect(bytes.count == encoding.byteCount(shape))
      for r in 0..<rows {
        let original = Array(values[r * columns..<(r + 1) * columns])
        let peak = original.map(\.magnitude).max() ?? 0
        for (x, y) in zip(original, row(r, columns, bytes, encoding, shape)) {
          #expect((x - y).magnitude <= bound(scheme, peak), "\(scheme.name) \(rows)x\(columns)")
        }
      }
    }
  }

  /// A window's bytes are those that its rows have as a weight of their own.
  @Test(arguments: QuantizationScheme.allCases)
  func `windows do not depend on each other`(_ scheme: QuantizationScheme) {
    let (n, k) = (1100, 1030)
    let values = weights(n, k)
    for role in [WeightRole.table, .matrix(transposed: true), .matrix(transposed: false)] {
      let layout: WeightLayout = role == .table ? .rowMajor : .panels
      let encoding = WeightEncoding(scheme, layout)
      let isTurned = role == .matrix(transposed: false)
      func source(_ rows: Range<Int>) -> WeightSource {
        let part = Array(values[rows.lowerBound * k..<rows.upperBound * k])
        let count = rows.count
        let floats =
          isTurned
          ? (0..<count * k).map { part[$0 % count * k + $0 / count] } : part
        return WeightSource(
          name: "w",
          constant: Constant(
            floats: floats, shape: Shape(isTurned ? [k, count] : [count, k])), role: role)
      }
      let whole = WeightEncoder(source(0..<n), encoding)
      guard !whole.isIdentity else { continue }
      #expect(whole.windows.count > 2)
      #expect(whole.windows.first?.lowerBound == 0 && whole.windows.last?.upperBound == n)
      var bytes = [UInt8](repeating: 0, count: whole.byteCount)
      bytes.withUnsafeMutableBytes { whole.encode(into: $0) }
      let shape = source(0..<n).shape
      for window in whole.windows {
        let part = WeightEncoder(source(window), encoding)
        var own = [UInt8](repeating: 0, count: part.byteCount)
        own.withUnsafeMutableBytes { part.encode(into: $0) }
        let partShape = source(window).shape
        // Codes stand one behind the other; scales behind all of them.
        let scales = scheme == .int8 ? encoding.scaleOffset(partShape) : own.count
        let codeBytes = (scheme == .int8 ? encoding.scaleOffset(shape) : bytes.count)
        let perRow = Double(codeBytes) / Double((n + 15) / 16 * 16)
        let first =
          layout == .rowMajor || scheme.block != nil
          ? window.lowerBound * (codeBytes / n) : Int(perRow) * window.lowerBound
        let length = min(scales, codeBytes - first) / 64 * 64
        #expect(Array(bytes[first..<first + length]) == Array(own[..<length]))
        guard scheme == .int8 else { continue }
        let at = codeBytes + window.lowerBound * 4
        #expect(
          Array(bytes[at..<at + window.count * 4])
            == Array(own[scales..<scales + window.count * 4]))
      }
    }
  }

  @Test(arguments: QuantizationScheme.allCases)
  func `panels hold what rows hold, turned or not`(_ scheme: QuantizationScheme) {
    for (n, k) in [(1, 5), (16, 32), (19, 70)] {
      let values = weights(n, k)
      let turned = (0..<n * k).map { values[$0 % n * k + $0 / n] }
      let rows = WeightEncoding(scheme, .rowMajor)
      let panels = WeightEncoding(scheme, .panels)
      let rowBytes = encode(values, Shape([n, k]), .kernel, rows)
      let fromRows = encode(values, Shape([n, k]), .matrix(transposed: true), panels)
      let fromColumns = encode(turned, Shape([k, n]), .matrix(transposed: false), panels)
      #expect(fromRows == fromColumns)
      for j in 0..<n {
        let expected = row(j, k, rowBytes, rows, Shape([n, k]))
        #expect(column(j, n, k, fromRows, scheme) == expected, "\(scheme.name) \(n)x\(k)")
      }
    }
  }

  /// Column `j` of a [k, n] matrix in panels, decoded a panel at a time.
  private func column(
    _ j: Int, _ n: Int, _ k: Int, _ bytes: [UInt8], _ scheme: QuantizationScheme
  ) -> [Float] {
    var panel = [Float](repeating: .nan, count: k * 16)
    let first = j / 16 * 16
    bytes.withUnsafeBytes { raw in
      let base = raw.baseAddress!
      switch scheme {
      case .f32:
        for i in 0..<k * 16 {
          panel[i] = base.loadUnaligned(fromByteOffset: (first * k + i) * 4, as: Float.self)
        }
      case .f16:
        table.pointee.decode_panel_f16(
          (base + first * k * 2).assumingMemoryBound(to: UInt16.self), &panel, k)
      case .bf16:
        table.pointee.decode_panel_bf16(
          (base + first * k * 2).assumingMemoryBound(to: UInt16.self), &panel, k)
      case .int8:
        let encoding = WeightEncoding(.int8, .panels)
        let quads = (k + 3) / 4
        let scales = encoding.scaleOffset(Shape([k, n]))
        for p in 0..<k {
          let at = (first / 16 * quads + p / 4) * 64 + j % 16 * 4 + p % 4
          let scale = base.loadUnaligned(fromByteOffset: scales + j * 4, as: Float.self)
          panel[p * 16 + j % 16] =
            scale * Float(base.loadUnaligned(fromByteOffset: at, as: Int8.self))
        }
      default:
        table.pointee.decode_panel_blocks(
          Int32(scheme.rawValue), base + first * scheme.block!.rowBytes(k), (k + 31) / 32,
          min(16, n - first), &panel, k)
      }
    }
    return (0..<k).map { panel[$0 * 16 + j % 16] }
  }

  @Test func `rows that are not ordinary numbers do not crash`() {
    let rows: [[Float]] = [
      [Float](repeating: 0, count: 32), [Float](repeating: .nan, count: 32),
      [Float](repeating: .infinity, count: 32),
      [Float](repeating: .leastNonzeroMagnitude * 700, count: 32),
      [Float](repeating: .greatestFiniteMagnitude, count: 32),
      (0..<32).map { $0 == 5 ? 1000 : 0.001 },
    ]
    for values in rows {
      for scheme in QuantizationScheme.allCases {
        for layout in [WeightLayout.rowMajor, .panels] {
          let role = layout == .panels ? WeightRole.matrix(transposed: true) : .kernel
          let encoding = WeightEncoding(scheme, layout)
          let once = encode(values, Shape([1, 32]), role, encoding)
          #expect(once == encode(values, Shape([1, 32]), role, encoding))
        }
      }
      for x in values { #expect(Int8Quantizer.code(x, Int8Quantizer.scale(values)) >= -127) }
    }
    #expect(Int8Quantizer.scale(rows[0]) == 0 && Int8Quantizer.code(3, 0) == 0)
  }
}
