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

  /// What people type: `f32`, `f16`, `bf16`, `int8`, `iq4_nl`.
  public var name: String {
    switch self {
    case .f32: "f32"
    case .f16: "f16"
    case .bf16: "bf16"
    case .int8: "int8"
    case .iq4_nl: "iq4_nl"
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

/// Where the elements of a weight stand. Raw values are part of the bundle format.
public enum WeightLayout: UInt8, Sendable {
  /// Logical shape [rows, …]: row after row. Convolution kernels, tables and all small constants.
  case rowMajor = 0
  /// Logical shape [k, n], the right-hand side of a matrix product: panels of 16 columns, as
  /// `kernels.h` defines them. IQ4_NL keeps n rows of blocks along k instead.
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
  /// The weights of one IQ4_NL block, and its bytes.
  public static var blockLength: Int { 32 }
  public static var blockBytes: Int { 18 }

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
    switch scheme {
    case .f32: return (layout == .panels ? panelRows : rows) * columns * 4
    case .f16, .bf16: return (layout == .panels ? panelRows : rows) * columns * 2
    case .int8: return scaleOffset(shape) + (layout == .panels ? panelRows : rows) * 4
    case .iq4_nl:
      return rows * ((columns + 31) / 32) * WeightEncoding.blockBytes
    }
  }
}
