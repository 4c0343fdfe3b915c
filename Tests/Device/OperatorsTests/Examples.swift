// One step per operator that its shape rule takes, with attributes that differ from their defaults.

import Operators
import Tensors
import Testing

struct Example: CustomTestStringConvertible {
  var op: Operator
  var inputs: [TestTensor?]
  var outputs = 1

  init(_ op: Operator, _ inputs: TestTensor?..., outputs: Int = 1) {
    self.op = op
    self.inputs = inputs
    self.outputs = outputs
  }

  var testDescription: String { op.name }

  private static func floats(_ shape: Int...) -> TestTensor {
    tensor(shape) { $0.reduce(0.5) { $0 / 2 + Double($1) } }
  }

  private static func whole(_ type: ElementType, _ shape: [Int], _ values: Double...) -> TestTensor
  {
    TestTensor(type, shape, values)
  }

  private static let window = Window(
    strides: IntegerList([2, 1]), dilations: IntegerList([1, 2]), pads: IntegerList([1, 0, 2, 1]))

  static let all: [Example] =
    elementwise + products + rows + moves + picks + windows + recurrent + forests + spectra
    + samplings + algebra + selections
    + integers + sequences + strings

  private static let elementwise = [
    Example(.unary(Unary(.clip, -1, 2)), floats(2, 3)),
    Example(.binary(Binary(.pow)), floats(2, 3), floats(3)),
    Example(.select(Select()), whole(.bool, [2, 1], 0, 1), floats(3), floats(2, 3)),
    Example(.cast(Cast(to: .i32, saturates: false, rounding: .nearest)), floats(2, 3)),
    Example(.bitCast(BitCast(to: .i32)), floats(2, 3)),
  ]

  private static let products = [
    Example(
      .matMul(
        MatMul(
          transposeA: true, transposeB: true, alpha: 0.5, activation: FusedActivation(.clip, 1, 2)
        )), floats(2, 3, 4), floats(5, 3), floats(5)),
    Example(
      .attention(Attention(heads: 2, scale: 0.25)), floats(1, 3, 4), floats(1, 2, 4),
      floats(1, 2, 6), floats(3, 1)),
  ]

  private static let rows = [
    Example(
      .layerNorm(LayerNorm(axis: 1, epsilon: 1e-6)), floats(2, 3), floats(3), floats(3),
      floats(2, 3), outputs: 2),
    Example(.softmax(Softmax(axis: 1, isLogarithm: true)), floats(2, 3, 2)),
    Example(.reduce(Reduce(.l2, axes: IntegerList([1, -1]), keepsAxes: true)), floats(2, 3, 2)),
    Example(
      .argReduce(ArgReduce(isMinimum: true, axis: 1, keepsAxis: false, selectsLast: true)),
      floats(2, 3)),
    Example(.cumSum(CumSum(axis: 1, isExclusive: true, isReverse: true)), floats(2, 3, 2)),
    Example(
      .cumSum(CumSum(axis: 0, isProduct: true)), floats(2, 3, 2), whole(.i64, [], -1)),
    Example(
      .topK(TopK(axis: 0, isSmallest: true)), floats(4, 2), whole(.i64, [1], 3), outputs: 2),
    Example(.lrn(LRN(size: 3, alpha: 1, beta: 2, bias: 3)), floats(1, 4, 2)),
    Example(
      .batchNorm(BatchNorm(epsilon: 1e-3)), floats(2, 3, 2), floats(3), floats(3), floats(3),
      floats(3)),
    Example(
      .groupNorm(GroupNorm(groups: 2, epsilon: 1e-3)), floats(2, 4, 3), floats(4), floats(4)),
  ]

  private static let moves = [
    Example(.concat(Concat(axis: -1)), floats(2, 3), floats(2, 1)),
    Example(
      .slice(
        Slice(
          starts: IntegerList([2, 1]), ends: IntegerList([.max, .min]), axes: IntegerList([1, 0]),
          steps: IntegerList([2, -1]))), floats(3, 4)),
    Example(
      .slice(Slice()), floats(3, 4), whole(.i64, [2], 2, 1), whole(.i64, [2], 0, 4),
      whole(.i64, [2], 0, -1), whole(.i64, [2], -1, 2)),
    Example(.reshape(Reshape(.target, IntegerList([0, -1]))), floats(2, 3, 4)),
    Example(.reshape(Reshape(allowsZero: true)), floats(2, 3), whole(.i64, [2], 3, -1)),
    Example(.transpose(Transpose(IntegerList([1, 0, 2]))), floats(2, 3, 2)),
    Example(.expand(Expand()), floats(2, 1), whole(.i64, [3], 2, 1, 3)),
    Example(.tile(Tile()), floats(2, 3), whole(.i64, [2], 2, 1)),
    Example(
      .pad(Pad(.reflect, pads: IntegerList([1, 2]), axes: IntegerList([-1]))), floats(2, 3)),
    Example(
      .pad(Pad(.wrap)), floats(2, 3), whole(.i64, [2], -1, 2), floats(), whole(.i64, [1], 1)),
    Example(.trilu(Trilu(isUpper: false, diagonal: -2)), floats(2, 3, 3)),
    Example(.trilu(Trilu()), floats(2, 3, 3), whole(.i64, [1], 1)),
    Example(.shapeOf(ShapeOf(start: 1, end: -1, isProduct: true)), floats(2, 3, 4)),
    Example(
      .constantOfShape(ConstantOfShape(.i64, value: 2, integer: .min)), whole(.i64, [2], 2, 3)),
    Example(
      .sequence(Sequence()), whole(.i64, [], 7), whole(.i64, [], 1), whole(.i64, [], -2)),
    Example(
      .resize(
        Resize(
          isLinear: true, coordinates: .alignCorners, rounding: .ceil, axes: IntegerList([1, 0]))),
      floats(2, 3), whole(.f32, [2], 2, 1.5)),
    Example(.resize(Resize(isLinear: false)), floats(2, 3), whole(.i64, [2], 5, 1)),
  ]

  private static let picks = [
    Example(.gather(Gather(axis: 1)), floats(2, 3), whole(.i32, [2], 2, -1)),
    Example(
      .gather(Gather(axis: 0)), encoded(floats(4, 33), .nl3, .rowMajor).0,
      whole(.i64, [2], 3, 1)),
    Example(
      .gatherElements(GatherElements(axis: 1)), floats(2, 3), whole(.i64, [2, 2], 0, 2, 1, -1)),
    Example(.gatherND(GatherND(batchAxes: 1)), floats(2, 3, 2), whole(.i64, [2, 1], 2, -1)),
    Example(
      .scatterElements(ScatterElements(axis: 1, kind: .add)), floats(2, 3),
      whole(.i64, [2, 2], 0, 2, 1, -1), floats(2, 2)),
    Example(
      .scatterND(ScatterND(kind: .mul)), floats(2, 3, 2), whole(.i64, [2, 1], 1, -1),
      floats(2, 3, 2)),
    Example(
      .oneHot(OneHot(axis: 1)), whole(.i64, [2], 1, -1), whole(.i64, [1], 3), floats(2)),
  ]

  private static let words = TestTensor(texts: ["ab c", "", "b"], [3])
  /// `(a|b)+ ?c?`, by hand: a choice, a loop and two optional scalars.
  private static let expression = TestTensor(
    .i32, [33],
    [
      8,
      4, 0, 0,  // the start of the text
      3, 0, 1,  // a or b
      1, 1, 3,
      1, 4, 5,
      3, 1, 1,  // space
      1, 6, 7,
      3, 2, 1,  // c
      0, 0, 0,
      97, 98, 32, 32, 99, 99, 0, 0,
    ])

  private static let strings = [
    Example(.stringConcat(StringConcat()), words, TestTensor(texts: ["x"], [1])),
    Example(.stringEqual(StringEqual()), words, TestTensor(texts: ["b"], [])),
    Example(
      .stringSplit(StringSplit(maximumSplits: 3)), words, TestTensor(texts: [" "], []), outputs: 2),
    Example(.regexMatch(RegexMatch()), words, expression),
    Example(
      .stringNormalizer(StringNormalizer(.upper, leavesOut: true, isCaseSensitive: false)), words,
      TestTensor(texts: ["b", "c"], [2])),
    Example(.stringLookup(StringLookup()), words, TestTensor(texts: ["a", "b"], [2])),
    Example(.stringFromNumber(StringFromNumber()), floats(2, 3)),
    Example(.numberFromString(NumberFromString(to: .f32)), words),
    Example(
      .nGrams(NGrams(.weightedCount, columns: 3, maximumSkip: 1)), whole(.i64, [1, 3], 1, 2, 1),
      whole(.i64, [11], 1, 2, 1, 2, 0, 1, 2, 1, 1, 2, 2), floats(3)),
    Example(
      .tokenize(Tokenize(.matches, minimum: 1, marks: true)), words, TestTensor(texts: ["#"], []),
      expression),
  ]

  private static let selections = [
    Example(.nonZero(NonZero()), whole(.i64, [2, 3], 0, 3, -1, 0, 0, 2)),
    Example(.compress(Compress(axis: -1)), floats(2, 3), whole(.bool, [3], 1, 0, 1)),
    Example(
      .unique(Unique(axis: 1, isSorted: false)), whole(.i32, [2, 3], 2, 1, 2, 0, 5, 0), outputs: 4),
    Example(
      .nonMaxSuppression(NonMaxSuppression(isCentered: true)),
      whole(.f32, [1, 2, 4], 1, 1, 2, 2, 5, 5, 2, 2), whole(.f32, [1, 1, 2], 0.5, 0.75),
      whole(.i64, [1], 3), whole(.f32, [1], 0.5), whole(.f32, [1], 0.25)),
  ]

  private static let pair = TestTensor(sequence: [floats(2, 3), whole(.i64, [2], 5, 6)])
  private static let some = TestTensor(sequence: [floats(2)], isOptional: true)

  private static let sequences = [
    Example(.sequenceConstruct(SequenceConstruct()), floats(2, 3), whole(.bool, [], 1)),
    Example(.sequenceInsert(SequenceInsert()), pair, floats(3), whole(.i64, [], -1)),
    Example(.sequenceErase(SequenceErase()), pair, whole(.i32, [1], 0)),
    Example(.sequenceAt(SequenceAt()), pair, whole(.i64, [], -1)),
    Example(.sequenceLength(SequenceLength()), pair),
    Example(.optionalHasElement(OptionalHasElement()), some),
    Example(.optionalGetElement(OptionalGetElement()), some),
    Example(
      .splitToSequence(SplitToSequence(axis: -1, keepsAxis: false)), floats(2, 3),
      whole(.i64, [2], 1, 2)),
    Example(
      .concatFromSequence(ConcatFromSequence(axis: 1, addsAxis: true)),
      TestTensor(sequence: [floats(2, 3), floats(2, 3)])),
  ]

  private static let windows = [
    Example(
      .conv(Conv(window: window, groups: 2, activation: FusedActivation(.leakyRelu, 0.1, 0))),
      floats(1, 4, 5, 6), floats(10, 2, 3, 2), floats(10)),
    Example(
      .conv(Conv(window: Window(pads: IntegerList([1, 1])))), floats(2, 3, 7),
      encoded(floats(5, 3, 3), .int8, .rowMajor).0),
    Example(
      .convTranspose(
        ConvTranspose(window: window, groups: 2, outputPadding: IntegerList([1, 0]))),
      floats(1, 4, 3, 3), floats(4, 2, 3, 2), floats(4)),
    Example(
      .pool(
        Pool(
          .lp, kernel: IntegerList([3, 2]), window: window, roundsUp: true, includesPadding: true,
          exponent: 3)), floats(1, 2, 5, 6)),
  ]

  private static let recurrent = [
    Example(
      .recurrent(
        Recurrent(
          .lstm, isReverse: true, couplesForget: true, clip: 3, cellClip: 2,
          f: RecurrentActivation(.hardSigmoid, 0.2, 0.5), g: RecurrentActivation(.scaledTanh, 2, 3),
          h: RecurrentActivation(.softsign))),
      floats(3, 2, 8), floats(2, 8), nil, nil, whole(.i32, [2], 3, 1), floats(2, 2), floats(2, 2),
      floats(6), outputs: 3),
    Example(
      .recurrent(Recurrent(.gru, f: RecurrentActivation(.elu, 1))), floats(3, 2, 6),
      encoded(floats(2, 4), .int8, .panels).0, floats(2, 2), outputs: 2),
    Example(
      .recurrent(Recurrent(.gruResetAfter)), floats(3, 1, 6),
      encoded(floats(2, 6), .f16, .panels).0,
      nil, floats(2), nil, floats(1, 2), outputs: 2),
    Example(
      .recurrent(Recurrent(.rnn, f: RecurrentActivation(.affine, 0.5, 0.25))), floats(2, 1, 3),
      encoded(floats(3, 3), .nl5, .panels).0, outputs: 2),
  ]

  private static let samplings = [
    Example(
      .gridSample(GridSample(.cubic, padding: .reflection, alignsCorners: true)),
      floats(1, 2, 3, 4), tensor([1, 2, 2, 2]) { Double($0[1]) - 0.5 * Double($0[3]) }),
    Example(
      .gridSample(GridSample(.linear)), floats(1, 2, 3, 2, 2), floats(1, 2, 1, 2, 3)),
    Example(
      .roiAlign(
        RoiAlign(
          rows: 2, columns: 3, samples: 2, scale: 0.5, takesMaximum: true, hasHalfPixels: false)),
      floats(2, 2, 5, 4), whole(.f32, [2, 4], 0, 1, 5, 4, 2, 2, 8, 9), whole(.i64, [2], 1, 0)),
    Example(
      .deformConv(DeformConv(window: window, groups: 2, offsetGroups: 2)), floats(1, 4, 5, 6),
      floats(6, 2, 3, 2), floats(1, 24, 3, 5), floats(6), floats(1, 12, 3, 5)),
    Example(
      .poolPlaces(
        PoolPlaces(
          kernel: IntegerList([3, 2]), window: window, roundsUp: true, isColumnMajor: true)),
      floats(1, 2, 5, 6), outputs: 2),
    Example(
      .resample(
        Resample(
          .cubic, isSmoothed: true, excludesOutside: true, policy: .notLarger,
          axes: IntegerList([1, 0]))), floats(7, 5), whole(.i64, [2], 2, 3)),
    Example(
      .resample(Resample(.linear, rounding: .ceil, isCropped: true, outside: 9)), floats(3, 4),
      whole(.f32, [2], 2, 1.5), whole(.f32, [4], 0.25, -0.5, 1, 1.5)),
    Example(
      .col2Im(
        Col2Im(
          window: Window(strides: IntegerList([2, 1]), pads: IntegerList([1, 0, 1, 0])))),
      floats(1, 8, 12), whole(.i64, [2], 6, 4), whole(.i64, [2], 2, 2)),
  ]

  private static let algebra = [
    Example(.determinant(Determinant()), floats(2, 3, 3)),
    Example(
      .linearAttention(LinearAttention(queryHeads: 4, keyHeads: 2, scale: 0.5)), floats(1, 3, 8),
      floats(1, 3, 4), floats(1, 3, 6), floats(1, 2, 2, 3), floats(1, 3, 2), floats(1, 3, 1),
      outputs: 2),
  ]

  /// x <= 0.5, x in {0, 2}, leaves.
  private static let forests = [
    Example(
      .pairCoupling(PairCoupling(classes: 3)),
      whole(.f32, [2, 3], 0.25, 0.5, 0.75, 0.9, 0.1, 0.2)),
    Example(
      .trees(Trees(targets: 2, aggregate: .max, divisor: 3)), floats(3, 2),
      words([5, 2], 0x1_0000, 0x3F00_0000, 0x2_000E, 0, 3, 0, 3, 1, 3, 0),
      whole(.i32, [1, 2], 0, 1), floats(2, 2), words([2], 32, 5), floats(2)),
    Example(
      .trees(Trees(targets: 1, isDouble: true)), floats(3, 2),
      words([3, 4], 8, 1, 0, 0x3FE0_0000, 3, 0, 0, 0x3FF0_0000, 3, 0, 0, 0),
      whole(.i32, [1, 2], 0, 0)),
  ]

  private static func words(_ shape: [Int], _ words: UInt32...) -> TestTensor {
    TestTensor(.u32, shape, bytes: words.flatMap { TestTensor.raw($0) })
  }

  private static let spectra = [
    Example(
      .fourierTable(FourierTable(isReal: true, isMirrored: true, axis: 1)), floats(2, 5, 1),
      whole(.i64, [], 6), whole(.i64, [], 0)),
    Example(
      .fourier(Fourier(isInverse: true, isOneSided: true, axis: 0)), floats(4, 2, 2),
      floats(12), whole(.i64, [], 6), whole(.i64, [], 0)),
    Example(.fourier(Fourier(axis: 1)), floats(2, 37, 2), floats(74 + 512 + 74)),
    Example(
      .shortTimeFourier(ShortTimeFourier(isOneSided: false)), floats(1, 9, 1), floats(8),
      whole(.i64, [], 2), floats(4), whole(.i64, [], 4)),
  ]
}
