// Tensors by number, and what preparing a step does to them: infer shapes, compute what is known.
import Tensors

/// A table of tensor views with memory of its own for values that are computed ahead of time.
/// Sessions keep one for their program, graphs one for shape inference and folding.
@safe public final class TensorTable {
  private let views: UnsafeMutablePointer<TensorView>
  public let count: Int
  /// Memory this table owns, by tensor; nil where the bytes are another's.
  private var owned: [UnsafeMutableRawPointer?]
  private var ownedBytes: [Int]

  /// `count` unknown tensors.
  public init(count: Int) {
    self.count = count
    unsafe views = .allocate(capacity: max(count, 1))
    unsafe views.initialize(
      repeating: TensorView(elementType: .f32, shape: Shape()), count: max(count, 1))
    unsafe owned = [UnsafeMutableRawPointer?](repeating: nil, count: count)
    ownedBytes = [Int](repeating: 0, count: count)
  }

  deinit {
    for i in 0..<count { unsafe owned[i]?.deallocate() }
    unsafe views.deallocate()
  }

  public subscript(tensor: Int) -> TensorView {
    get {
      precondition(tensor >= 0 && tensor < count)
      return unsafe views[tensor]
    }
    set {
      precondition(tensor >= 0 && tensor < count)
      unsafe views[tensor] = newValue
    }
  }

  /// First view, for contexts that outlive the call; valid as long as the table.
  @unsafe public var pointer: UnsafeMutablePointer<TensorView> { unsafe views }

  /// Bytes held for values computed ahead of time.
  public private(set) var ownedByteCount = 0

  /// Gives tensor `t` memory of the table's for its present type and shape.
  public func allocate(_ t: Int) {
    let bytes = max(self[t].plainByteCount, 1)
    if bytes > ownedBytes[t] {
      unsafe owned[t]?.deallocate()
      unsafe owned[t] = .allocate(byteCount: bytes, alignment: 64)
      ownedByteCount += bytes - ownedBytes[t]
      ownedBytes[t] = bytes
    }
    unsafe views[t].base = unsafe owned[t]
    unsafe views[t].byteCount = ownedBytes[t]
    unsafe views[t].encoding = nil
  }

  /// The step's context over this table. `indices`: inputs, then outputs; kept alive by the caller.
  @unsafe public func context(
    _ indices: UnsafePointer<Int32>, inputCount: Int, outputCount: Int, compute: Compute,
    scratch: UnsafeMutableRawPointer? = nil, scratchBytes: Int = 0
  ) -> StepContext {
    unsafe StepContext(
      tensors: views, indices: indices, inputCount: inputCount, outputCount: outputCount,
      compute: compute, scratch: scratch, scratchBytes: scratchBytes)
  }

  /// Infers the outputs of one step and, with `evaluates`, computes them into the table's memory.
  /// Returns the scratch bytes and multiply-accumulates of the step.
  ///
  /// maximumBytes: the most to hold for all values computed ahead of time together, the step's scratch
  /// included. A few extents in a file can ask for any amount.
  /// isOptional: leaves out values that take more, instead of refusing them.
  @discardableResult
  public func prepare(
    _ op: Operator, inputs: [Int], outputs: [Int], compute: Compute, evaluates: Bool,
    maximumBytes: Int = 1 << 30, isOptional: Bool = false
  ) throws(ShapeError) -> (scratchBytes: Int, multiplyAccumulates: Int) {
    let indices = (inputs + outputs).map { Int32($0) }
    var failure: ShapeError?
    var cost = (0, 0)
    unsafe indices.withUnsafeBufferPointer { list in
      let step = unsafe context(
        list.baseAddress!, inputCount: inputs.count, outputCount: outputs.count, compute: compute)
      do throws(ShapeError) {
        try op.prepare(step)
        cost = (op.scratchBytes(step), op.multiplyAccumulates(step))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    guard evaluates else { return cost }
    for t in outputs {
      guard let n = self[t].shape.checkedElementCount, n <= maximumBytes / 8,
        cost.0 <= maximumBytes,
        ownedByteCount + max(self[t].plainByteCount - ownedBytes[t], 0) + cost.0 <= maximumBytes
      else {
        if isOptional { return cost }
        throw ShapeError("values known ahead are too large")
      }
      allocate(t)
    }
    unsafe indices.withUnsafeBufferPointer { list in
      let scratch = UnsafeMutableRawPointer.allocate(
        byteCount: max(cost.0, 1), alignment: 64)
      let step = unsafe context(
        list.baseAddress!, inputCount: inputs.count, outputCount: outputs.count,
        compute: compute, scratch: scratch, scratchBytes: cost.0)
      op.run(step)
      unsafe scratch.deallocate()
    }
    guard !compute.texts.hasOverflowed else {
      throw ShapeError("texts known ahead are too large")
    }
    return cost
  }
}
