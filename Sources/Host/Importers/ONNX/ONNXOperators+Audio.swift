// Spectra: Fourier transforms and the weights of mel filters.
import Foundation
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let audio: [ONNXOperator] = [
    ONNXOperator("DFT", 17) { b throws(ImportError) in
      [try transform(&b, axis: try b.axis(try b.integer("axis", 1)), axisInput: nil)]
    },
    ONNXOperator("DFT", 20) { b throws(ImportError) in
      [try transform(&b, axis: -2, axisInput: try b.optional(2))]
    },
    ONNXOperator("STFT", 17, shortTime),
    ONNXOperator("MelWeightMatrix", 17, melWeights),
    ONNXOperator("Rfft", domain: "com.microsoft") { b throws(ImportError) in
      try requirePlainTransform(b)
      let x = b.add(.reshape(Reshape(.unsqueeze, IntegerList([-1]))), [try b.input(0)])
      return [fourier(&b, Fourier(isOneSided: true), x, isReal: true)]
    },
    ONNXOperator("Irfft", domain: "com.microsoft") { b throws(ImportError) in
      try requirePlainTransform(b)
      let y = fourier(&b, Fourier(isInverse: true, isOneSided: true), try b.input(0), isReal: true)
      return [b.add(.reshape(Reshape(.squeeze, IntegerList([-1]))), [y])]
    },
  ]

  /// One axis, one side, no factor: what ONNX Runtime's own operators do in models.
  private static func requirePlainTransform(_ b: ONNXGraphBuilder) throws(ImportError) {
    guard try b.integer("signal_ndim", 1) == 1, try b.bool("onesided", true),
      try !b.bool("normalized", false)
    else { throw b.fail("only one-sided transforms of one axis are supported") }
  }

  /// A transform and its table, which follows from x's shape and the length.
  private static func fourier(
    _ b: inout ONNXGraphBuilder, _ op: Fourier, _ x: ValueID, isReal: Bool,
    length: ValueID? = nil, axis: ValueID? = nil
  ) -> ValueID {
    let table = FourierTable(
      isReal: isReal, isMirrored: op.isInverse && op.isOneSided, axis: op.axis)
    return b.add(
      .fourier(op), [x, b.add(.fourierTable(table), [x, length, axis]), length, axis])
  }

  private static func isReal(_ b: ONNXGraphBuilder, _ x: ValueID) throws(ImportError) -> Bool {
    guard let width = b.facts.extent(x, -1), width == 1 || width == 2 else {
      throw b.fail("whether its numbers are real or complex cannot be found out")
    }
    return width == 1
  }

  private static func transform(
    _ b: inout ONNXGraphBuilder, axis: Int, axisInput: ValueID?
  ) throws(ImportError) -> ValueID {
    let x = try b.input(0)
    let op = Fourier(
      isInverse: try b.bool("inverse", false), isOneSided: try b.bool("onesided", false),
      axis: axis)
    let complex = try !isReal(b, x)
    return fourier(
      &b, op, x, isReal: op.isReal(complexInput: complex), length: try b.optional(1),
      axis: axisInput)
  }

  private static func shortTime(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let step = try b.input(1)
    let window = try b.optional(2)
    let length = try b.optional(3)
    let real = try isReal(b, x)
    // The table's length is that of the frame: the window's where nothing else says.
    let table =
      if length == nil, let window {
        b.add(.fourierTable(FourierTable(isReal: real, axis: 0)), [window])
      } else {
        b.add(.fourierTable(FourierTable(isReal: real, axis: 1)), [x, length])
      }
    let op = ShortTimeFourier(isOneSided: try b.bool("onesided", true))
    return [b.add(.shortTimeFourier(op), [x, table, step, window, length])]
  }

  /// Triangles whose corners lie evenly on the mel scale, at whole bins of the spectrum.
  private static func melWeights(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    func whole(_ i: Int, _ what: String, _ range: ClosedRange<Int>) throws(ImportError) -> Int {
      let value = try b.input(i)
      let list = try b.integers(value, what)
      guard list.count == 1, range.contains(list[0]) else {
        throw b.fail("\(what) is out of range")
      }
      return list[0]
    }
    let bands = try whole(0, "the number of bands", 1...4096)
    let length = try whole(1, "the length of the transform", 1...1 << 20)
    let rate = try whole(2, "the sample rate", 1...1 << 30)
    func mel(_ i: Int, _ what: String) throws(ImportError) -> Double {
      let value = try b.input(i)
      let hertz = Double(try b.number(value, what))
      guard hertz >= 0, hertz <= 1e9 else { throw b.fail("\(what) is out of range") }
      return 2595 * log10(1 + hertz / 700)
    }
    let low = try mel(3, "the lower edge")
    let high = try mel(4, "the upper edge")
    let rows = length / 2 + 1
    guard rows * bands <= 1 << 20 else { throw b.fail("\(rows) by \(bands) weights are too many") }
    let corners = (0..<bands + 2).map { i in
      let hertz = 700 * (pow(10, (low + (high - low) / Double(bands + 2) * Double(i)) / 2595) - 1)
      return Int((Double(length + 1) * hertz / Double(rate)).rounded(.down))
    }
    var weights = [Float](repeating: 0, count: rows * bands)
    func set(_ row: Int, _ band: Int, _ weight: Double) {
      if (0..<rows).contains(row) { weights[row * bands + band] = Float(weight) }
    }
    for band in 0..<bands {
      let (left, centre, right) = (corners[band], corners[band + 1], corners[band + 2])
      if left == centre { set(centre, band, 1) }
      for j in stride(from: left, to: min(centre, rows), by: 1) {
        set(j, band, Double(j - left) / Double(centre - left))
      }
      if left < centre { set(centre, band, 1) }
      for j in stride(from: centre, to: min(right, rows), by: 1) {
        set(j, band, Double(right - j) / Double(right - centre))
      }
    }
    let matrix = b.addConstant(Constant(floats: weights, shape: Shape([rows, bands])))
    let code = try b.integer("output_datatype", 1)
    guard let type = ONNXTensor.elementType(Int64(code)) else {
      throw b.fail("output type \(code) is not supported")
    }
    return [type == .f32 ? matrix : b.add(.cast(Cast(to: type)), [matrix])]
  }
}
