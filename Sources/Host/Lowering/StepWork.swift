// What a step has to do, as the cost model reads it: which kernel, how much, and at which extents.
import Foundation
import Operators
import Programs
import Tensors

/// The work of one step at the program's limits.
public struct StepWork: Equatable, Sendable {
  /// When the step runs.
  public enum Time: Equatable, Sendable {
    /// In every run, at these extents.
    case always
    /// While preparing only: it costs a run nothing.
    case ahead
    /// In every run, at extents that only the run finds: these figures are not known.
    case open
  }

  /// Steps of one kind differ in their extents only: operator, scheme or element type, and variant,
  /// such as `MatMul int8`, `Conv f32 point`, `Unary erf`.
  public var kind: String
  /// The extents that decide how fast the kernel is; equally many for all steps of a kind.
  public var extents: [Int]
  /// What the time grows with at given extents: multiply-accumulates, or elements.
  public var amount: Int
  public var multiplyAccumulates: Int
  /// The kind of step that goes over the output once more before it is stored, such as `Unary gelu`;
  /// empty where nothing follows that takes time. Its extent and amount are the output's elements.
  public var epilogueKind: String
  public var outputElements: Int
  /// Bytes of weights that are read whole.
  public var weightBytes: Int
  /// Bytes of the other inputs and of the outputs.
  public var dataBytes: Int
  public var time: Time

  /// Products of one row, convolutions of one place: each weight is used once, and how fast it comes
  /// decides.
  public var readsWeightsOnce: Bool {
    switch kind.split(separator: " ").first {
    case "MatMul": kind.hasSuffix(" row")
    case "IntegerProduct": extents.first == 1
    // Depthwise ones have the width there.
    case "Conv": extents.count == 5 && extents[1] == 1
    case "IntegerConv": extents.count == 4 && extents[1] == 1
    case "Recurrent": extents.count > 2 && extents[2] == 1
    default: false
    }
  }

  /// A scheme's part of a kind. Blocks of all widths are decoded about as fast, and are multiplied alike.
  static func kind(of scheme: QuantizationScheme) -> String {
    scheme.block == nil ? scheme.name : "blocks"
  }

  /// Nodes on the way to a leaf of a tree of so many. Those of a complete tree, or a little more: in trained
  /// models the leaves' mean depth is 1.02 to 1.13 of it (XGBoost, scikit-learn's forest), 1.37 where trees
  /// grow leaf by leaf (LightGBM), and data go the shorter ways more often.
  package static func depth(nodes: Double) -> Double {
    let complete = log2(nodes + 1)
    return complete == complete.rounded() ? complete : 1.04 * complete
  }

  /// For steps whose arithmetic is on bytes: their rates are those of int8.
  public var isInteger: Bool { kind.hasPrefix("Integer") || kind.contains(" int8") }

  /// The work of every step of a prepared program. Steps that are whole programs of their own, such as
  /// loops, count as open.
  public static func list(_ preparation: Preparation) -> [StepWork] {
    preparation.program.steps.indices.map { StepWork(preparation, step: $0) }
  }

  init(_ preparation: Preparation, step i: Int) {
    let program = preparation.program
    let step = program.steps[i]
    let tensors = preparation.tensors
    kind = step.op.name
    extents = [0, 0]
    amount = 0
    multiplyAccumulates = 0
    epilogueKind = ""
    outputElements = 0
    weightBytes = 0
    dataBytes = 0
    time = preparation.isStatic[i] ? .ahead : preparation.isDynamic[i] ? .open : .always
    guard time == .always else { return }
    multiplyAccumulates = preparation.multiplyAccumulates[i]
    let inputs = step.inputs.filter { $0 >= 0 }
    // A table is read where it is looked up only.
    let readsWhole = if case .gather = step.op { false } else { true }
    for (n, t) in inputs.enumerated() {
      let isTable = n == 0 && !readsWhole
      if !program.isSlot(t) {
        weightBytes += isTable ? 0 : program.weights[t].byteCount ?? 0
      } else if !isTable {
        dataBytes += tensors[t].plainByteCount
      }
    }
    for t in step.outputs { dataBytes += tensors[t].plainByteCount }
    // The same bytes under another shape: nothing is done.
    if step.op.aliasing == .view { (weightBytes, dataBytes) = (0, 0) }
    let shape = StepShape(step, tensors, multiplyAccumulates)
    (kind, extents, amount) = (shape.kind, shape.extents, shape.amount)
    // Of trees, the nodes on the ways down: each a line of a cache.
    if case .trees = step.op { weightBytes = min(weightBytes, 64 * amount) }
    outputElements = tensors[step.outputs[0]].shape.elementCount
    switch step.op {
    case .matMul(let op): epilogueKind = StepWork.epilogue(op.activation)
    case .conv(let op): epilogueKind = StepWork.epilogue(op.activation)
    default: break
    }
    if step.op.aliasing == .view { amount = 0 }
  }
}

extension StepWork {
  /// Bounds are taken while storing; functions take what they take on their own.
  fileprivate static func epilogue(_ activation: FusedActivation) -> String {
    switch activation.kind {
    case .linear, .relu, .clip, .leakyRelu: ""
    default: "Unary \(activation.kind)"
    }
  }

  /// What follows the step before its output is stored, as a step of its own.
  public var epilogue: StepWork? {
    guard !epilogueKind.isEmpty else { return nil }
    var work = self
    work.kind = epilogueKind
    work.extents = [outputElements]
    work.amount = outputElements
    (work.multiplyAccumulates, work.weightBytes, work.dataBytes) = (0, 0, 0)
    work.epilogueKind = ""
    return work
  }
}

/// Finds kind and extents of a step.
private struct StepShape {
  var kind: String
  var extents: [Int]
  var amount: Int

  private let step: Step
  private let tensors: TensorTable

  init(_ step: Step, _ tensors: TensorTable, _ work: Int) {
    (self.step, self.tensors) = (step, tensors)
    kind = step.op.name
    extents = []
    amount = work
    switch step.op {
    case .matMul(let op): matMul(op)
    case .conv(let op): conv(op)
    case .integerConv(let op):
      let columns = output.dimensions.last ?? 1
      let outputs = columns / max(op.groups, 1)
      let channels = (input(0).dimensions.last ?? 1) / max(op.groups, 1)
      let k = work / max(output.elementCount, 1)
      extents = [outputs, output.elementCount / max(columns, 1), k, channels]
      // The picture serves as the matrix of rows where every place is a row of whole words.
      let isStrided = op.window.strides.array.contains { $0 > 1 }
      let isPadded = op.window.pads.array.contains { $0 > 0 }
      if op.kernel.array.allSatisfy({ $0 == 1 }), !isStrided, !isPadded, op.groups == 1,
        channels % 4 == 0, tensors[step.inputs[0]].elementType == .i8
      {
        kind += " direct"
      }
      // Weights with a zero point need the sum of every row as well.
      if step.inputs.count > 4, step.inputs[4] >= 0 { kind += " shifted" }
      pad(outputs)
    case .integerDepthwise:
      let channels = output.dimensions.last ?? 1
      // Fewer than a vector of the widest kernels holds.
      if channels < 16 { kind += " narrow" }
      extents = [channels, output.elementCount / max(channels, 1), input(1)[0]]
    case .integerProduct:
      let columns = output.dimensions.last ?? 1
      let rows = output.elementCount / max(columns, 1)
      extents = [rows, columns, work / max(output.elementCount, 1)]
      pad(columns)
    case .integerBinary(let op):
      kind += " \(op.kind)\(broadcast)"
      amount = output.elementCount
      extents = [amount]
    case .attention(let op):
      let queries = input(0)
      extents = [queries[1], input(1)[1], queries[2] / max(op.heads, 1)]
    case .recurrent(let op):
      kind += " \(op.kind) \(scheme(1))"
      let x = input(0)
      extents = [x[1], input(1)[0], x[0]]
    case .trees:
      let (rows, trees) = (input(0)[0], max(input(2)[0], 1))
      // Leaves that are rows of numbers stand elsewhere; rows that are few go down alone.
      if step.inputs.count > 3, step.inputs[3] >= 0 { kind += " vectors" }
      if rows < 4 { kind += " row" }
      if input(1)[1] == Trees.wideNodeWords { kind += " wide" }
      extents = [rows, trees, input(1)[0] / trees]
      let depth = StepWork.depth(nodes: Double(input(1)[0]) / Double(trees))
      amount = Int(min(Double(rows) * Double(trees) * depth, 0x1p+52).rounded())
    case .convTranspose:
      extents = [output.dimensions[1], work / max(output.elementCount, 1)]
    default: plain(work)
    }
  }

  private var output: Shape { tensors[step.outputs[0]].shape }
  private func input(_ i: Int) -> Shape { tensors[step.inputs[i]].shape }

  /// How the weight that is input `i` is stored; `data` for what another step writes.
  private func scheme(_ i: Int) -> String {
    let view = tensors[step.inputs[i]]
    return view.encoding.map { StepWork.kind(of: $0.scheme) } ?? "data"
  }

  /// Columns stand in panels: those that fill the last one are computed too.
  private mutating func pad(_ columns: Int) {
    let width = WeightEncoding.panelWidth
    let padded = (columns + width - 1) / width * width
    let (product, overflow) = amount.multipliedReportingOverflow(by: padded)
    amount = overflow ? amount : product / max(columns, 1)
  }

  private mutating func matMul(_ op: MatMul) {
    kind += " \(scheme(1))"
    let b = input(1)
    let k = b.rank < 2 ? b.elementCount : b[b.rank - (op.transposeB ? 1 : 2)]
    let n = b.rank < 2 ? 1 : b[b.rank - (op.transposeB ? 2 : 1)]
    let rows = output.elementCount / max(n, 1)
    // Matrices on the right, each for rows of its own.
    let matrices = b.rank < 2 ? 1 : b.elementCount(of: 0..<(b.rank - 2))
    extents = [rows / max(matrices, 1), n, k]
    // One row goes through a kernel of its own.
    if extents[0] == 1 { kind += " row" }
    pad(n)
  }

  private mutating func conv(_ op: Conv) {
    let w = input(1)
    let taps = w.elementCount(of: 2..<w.rank)
    let outputs = w[0] / max(op.groups, 1)
    let places = output.elementCount(of: 2..<output.rank)
    if w[1] == 1, outputs <= 4 {
      kind += isStrided(op.window, w.rank) ? " depthwise strided" : " depthwise"
      let width = output.dimensions.last ?? 1
      let planes = output.elementCount(of: 0..<2)
      extents = [taps, width, output.elementCount / max(width, 1), planes]
      return
    }
    let scheme = tensors[step.inputs[1]].encoding?.scheme ?? .f32
    kind += " \(StepWork.kind(of: scheme))"
    // Places that stand together in the picture: all of them where it is taken point by point, those
    // of a row otherwise; a picture one pixel wide is a row.
    let isPoint = taps == 1 && !op.window.strides.array.contains { $0 > 1 }
    let row = output.dimensions.last { $0 > 1 } ?? 1
    extents = [outputs, places, w[1] * taps, isPoint ? places : min(row, places), taps]
    pad(places)
  }

  /// Whether neighbours in a row of the output see places of the input that are apart. Rows that are cost
  /// no more than others.
  private func isStrided(_ window: Window, _ rank: Int) -> Bool {
    window.strides.count == rank - 2 && window.strides[rank - 3] > 1
  }

  /// Everything that goes over its elements once: how many, and how many stand together.
  private mutating func plain(_ work: Int) {
    let first = step.inputs.first.flatMap { $0 >= 0 ? tensors[$0] : nil }
    let out = tensors[step.outputs[0]]
    var run = out.shape.dimensions.last ?? 1
    let type = (first ?? out).elementType
    var variant = ""
    var isOneExtent = false
    switch step.op {
    case .unary(let op):
      variant = "\(op.kind)"
      isOneExtent = true
    case .binary(let op):
      variant = "\(op.kind)\(broadcast)"
      isOneExtent = broadcast != " broadcast"
      if !isOneExtent { run = commonRun }
    case .reduce(let op):
      run = reducedRun(first?.shape ?? Shape(), out.shape)
      variant = "\(op.kind)" + (run > 0 ? "" : " strided")
      run = max(run, 1)
    case .cast(let op):
      variant = "to \(op.type.name)"
      isOneExtent = true
    case .quantize: isOneExtent = true
    case .quantizeRows(let op):
      let x = first?.shape ?? Shape()
      run = x.elementCount(of: min(op.rowAxes, x.rank)..<x.rank)
    // Several short rows go through the vector together.
    case .softmax: if run <= 8 { variant = "narrow" }
    case .slice, .concat, .pad, .expand, .tile:
      run = commonTail(first?.shape ?? Shape(), out.shape)
    case .transpose(let op):
      let loop = op.innermostLoop(first?.shape ?? Shape())
      run = loop.run
      extents = [max(loop.count, 1)]
    case .pool(let op):
      variant = "\(op.kind)"
      if isStrided(op.window, out.shape.rank) { variant += " strided" }
      run = work / max(out.shape.elementCount, 1)
      extents = [max(out.shape.dimensions.last ?? 1, 1)]
    case .gather:
      let indices = tensors[step.inputs[1]].shape.elementCount
      run = out.shape.elementCount / max(indices, 1)
      variant = first?.encoding.map { StepWork.kind(of: $0.scheme) } ?? ""
    default: break
    }
    if !variant.isEmpty { kind += " \(variant)" }
    if type != .f32 { kind += " \(type.name)" }
    let elements = max(first?.shape.elementCount ?? 0, out.shape.elementCount)
    switch step.op {
    case .gather, .slice: amount = out.shape.elementCount
    // Every score is looked at once or a few times, however many detections come of it.
    case .detection: amount = tensors[step.inputs[1]].shape.elementCount
    default: amount = work > 0 ? work : elements
    }
    extents = [amount] + (isOneExtent ? [] : [max(run, 1)]) + extents
  }

  /// How the operands of a step over elements meet.
  private var broadcast: String {
    let shapes = step.inputs.filter { $0 >= 0 }.map { tensors[$0].shape }
    if shapes.allSatisfy({ $0 == output }) { return "" }
    return shapes.contains { $0.elementCount == 1 } ? " scalar" : " broadcast"
  }

  /// Elements that meet in one go: of the trailing axes along which each operand either goes on or stands.
  private var commonRun: Int {
    let out = output
    var run = 1
    var stands: [Bool]?
    for back in 1...max(out.rank, 1) where back <= out.rank {
      let extent = out[out.rank - back]
      if extent == 1 { continue }
      let here = step.inputs.filter { $0 >= 0 }.map { t in
        let shape = tensors[t].shape
        return back > shape.rank || shape[shape.rank - back] == 1
      }
      if let stands, stands != here { break }
      stands = here
      run *= extent
    }
    return run
  }

  /// How many elements of the last axis fold into one; 0 where the axes that are reduced are not the
  /// last ones.
  private func reducedRun(_ x: Shape, _ y: Shape) -> Int {
    let dimensions = x.dimensions
    let kept = y.dimensions.filter { $0 != 1 }
    let all = dimensions.filter { $0 != 1 }
    guard all.count >= kept.count, all.prefix(kept.count).elementsEqual(kept) else { return 0 }
    return all.dropFirst(kept.count).reduce(1, *)
  }

  /// Elements that stand together in both: the equal axes at the end and the one before them.
  private func commonTail(_ x: Shape, _ y: Shape) -> Int {
    var run = 1
    var back = 1
    while back <= min(x.rank, y.rank) {
      let (a, b) = (x[x.rank - back], y[y.rank - back])
      run *= min(a, b)
      if a != b { break }
      back += 1
    }
    // A step over elements: nothing stands together.
    if case .slice(let op) = step.op, isStrided(op) { return max(run / lastExtent(x, y), 1) }
    return run
  }

  private func lastExtent(_ x: Shape, _ y: Shape) -> Int {
    for back in 1...max(min(x.rank, y.rank), 1) where x.rank >= back && y.rank >= back {
      if x[x.rank - back] != y[y.rank - back] { return max(y[y.rank - back], 1) }
    }
    return 1
  }

  private func isStrided(_ op: Slice) -> Bool {
    if op.isConstant { return op.steps.array.contains { abs($0) > 1 } }
    guard step.inputs.count > 4, step.inputs[4] >= 0, tensors[step.inputs[4]].hasValue else {
      return false
    }
    let steps = tensors[step.inputs[4]]
    return (0..<steps.shape.elementCount).contains { abs(steps.integer(at: $0)) > 1 }
  }
}
