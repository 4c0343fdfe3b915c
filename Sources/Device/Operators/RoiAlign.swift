// Regions of feature maps pooled to one size.
import Tensors

/// y[r, c] = the region rois[r] of x[batch[r], c], cut into a grid of cells, each the mean (or with
/// `takesMaximum` the maximum) of points in it, read linearly.
///
/// inputs: x f32 [n, c, height, width]; rois f32 [regions, 4]: left, top, right, bottom; batch i64 or
/// i32 [regions] → output f32 [regions, c, rows, columns]. `samples` points per axis and cell, or with
/// 0 as many as the cell is elements long, at most 64. A batch index out of range takes the nearest.
public struct RoiAlign: OperatorDefinition {
  public static var code: Int { 83 }
  public static var name: StaticString { "RoiAlign" }

  public var rows: Int
  public var columns: Int
  public var samples: Int
  /// Elements of x per unit of the regions.
  public var scale: Float
  public var takesMaximum: Bool
  /// Coordinates mean middles of elements; else regions are at least one element in size.
  public var hasHalfPixels: Bool

  public init(
    rows: Int, columns: Int, samples: Int = 0, scale: Float = 1, takesMaximum: Bool = false,
    hasHalfPixels: Bool = true
  ) {
    self.rows = rows
    self.columns = columns
    self.samples = samples
    self.scale = scale
    self.takesMaximum = takesMaximum
    self.hasHalfPixels = hasHalfPixels
  }

  private static var mostSamples: Int { 64 }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    rows = try attributes.integer(in: 1...(1 << 16))
    columns = try attributes.integer(in: 1...(1 << 16))
    samples = try attributes.integer(in: 0...RoiAlign.mostSamples)
    scale = try attributes.float()
    takesMaximum = try attributes.bool()
    hasHalfPixels = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(rows)
    attributes.put(columns)
    attributes.put(samples)
    attributes.put(scale)
    attributes.put(takesMaximum)
    attributes.put(hasHalfPixels)
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...3)
    for i in 0..<3 { try step.requirePlain(i) }
    try step.require(0, is: .f32)
    try step.require(1, is: .f32)
    try step.require(2, is: .i64, .i32)
    let x = step.input(0).shape
    let regions = step.input(1).shape
    guard x.rank == 4 else {
      throw ShapeError("expected two spatial axes", input: 0, expected: 4, found: x.rank)
    }
    guard regions.rank == 2, regions[1] == 4 else {
      throw ShapeError("is not four numbers per region", input: 1, expected: 2)
    }
    guard step.input(2).shape == Shape([regions[0]]) else {
      throw ShapeError("is not one index per region", input: 2, expected: regions[0])
    }
    guard x[0] > 0 && x[2] > 0 && x[3] > 0 || regions[0] == 0 else {
      throw ShapeError("nothing to pool", input: 0)
    }
    step.setOutput(0, .f32, Shape([regions[0], x[1], rows, columns]))
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    step.output().shape.elementCount.saturatingProduct(4 * (samples == 0 ? 64 : samples * samples))
  }

  /// One axis of a region: where its cells begin, their length, and points per cell.
  private struct Axis {
    var start: Float
    var cell: Float
    var points: Int
  }

  private func axis(_ low: Float, _ high: Float, _ cells: Int) -> Axis {
    let offset: Float = hasHalfPixels ? 0.5 : 0
    let start = low * scale - offset
    var length = high * scale - offset - start
    if !hasHalfPixels { length = max(length, 1) }
    let cell = length / Float(cells)
    var points = samples
    if points == 0 {
      // Regions are data: neither NaN nor a region of millions of elements may stop us.
      let wanted = cell.rounded(.up)
      points =
        wanted > 0 ? Int(min(wanted, Float(RoiAlign.mostSamples))) : 0
    }
    return Axis(start: start, cell: cell, points: points)
  }

  public func run(_ step: StepContext) {
    let shape = step.input(0).shape
    let x = step.input(0).floats
    let regions = step.input(1).floats
    let y = step.output().floats
    let (channels, height, width) = (shape[1], shape[2], shape[3])
    for r in 0..<step.input(1).shape[0] {
      let n = min(max(step.input(2).integer(at: r), 0), shape[0] - 1)
      let across = axis(regions[r * 4], regions[r * 4 + 2], columns)
      let down = axis(regions[r * 4 + 1], regions[r * 4 + 3], rows)
      for c in 0..<channels {
        let plane = (n * channels + c) * height * width
        for i in 0..<rows {
          for j in 0..<columns {
            y[((r * channels + c) * rows + i) * columns + j] = cell(
              x, plane, height, width, down, i, across, j)
          }
        }
      }
    }
  }

  private func cell(
    _ x: Elements<Float>, _ plane: Int, _ height: Int, _ width: Int, _ down: Axis, _ i: Int,
    _ across: Axis, _ j: Int
  ) -> Float {
    var result: Float = takesMaximum ? -.infinity : 0
    for p in 0..<down.points {
      let at = down.start + (Float(i) + (Float(p) + 0.5) / Float(down.points)) * down.cell
      for q in 0..<across.points {
        let place =
          across.start + (Float(j) + (Float(q) + 0.5) / Float(across.points)) * across.cell
        guard at >= -1, at <= Float(height), place >= -1, place <= Float(width) else {
          if takesMaximum { result = max(result, 0) }
          continue
        }
        let (top, bottom, v) = RoiAlign.neighbours(at, height)
        let (left, right, u) = RoiAlign.neighbours(place, width)
        let parts = (
          (1 - v) * (1 - u) * x[plane + top * width + left],
          (1 - v) * u * x[plane + top * width + right],
          v * (1 - u) * x[plane + bottom * width + left],
          v * u * x[plane + bottom * width + right]
        )
        if takesMaximum {
          result = max(result, max(max(parts.0, parts.1), max(parts.2, parts.3)))
        } else {
          result += parts.0 + parts.1 + parts.2 + parts.3
        }
      }
    }
    let count = down.points * across.points
    if count == 0 { return 0 }
    return takesMaximum ? result : result / Float(count)
  }

  /// The elements on both sides of a place and the share of the second.
  private static func neighbours(_ at: Float, _ extent: Int) -> (Int, Int, Float) {
    let place = max(at, 0)
    let low = Int(place)
    guard low < extent - 1 else { return (extent - 1, extent - 1, 0) }
    return (low, low + 1, place - Float(low))
  }
}
