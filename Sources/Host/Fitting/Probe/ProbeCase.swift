// How the steps that a probe measures are built, each as a graph of one node.
import Graphs
import Operators
import Tensors

/// A step to measure: a graph, and how its weights are stored.
package struct ProbeCase {
  package var graph: Graph
  package var scheme = QuantizationScheme.f32
  /// Integer inputs hold numbers below this, far apart.
  var indexLimit = 1
  /// Whether threads share the step's work.
  var isParallel = true

  init(_ scheme: QuantizationScheme = .f32, isParallel: Bool = true) {
    graph = Graph(name: "probe")
    self.scheme = scheme
    self.isParallel = isParallel
  }

  mutating func input(_ dimensions: [Int], _ type: ElementType = .f32) -> ValueID {
    let name = "x\(graph.inputs.count)"
    return graph.addInput(name, type, dimensions.map { .constant($0) })
  }

  mutating func constant(_ constant: Constant) -> ValueID {
    graph.addConstant("w\(graph.values.count)", constant)
  }

  private mutating func output(_ op: Operator, _ inputs: [ValueID?], count: Int = 1) {
    let outputs = (0..<count).map { graph.addValue("y\($0)") }
    graph.nodes.append(Node(name: "step", op: op, inputs: inputs, outputs: outputs))
    for (i, value) in outputs.enumerated() { graph.addOutput("y\(i)", value) }
  }

  /// [m, k] by a weight [k, n], with a bias as layers have one.
  static func matMul(_ m: Int, _ n: Int, _ k: Int, _ scheme: QuantizationScheme) -> ProbeCase {
    var made = ProbeCase(scheme)
    var random = ProbeRandom()
    let x = made.input([m, k])
    let w = made.constant(random.floats([k, n]))
    let bias = made.constant(random.floats([n]))
    made.output(.matMul(MatMul()), [x, w, bias])
    return made
  }

  /// `count` products of [m, k] by [k, n], neither a weight.
  static func product(_ count: Int, _ m: Int, _ n: Int, _ k: Int) -> ProbeCase {
    var made = ProbeCase()
    let (a, b) = (made.input([count, m, k]), made.input([count, k, n]))
    made.output(.matMul(MatMul()), [a, b])
    return made
  }

  /// A square kernel over a square image, padded to keep its extents but for the stride.
  static func conv(
    _ channels: Int, _ size: Int, to outputs: Int, kernel: Int, stride: Int = 1,
    _ scheme: QuantizationScheme
  ) -> ProbeCase {
    var made = ProbeCase(scheme)
    var random = ProbeRandom()
    let x = made.input([1, channels, size, size])
    let w = made.constant(random.floats([outputs, channels, kernel, kernel]))
    let bias = made.constant(random.floats([outputs]))
    let window = Window(
      strides: IntegerList([stride, stride]),
      pads: IntegerList([Int](repeating: kernel / 2, count: 4)))
    made.output(.conv(Conv(window: window, activation: FusedActivation(.relu))), [x, w, bias])
    return made
  }

  package static func depthwise(
    _ channels: Int, _ size: Int, kernel: Int, stride: Int = 1
  ) -> ProbeCase {
    var made = ProbeCase()
    var random = ProbeRandom()
    let x = made.input([1, channels, size, size])
    let w = made.constant(random.floats([channels, 1, kernel, kernel]))
    let bias = made.constant(random.floats([channels]))
    let window = Window(
      strides: IntegerList([stride, stride]),
      pads: IntegerList([Int](repeating: kernel / 2, count: 4)))
    let conv = Conv(window: window, groups: channels, activation: FusedActivation(.relu))
    made.output(.conv(conv), [x, w, bias])
    return made
  }

  static func convTranspose(_ channels: Int, _ size: Int, to outputs: Int) -> ProbeCase {
    var made = ProbeCase()
    var random = ProbeRandom()
    let x = made.input([1, channels, size, size])
    let w = made.constant(random.floats([channels, outputs, 2, 2]))
    let window = Window(strides: IntegerList([2, 2]))
    made.output(.convTranspose(ConvTranspose(window: window)), [x, w])
    return made
  }

  /// As `conv`, on bytes, channels last.
  static func integerConv(
    _ channels: Int, _ size: Int, to outputs: Int, kernel: Int, stride: Int = 1,
    _ type: ElementType = .i8
  ) -> ProbeCase {
    var made = ProbeCase()
    var random = ProbeRandom()
    let x = made.input([1, size, size, channels], type)
    let (panels, sums) = made.packed(random.bytes([1, outputs, kernel * kernel * channels]))
    let op = IntegerConv(
      kernel: IntegerList([kernel, kernel]),
      window: Window(
        strides: IntegerList([stride, stride]),
        pads: IntegerList([Int](repeating: kernel / 2, count: 4))),
      epilogue: IntegerEpilogue(.i8))
    made.output(.integerConv(op), [x, panels, sums] + made.epilogue(outputs, type))
    return made
  }

  static func integerDepthwise(_ channels: Int, _ size: Int, stride: Int = 1) -> ProbeCase {
    var made = ProbeCase()
    var random = ProbeRandom()
    let x = made.input([1, size, size, channels], .i8)
    let w = made.constant(random.bytes([9, channels]))
    let op = IntegerDepthwise(
      kernel: IntegerList([3, 3]),
      window: Window(
        strides: IntegerList([stride, stride]),
        pads: IntegerList([1, 1, 1, 1])),
      epilogue: IntegerEpilogue(.i8))
    made.output(.integerDepthwise(op), [x, w] + made.epilogue(channels))
    return made
  }

  static func integerProduct(_ m: Int, _ n: Int, _ k: Int) -> ProbeCase {
    var made = ProbeCase()
    var random = ProbeRandom()
    let x = made.input([m, k], .i8)
    let (panels, sums) = made.packed(random.bytes([1, n, k]))
    made.output(
      .integerProduct(IntegerProduct(IntegerEpilogue(.i8))),
      [x, panels, sums] + made.epilogue(n))
    return made
  }

  private mutating func packed(_ weights: Constant) -> (panels: ValueID, sums: ValueID) {
    let panels = graph.addValue("panels")
    let sums = graph.addValue("sums")
    graph.nodes.append(
      Node(
        name: "pack", op: .packRows(PackRows()), inputs: [constant(weights)],
        outputs: [panels, sums]))
    return (panels, sums)
  }

  /// Zero point of x, of w where it is of unsigned bytes like x, a bias, one scale in f32, zero point of y.
  private mutating func epilogue(_ outputs: Int, _ type: ElementType = .i8) -> [ValueID?] {
    func byte(_ value: Int8, _ type: ElementType = .i8) -> Constant {
      Constant(elementType: type, shape: Shape([1])) { $0[0] = UInt8(bitPattern: value) }
    }
    let bias = Constant(elementType: .i32, shape: Shape([outputs])) {
      $0.initializeMemory(as: UInt8.self, repeating: 0)
    }
    return [
      constant(byte(3, type)), type == .u8 ? constant(byte(-125, type)) : nil, constant(bias),
      constant(Constant(floats: [0.001], shape: Shape([1]))), constant(byte(-5)),
    ]
  }

  static func attention(_ tokens: Int, heads: Int, width: Int) -> ProbeCase {
    var made = ProbeCase()
    let inputs = (0..<3).map { _ in made.input([1, tokens, heads * width]) }
    made.output(.attention(Attention(heads: heads, scale: 0.125)), inputs)
    return made
  }

  static func recurrent(
    _ kind: RecurrentKind, hidden: Int, time: Int, _ scheme: QuantizationScheme
  ) -> ProbeCase {
    var made = ProbeCase(scheme)
    var random = ProbeRandom()
    let x = made.input([time, 1, kind.gates * hidden])
    let columns = (kind == .gru ? 2 : kind.gates) * hidden
    let w = made.constant(random.floats([hidden, columns]))
    let second = kind == .gru ? made.constant(random.floats([hidden, hidden])) : nil
    made.output(.recurrent(Recurrent(kind)), [x, w, second], count: kind == .lstm ? 3 : 2)
    return made
  }

  /// Complete trees; of several targets each leaf is a row. Wide nodes hold doubles, of one target.
  static func trees(
    _ trees: Int, depth: Int, rows: Int, targets: Int = 1, isWide: Bool = false
  ) -> ProbeCase {
    precondition(!isWide || targets == 1)
    // Threads share rows, not trees: what two measurements of a single row differ by is noise.
    var made = ProbeCase(isParallel: rows > 1)
    var random = ProbeRandom()
    let x = made.input([rows, 16])
    let inner = (1 << depth) - 1
    var words: [UInt32] = []
    for tree in 0..<trees {
      for node in 0..<(2 * inner + 1) {
        // Feature above the bits of mode, and how far behind the left child stands.
        let feature = UInt32((tree + node) % 16)
        let child = node < inner ? UInt32(node + 1) : 0
        let value = random.next()
        if isWide {
          let bits = Double(value).bitPattern
          words.append(node < inner ? feature << 4 : 3)
          words += [child, UInt32(truncatingIfNeeded: bits), UInt32(bits >> 32)]
        } else {
          words.append(node < inner ? child << 16 | feature << 3 : 3)
          words.append(
            node < inner || targets == 1
              ? value.bitPattern : UInt32(tree * (inner + 1) + node - inner))
        }
      }
    }
    let width = isWide ? Trees.wideNodeWords : Trees.nodeWords
    let nodes = Constant(elementType: .u32, shape: Shape([words.count / width, width])) { out in
      words.withUnsafeBytes { out.copyMemory(from: $0) }
    }
    let firsts: [Int32] = (0..<trees).flatMap { [Int32($0 * (2 * inner + 1)), 0 as Int32] }
    let roots = Constant(elementType: .i32, shape: Shape([trees, 2])) { out in
      firsts.withUnsafeBytes { out.copyMemory(from: $0) }
    }
    let leaves =
      targets > 1 ? made.constant(random.floats([trees * (inner + 1), targets])) : nil
    made.output(
      .trees(Trees(targets: targets)), [x, made.constant(nodes), made.constant(roots), leaves])
    return made
  }

  /// A step over f32 inputs of these extents, and constants behind them.
  static func plain(
    _ op: Operator, _ inputs: [[Int]], constants: [Constant] = [], type: ElementType = .f32,
    outputs: Int = 1, isParallel: Bool = false
  ) -> ProbeCase {
    var made = ProbeCase(isParallel: isParallel)
    let x = inputs.map { made.input($0, type) }
    made.output(op, x + constants.map { made.constant($0) }, count: outputs)
    return made
  }

  /// Rows picked from what another step wrote.
  static func pick(_ rows: Int, width: Int) -> ProbeCase {
    var made = ProbeCase(isParallel: false)
    made.indexLimit = 2 * rows
    let x = made.input([2 * rows, width])
    let indices = made.input([rows], .i64)
    made.output(.gather(Gather(axis: 0)), [x, indices])
    return made
  }

  /// Rows of a table that no near cache holds, looked up here and there.
  static func lookup(_ rows: Int, width: Int, _ scheme: QuantizationScheme) -> ProbeCase {
    var made = ProbeCase(scheme, isParallel: false)
    var random = ProbeRandom()
    made.indexLimit = (2 << 20) / width
    let table = made.constant(random.floats([made.indexLimit, width]))
    let indices = made.input([1, rows], .i64)
    made.output(.gather(Gather(axis: 0)), [table, indices])
    return made
  }
}
