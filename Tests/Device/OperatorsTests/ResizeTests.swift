// Resizing against weights worked out element by element.

import Operators
import Randomness
import Tensors
import Testing

/// Where output element i looks, exactly.
private func coordinate(
  _ i: Int, _ n: Int, _ m: Int, _ s: Double, _ kind: ResizeCoordinates
) -> Double {
  switch kind {
  case .halfPixel: (Double(i) + 0.5) / s - 0.5
  case .pytorchHalfPixel: m > 1 ? (Double(i) + 0.5) / s - 0.5 : 0
  case .alignCorners: m == 1 ? 0 : Double(i * (n - 1)) / Double(m - 1)
  case .asymmetric: Double(i) / s
  case .halfPixelSymmetric:
    Double(n) / 2 * (1 - Double(m) / (s * Double(n))) + (Double(i) + 0.5) / s - 0.5
  }
}

struct ResizeTests {
  @Test(arguments: ResizeCoordinates.allCases)
  func `linear resizing weighs the corners around a point`(kind: ResizeCoordinates) throws {
    var random = SeededRandom(state: UInt64(600 + kind.rawValue))
    for i in 0..<24 {
      let shape = random.shape(random.int(1...4), 1...6)
      let x = random.floats(shape)
      let sizes = shape.map { random.bool() ? $0 : random.int(1...9) }
      let scales = shape.map { _ in Double(random.pick([0.5, 0.75, 1, 1.25, 2, 3.5])) }
      let usesScales = i % 2 == 1
      let output =
        usesScales ? zip(shape, scales).map { Int(Double($0) * $1) } : sizes
      guard !output.contains(0) else { continue }
      let wanted = tensor(output) { p in
        var corners: [([Int], Double)] = [([], 1)]
        for a in shape.indices {
          let s = usesScales ? scales[a] : Double(output[a]) / Double(shape[a])
          let at = min(
            max(coordinate(p[a], shape[a], output[a], s, kind), 0), Double(shape[a] - 1))
          let isStill = shape[a] == output[a] && s == 1
          let low = isStill ? p[a] : Int(at)
          let share = isStill ? 0 : at - Double(low)
          let high = min(low + 1, shape[a] - 1)
          var next: [([Int], Double)] = []
          for (place, weight) in corners {
            next.append((place + [low], weight * (1 - share)))
            next.append((place + [high], weight * share))
          }
          corners = next
        }
        return corners.reduce(0) { $0 + $1.1 * x($1.0) }
      }
      let target =
        usesScales ? TestTensor(.f32, [shape.count], scales) : TestTensor.i64(sizes)
      try check(
        .resize(Resize(isLinear: true, coordinates: kind)), [x, target], is: [wanted],
        // Coordinates are Floats: off by some 1e-6 of a few elements' distance.
        within: Tolerance(absolute: 1e-5, relative: 0), note: "\(shape) \(output) \(usesScales)")
    }
  }

  /// Scales by powers of two, whose coordinates a Float holds exactly, ties included.
  @Test(arguments: ResizeCoordinates.allCases, ResizeRounding.allCases)
  func `nearest resizing takes one element`(
    kind: ResizeCoordinates, rounding: ResizeRounding
  ) throws {
    var random = SeededRandom(state: UInt64(620 + kind.rawValue * 8 + rounding.rawValue))
    for i in 0..<16 {
      let shape = random.shape(random.int(1...4), 1...3).map { 2 * $0 }
      let type = random.pick([ElementType.f32, .u8, .i64, .f16])
      let x = random.integers(type, shape, 0...99)
      let scales = shape.map { _ in random.pick([0.5, 1, 1, 2, 4]) }
      let output = zip(shape, scales).map { Int(Double($0) * $1) }
      // Corners aligned give fractions no Float holds: only extents that divide.
      if kind == .alignCorners,
        zip(shape, output).contains(where: { $1 > 1 && ($1 - 1) & ($1 - 2) != 0 })
      {
        continue
      }
      let wanted = tensor(output, type) { p in
        x(
          shape.indices.map { a in
            if scales[a] == 1 { return p[a] }
            let at = coordinate(p[a], shape[a], output[a], scales[a], kind)
            let r =
              switch rounding {
              case .preferFloor: at - at.rounded(.down) <= 0.5 ? at.rounded(.down) : at.rounded(.up)
              case .preferCeil: at - at.rounded(.down) < 0.5 ? at.rounded(.down) : at.rounded(.up)
              case .floor: at.rounded(.down)
              case .ceil: at.rounded(.up)
              }
            return min(max(Int(r), 0), shape[a] - 1)
          })
      }
      let op = Resize(isLinear: false, coordinates: kind, rounding: rounding)
      let target = i % 2 == 0 ? TestTensor(.f32, [shape.count], scales) : .i64(output)
      try check(.resize(op), [x, target], is: [wanted], note: "\(shape) \(output)")
    }
  }

  /// Two by two to four by four, as in the examples of ONNX's Resize.
  @Test func `known upsamplings`() throws {
    let x = TestTensor(.f32, [1, 1, 2, 2], [1, 2, 3, 4])
    let scales = TestTensor(.f32, [2], [2, 2])
    let axes = IntegerList([2, -1])
    func expect(_ op: Resize, _ values: [Double]) throws {
      try check(
        .resize(op), [x, scales], is: [TestTensor(.f32, [1, 1, 4, 4], values)],
        within: Tolerance(absolute: 1e-6, relative: 0))
    }
    try expect(
      Resize(isLinear: true, axes: axes),
      [1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4])
    let third = [1, 4 / 3.0, 5 / 3.0, 2]
    try expect(
      Resize(isLinear: true, coordinates: .alignCorners, axes: axes),
      [0, 2 / 3.0, 4 / 3.0, 2].flatMap { row in third.map { $0 + row } })
    try expect(
      Resize(isLinear: false, coordinates: .asymmetric, rounding: .floor, axes: axes),
      [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4])
  }

  @Test func `what does not fit is refused`() {
    var random = SeededRandom(state: 650)
    let x = random.floats([2, 3])
    func scales(_ v: Double...) -> TestTensor { TestTensor(.f32, [v.count], v) }
    for isLinear in [false, true] {
      let op = Operator.resize(Resize(isLinear: isLinear))
      expectRefusal(op, [x])
      expectRefusal(op, [x, .i64([2])])
      expectRefusal(op, [x, .i64([-1, 2])])
      expectRefusal(op, [x, .i64([Int.max, 2])])
      expectRefusal(op, [x, scales(0, 1)])
      expectRefusal(op, [x, scales(-1, 1)])
      expectRefusal(op, [x, scales(.nan, 1)])
      expectRefusal(op, [x, scales(.infinity, 1)])
      expectRefusal(op, [x, scales(1e30, 1e30)])
      expectRefusal(op, [TestTensor(.f32, [0, 3], []), .i64([1, 3])])
      expectRefusal(op, [x, random.integers(.i32, [2], 1...2)])
      expectRefusal(
        .resize(Resize(isLinear: isLinear, axes: IntegerList([2]))), [x, .i64([2])])
    }
    expectRefusal(.resize(Resize(isLinear: true)), [random.integers(.i64, [2]), .i64([4])])
  }
}
