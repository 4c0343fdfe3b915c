// What every real-numbered value of a graph holds while the graph runs over calibration inputs.
import Graphs
import Lowering
import Operators
import Programs
import Runtime
import Tensors

/// How a range follows from what was seen.
public enum RangeChoice: String, CaseIterable, Sendable {
  /// All that was seen.
  case minMax = "min-max"
  /// What errs least in the mean square.
  case leastSquares = "least-squares"
}

/// Why ranges cannot be found.
public enum RangeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nothing to run on.
  case noItems
  /// Shapes that follow from data, or state: the model cannot be run in parts.
  case isDynamic(model: String)

  public var description: String {
    switch self {
    case .noItems: "there are no calibration inputs"
    case .isDynamic(let model):
      "\(model): activation ranges need a model whose shapes follow from its inputs and that "
        + "carries no state"
    }
  }
}

/// Histograms of a float graph's values: inputs, and everything that nodes make while it runs.
public struct ActivationRanges: Sendable {
  public private(set) var histograms: [ValueID: ActivationHistogram]
  /// How many inputs were run.
  public private(set) var itemCount: Int

  /// Runs `graph` over all items twice: for ranges, then for counts.
  ///
  /// Values are read right after the step that makes them, because later steps take their memory.
  ///
  /// graph: rewritten, in f32; items in the order of its inputs.
  /// progress: told after each of twice as many runs as there are items.
  public init(
    _ graph: Graph, items: [CalibrationItem], threads: Int = 1,
    progress: (Int) -> Void = { _ in }
  ) throws {
    guard !items.isEmpty else { throw RangeError.noItems }
    // A step is called what its node is: numbers there lead back.
    var numbered = graph
    for i in numbered.nodes.indices { numbered.nodes[i].name = "\(i)" }
    let lowered = try Lowering.lower(numbered) { _ in .f32 }
    let float = try FloatModel(lowered, threads: threads)
    let session = float.session
    guard session.canReplay else { throw RangeError.isDynamic(model: graph.name) }
    let reader = ValueReader(graph, session)
    histograms = [:]
    itemCount = items.count
    for (pass, isCounting) in [false, true].enumerated() {
      for (n, item) in items.enumerated() {
        try item.fill(session)
        for (value, view) in reader.inputs { record(value, view(), isCounting) }
        for s in session.runnableSteps.indices {
          session.run(steps: s..<s + 1)
          for (value, tensor) in reader.made[s] {
            record(value, session.tensor(tensor), isCounting)
          }
        }
        progress(pass * items.count + n + 1)
      }
    }
  }

  private mutating func record(_ value: ValueID, _ view: TensorView, _ isCounting: Bool) {
    guard view.elementType == .f32 else { return }
    let count = view.shape.elementCount
    let elements = UnsafeBufferPointer(
      start: count > 0 ? view.pointer.assumingMemoryBound(to: Float.self) : nil, count: count)
    if isCounting {
      histograms[value, default: ActivationHistogram()].add(elements)
    } else {
      histograms[value, default: ActivationHistogram()].extend(elements)
    }
  }

  /// The range of every value.
  public func ranges(
    _ choice: RangeChoice, isSymmetric: Bool
  ) -> [ValueID: ClosedRange<Float>] {
    histograms.mapValues {
      choice == .minMax ? $0.whole : $0.leastSquares(isSymmetric: isSymmetric)
    }
  }
}

/// Where values of a graph are in a session of its program.
private struct ValueReader {
  var inputs: [(ValueID, () -> TensorView)]
  /// By place in `runnableSteps`: values and the program's tensors that hold them.
  var made: [[(ValueID, Int)]]

  init(_ graph: Graph, _ session: Session) {
    inputs = graph.inputs.indices.map { i in
      (graph.inputs[i].value, { session.input(i) })
    }
    made = session.runnableSteps.map { s in
      let step = session.program.steps[s]
      guard let i = Int(step.name), graph.nodes.indices.contains(i) else { return [] }
      return Array(zip(graph.nodes[i].outputs, step.outputs))
    }
  }
}
