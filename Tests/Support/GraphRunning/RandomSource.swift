// Numbers for tests: the same ones every time.
import Graphs
import Tensors

/// SplitMix64.
public struct RandomSource: RandomNumberGenerator {
  private var state: UInt64

  public init(_ seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// f32 numbers, evenly spread over `range`.
  public mutating func floats(
    _ dimensions: [Int], in range: ClosedRange<Float> = -2...2
  ) -> Constant {
    let shape = Shape(dimensions)
    let values = (0..<shape.elementCount).map { _ in Float.random(in: range, using: &self) }
    return Constant(floats: values, shape: shape)
  }

  /// Zeros and ones of an integer type or bool.
  public mutating func bits(_ dimensions: [Int], _ type: ElementType) -> Constant {
    precondition(!type.isFloatingPoint)
    let shape = Shape(dimensions)
    let ones = (0..<shape.elementCount).map { _ in UInt8.random(in: 0...1, using: &self) }
    // Little-endian: the lowest byte comes first.
    return Constant(elementType: type, shape: shape) { out in
      out.initializeMemory(as: UInt8.self, repeating: 0)
      for (i, bit) in ones.enumerated() { out[i * type.byteCount] = bit }
    }
  }
}

extension Constant {
  /// The largest difference of any two elements, over the largest magnitude here or 1, whichever is
  /// more; infinite where the shapes differ.
  public func relativeError(to reference: Constant) -> Float {
    guard shape == reference.shape, let a = floats, let b = reference.floats else {
      let isSame =
        shape == reference.shape && elementType == reference.elementType
        && bytes.elementsEqual(reference.bytes)
      return isSame ? 0 : .infinity
    }
    let scale = b.reduce(1) { max($0, $1.isFinite ? $1.magnitude : 0) }
    return zip(a, b).reduce(0) { worst, pair in
      if pair.0 == pair.1 || (pair.0.isNaN && pair.1.isNaN) { return worst }
      let error = (pair.0 - pair.1).magnitude / scale
      return error.isNaN ? .infinity : max(worst, error)
    }
  }
}
