// Elements of any real-number type as f32 numbers, for what answers are made of.
import Tensors

extension TensorView {
  /// The first elements, at most `limit`; nil for types that hold no real numbers.
  public func numbers(_ limit: Int = .max) -> [Float]? {
    guard elementType.isFloatingPoint, encoding == nil else { return nil }
    let count = min(limit, shape.elementCount)
    return (0..<count).map { number(at: $0) }
  }

  private func number(at i: Int) -> Float {
    switch elementType {
    case .f32: floats[i]
    case .f64: Float(elements(Double.self)[i])
    case .f16, .bf16: elementType.number(elements(UInt16.self)[i])
    default: elementType.number(UInt16(elements(UInt8.self)[i]))
    }
  }

  /// Sets element `i` of a real-number tensor to the nearest number that its type has.
  func setNumber(_ x: Double, at i: Int) {
    switch elementType {
    case .f32: floats[i] = Float(x)
    case .f64: elements(Double.self)[i] = x
    case .f16, .bf16: elements(UInt16.self)[i] = elementType.bits(x)
    default: elements(UInt8.self)[i] = UInt8(elementType.bits(x, saturates: true))
    }
  }
}
