// Windows over three spatial axes against one loop per axis, on random extents.
import Foundation
import GraphRunning
import Graphs
import Importers
import Tensors
import Testing

/// Three axes of a window.
private struct Volume {
  var extent: [Int]
  var kernel: [Int]
  var strides: [Int]
  var dilations: [Int]
  var begin: [Int]
  var end: [Int]

  init(_ random: inout RandomSource) {
    func list(_ range: ClosedRange<Int>) -> [Int] {
      (0..<3).map { _ in Int.random(in: range, using: &random) }
    }
    kernel = list(1...3)
    strides = list(1...3)
    dilations = list(1...2)
    begin = kernel.map { Int.random(in: 0...($0 - 1), using: &random) }
    end = kernel.map { Int.random(in: 0...($0 - 1), using: &random) }
    extent = list(5...7)
  }

  func outputs(roundsUp: Bool = false) -> [Int] {
    (0..<3).map { a in
      let room = extent[a] + begin[a] + end[a] - (kernel[a] - 1) * dilations[a] - 1
      var count = (room + (roundsUp ? strides[a] - 1 : 0)) / strides[a] + 1
      if roundsUp, (count - 1) * strides[a] >= extent[a] + begin[a] { count -= 1 }
      return count
    }
  }

  var attributes: [(String, ONNXAttributeSketch)] {
    [
      ("kernel_shape", .integers(kernel)), ("strides", .integers(strides)),
      ("dilations", .integers(dilations)), ("pads", .integers(begin + end)),
    ]
  }

  /// Whether tap `t` of output `o` lies in front of the end of the padding behind.
  func isPadding(_ o: [Int], _ t: [Int]) -> Bool {
    for a in 0..<3 {
      let at = o[a] * strides[a] + t[a] * dilations[a]
      if at >= begin[a] + extent[a] + end[a] { return false }
    }
    return true
  }

  /// Where tap `t` of output `o` lies; nil outside.
  func place(_ o: [Int], _ t: [Int]) -> [Int]? {
    let at = (0..<3).map { o[$0] * strides[$0] + t[$0] * dilations[$0] - begin[$0] }
    return (0..<3).allSatisfy { at[$0] >= 0 && at[$0] < extent[$0] } ? at : nil
  }
}

private func positions(_ shape: [Int]) -> [[Int]] {
  shape.reduce([[]]) { heads, n in heads.flatMap { head in (0..<n).map { head + [$0] } } }
}

private func offset(_ position: [Int], _ shape: [Int]) -> Int {
  zip(position, shape).reduce(0) { $0 * $1.1 + $1.0 }
}

@Suite struct VolumeTests {
  private func floats(_ shape: [Int], _ random: inout RandomSource) -> Constant {
    random.floats(shape, in: -1...1)
  }

  private func run(
    _ op: String, _ x: Constant, _ weights: [(String, Constant)],
    _ attributes: [(String, ONNXAttributeSketch)]
  ) throws -> Constant {
    var model = ONNXModelSketch(opset: 22)
    // The batch stays open.
    model.input("x", ["n"] + x.shape.dimensions.dropFirst().map { $0 as Any })
    for (name, w) in weights {
      model.constant(.floats(name, w.shape.dimensions, w.floats!))
    }
    model.node(op, ["x"] + weights.map(\.0), ["y"], list: attributes)
    model.output("y")
    let graph = try ONNXImporter.importGraph(model.file)
    return try #require(try GraphRunner(graph).run(["x": x])["y"])
  }

  private func expect(_ found: Constant, _ shape: [Int], _ wanted: ([Int]) -> Double) {
    #expect(found.shape == Shape(shape))
    for (p, value) in zip(positions(shape), found.floats!) {
      let right = wanted(p)
      #expect(abs(Double(value) - right) <= 1e-5 + 1e-4 * abs(right), "\(p)")
    }
  }

  @Test(arguments: 0..<12) func convolution(seed: Int) throws {
    var random = RandomSource(UInt64(seed))
    let v = Volume(&random)
    let groups = Int.random(in: 1...2, using: &random)
    let (n, depth, outputs) = (
      Int.random(in: 1...2, using: &random), Int.random(in: 1...2, using: &random),
      groups * Int.random(in: 1...2, using: &random)
    )
    let x = floats([n, groups * depth] + v.extent, &random)
    let w = floats([outputs, depth] + v.kernel, &random)
    let bias = floats([outputs], &random)
    let y = try run(
      "Conv", x, [("w", w), ("b", bias)], v.attributes + [("group", .integer(groups))])
    let (xs, ws, bs) = (x.floats!, w.floats!, bias.floats!)
    expect(y, [n, outputs] + v.outputs()) { p in
      let group = p[1] / (outputs / groups)
      var sum = Double(bs[p[1]])
      for c in 0..<depth {
        for t in positions(v.kernel) {
          guard let at = v.place(Array(p[2...]), t) else { continue }
          sum +=
            Double(ws[offset([p[1], c] + t, w.shape.dimensions)])
            * Double(xs[offset([p[0], group * depth + c] + at, x.shape.dimensions)])
        }
      }
      return sum
    }
  }

  @Test(arguments: 0..<12) func transposedConvolution(seed: Int) throws {
    var random = RandomSource(UInt64(100 + seed))
    var v = Volume(&random)
    // Here x is what a convolution's output is.
    let small = (0..<3).map { _ in Int.random(in: 2...3, using: &random) }
    let extra = v.strides.map { Int.random(in: 0...($0 - 1), using: &random) }
    v.extent = (0..<3).map { a in
      (small[a] - 1) * v.strides[a] + (v.kernel[a] - 1) * v.dilations[a] + 1 + extra[a]
        - v.begin[a] - v.end[a]
    }
    guard v.extent.allSatisfy({ $0 > 0 }) else { return }
    let groups = Int.random(in: 1...2, using: &random)
    let (depth, outputs) = (
      Int.random(in: 1...2, using: &random), Int.random(in: 1...2, using: &random)
    )
    let x = floats([1, groups * depth] + small, &random)
    let w = floats([groups * depth, outputs] + v.kernel, &random)
    let y = try run(
      "ConvTranspose", x, [("w", w)],
      v.attributes + [("group", .integer(groups)), ("output_padding", .integers(extra))])
    var sums = [Double](repeating: 0, count: groups * outputs * v.extent.reduce(1, *))
    let (xs, ws) = (x.floats!, w.floats!)
    let shape = [1, groups * outputs] + v.extent
    for c in 0..<(groups * depth) {
      for o in 0..<outputs {
        for p in positions(small) {
          for t in positions(v.kernel) {
            guard let at = v.place(p, t) else { continue }
            sums[offset([0, c / depth * outputs + o] + at, shape)] +=
              Double(xs[offset([0, c] + p, x.shape.dimensions)])
              * Double(ws[offset([c, o] + t, w.shape.dimensions)])
          }
        }
      }
    }
    expect(y, shape) { sums[offset($0, shape)] }
  }

  @Test(arguments: ["MaxPool", "AveragePool", "LpPool"], 0..<8)
  func pooling(op: String, seed: Int) throws {
    var random = RandomSource(UInt64(200 + seed))
    let v = Volume(&random)
    let (roundsUp, counts) = (
      Int.random(in: 0...1, using: &random) == 1, Int.random(in: 0...1, using: &random) == 1
    )
    let x = floats([2, 2] + v.extent, &random)
    var attributes = v.attributes + [("ceil_mode", .integer(roundsUp ? 1 : 0))]
    if op == "AveragePool" { attributes.append(("count_include_pad", .integer(counts ? 1 : 0))) }
    let y = try run(op, x, [], attributes)
    let xs = x.floats!
    expect(y, [2, 2] + v.outputs(roundsUp: roundsUp)) { p in
      var values: [Double] = []
      var padding = 0
      for t in positions(v.kernel) {
        let o = Array(p[2...])
        if let at = v.place(o, t) {
          values.append(Double(xs[offset(Array(p[..<2]) + at, x.shape.dimensions)]))
        } else if v.isPadding(o, t) {
          padding += 1
        }
      }
      switch op {
      case "MaxPool": return values.max() ?? -.infinity
      case "LpPool": return values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      default:
        let count = values.count + (counts ? padding : 0)
        return count == 0 ? 0 : values.reduce(0, +) / Double(count)
      }
    }
  }
}
