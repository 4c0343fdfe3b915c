// Runs one operator the way a session does: over every kernel set, one and three threads, and in
// place of each input where that is allowed; with margins around all memory.

import CKernels
import Kernels
import Operators
import Tensors
import Testing

/// Memory for C with a margin that must stay as it is.
private final class Block {
  static let margin = 64
  let base: UnsafeMutableRawPointer
  let count: Int

  init(_ count: Int) {
    self.count = count
    base = .allocate(byteCount: count + 2 * Block.margin, alignment: 64)
    // All ones: NaN as a float, so that what is read before it is written shows.
    base.initializeMemory(as: UInt8.self, repeating: 0xff, count: count + 2 * Block.margin)
  }

  deinit { base.deallocate() }

  var start: UnsafeMutableRawPointer { base + Block.margin }

  var isIntact: Bool {
    (0..<Block.margin).allSatisfy {
      base.load(fromByteOffset: $0, as: UInt8.self) == 0xff
        && base.load(fromByteOffset: Block.margin + count + $0, as: UInt8.self) == 0xff
    }
  }

  func fill(_ bytes: [UInt8]) { start.copyMemory(from: bytes, byteCount: bytes.count) }
}

/// Kernels and threads to run with.
struct Variant: CustomTestStringConvertible {
  let kernels: KernelSet
  let pool: ThreadPool?

  /// Every kernel set, with one and with three threads. The threads are the caller's own: tests run
  /// at the same time, and a pool takes one job at a time.
  static func all() -> [Variant] {
    let pool = try! ThreadPool(threads: 3)
    return KernelSet.available.flatMap { set in
      [nil, pool].map { Variant(kernels: set, pool: $0) }
    }
  }

  var compute: Compute { Compute(kernels: kernels.table, pool: pool?.handle) }
  var testDescription: String { "\(kernels.name), \(pool?.threadCount ?? 1) threads" }
}

/// A step over tensors of its own.
final class OperatorHarness {
  private let op: Operator
  private var blocks: [Block?] = []
  private let views: UnsafeMutablePointer<TensorView>
  private let indices: UnsafeMutablePointer<Int32>
  private let inputs: [TestTensor?]
  private let outputCount: Int
  private let compute: Compute
  private let texts: TextPool

  /// nil leaves an input out; `known` says which inputs have values while preparing.
  init(
    _ op: Operator, _ inputs: [TestTensor?], outputs: Int = 1, with variant: Variant,
    known: (Int) -> Bool = { _ in true }
  ) {
    self.op = op
    let texts = TextPool()
    self.texts = texts
    let inputs = inputs.map { $0?.placed(in: texts) }
    self.inputs = inputs
    outputCount = outputs
    compute = Compute(
      kernels: variant.kernels.table, pool: variant.pool?.handle, texts: texts)
    let count = inputs.count + outputs
    views = .allocate(capacity: count)
    indices = .allocate(capacity: count)
    for (i, input) in inputs.enumerated() {
      indices[i] = input == nil ? -1 : Int32(i)
      let block = input.map { Block($0.bytes.count) }
      if let input { block?.fill(input.bytes) }
      blocks.append(block)
      (views + i).initialize(
        to: TensorView(
          base: known(i) ? block?.start : nil, byteCount: block?.count ?? 0,
          elementType: input?.type ?? .f32, shape: Shape(input?.shape ?? []),
          encoding: input?.encoding))
    }
    for i in inputs.count..<count {
      indices[i] = Int32(i)
      (views + i).initialize(to: TensorView(elementType: .f32, shape: Shape()))
      blocks.append(nil)
    }
  }

  deinit {
    views.deallocate()
    indices.deallocate()
  }

  private func context(_ scratch: Block? = nil) -> StepContext {
    StepContext(
      tensors: views, indices: indices, inputCount: inputs.count, outputCount: outputCount,
      compute: compute, scratch: scratch?.start, scratchBytes: scratch?.count ?? 0)
  }

  /// The shape rule alone.
  func prepare() throws(ShapeError) { try op.prepare(context()) }

  /// The shape rule and what it says of the run to come.
  func cost() throws(ShapeError) -> (scratchBytes: Int, work: Int, outputBytes: Int) {
    try op.prepare(context())
    let bytes = (0..<outputCount).reduce(0) { $0 + views[inputs.count + $1].plainByteCount }
    return (op.scratchBytes(context()), op.multiplyAccumulates(context()), bytes)
  }

  /// Inputs whose memory the first output may take over, by the operator's own rule.
  func replaceableInputs() throws -> [Int] {
    try prepare()
    let bytes = views[inputs.count].plainByteCount
    switch op.aliasing {
    case .none: return []
    case .view: return [0]
    case .inPlace, .inPlaceOfAny:
      let candidates = op.aliasing == .inPlace ? 0..<1 : inputs.indices
      return candidates.filter {
        guard let input = inputs[$0], input.encoding == nil else { return false }
        return input.bytes.count == bytes && bytes > 0
      }
    }
  }

  /// All outputs; the first one in the memory of input `shared` where given.
  func run(sharing shared: Int? = nil) throws -> [TestTensor] {
    try prepare()
    let scratch = Block(op.scratchBytes(context()))
    for (i, input) in inputs.enumerated() where input != nil { views[i].base = blocks[i]!.start }
    for i in 0..<outputCount {
      let at = inputs.count + i
      let bytes = views[at].plainByteCount
      blocks[at] = i == 0 ? shared.map { blocks[$0]! } ?? Block(bytes) : Block(bytes)
      views[at].base = blocks[at]!.start
      views[at].byteCount = bytes
    }
    op.run(context(scratch))
    #expect(scratch.isIntact, "\(op.name) writes past its scratch")
    for (i, block) in blocks.enumerated() {
      guard let block else { continue }
      #expect(block.isIntact, "\(op.name) writes outside tensor \(i)")
      if i < inputs.count, i != shared {
        let now = [UInt8](UnsafeRawBufferPointer(start: block.start, count: block.count))
        #expect(now == inputs[i]!.bytes, "\(op.name) changes input \(i)")
      }
    }
    return (0..<outputCount).map { output($0) }
  }

  private func output(_ i: Int) -> TestTensor {
    let view = views[inputs.count + i]
    if view.elementType == .string {
      return TestTensor(
        utf8: view.texts.indices.map { texts.text(view.texts[$0]) }, view.shape.dimensions)
    }
    let bytes = UnsafeRawBufferPointer(start: view.base, count: view.plainByteCount)
    return TestTensor(view.elementType, view.shape.dimensions, bytes: [UInt8](bytes))
  }
}

/// How far a result may be from the reference: `absolute + relative · |wanted|`.
struct Tolerance {
  var absolute: Double
  var relative: Double

  static let exact = Tolerance(absolute: 0, relative: 0)
  /// f32 sums of some hundred terms of about 1, in any order.
  static let sums = Tolerance(absolute: 1e-4, relative: 1e-5)
  /// f32 functions and short sums.
  static let functions = Tolerance(absolute: 2e-6, relative: 4e-6)

  /// Nil where all elements agree.
  func mismatch(_ found: TestTensor, _ wanted: TestTensor) -> String? {
    guard found.type == wanted.type, found.shape == wanted.shape else {
      return "\(found.type) \(found.shape) instead of \(wanted.type) \(wanted.shape)"
    }
    if found.bytes == wanted.bytes && found.pool == wanted.pool { return nil }
    guard found.type != .string else {
      let at = found.texts.indices.first { found.texts[$0] != wanted.texts[$0] }
      return at.map { "element \($0) is \(found.texts[$0]), not \(wanted.texts[$0])" }
    }
    let (f, w) = (found.values, wanted.values)
    for i in 0..<f.count where !(f[i] == w[i] || f[i].isNaN && w[i].isNaN) {
      if !(abs(f[i] - w[i]) <= absolute + relative * abs(w[i])) {
        return "element \(i) is \(f[i]), not \(w[i])"
      }
    }
    return nil
  }
}

/// Runs the operator in every way there is and compares each result with the reference; also encodes
/// and decodes it. A reference may be missing where an output is not asked about.
func check(
  _ op: Operator, _ inputs: [TestTensor?], is wanted: [TestTensor],
  within tolerance: Tolerance = .exact, note: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  expectRoundTrip(op, sourceLocation: sourceLocation)
  for variant in Variant.all() {
    let first = OperatorHarness(op, inputs, outputs: wanted.count, with: variant)
    let shared = try first.replaceableInputs()
    for place in [nil] + shared.map({ Optional($0) }) {
      let harness = OperatorHarness(op, inputs, outputs: wanted.count, with: variant)
      let found = try harness.run(sharing: place)
      for (i, w) in wanted.enumerated() {
        let mismatch = tolerance.mismatch(found[i], w)
        #expect(
          mismatch == nil,
          "\(op) \(variant.testDescription), in place of \(place ?? -1), output \(i): \(note)",
          sourceLocation: sourceLocation)
      }
    }
  }
}

func expectRoundTrip(_ op: Operator, sourceLocation: SourceLocation = #_sourceLocation) {
  let attributes = op.attributes
  #expect(
    throws: Never.self, "\(op.name)", sourceLocation: sourceLocation
  ) {
    let again = try Operator(code: op.code, attributes: attributes)
    #expect(again == op, sourceLocation: sourceLocation)
  }
  for count in 0..<attributes.count {
    #expect(
      throws: AttributeError.self, "\(op.name) with \(count) attributes",
      sourceLocation: sourceLocation
    ) { try Operator(code: op.code, attributes: Array(attributes[..<count])) }
  }
  #expect(throws: AttributeError.self, sourceLocation: sourceLocation) {
    try Operator(code: op.code, attributes: attributes + [.integer(0)])
  }
}

/// The shape rule must refuse these inputs.
func expectRefusal(
  _ op: Operator, _ inputs: [TestTensor?], outputs: Int = 1,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(
    throws: ShapeError.self, "\(op) \(inputs.map { $0?.shape ?? [] })",
    sourceLocation: sourceLocation
  ) {
    try OperatorHarness(op, inputs, outputs: outputs, with: Variant(kernels: .scalar, pool: nil))
      .prepare()
  }
}
