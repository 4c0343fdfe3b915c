// The ways in which one weight can be stored, each with what it takes and the error it makes.
import Fitting
import Foundation
import Lowering
import Quantization
import Tensors
import WeightCoding

/// One way to store a weight.
public struct WeightOption: Equatable, Sendable {
  /// Multiples of a step, coded; nil for the elements or blocks as the scheme stores them.
  public var step: StepChoice?
  /// The form in which it is run.
  public var scheme: QuantizationScheme
  /// Bytes in the bundle, about.
  public var storedBytes: Double
  /// Bytes while it runs.
  public var ramBytes: Int
  /// Sum of squared errors, about; nil where the loss is measured as a whole.
  public var distortion: Double?
  /// Whether other weights make its errors good, where they can.
  public var takesFeedback = false
  /// What it adds to the loss of the outputs.
  public var loss = 0.0
  /// Seconds and joules of the steps that read it.
  public var seconds = 0.0
  public var joules = 0.0
}

/// One weight of the search.
public struct WeightOptions: Sendable {
  /// Its place among the program's weights.
  public var weight: Int
  public var name: String
  public var elementCount: Int
  /// Root mean square of the elements, and the largest magnitude.
  public var scale: Double
  public var peak: Double
  /// Σ (w − w')² with 8-bit codes and a scale per row.
  public var rowsDistortion: Double
  /// The constant it is made of: weights of one constant are stored as one wants to be.
  let constant: ObjectIdentifier
  /// Most precise first.
  public var options: [WeightOption]

  /// Steps relative to the root mean square of the weight, √2 apart: from about 10 bits to about 1.3.
  static let relativeSteps: [Double] = (0..<17).map { 0.004 * pow(2, Double($0) / 2) }

  /// schemes: the forms in which the weight may run; lookups: rows that an inference reads of it, where
  /// it is a table that stays in the bundle's file unless it is coded.
  init(
    _ source: WeightSource, weight: Int, schemes: [QuantizationScheme], lookups: Int?
  ) {
    self.weight = weight
    name = source.name
    elementCount = source.constant.shape.elementCount
    let matrix = WeightMatrix(source)
    scale = (matrix.energy / Double(max(elementCount, 1))).squareRoot()
    peak = Double(matrix.peak)
    constant = ObjectIdentifier(source.constant)
    rowsDistortion = matrix.rowPeaks.reduce(0.0) { sum, peak in
      let step = Double(peak) / 127
      return sum + Double(matrix.columns) * step * step / 12
    }
    options = []
    for scheme in schemes { add(asItIs: source, matrix, scheme, lookups) }
    guard scale > 0 else { return }
    let encoder = StepEncoder(matrix, shape: source.shape)
    for relative in WeightOptions.relativeSteps {
      let choice = StepChoice(step: Float(relative * scale))
      guard choice.step.isNormal else { continue }
      let forms = schemes.filter {
        $0 == .f16 || $0 == .int8 && encoder.scheme(choice) == .int8
      }.filter { source.encoding($0)?.scheme == $0 }
      guard !forms.isEmpty, peak / Double(choice.step) < 32_000 else { continue }
      let cost = encoder.estimate(choice)
      for scheme in forms {
        options.append(
          WeightOption(
            step: choice, scheme: scheme, storedBytes: cost.bits / 8 + 24,
            ramBytes: WeightOptions.residentBytes(source, scheme), distortion: cost.squaredError,
            takesFeedback: true))
      }
    }
  }

  private static func residentBytes(_ source: WeightSource, _ scheme: QuantizationScheme) -> Int {
    source.encoding(scheme)?.byteCount(source.shape) ?? source.constant.bytes.count
  }

  /// The elements as a scheme stores them.
  private mutating func add(
    asItIs source: WeightSource, _ matrix: WeightMatrix, _ scheme: QuantizationScheme,
    _ lookups: Int?
  ) {
    let resident = WeightOptions.residentBytes(source, scheme)
    var stored = Double(resident)
    var distortion: Double?
    let form = source.encoding(scheme)?.scheme ?? .f32
    switch form {
    // f32 and f16 are coded by their byte planes.
    case .f32:
      distortion = 0
      stored *= 0.84
    case .f16, .bf16:
      // Rounded at the twelfth binary place.
      distortion = scale * scale * Double(elementCount) * 0x1p-24 / 3
      stored *= 0.88
    case .int8:
      stored = WeightOptions.codedBytes(source, scheme)
      // Rows too short for blocks.
      if scheme != .int8 { distortion = rowsDistortion }
    default:
      guard let quantizer = BlockQuantizer.all[form] else { break }
      let estimate = quantizer.estimate(matrix)
      stored = min(estimate.bits / 8, stored)
      distortion = estimate.squaredError
    }
    options.append(
      WeightOption(
        step: nil, scheme: scheme, storedBytes: lookups == nil ? stored : Double(resident),
        ramBytes: lookups.map { min(resident, MemoryEstimate.touchedBytes(lookups: $0)) }
          ?? resident, distortion: distortion, takesFeedback: form.block != nil))
  }

  /// Order-0 entropy of the codes' bytes: what the coder comes to, within a few percent.
  private static func codedBytes(_ source: WeightSource, _ scheme: QuantizationScheme) -> Double {
    let encoder = WeightEncoder(source, source.encoding(scheme))
    let bytes = [UInt8](unsafeUninitializedCapacity: encoder.byteCount) { out, count in
      out.initialize(repeating: 0)
      encoder.encode(into: UnsafeMutableRawBufferPointer(out))
      count = encoder.byteCount
    }
    var counts = [Double](repeating: 0, count: 256)
    for byte in bytes { counts[Int(byte)] += 1 }
    let total = Double(bytes.count)
    let bits = counts.reduce(0.0) { $1 > 0 ? $0 - $1 * log2($1 / total) : $0 }
    return min(bits / 8, total)
  }
}
