// Copies where every axis picks its source on its own: Pad, Tile, nearest Resize.
import Tensors

/// y[i₀, i₁, …] = x[t₀[i₀], t₁[i₁], …], or a fill value where any tₐ is negative.
struct Remap {
  private let input: Shape
  private let output: Shape
  private let tables: Elements<Int>
  private var first = Shape()

  /// Bytes of scratch for the tables of an output.
  static func scratchBytes(_ output: Shape) -> Int {
    var count = 0
    for axis in 0..<output.rank { count += output[axis] }
    return count * MemoryLayout<Int>.size
  }

  /// Tables start at the head of the step's scratch; `source` gives tₐ[i] for axis a and index i.
  init(
    _ input: Shape, to output: Shape, in step: StepContext, source: (_ axis: Int, _ i: Int) -> Int
  ) {
    self.input = input
    self.output = output
    tables = step.scratch(
      Int.self, count: Remap.scratchBytes(output) / MemoryLayout<Int>.size)
    var at = 0
    for axis in 0..<output.rank {
      first.append(at)
      for i in 0..<output[axis] { tables[at + i] = source(axis, i) }
      at += output[axis]
    }
  }

  private func isIdentity(_ axis: Int) -> Bool {
    guard input[axis] == output[axis] else { return false }
    for i in 0..<output[axis] where tables[first[axis] + i] != i { return false }
    return true
  }

  /// Copies elements of x's and y's common type; `fill` points at one such element, or is nil for 0.
  func run(_ x: TensorView, _ y: TensorView, fill: TensorView? = nil) {
    switch x.elementType.byteCount {
    case 1: copy(x.elements(UInt8.self), y.elements(UInt8.self), fill?.elements(UInt8.self)[0] ?? 0)
    case 2:
      copy(x.elements(UInt16.self), y.elements(UInt16.self), fill?.elements(UInt16.self)[0] ?? 0)
    case 4:
      copy(x.elements(UInt32.self), y.elements(UInt32.self), fill?.elements(UInt32.self)[0] ?? 0)
    default:
      copy(x.elements(UInt64.self), y.elements(UInt64.self), fill?.elements(UInt64.self)[0] ?? 0)
    }
  }

  private func copy<T: BitwiseCopyable>(_ x: Elements<T>, _ y: Elements<T>, _ fill: T) {
    guard y.count > 0 else { return }
    if output.rank == 0 { return y.copy(from: x, at: 0, to: 0, count: 1) }
    // Axes at the end that stay as they are move as one unit.
    var axes = output.rank
    while axes > 1, isIdentity(axes - 1) { axes -= 1 }
    let unit = output.elementCount(of: axes..<output.rank)
    let last = axes - 1
    let inner = output[last]
    let strides = input.strides
    var position = Shape(repeating: 0, count: last)
    for block in 0..<(y.count / (inner * unit)) {
      var base = 0
      var isMissing = false
      for axis in 0..<last {
        let t = tables[first[axis] + position[axis]]
        if t < 0 { isMissing = true } else { base += t * strides[axis] }
      }
      let at = block * inner * unit
      if isMissing {
        for i in 0..<(inner * unit) { y[at + i] = fill }
      } else {
        row(x, y, base, at, inner, unit, first[last], fill)
      }
      var axis = last - 1
      while axis >= 0 {
        position[axis] += 1
        if position[axis] < output[axis] { break }
        position[axis] = 0
        axis -= 1
      }
    }
  }

  private func row<T: BitwiseCopyable>(
    _ x: Elements<T>, _ y: Elements<T>, _ base: Int, _ at: Int, _ inner: Int, _ unit: Int,
    _ table: Int, _ fill: T
  ) {
    if unit == 1 {
      for i in 0..<inner {
        let t = tables[table + i]
        y[at + i] = t < 0 ? fill : x[base + t]
      }
      return
    }
    for i in 0..<inner {
      let t = tables[table + i]
      if t < 0 {
        for j in 0..<unit { y[at + i * unit + j] = fill }
      } else {
        y.copy(from: x, at: base + t * unit, to: at + i * unit, count: unit)
      }
    }
  }
}
