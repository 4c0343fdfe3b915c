// The activation functions that recurrent cells may use.
import CKernels
import Tensors

/// A function of one number. Raw values are part of the bundle format.
public enum RecurrentActivationKind: Int, Sendable, CaseIterable {
  case sigmoid = 0
  case tanh, relu
  /// alpha x + beta.
  case affine
  /// x, or alpha x where x is negative.
  case leakyRelu
  /// x where x is at least alpha, else 0.
  case thresholdedRelu
  /// alpha tanh(beta x).
  case scaledTanh
  /// clip(alpha x + beta, 0, 1).
  case hardSigmoid
  /// x, or alpha (eˣ − 1) where x is negative.
  case elu
  case softsign, softplus
}

/// An activation function of a cell and its parameters.
public struct RecurrentActivation: Sendable, Equatable {
  public var kind: RecurrentActivationKind
  public var alpha: Float
  public var beta: Float

  public init(_ kind: RecurrentActivationKind, _ alpha: Float = 0, _ beta: Float = 0) {
    self.kind = kind
    self.alpha = alpha
    self.beta = beta
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = RecurrentActivationKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown activation")
    }
    self.kind = kind
    alpha = try attributes.float()
    beta = try attributes.float()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kind.rawValue)
    attributes.put(alpha)
    attributes.put(beta)
  }

  /// Replaces `count` numbers by their function values.
  @unsafe func apply(
    _ x: UnsafeMutablePointer<Float>, _ count: Int, _ kernels: UnsafePointer<kn_kernels>
  ) {
    func map(_ op: kn_unary, _ p0: Float = 0, _ p1: Float = 0) {
      unsafe kernels.pointee.unary_f32(Int32(op.rawValue), x, x, count, p0, p1)
    }
    switch kind {
    case .sigmoid: map(KN_U_SIGMOID)
    case .tanh: map(KN_U_TANH)
    case .relu: map(KN_U_RELU)
    case .affine: map(KN_U_AFFINE, alpha, beta)
    case .leakyRelu: map(KN_U_LEAKY_RELU, alpha)
    case .hardSigmoid: map(KN_U_HARD_SIGMOID, alpha, beta)
    case .scaledTanh:
      map(KN_U_AFFINE, beta, 0)
      map(KN_U_TANH)
      map(KN_U_AFFINE, alpha, 0)
    case .thresholdedRelu:
      for i in 0..<count where unsafe !(x[i] >= alpha) { unsafe x[i] = 0 }
    case .elu:
      for i in 0..<count where unsafe x[i] < 0 { unsafe x[i] = alpha * kn_expm1(x[i]) }
    case .softsign:
      for i in 0..<count { unsafe x[i] /= 1 + x[i].magnitude }
    case .softplus:
      for i in 0..<count { unsafe x[i] = kn_softplus(x[i]) }
    }
  }
}
