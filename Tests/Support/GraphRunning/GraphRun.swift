// Runs graphs in tests: lowered, their weights encoded, through a session.
import Graphs
import Kernels
import Lowering
import Operators
import Programs
import Quantization
import Runtime
import Tensors

/// A lowered graph with its weights in memory and a session over them.
public final class GraphRun {
  public let lowered: LoweredModel
  public let program: Program
  public let session: Session
  private let memory: UnsafeMutableRawBufferPointer
  private let views: [TensorView]

  /// change: what to do to the program before the session is made, to its plan for example.
  public init(
    _ graph: Graph, _ options: LoweringOptions = LoweringOptions(), threads: Int = 1,
    scheme: QuantizationScheme = .f32, change: (inout Program) -> Void = { _ in }
  ) throws {
    lowered = try Lowering.lower(graph, options) { _ in scheme }
    var program = lowered.program
    change(&program)
    self.program = program
    memory = .allocate(byteCount: max(lowered.weightBytes, 64), alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    var views: [TensorView] = []
    for (source, weight) in zip(lowered.sources, program.weights) {
      let encoder = WeightEncoder(source, weight.encoding)
      let place = UnsafeMutableRawBufferPointer(
        rebasing: memory[weight.offset..<(weight.offset + encoder.byteCount)])
      encoder.encode(into: place)
      views.append(
        TensorView(
          base: memory.baseAddress! + weight.offset, byteCount: encoder.byteCount,
          elementType: weight.elementType, shape: weight.shape, encoding: weight.encoding))
    }
    self.views = views
    session = try Session(program: program, weights: views, threads: threads)
  }

  deinit { memory.deallocate() }

  /// The fastest kernels, on one thread.
  public static var compute: Compute { Compute(kernels: KernelSet.best.table, pool: nil) }

  /// Bytes of every slot at the symbols' limits.
  public func slotBytes() throws -> [Int] {
    let preparation = Preparation(program, weights: views, compute: GraphRun.compute)
    try preparation.prepare(program.symbols.map(\.limit))
    return preparation.slotBytes
  }

  /// One run: tensors by input name to tensors by output name. Inputs that are not given keep what they
  /// hold: zeros at first, and what a run left in states.
  public func callAsFunction(_ inputs: [String: Constant]) throws -> [String: Constant] {
    try session.prepare(shapes: program.inputs.map { inputs[$0.name]?.shape })
    for (i, input) in program.inputs.enumerated() {
      guard let given = inputs[input.name] else { continue }
      guard given.elementType == input.elementType else {
        throw GraphRunError.elementType(
          input: input.name, expected: input.elementType, found: given.elementType)
      }
      if given.texts != nil {
        let placed = given.moved(to: session.texts)
        withExtendedLifetime(placed) { session.input(i).copyElements(of: placed.view) }
      } else if given.bytes.count > 0 {
        session.input(i).pointer.copyMemory(
          from: given.bytes.baseAddress!, byteCount: given.bytes.count)
      }
    }
    try session.run()
    var outputs: [String: Constant] = [:]
    for (i, output) in program.outputs.enumerated() {
      outputs[output.name] = Constant(copying: session.output(i), texts: session.texts)
    }
    return outputs
  }
}

/// Why a graph cannot be run on what was given.
public enum GraphRunError: Error {
  case elementType(input: String, expected: ElementType, found: ElementType)
}

/// Lowers and runs a graph once.
public func runGraph(
  _ graph: Graph, _ inputs: [String: Constant]
) throws -> [String: Constant] {
  try GraphRun(graph)(inputs)
}
