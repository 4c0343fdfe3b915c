// How small weights become, how far from the original, and how fast they are coded and decoded.
//
//   coding-benchmark                 normally distributed weights, at several steps
//   coding-benchmark MODEL...        every quantizable weight of these models
import Fitting
import Foundation
import Lowering
import Packing
import Quantization
import Tensors
import WeightCoding

/// Seconds of processor time, of all threads, that `body` takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
  func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
  let start = now()
  try body()
  return now() - start
}

/// Seconds of processor time that one thread takes to decode a tensor into memory it has.
func decodingSeconds(
  _ coded: CodedTensor, _ encoding: WeightEncoding, _ shape: Shape, byteCount: Int
) throws -> Double {
  let weight = try CodedWeight(
    head: coded.head.span.bytes, encoding: encoding, shape: shape, byteCount: byteCount)
  let decoder = PieceDecoder()
  var bytes = [UInt8](repeating: 0, count: byteCount)
  var best = Double.infinity
  for _ in 0..<5 {
    try bytes.withUnsafeMutableBytes { target in
      best = try min(
        best,
        seconds {
          for (i, piece) in coded.pieces.enumerated() {
            try decoder.decode(i, of: weight, bytes: piece.span.bytes, into: target)
          }
        })
    }
  }
  return best
}

/// A number in `width` columns.
func column(_ value: Double, _ places: Int, _ width: Int) -> String {
  let factor = pow(10, Double(places))
  let rounded = (value * factor).rounded() / factor
  var text = "\(rounded)"
  if let point = text.firstIndex(of: ".") {
    let have = text.distance(from: point, to: text.endIndex) - 1
    text += String(repeating: "0", count: max(0, places - have))
  }
  return String(repeating: " ", count: max(0, width - text.count)) + text
}

/// Standard normal numbers of a seed.
func gaussian(_ count: Int, seed: UInt64) -> [Float] {
  var state = seed
  func uniform() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return (Double(state >> 11) + 0.5) / Double(1 << 53)
  }
  return (0..<count).map { _ in
    Float((-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform()))
  }
}

func gaussians() throws {
  let (rows, columns) = (1024, 2048)
  let matrix = WeightMatrix(
    rows: rows, columns: columns, values: gaussian(rows * columns, seed: 7))
  let shape = Shape([rows, columns])
  let lossless = try LosslessCoder()
  let encoder = StepEncoder(matrix, shape: shape)
  let energy = matrix.energy
  print("step   kind       bits      gap   estimate  encode s  decode M/s")
  for isDependent in [false, true] {
    for step in [0.05, 0.1, 0.2, 0.35, 0.6, 0.9, 1.2] as [Float] {
      let choice = StepChoice(step: isDependent ? step / 1.6 : step, isDependent: isDependent)
      let scheme = encoder.scheme(choice)
      let encoding = WeightEncoding(scheme, .rowMajor)
      var result: StepResult!
      let time = try seconds { result = try encoder.encode(choice, encoding, lossless) }
      let estimate = encoder.estimate(choice)
      let count = Double(matrix.count)
      let bits = Double(result.storedByteCount) * 8 / count
      let distortion = result.cost.squaredError / energy
      var decoding = Double.infinity
      if let coded = result.coded {
        decoding = try decodingSeconds(
          coded, encoding, shape, byteCount: result.resident.count)
      }
      print(
        column(Double(choice.step), 3, 5), result.coded?.kind.name ?? "raw",
        isDependent ? "dq " : "uni", scheme.name, column(bits, 3, 6),
        column(bits - 0.5 * log2(1 / distortion), 4, 8), column(estimate.bits / count, 3, 8),
        column(time, 2, 8), column(count / decoding / 1e6, 0, 9))
    }
  }
}

/// Sums over the weights of a model.
struct Totals {
  var weights = 0
  /// Bytes of int8 codes: by contexts, by zstd -19, by an ideal code without contexts.
  var codes = 0
  var zstd = 0
  var entropy = 0.0
  /// The same of steps whose error is that of 4.5-bit Q4_K, and by dependent quantization.
  var steps = 0
  var stepZstd = 0
  var stepEntropy = 0.0
  var conditional = 0.0
  var dependent = 0
  var seconds = 0.0
}

func entropyBytes(_ codes: [UInt8]) -> Double {
  var counts = [Int](repeating: 0, count: 256)
  for code in codes { counts[Int(code)] += 1 }
  return counts.reduce(0.0) {
    $1 == 0 ? $0 : $0 + Double($1) * log2(Double(codes.count) / Double($1)) / 8
  }
}

/// The step at which the squared error is so much of the weights' squares.
func step(_ encoder: StepEncoder, _ energy: Double, _ share: Double, isDependent: Bool) -> Float {
  var low: Float = log2(encoder.leastStep(isDependent: isDependent))
  var high = low + 8
  for _ in 0..<12 {
    let middle = (low + high) / 2
    let cost = encoder.estimate(StepChoice(step: exp2(middle), isDependent: isDependent))
    if cost.squaredError < share * energy { low = middle } else { high = middle }
  }
  return exp2(low)
}

func measure(_ path: String) throws -> Totals {
  var request = PackRequest(model: path, target: try DeviceProfile.host())
  request.scheme = .int8
  let model = try Packer.pack(request).candidate.model
  let lossless = try LosslessCoder()
  let compressor = try ZstdCompressor()
  func zstd(_ bytes: [UInt8]) throws -> Int {
    try compressor.frame(of: bytes, level: 19)?.count ?? bytes.count
  }
  var totals = Totals()
  for (source, weight) in zip(model.sources, model.program.weights) where source.isQuantizable {
    guard let encoding = weight.encoding else { continue }
    let matrix = WeightMatrix(source)
    totals.weights += matrix.count
    let encoder = WeightEncoder(source, encoding)
    var bytes = [UInt8](repeating: 0, count: encoder.byteCount)
    bytes.withUnsafeMutableBytes { encoder.encode(into: $0) }
    let codes = Array(bytes[..<encoding.scaleOffset(source.shape)])
    totals.codes +=
      try bytes.withUnsafeBytes {
        try lossless.code($0, encoding, source.shape, elementByteCount: 4)?.byteCount
      } ?? bytes.count
    totals.zstd += try zstd(codes) + matrix.rows * 4
    totals.entropy += entropyBytes(codes) + Double(matrix.rows * 4)

    let energy = matrix.energy
    guard energy > 0 else { continue }
    let steps = StepEncoder(matrix, shape: source.shape)
    for isDependent in [false, true] {
      let size = step(steps, energy, 5.01e-3, isDependent: isDependent)
      let choice = StepChoice(step: size, isDependent: isDependent, centers: false)
      var result: StepResult!
      totals.seconds += try seconds {
        result = try steps.encode(
          choice, WeightEncoding(steps.scheme(choice), encoding.layout), lossless)
      }
      if isDependent {
        totals.dependent += result.storedByteCount
      } else {
        totals.steps += result.storedByteCount
        totals.conditional += result.conditionalEntropyBits / 8
        if steps.scheme(choice) == .int8 {
          let codes = Array(result.resident[..<encoding.scaleOffset(source.shape)])
          // The step is stored with either.
          totals.stepZstd += try zstd(codes) + 4
          totals.stepEntropy += entropyBytes(codes)
        }
      }
    }
  }
  return totals
}

if CommandLine.arguments.count == 1 {
  try gaussians()
} else {
  print("                          int8 codes, bits          steps of Q4_K's error, bits")
  print("weights     coded   zstd  entropy     coded   zstd  entropy  coded/cond  dependent  s")
  for path in CommandLine.arguments.dropFirst() {
    let t = try measure(path)
    let bits = 8 / Double(max(t.weights, 1))
    print(
      column(Double(t.weights), 0, 9), column(Double(t.codes) * bits, 3, 7),
      column(Double(t.zstd) * bits, 3, 6), column(t.entropy * bits, 3, 6), "  ",
      column(Double(t.steps) * bits, 3, 7), column(Double(t.stepZstd) * bits, 3, 6),
      column(t.stepEntropy * bits, 3, 6), column(Double(t.steps) / t.conditional, 3, 8),
      column(Double(t.dependent) * bits, 3, 9), column(t.seconds, 1, 6), path)
  }
}
