// A constant of the graph on its way to becoming a weight of the program.
import Graphs
import Tensors

/// What a step does with a weight: it decides how the weight may be encoded and laid out.
public enum WeightRole: Equatable, Sendable {
  /// The right-hand side of a matrix product, logically [k, n]; `transposed` when the constant is
  /// [n, k].
  case matrix(transposed: Bool)
  /// Rows used whole, [rows, …]: convolution kernels.
  case kernel
  /// Rows looked up one by one: embedding tables.
  case table
  /// Read element by element: kept as it is.
  case plain
}

/// One weight before it is encoded.
public struct WeightSource: Sendable {
  public var name: String
  public var constant: Constant
  public var role: WeightRole

  public init(name: String, constant: Constant, role: WeightRole) {
    self.name = name
    self.constant = constant
    self.role = role
  }

  /// The shape the program sees: [k, n] for matrices.
  public var shape: Shape {
    if case .matrix(transposed: true) = role {
      return Shape([constant.shape[1], constant.shape[0]])
    }
    return constant.shape
  }

  /// Weights worth quantizing: matrices, kernels and tables of at least 1,024 elements. Biases, norms
  /// and other small tensors stay as they are; they are less than 1 % of a model's bytes.
  public var isQuantizable: Bool {
    role != .plain && constant.elementType == .f32 && constant.shape.elementCount >= 1024
  }

  /// Row length as the encoder sees it: the k of a matrix.
  public var rowLength: Int {
    WeightEncoding.matrix(of: shape, layout).columns
  }

  public var layout: WeightLayout {
    if case .matrix = role { return .panels }
    return .rowMajor
  }

  /// How the weight is stored under `scheme`; nil for plain elements.
  public func encoding(_ scheme: QuantizationScheme) -> WeightEncoding? {
    switch role {
    case .plain: return nil
    case .matrix: return WeightEncoding(isQuantizable ? scheme : .f32, .panels)
    case .kernel, .table:
      guard isQuantizable, scheme != .f32 else { return nil }
      // Rows shorter than a block would be mostly padding: 8 bits are smaller and more precise.
      let isShort = scheme.block != nil && rowLength < BlockFormat.length
      return WeightEncoding(isShort ? .int8 : scheme, .rowMajor)
    }
  }
}
