// Small models that a probe measures whole: what steps cost when others run between them.
import Graphs
import Operators
import Tensors

extension ProbeCase {
  /// What a small model tells of the machine.
  enum ChainKind {
    /// Steps that a near cache holds; steps whose data none does; steps whose weights none does, of real
    /// numbers, of integers, and of steps that use each of them once; short steps that threads share.
    /// One step that does next to nothing, and several: what an inference takes beside them.
    case near, wide, weights, integerWeights, rowWeights, rows, one, several
  }

  /// What tells of threads together.
  static let sharedChains: [(kind: ChainKind, make: Maker)] = [
    // Each reads what all threads have just written; the cores' own caches hold the weights.
    (.rows, { rows(2, of: 448) })
  ]

  /// A picture's way through a small network, a larger one's, and a sentence's through layers.
  static let chains: [(kind: ChainKind, make: Maker)] = [
    (.near, { pictures(128, 16, [(32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (128, 1)]) }),
    (.wide, { pictures(320, 16, [(32, 1), (32, 1), (48, 1), (64, 2), (64, 1)]) }),
    (.weights, { layers(.f32) }), (.integerWeights, { layers(.int8) }),
    (.rowWeights, { rows(10, of: 256) }), (.one, { short(1) }), (.several, { short(9) }),
  ]

  /// So many steps of 16 numbers, one behind the other.
  private static func short(_ count: Int) -> ProbeCase {
    var made = ProbeCase()
    var x = made.input([1, 16])
    for _ in 0..<count { x = made.graph.add(.unary(Unary(.abs)), [x], name: "abs") }
    made.graph.addOutput("x", x)
    return made
  }

  /// So many products of a row of this length, one behind the other.
  static func rows(_ count: Int, of length: Int) -> ProbeCase {
    var made = ProbeCase()
    var random = ProbeRandom()
    var x = made.input([1, length])
    for _ in 0..<count {
      let w = made.constant(random.floats([length, length]))
      let bias = made.constant(random.floats([length]))
      let op = MatMul(activation: FusedActivation(.relu))
      x = made.graph.add(.matMul(op), [x, w, bias], name: "product")
    }
    made.graph.addOutput("x", x)
    return made
  }

  /// size: of the picture's sides. pairs: outputs and stride of each pair of a depthwise and a pointwise
  /// convolution.
  private static func pictures(
    _ size: Int, _ first: Int, _ pairs: [(outputs: Int, stride: Int)]
  ) -> ProbeCase {
    var made = ProbeCase()
    var random = ProbeRandom()
    var channels = first
    var x = made.input([1, 3, size, size])
    func window(_ stride: Int, _ pad: Int) -> Window {
      Window(
        strides: IntegerList([stride, stride]),
        pads: IntegerList([Int](repeating: pad, count: 4)))
    }
    func conv(_ x: ValueID, _ shape: [Int], stride: Int, groups: Int = 1) -> ValueID {
      let w = made.constant(random.floats(shape))
      let bias = made.constant(random.floats([shape[0]]))
      let op = Conv(
        window: window(stride, shape[2] / 2), groups: groups, activation: FusedActivation(.relu))
      return made.graph.add(.conv(op), [x, w, bias], name: "conv")
    }
    x = conv(x, [channels, 3, 3, 3], stride: 2)
    for (outputs, stride) in pairs {
      x = conv(x, [channels, 1, 3, 3], stride: stride, groups: channels)
      x = conv(x, [outputs, channels, 1, 1], stride: 1)
      channels = outputs
    }
    x = conv(x, [64, channels, 3, 3], stride: 1)
    made.graph.addOutput("y", x)
    return made
  }

  /// Four blocks of 384 to 1536 and back, with what stands between.
  private static func layers(_ scheme: QuantizationScheme) -> ProbeCase {
    var made = ProbeCase(scheme)
    var random = ProbeRandom()
    var x = made.input([64, 384])
    for _ in 0..<4 {
      let before = x
      for (n, k) in [(1536, 384), (384, 1536)] {
        let w = made.constant(random.floats([k, n]))
        let bias = made.constant(random.floats([n]))
        let op = MatMul(activation: FusedActivation(n > k ? .gelu : .linear))
        x = made.graph.add(.matMul(op), [x, w, bias], name: "product")
      }
      x = made.graph.add(.binary(Binary(.add)), [x, before], name: "add")
      let scale = made.constant(random.floats([384]))
      x = made.graph.add(
        .layerNorm(LayerNorm(epsilon: 1e-5)), [x, scale, scale], name: "normalize")
    }
    made.graph.addOutput("y", x)
    return made
  }
}
