// What an operator sees of the program while its step is prepared or run.
import CKernels
import CPlatform
import Tensors

/// A shape rule's refusal.
public struct ShapeError: Error, Sendable {
  public var message: StaticString
  /// Which input it is about; -1 for the step as a whole.
  public var input: Int
  public var expected: Int
  public var found: Int

  public init(_ message: StaticString, input: Int = -1, expected: Int = 0, found: Int = 0) {
    self.message = message
    self.input = input
    self.expected = expected
    self.found = found
  }
}

extension ShapeError: CustomStringConvertible {
  public var description: String {
    var text = input >= 0 ? "input \(input): \(message)" : "\(message)"
    if expected != found { text += " (expected \(expected), found \(found))" }
    return text
  }
}

/// The kernels and threads a step computes with.
@safe public struct Compute: @unchecked Sendable {
  @unsafe public let kernels: UnsafePointer<kn_kernels>
  /// Null runs everything on the calling thread, whatever `threads` says.
  @unsafe public let pool: OpaquePointer?
  /// What work is cut for; decides how much scratch steps ask for.
  public let threads: Int
  /// The texts that string tensors refer to.
  public let texts: TextPool

  @unsafe public init(
    kernels: UnsafePointer<kn_kernels>, pool: OpaquePointer?, threads: Int = 1,
    texts: TextPool = TextPool()
  ) {
    unsafe self.kernels = unsafe kernels
    unsafe self.pool = unsafe pool
    self.threads = threads
    self.texts = texts
  }

  /// Runs `parts` parts of a C job over the pool.
  @unsafe public func run(_ job: kp_job, _ arguments: UnsafeMutableRawPointer, parts: Int) {
    if let pool = unsafe pool {
      unsafe kp_pool_run(pool, job, arguments, parts)
    } else {
      for part in 0..<parts { unsafe job(arguments, part, parts) }
    }
  }
}

/// One step's inputs, outputs and scratch. While preparing, a shape rule reads input shapes (and
/// the values of those that are known) and sets output shapes; while running, all have bytes.
@safe public struct StepContext {
  private let tensors: UnsafeMutablePointer<TensorView>
  private let indices: UnsafePointer<Int32>
  public let inputCount: Int
  public let outputCount: Int
  public let compute: Compute
  private let scratchBase: UnsafeMutableRawPointer?
  private let scratchCount: Int

  /// `indices` holds the inputs' places in `tensors`, then the outputs'; -1 where an input is
  /// left out.
  @unsafe public init(
    tensors: UnsafeMutablePointer<TensorView>, indices: UnsafePointer<Int32>, inputCount: Int,
    outputCount: Int, compute: Compute, scratch: UnsafeMutableRawPointer?, scratchBytes: Int
  ) {
    unsafe self.tensors = unsafe tensors
    unsafe self.indices = unsafe indices
    self.inputCount = inputCount
    self.outputCount = outputCount
    self.compute = compute
    unsafe scratchBase = unsafe scratch
    scratchCount = scratchBytes
  }

  /// True when input `i` is given.
  public func has(_ i: Int) -> Bool { i < inputCount ? unsafe indices[i] >= 0 : false }

  public func input(_ i: Int) -> TensorView {
    precondition(has(i))
    return unsafe tensors[Int(indices[i])]
  }

  public func output(_ i: Int = 0) -> TensorView {
    precondition(i >= 0 && i < outputCount)
    return unsafe tensors[Int(indices[inputCount + i])]
  }

  /// Sets what the shape rule found for output `i`.
  public func setOutput(_ i: Int = 0, _ elementType: ElementType, _ shape: Shape) {
    precondition(i >= 0 && i < outputCount)
    let t = unsafe Int(indices[inputCount + i])
    unsafe tensors[t].elementType = elementType
    unsafe tensors[t].shape = shape
  }

  /// True when output 0 shares its memory with input `i`: a view or an in-place step.
  public func sharesMemory(withInput i: Int) -> Bool {
    unsafe has(i) && input(i).base == output().base
  }

  /// `count` elements of the step's scratch, `offset` bytes (a multiple of 64) into it.
  public func scratch<T: BitwiseCopyable>(_: T.Type, count: Int, at offset: Int = 0) -> Elements<T>
  {
    precondition(
      offset >= 0 && count >= 0 && offset + count * MemoryLayout<T>.size <= scratchCount)
    guard let base = unsafe scratchBase else {
      precondition(count == 0)
      return unsafe Elements(base: UnsafeMutablePointer<T>(bitPattern: 64)!, count: 0)
    }
    return unsafe Elements(base: (base + offset).assumingMemoryBound(to: T.self), count: count)
  }

  // MARK: What shape rules ask for

  /// Any product of some extents of a bounded shape is at most 2^40, also where another extent is 0:
  /// it can be multiplied by element sizes and thread counts without overflow.
  private static func isBounded(_ shape: Shape) -> Bool {
    var product = 1
    for axis in 0..<shape.rank {
      guard shape[axis] <= (1 << 40) / product else { return false }
      product *= max(shape[axis], 1)
    }
    return true
  }

  func requireSoundInputs() throws(ShapeError) {
    for i in 0..<inputCount where has(i) {
      guard StepContext.isBounded(input(i).shape) else {
        throw ShapeError("is too large", input: i)
      }
      guard input(i).encoding == nil || input(i).elementType == .f32 else {
        throw ShapeError("a quantized weight stands for f32", input: i)
      }
    }
  }

  func requireBoundedOutputs() throws(ShapeError) {
    for i in 0..<outputCount where !StepContext.isBounded(output(i).shape) {
      throw ShapeError("output is too large")
    }
  }

  public func require(inputs: ClosedRange<Int>, outputs: Int = 1) throws(ShapeError) {
    guard inputs.contains(inputCount) else {
      throw ShapeError("wrong number of inputs", expected: inputs.lowerBound, found: inputCount)
    }
    guard outputCount == outputs else {
      throw ShapeError("wrong number of outputs", expected: outputs, found: outputCount)
    }
    for i in 0..<inputs.lowerBound where !has(i) { throw ShapeError("is missing", input: i) }
  }

  public func require(_ i: Int, is types: ElementType...) throws(ShapeError) {
    for t in types where input(i).elementType == t { return }
    throw ShapeError("element type is not taken here", input: i)
  }

  /// Fails for quantized weights: the operator reads plain elements.
  public func requirePlain(_ i: Int) throws(ShapeError) {
    guard has(i) else { return }
    guard input(i).encoding == nil else {
      throw ShapeError("a quantized weight is not taken here", input: i)
    }
  }

  /// The values of an integer input that must be known before the program runs.
  public func integers(_ i: Int) throws(ShapeError) -> IntegerList {
    let t = input(i)
    guard t.elementType.isNumber, !t.elementType.isFloatingPoint else {
      throw ShapeError("expected integers", input: i)
    }
    guard t.hasValue, t.encoding == nil else {
      throw ShapeError("must not depend on the data that runs through the model", input: i)
    }
    guard t.shape.rank <= 1 else {
      throw ShapeError("expected a vector", input: i, expected: 1, found: t.shape.rank)
    }
    guard t.shape.elementCount <= IntegerList.capacity else {
      throw ShapeError("too long", input: i, expected: 16, found: t.shape.elementCount)
    }
    var list = IntegerList()
    for j in 0..<t.shape.elementCount { list.append(t.integer(at: j)) }
    return list
  }
}
