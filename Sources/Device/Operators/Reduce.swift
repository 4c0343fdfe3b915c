// Sums, means, extremes and norms along axes.
import CKernels
import Tensors

/// How values are combined. Raw values are part of the bundle format.
public enum ReduceKind: Int, Sendable, CaseIterable {
  case sum = 0
  case mean, max, min, prod, l1, l2, sumSquare, logSum, logSumExp

  public var name: StaticString {
    switch self {
    case .sum: "sum"
    case .mean: "mean"
    case .max: "max"
    case .min: "min"
    case .prod: "prod"
    case .l1: "l1"
    case .l2: "l2"
    case .sumSquare: "sum_square"
    case .logSum: "log_sum"
    case .logSumExp: "log_sum_exp"
    }
  }
}

/// y = the reduction of x along `axes`; all axes where none are given, or none with `keepsAll`.
///
/// inputs: f32, i64, i32 or u64 (sum, max, min, prod, mean), or bool (max, min); the axes, integers, where
/// `axes` is not to say them → output: reduced axes are 1, or gone without `keepsAxes`. An empty sum is
/// 0, product 1, maximum −inf, minimum +inf, or the integer nearest to that.
public struct Reduce: OperatorDefinition {
  public static var code: Int { 14 }
  public static var name: StaticString { "Reduce" }

  public var kind: ReduceKind
  public var axes: IntegerList
  public var keepsAxes: Bool
  /// Whether an empty list of axes reduces nothing.
  public var keepsAll: Bool

  public init(_ kind: ReduceKind, axes: IntegerList, keepsAxes: Bool, keepsAll: Bool = false) {
    self.kind = kind
    self.axes = axes
    self.keepsAxes = keepsAxes
    self.keepsAll = keepsAll
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = ReduceKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown reduction")
    }
    self.kind = kind
    axes = try attributes.list(in: -8...7)
    keepsAxes = try attributes.bool()
    keepsAll = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kind.rawValue)
    attributes.put(axes)
    attributes.put(keepsAxes)
    attributes.put(keepsAll)
  }

  private func isReduced(_ step: StepContext) throws(ShapeError) -> InlineArray<8, Bool>? {
    let shape = step.input(0).shape
    let axes = step.has(1) ? try step.integers(1) : axes
    var reduced = InlineArray<8, Bool>(repeating: axes.count == 0 && !keepsAll)
    for i in 0..<axes.count {
      guard let axis = shape.normalized(axis: axes[i]) else { return nil }
      reduced[axis] = true
    }
    return reduced
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...2)
    try step.requirePlain(0)
    let x = step.input(0)
    switch kind {
    case .max, .min: try step.require(0, is: .f32, .i64, .i32, .u64, .bool)
    case .sum, .mean, .prod: try step.require(0, is: .f32, .i64, .i32, .u64)
    default: try step.require(0, is: .f32)
    }
    guard let reduced = try isReduced(step) else {
      throw ShapeError("axis is out of range", input: 0)
    }
    var shape = Shape()
    for axis in 0..<x.shape.rank {
      if !reduced[axis] { shape.append(x.shape[axis]) } else if keepsAxes { shape.append(1) }
    }
    step.setOutput(0, x.elementType, shape)
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    kind == .logSumExp ? step.output().shape.elementCount * 4 : 0
  }

  public func readsValue(ofInput i: Int) -> Bool { i == 1 }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    guard let reduced = try? isReduced(step) else { return }
    // Merge neighbours of the same fate, innermost first; only the merged axes are walked.
    var extents = Shape()
    var flags = InlineArray<8, Bool>(repeating: false)
    var axis = x.shape.rank - 1
    while axis >= 0 {
      let last = extents.rank - 1
      if x.shape[axis] != 1 || x.shape.elementCount == 0 {
        if last >= 0, flags[last] == reduced[axis] {
          extents[last] *= x.shape[axis]
        } else {
          flags[extents.rank] = reduced[axis]
          extents.append(x.shape[axis])
        }
      }
      axis -= 1
    }
    switch x.elementType {
    case .f32:
      let y = step.output().floats
      if extents.rank <= 2, extents.rank > 0, flags[0], extents[0] > 0,
        foldRows(x.floats, y, extents[0], step.compute)
      {
        return
      }
      let peaks = step.scratch(Float.self, count: kind == .logSumExp ? y.count : 0)
      floats(x.floats, y, extents, flags, peaks)
    case .i64: whole(x.elements(Int64.self), step.output().elements(Int64.self), extents, flags)
    case .u64: whole(x.elements(UInt64.self), step.output().elements(UInt64.self), extents, flags)
    case .i32: whole(x.elements(Int32.self), step.output().elements(Int32.self), extents, flags)
    default:
      let y = step.output().elements(UInt8.self)
      whole(x.elements(UInt8.self), y, extents, flags)
      for i in 0..<y.count { y[i] = y[i] == 0 ? 0 : 1 }
    }
  }

  /// Whole rows by the kernels that know how; false where none does.
  private func foldRows(
    _ x: Elements<Float>, _ y: Elements<Float>, _ width: Int, _ compute: Compute
  ) -> Bool {
    precondition(x.count == y.count * width)
    let kernels = unsafe compute.kernels
    let rows = unsafe x.pointer(0, count: x.count)
    let out = unsafe y.pointer(0, count: y.count)
    switch kind {
    case .sum, .mean:
      let divisor: Float = kind == .mean ? Float(width) : 1
      for row in 0..<y.count {
        unsafe out[row] = kernels.pointee.sum_f32(rows + row * width, width) / divisor
      }
    case .max:
      for row in 0..<y.count {
        unsafe out[row] = kernels.pointee.max_f32(rows + row * width, width)
      }
    case .l2, .sumSquare:
      for row in 0..<y.count {
        let x = unsafe rows + row * width
        let sum = unsafe kernels.pointee.dot_f32(x, x, width)
        unsafe out[row] = kind == .l2 ? sum.squareRoot() : sum
      }
    default: return false
    }
    return true
  }

  /// Walks x once per pass and folds each element into its output. The innermost axis goes in a loop
  /// of its own: into one output where it is reduced, into neighbours where it is not.
  @inline(__always)
  private func fold<T: BitwiseCopyable>(
    _ x: Elements<T>, _ y: Elements<T>, _ extents: Shape, _ flags: InlineArray<8, Bool>,
    _ combine: (inout T, T) -> Void
  ) {
    // Output strides of the merged axes: 0 along reduced ones.
    var strides = Shape(repeating: 0, count: extents.rank)
    var step = 1
    for axis in 0..<extents.rank where !flags[axis] {
      strides[axis] = step
      step *= extents[axis]
    }
    precondition(extents.rank == 0 || x.count == extents.elementCount && step <= y.count)
    guard x.count > 0 else { return }
    let inner = extents.rank > 0 ? extents[0] : 1
    let isOne = extents.rank > 0 && flags[0]
    let source = unsafe x.pointer(0, count: x.count)
    let target = unsafe y.pointer(0, count: y.count)
    var position = Shape(repeating: 0, count: extents.rank)
    var o = 0
    var i = 0
    while i < x.count {
      if isOne {
        var value = unsafe target[o]
        for j in 0..<inner { unsafe combine(&value, source[i + j]) }
        unsafe target[o] = value
      } else {
        for j in 0..<inner { unsafe combine(&target[o + j], source[i + j]) }
      }
      i += inner
      var axis = 1
      while axis < extents.rank {
        position[axis] += 1
        o += strides[axis]
        if position[axis] < extents[axis] { break }
        o -= strides[axis] * extents[axis]
        position[axis] = 0
        axis += 1
      }
    }
  }

  private func floats(
    _ x: Elements<Float>, _ y: Elements<Float>, _ extents: Shape, _ flags: InlineArray<8, Bool>,
    _ peaks: Elements<Float>
  ) {
    switch kind {
    case .max, .min:
      let isMax = kind == .max
      y.fill(isMax ? -.infinity : .infinity)
      fold(x, y, extents, flags) { a, b in
        if b.isNaN || (isMax ? b > a : b < a) { a = b }
      }
    case .prod:
      y.fill(1)
      fold(x, y, extents, flags) { a, b in a *= b }
    case .sum, .mean, .logSum:
      y.fill(0)
      fold(x, y, extents, flags) { a, b in a += b }
    case .l1:
      y.fill(0)
      fold(x, y, extents, flags) { a, b in a += b.magnitude }
    case .l2, .sumSquare:
      y.fill(0)
      fold(x, y, extents, flags) { a, b in a += b * b }
    case .logSumExp:
      // log Σ eˣ = p + log Σ eˣ⁻ᵖ with p the maximum: e^x alone overflows past 88.
      peaks.fill(-.infinity)
      fold(x, peaks, extents, flags) { a, b in if b.isNaN || b > a { a = b } }
      y.fill(0)
      shiftedExponentials(x, y, extents, flags, peaks)
    }
    let n = y.count == 0 ? 0 : x.count / y.count
    for i in 0..<y.count {
      switch kind {
      case .mean: y[i] /= Float(n)
      case .l2: y[i] = y[i].squareRoot()
      case .logSum: y[i] = kn_log(y[i])
      case .logSumExp: y[i] = peaks[i].isFinite ? peaks[i] + kn_log(y[i]) : peaks[i]
      default: break
      }
    }
  }

  /// y += e^(x − peak of its output).
  private func shiftedExponentials(
    _ x: Elements<Float>, _ y: Elements<Float>, _ extents: Shape, _ flags: InlineArray<8, Bool>,
    _ peaks: Elements<Float>
  ) {
    var strides = Shape(repeating: 0, count: extents.rank)
    var step = 1
    for axis in 0..<extents.rank where !flags[axis] {
      strides[axis] = step
      step *= extents[axis]
    }
    for i in 0..<x.count {
      var rest = i
      var o = 0
      for axis in 0..<extents.rank {
        o += rest % extents[axis] * strides[axis]
        rest /= extents[axis]
      }
      y[o] += kn_exp(x[i] - peaks[o])
    }
  }

  private func whole<T: FixedWidthInteger & BitwiseCopyable>(
    _ x: Elements<T>, _ y: Elements<T>, _ extents: Shape, _ flags: InlineArray<8, Bool>
  ) {
    y.fill(kind == .prod ? 1 : kind == .max ? .min : kind == .min ? .max : 0)
    fold(x, y, extents, flags) { a, b in
      switch kind {
      case .max: a = Swift.max(a, b)
      case .min: a = Swift.min(a, b)
      case .prod: a = a &* b
      default: a = a &+ b
      }
    }
    let n = y.count == 0 ? 0 : x.count / y.count
    if kind == .mean, n > 0 {
      for i in 0..<y.count { y[i] /= T(clamping: n) }
    }
  }
}
