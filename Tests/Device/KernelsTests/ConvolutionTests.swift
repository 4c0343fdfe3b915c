// im2col and depthwise convolution of every set against loops over the definition.

import CKernels
import Kernels
import Randomness
import Testing

/// A window sliding over a picture, as both kernels describe it.
struct Window {
  var (channels, height, width) = (1, 1, 1)
  var kernel = (1, 1)
  var stride = (1, 1)
  var dilation = (1, 1)
  var padding = (top: 0, left: 0)
  var (outHeight, outWidth) = (1, 1)

  /// The pixel that output (y, x) sees through (ky, kx) of the kernel; nil outside of the picture.
  func pixel(_ channel: Int, _ y: Int, _ x: Int, _ ky: Int, _ kx: Int) -> Int? {
    let row = y * stride.0 + ky * dilation.0 - padding.top
    let column = x * stride.1 + kx * dilation.1 - padding.left
    guard (0..<height).contains(row), (0..<width).contains(column) else { return nil }
    return (channel * height + row) * width + column
  }

  static func random(_ random: inout SeededRandom) -> Window? {
    func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    var w = Window()
    (w.channels, w.height, w.width) = (pick(1...3), pick(1...12), pick(1...70))
    // Half of them of the shapes that have loops of their own.
    w.kernel = pick(0...1) == 0 ? (3, 3) : (pick(1...5), pick(1...5))
    w.stride = (pick(1...3), pick(1...3))
    w.dilation = (pick(1...2), pick(1...2))
    w.padding = (pick(0...3), pick(0...3))
    // Some that take several bands with zeros around them, and some that no band takes.
    if pick(0...15) == 0 {
      (w.channels, w.height, w.width) = (1, pick(12...40), pick(0...1) == 0 ? pick(60...400) : 1500)
      w.kernel = pick(0...1) == 0 ? (3, 3) : (pick(1...8), pick(1...8))
      w.dilation = (pick(1...5), pick(1...5))
    }
    let high = w.height + w.padding.top + pick(0...3) - (w.kernel.0 - 1) * w.dilation.0
    let wide = w.width + w.padding.left + pick(0...3) - (w.kernel.1 - 1) * w.dilation.1
    guard high > 0, wide > 0 else { return nil }
    (w.outHeight, w.outWidth) = ((high - 1) / w.stride.0 + 1, (wide - 1) / w.stride.1 + 1)
    return w
  }
}

struct ConvolutionTests {
  @Test(arguments: KernelSet.available)
  func `im2col gathers what the window sees`(_ set: KernelSet) {
    var random = SeededRandom(state: 41)
    for _ in 0..<400 {
      guard let w = Window.random(&random) else { continue }
      let x = random.floats(w.channels * w.height * w.width)
      let pixelCount = w.outHeight * w.outWidth
      let k = w.channels * w.kernel.0 * w.kernel.1
      var matrix = [Float](repeating: 0, count: k * pixelCount)
      for row in 0..<k {
        let (c, ky, kx) = (
          row / (w.kernel.0 * w.kernel.1), row / w.kernel.1 % w.kernel.0, row % w.kernel.1
        )
        for j in 0..<pixelCount {
          let seen = w.pixel(c, j / w.outWidth, j % w.outWidth, ky, kx)
          matrix[row * pixelCount + j] = seen.map { x[$0] } ?? 0
        }
      }
      var c = kn_im2col(
        x: x.base, channels: w.channels, height: w.height, width: w.width, kernel_h: w.kernel.0,
        kernel_w: w.kernel.1, stride_h: w.stride.0, stride_w: w.stride.1, dilation_h: w.dilation.0,
        dilation_w: w.dilation.1, pad_top: w.padding.top, pad_left: w.padding.left,
        out_h: w.outHeight, out_w: w.outWidth)
      let wanted = panels(matrix, k: k, n: pixelCount)
      let y = Memory<Float>(count: wanted.count)
      let panelCount = (pixelCount + 15) / 16
      for panel in (0..<panelCount).reversed() {
        set.table.pointee.im2col_f32(&c, y.base, panel, panel + 1)
      }
      #expect(y.values == wanted, "\(w)")
      #expect(y.marginIsIntact)
    }
  }

  @Test(arguments: KernelSet.available)
  func `depthwise convolution is right inside and at the edges`(_ set: KernelSet) {
    var random = SeededRandom(state: 43)
    for _ in 0..<600 {
      guard let w = Window.random(&random) else { continue }
      let x = random.floats(w.height * w.width)
      let weights = random.floats(w.kernel.0 * w.kernel.1)
      let y = Memory<Float>(count: w.outHeight * w.outWidth)
      var wanted: [Double] = []
      for i in 0..<y.count {
        var sum = 0.25
        for ky in 0..<w.kernel.0 {
          for kx in 0..<w.kernel.1 {
            if let seen = w.pixel(0, i / w.outWidth, i % w.outWidth, ky, kx) {
              sum += Double(x[seen]) * Double(weights[ky * w.kernel.1 + kx])
            }
          }
        }
        wanted.append(min(max(sum, -0.5), 1.5))
      }
      var d = kn_depthwise(
        x: x.base, w: weights.base, y: y.base, height: w.height, width: w.width,
        kernel_h: w.kernel.0, kernel_w: w.kernel.1, stride_h: w.stride.0, stride_w: w.stride.1,
        dilation_h: w.dilation.0, dilation_w: w.dilation.1, pad_top: w.padding.top,
        pad_left: w.padding.left, out_h: w.outHeight, out_w: w.outWidth, bias: 0.25, p0: -0.5,
        p1: 1.5, activation: Int32(KN_CLIP.rawValue))
      set.table.pointee.depthwise_f32(&d)
      #expect(mismatch(y.values, wanted, relative: 1e-6, absolute: 2e-6) == nil, "\(w)")
      #expect(y.marginIsIntact)
    }
  }
  @Test(arguments: KernelSet.available)
  func `pooling is right inside and at the edges`(_ set: KernelSet) {
    var random = SeededRandom(state: 47)
    for round in 0..<900 {
      guard let w = Window.random(&random) else { continue }
      let kind = round % 3
      // What stands behind the picture counts as far as padding goes.
      let end = (Int.random(in: 0...3, using: &random), Int.random(in: 0...3, using: &random))
      let countsPadding = Bool.random(using: &random)
      let planes = w.channels
      let x = random.floats(planes * w.height * w.width)
      if round % 7 == 0 { x[Int.random(in: 0..<x.count, using: &random)] = .nan }
      let y = Memory<Float>(count: planes * w.outHeight * w.outWidth)
      var wanted: [Double] = []
      for i in 0..<y.count {
        let (plane, place) = i.quotientAndRemainder(dividingBy: w.outHeight * w.outWidth)
        var (highest, sum, squares, count) = (-Double.infinity, 0.0, 0.0, 0)
        for ky in 0..<w.kernel.0 {
          for kx in 0..<w.kernel.1 {
            let (oy, ox) = (place / w.outWidth, place % w.outWidth)
            let row = oy * w.stride.0 + ky * w.dilation.0
            let column = ox * w.stride.1 + kx * w.dilation.1
            let isPadding =
              row < w.padding.top + w.height + end.0
              && column < w.padding.left + w.width + end.1
            if countsPadding && isPadding { count += 1 }
            guard let seen = w.pixel(plane, oy, ox, ky, kx) else { continue }
            if !countsPadding { count += 1 }
            let value = Double(x[seen])
            if value > highest { highest = value }
            sum += value
            squares += value * value
          }
        }
        wanted.append(
          kind == 0
            ? highest : kind == 1 ? (count > 0 ? sum / Double(count) : 0) : squares.squareRoot())
      }
      var c = kn_pooling(
        x: x.base, y: y.base, height: w.height, width: w.width, kernel_h: w.kernel.0,
        kernel_w: w.kernel.1, stride_h: w.stride.0, stride_w: w.stride.1, dilation_h: w.dilation.0,
        dilation_w: w.dilation.1, pad_top: w.padding.top, pad_left: w.padding.left,
        pad_bottom: end.0, pad_right: end.1, out_h: w.outHeight, out_w: w.outWidth,
        kind: Int32(kind), include_pad: countsPadding ? 1 : 0, p: 2)
      for plane in (0..<planes).reversed() {
        set.table.pointee.pooling_f32(&c, plane, plane + 1)
      }
      #expect(mismatch(y.values, wanted, relative: 1e-6, absolute: 2e-6) == nil, "\(kind) \(w)")
      #expect(y.marginIsIntact)
    }
  }
}
