// The line between real numbers and the integers of 8 bits that stand for them.
import Graphs
import Tensors

/// real = scale · (code − zero point), codes from −128 to 127.
public struct ByteScale: Equatable, Sendable {
  public var scale: Float
  public var zeroPoint: Int

  /// The scale whose codes reach over `range` and hold 0 exactly, as padding and ReLU need it.
  ///
  /// isSymmetric: the zero point is 0, and −128 is not used.
  public init(_ range: ClosedRange<Float>, isSymmetric: Bool = false) {
    let low = min(max(range.lowerBound, -ByteScale.most), 0)
    let high = max(min(range.upperBound, ByteScale.most), 0)
    if isSymmetric {
      scale = ByteScale.usable(max(-low, high) / 127)
      zeroPoint = 0
    } else {
      scale = ByteScale.usable(high / 255 - low / 255)
      zeroPoint = Int(min(max((-128 - low / scale).rounded(.toNearestOrEven), -128), 127))
    }
  }

  private static let most: Float = 1e30

  /// Scales so small that products of them vanish stand for nothing but zeros.
  static func usable(_ scale: Float) -> Float { scale >= 1e-15 ? scale : 1.0 / 255 }
}

/// A constant's codes with a scale for each index of one axis: zero points are 0.
package struct ByteWeights: Sendable {
  package var codes: [Int8]
  package var scales: [Float]

  /// weight: f32. bias: what is added to each product of such an index, and the scale of the
  /// activations: i32 must hold it in units of both scales.
  package init(_ weight: Constant, axis: Int, bias: [Float]?, activationScale: Float) {
    let shape = weight.shape
    let count = shape[axis]
    let inner = shape.elementCount(of: (axis + 1)..<shape.rank)
    let values = weight.floats ?? []
    var peaks = [Float](repeating: 0, count: count)
    for (i, x) in values.enumerated() where x.magnitude.isFinite {
      let c = i / inner % count
      peaks[c] = max(peaks[c], x.magnitude)
    }
    let scales = peaks.indices.map { c in
      let held = (bias.map { $0[c].magnitude } ?? 0) / (activationScale * 0x1p30)
      return ByteScale.usable(max(peaks[c] / 127, held.isFinite ? held : 0))
    }
    self.scales = scales
    codes = values.enumerated().map { i, x in
      let steps = (x / scales[i / inner % count]).rounded(.toNearestOrEven)
      return steps.isFinite ? Int8(min(max(steps, -127), 127)) : 0
    }
  }

  /// The same with one scale for all.
  package init(_ weight: Constant, bias: [Float], activationScale: Float) {
    let values = weight.floats ?? []
    let peak = values.reduce(Float(0)) { $1.isFinite ? max($0, $1.magnitude) : $0 }
    let most = bias.reduce(Float(0)) { $1.isFinite ? max($0, $1.magnitude) : $0 }
    let scale = ByteScale.usable(max(peak / 127, most / (activationScale * 0x1p30)))
    scales = [scale]
    codes = values.map { x in
      let steps = (x / scale).rounded(.toNearestOrEven)
      return steps.isFinite ? Int8(min(max(steps, -127), 127)) : 0
    }
  }

  /// Codes of a bias in units of both scales.
  package func bias(_ bias: [Float], activationScale: Float) -> [Int32] {
    bias.enumerated().map { i, x in
      let scale = Double(scales[scales.count == 1 ? 0 : i])
      let steps = Double(x) / (scale * Double(activationScale))
      return steps.isFinite
        ? Int32(min(max(steps.rounded(.toNearestOrEven), -0x1p31), 0x1p31 - 1)) : 0
    }
  }
}
