// How a weight tensor is stored: its scheme, its layout, and the bytes both make of a shape.

/// How each weight is encoded. Raw values are part of the bundle format and equal `kn_scheme`.
public enum QuantizationScheme: UInt8, Sendable, CaseIterable {
  case f32 = 1
  case f16 = 2
  case bf16 = 3
  /// Symmetric 8-bit codes, one f32 scale per output channel.
  case int8 = 4
  /// 4-bit codes in blocks of 32 with one f16 scale each: 4.5 bits per weight.
  // The name is GGML's.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case iq4_nl = 5
  /// Codes of 2 to 6 bits in blocks of 32 with one f16 scale each, whose low bits pick one of a few
  /// tables of values that do not lie evenly: 2.5 to 6.5 bits per weight.
  case nl2 = 6
  case nl3 = 7
  case nl4 = 8
  case nl5 = 9
  case nl6 = 10

  /// What people type: `f32`, `f16`, `bf16`, `int8`, `iq4_nl`, `nl2` to `nl6`.
  public var name: String {
    switch self {
    case .f32: "f32"
    case .f16: "f16"
    case .bf16: "bf16"
    case .int8: "int8"
    case .iq4_nl: "iq4_nl"
    case .nl2: "nl2"
    case .nl3: "nl3"
    case .nl4: "nl4"
    case .nl5: "nl5"
    case .nl6: "nl6"
    }
  }

  /// What its blocks of 32 weights are; nil where a scheme has none.
  public var block: BlockFormat? {
    switch self {
    case .f32, .f16, .bf16, .int8: nil
    case .nl2: BlockFormat(bits: 2)
    case .nl3: BlockFormat(bits: 3)
    case .iq4_nl, .nl4: BlockFormat(bits: 4)
    case .nl5: BlockFormat(bits: 5)
    case .nl6: BlockFormat(bits: 6)
    }
  }

  public init?(name: String) {
    for scheme in QuantizationScheme.allCases where scheme.name == name {
      self = scheme
      return
    }
    return nil
  }
}

/// Blocks of 32 weights along a row: an f16 scale, then the codes in fields of 4, 2 and 1 bits as
/// `kernels.h` has them. What fills the last block of a row are zeros.
public struct BlockFormat: Sendable, Equatable {
  /// Bits of a code, 2 to 6.
  public let bits: Int

  init(bits: Int) { self.bits = bits }

  /// Weights of a block.
  public static var length: Int { 32 }
  /// Bytes of a block: the scale and the codes.
  public var byteCount: Int { 2 + 4 * bits }
  /// The code in the middle: as integers, codes are counted from it.
  public var middle: Int { 1 << (bits - 1) }

  /// Code `i` among a block's bytes behind the scale.
  public func code(_ i: Int, _ bytes: ArraySlice<UInt8>) -> Int {
    var code = 0
    var offset = bytes.startIndex
    var shift = 0
    for width in [4, 2, 1] where bits & width != 0 {
      let field = Int(bytes[offset + i % (4 * width)]) >> (i / (4 * width) * width)
      code |= (field & (1 << width - 1)) << shift
      offset += 4 * width
      shift += width
    }
    return code
  }

  /// Blocks of a row.
  public static func count(_ columns: Int) -> Int { (columns + length - 1) / length }
  /// Bytes of a row.
  public func rowBytes(_ columns: Int) -> Int { BlockFormat.count(columns) * byteCount }
}

/// Where the elements of a weight stand. Raw values are part of the bundle format.
public enum WeightLayout: UInt8, Sendable {
  /// Logical shape [rows, …]: row after row. Convolution kernels, tables and all small constants.
  case rowMajor = 0
  /// Logical shape [k, n], the right-hand side of a matrix product: panels of 16 columns, as
  /// `kernels.h` defines them. Blocks stand in n rows along k instead.
  case panels = 1
}

/// The stored form of one weight and the byte offsets inside it.
public struct WeightEncoding: Sendable, Equatable {
  public var scheme: QuantizationScheme
  public var layout: WeightLayout

  public init(_ scheme: QuantizationScheme, _ layout: WeightLayout) {
    self.scheme = scheme
    self.layout = layout
  }

  /// The columns of one panel.
  public static var panelWidth: Int { 16 }

  /// Rows and row length of the encoder's view of `shape`: n rows of k for panels.
  public static func matrix(of shape: Shape, _ layout: WeightLayout) -> (rows: Int, columns: Int) {
    switch layout {
    case .panels: (shape.rank == 2 ? shape[1] : 1, shape.rank == 2 ? shape[0] : shape.elementCount)
    case .rowMajor:
      shape.rank < 2
        ? (1, shape.elementCount) : (shape[0], shape.elementCount(of: 1..<shape.rank))
    }
  }

  /// Bytes from one int8 row to the next (row-major layout).
  public static func int8RowBytes(_ columns: Int) -> Int { (columns + 3) & ~3 }

  /// Where the f32 scales of an int8 weight start: behind its codes, 64-byte aligned.
  public func scaleOffset(_ shape: Shape) -> Int {
    let (rows, columns) = WeightEncoding.matrix(of: shape, layout)
    let codes =
      layout == .panels
      ? (rows + 15) / 16 * ((columns + 3) / 4) * 64 : rows * WeightEncoding.int8RowBytes(columns)
    return (codes + 63) & ~63
  }

  /// Bytes that `shape` takes, or nil on overflow or where the layout cannot hold the shape.
  public func byteCount(_ shape: Shape) -> Int? {
    guard layout == .rowMajor || shape.rank == 2 else { return nil }
    guard let elements = shape.checkedElementCount, elements <= 1 << 46 else { return nil }
    let (rows, columns) = WeightEncoding.matrix(of: shape, layout)
    guard rows <= 1 << 46, columns <= 1 << 46 else { return nil }
    let panelRows = (rows + 15) / 16 * 16
    guard !panelRows.multipliedReportingOverflow(by: columns + 32).overflow,
      panelRows * (columns + 32) <= 1 << 56
    else { return nil }
    if let block = scheme.block { return rows * block.rowBytes(columns) }
    switch scheme {
    case .f32: return (layout == .panels ? panelRows : rows) * columns * 4
    case .f16, .bf16: return (layout == .panels ? panelRows : rows) * columns * 2
    default: return scaleOffset(shape) + (layout == .panels ? panelRows : rows) * 4
    }
  }
}
