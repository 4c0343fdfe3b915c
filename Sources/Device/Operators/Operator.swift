// The opset: every operator a program may hold.
import Tensors

/// One operator with its attributes.
public enum Operator: Sendable, Equatable {
  case unary(Unary)
  case binary(Binary)
  case select(Select)
  case cast(Cast)
  case matMul(MatMul)
  case attention(Attention)
  case layerNorm(LayerNorm)
  case softmax(Softmax)
  case reduce(Reduce)
  case gather(Gather)
  case concat(Concat)
  case slice(Slice)
  case reshape(Reshape)
  case transpose(Transpose)
  case expand(Expand)
  case shapeOf(ShapeOf)
  case constantOfShape(ConstantOfShape)
  case sequence(Sequence)
  case conv(Conv)
  case pool(Pool)
  case batchNorm(BatchNorm)
  case pad(Pad)
  case tile(Tile)
  case argReduce(ArgReduce)
  case groupNorm(GroupNorm)
  case convTranspose(ConvTranspose)
  case lrn(LRN)
  case cumSum(CumSum)
  case trilu(Trilu)
  case oneHot(OneHot)
  case gatherElements(GatherElements)
  case gatherND(GatherND)
  case scatterElements(ScatterElements)
  case scatterND(ScatterND)
  case topK(TopK)
  case resize(Resize)
  case recurrent(Recurrent)
  case trees(Trees)
  case pairCoupling(PairCoupling)
  case bitCast(BitCast)
  case fourierTable(FourierTable)
  case fourier(Fourier)
  case shortTimeFourier(ShortTimeFourier)
  case poolPlaces(PoolPlaces)
  case gridSample(GridSample)
  case roiAlign(RoiAlign)
  case deformConv(DeformConv)
  case resample(Resample)
  case determinant(Determinant)
  case col2Im(Col2Im)
  case linearAttention(LinearAttention)
  case nonZero(NonZero)
  case compress(Compress)
  case unique(Unique)
  case nonMaxSuppression(NonMaxSuppression)
  case sequenceConstruct(SequenceConstruct)
  case sequenceInsert(SequenceInsert)
  case sequenceErase(SequenceErase)
  case sequenceAt(SequenceAt)
  case sequenceLength(SequenceLength)
  case optionalHasElement(OptionalHasElement)
  case optionalGetElement(OptionalGetElement)
  case splitToSequence(SplitToSequence)
  case concatFromSequence(ConcatFromSequence)
  case branch(Branch)
  case loop(Loop)
  case quantize(Quantize)
  case byteTable(ByteTable)
  case packRows(PackRows)
  case integerProduct(IntegerProduct)
  case integerConv(IntegerConv)
  case integerDepthwise(IntegerDepthwise)
  case integerBinary(IntegerBinary)
  case integerPool(IntegerPool)
  case integerSoftmax(IntegerSoftmax)
  case integerResize(IntegerResize)
  case quantizeRows(QuantizeRows)
  case detection(DetectionPostProcess)
  case stringConcat(StringConcat)
  case stringEqual(StringEqual)
  case stringSplit(StringSplit)
  case regexMatch(RegexMatch)
  case stringNormalizer(StringNormalizer)
  case stringLookup(StringLookup)
  case stringFromNumber(StringFromNumber)
  case numberFromString(NumberFromString)
  case nGrams(NGrams)
  case tokenize(Tokenize)

  /// Hands the operator's definition to `visitor`: the only switch over all operators.
  public func accept<V: OperatorVisitor>(_ visitor: inout V) throws(V.Failure) -> V.Result {
    switch self {
    case .unary(let o): try visitor.visit(o)
    case .binary(let o): try visitor.visit(o)
    case .select(let o): try visitor.visit(o)
    case .cast(let o): try visitor.visit(o)
    case .matMul(let o): try visitor.visit(o)
    case .attention(let o): try visitor.visit(o)
    case .layerNorm(let o): try visitor.visit(o)
    case .softmax(let o): try visitor.visit(o)
    case .reduce(let o): try visitor.visit(o)
    case .gather(let o): try visitor.visit(o)
    case .concat(let o): try visitor.visit(o)
    case .slice(let o): try visitor.visit(o)
    case .reshape(let o): try visitor.visit(o)
    case .transpose(let o): try visitor.visit(o)
    case .expand(let o): try visitor.visit(o)
    case .shapeOf(let o): try visitor.visit(o)
    case .constantOfShape(let o): try visitor.visit(o)
    case .sequence(let o): try visitor.visit(o)
    case .conv(let o): try visitor.visit(o)
    case .pool(let o): try visitor.visit(o)
    case .batchNorm(let o): try visitor.visit(o)
    case .pad(let o): try visitor.visit(o)
    case .tile(let o): try visitor.visit(o)
    case .argReduce(let o): try visitor.visit(o)
    case .groupNorm(let o): try visitor.visit(o)
    case .convTranspose(let o): try visitor.visit(o)
    case .lrn(let o): try visitor.visit(o)
    case .cumSum(let o): try visitor.visit(o)
    case .trilu(let o): try visitor.visit(o)
    case .oneHot(let o): try visitor.visit(o)
    case .gatherElements(let o): try visitor.visit(o)
    case .gatherND(let o): try visitor.visit(o)
    case .scatterElements(let o): try visitor.visit(o)
    case .scatterND(let o): try visitor.visit(o)
    case .topK(let o): try visitor.visit(o)
    case .resize(let o): try visitor.visit(o)
    case .recurrent(let o): try visitor.visit(o)
    case .trees(let o): try visitor.visit(o)
    case .pairCoupling(let o): try visitor.visit(o)
    case .bitCast(let o): try visitor.visit(o)
    case .fourierTable(let o): try visitor.visit(o)
    case .fourier(let o): try visitor.visit(o)
    case .shortTimeFourier(let o): try visitor.visit(o)
    case .poolPlaces(let o): try visitor.visit(o)
    case .gridSample(let o): try visitor.visit(o)
    case .roiAlign(let o): try visitor.visit(o)
    case .deformConv(let o): try visitor.visit(o)
    case .resample(let o): try visitor.visit(o)
    case .determinant(let o): try visitor.visit(o)
    case .col2Im(let o): try visitor.visit(o)
    case .linearAttention(let o): try visitor.visit(o)
    case .nonZero(let o): try visitor.visit(o)
    case .compress(let o): try visitor.visit(o)
    case .unique(let o): try visitor.visit(o)
    case .nonMaxSuppression(let o): try visitor.visit(o)
    case .sequenceConstruct(let o): try visitor.visit(o)
    case .sequenceInsert(let o): try visitor.visit(o)
    case .sequenceErase(let o): try visitor.visit(o)
    case .sequenceAt(let o): try visitor.visit(o)
    case .sequenceLength(let o): try visitor.visit(o)
    case .optionalHasElement(let o): try visitor.visit(o)
    case .optionalGetElement(let o): try visitor.visit(o)
    case .splitToSequence(let o): try visitor.visit(o)
    case .concatFromSequence(let o): try visitor.visit(o)
    case .branch(let o): try visitor.visit(o)
    case .loop(let o): try visitor.visit(o)
    case .quantize(let o): try visitor.visit(o)
    case .byteTable(let o): try visitor.visit(o)
    case .packRows(let o): try visitor.visit(o)
    case .integerProduct(let o): try visitor.visit(o)
    case .integerConv(let o): try visitor.visit(o)
    case .integerDepthwise(let o): try visitor.visit(o)
    case .integerBinary(let o): try visitor.visit(o)
    case .integerPool(let o): try visitor.visit(o)
    case .integerSoftmax(let o): try visitor.visit(o)
    case .integerResize(let o): try visitor.visit(o)
    case .quantizeRows(let o): try visitor.visit(o)
    case .detection(let o): try visitor.visit(o)
    case .stringConcat(let o): try visitor.visit(o)
    case .stringEqual(let o): try visitor.visit(o)
    case .stringSplit(let o): try visitor.visit(o)
    case .regexMatch(let o): try visitor.visit(o)
    case .stringNormalizer(let o): try visitor.visit(o)
    case .stringLookup(let o): try visitor.visit(o)
    case .stringFromNumber(let o): try visitor.visit(o)
    case .numberFromString(let o): try visitor.visit(o)
    case .nGrams(let o): try visitor.visit(o)
    case .tokenize(let o): try visitor.visit(o)
    }
  }

  /// The operator with this code and these attributes; nil for a code this opset does not know.
  public init?(code: Int, attributes: [AttributeValue]) throws(AttributeError) {
    var reader = AttributeReader(attributes)
    switch code {
    case Unary.code: self = .unary(try Unary(from: &reader))
    case Binary.code: self = .binary(try Binary(from: &reader))
    case Select.code: self = .select(try Select(from: &reader))
    case Cast.code: self = .cast(try Cast(from: &reader))
    case MatMul.code: self = .matMul(try MatMul(from: &reader))
    case Attention.code: self = .attention(try Attention(from: &reader))
    case LayerNorm.code: self = .layerNorm(try LayerNorm(from: &reader))
    case Softmax.code: self = .softmax(try Softmax(from: &reader))
    case Reduce.code: self = .reduce(try Reduce(from: &reader))
    case Gather.code: self = .gather(try Gather(from: &reader))
    case Concat.code: self = .concat(try Concat(from: &reader))
    case Slice.code: self = .slice(try Slice(from: &reader))
    case Reshape.code: self = .reshape(try Reshape(from: &reader))
    case Transpose.code: self = .transpose(try Transpose(from: &reader))
    case Expand.code: self = .expand(try Expand(from: &reader))
    case ShapeOf.code: self = .shapeOf(try ShapeOf(from: &reader))
    case ConstantOfShape.code: self = .constantOfShape(try ConstantOfShape(from: &reader))
    case Sequence.code: self = .sequence(try Sequence(from: &reader))
    case Conv.code: self = .conv(try Conv(from: &reader))
    case Pool.code: self = .pool(try Pool(from: &reader))
    case BatchNorm.code: self = .batchNorm(try BatchNorm(from: &reader))
    case Pad.code: self = .pad(try Pad(from: &reader))
    case Tile.code: self = .tile(try Tile(from: &reader))
    case ArgReduce.code: self = .argReduce(try ArgReduce(from: &reader))
    case GroupNorm.code: self = .groupNorm(try GroupNorm(from: &reader))
    case ConvTranspose.code: self = .convTranspose(try ConvTranspose(from: &reader))
    case LRN.code: self = .lrn(try LRN(from: &reader))
    case CumSum.code: self = .cumSum(try CumSum(from: &reader))
    case Trilu.code: self = .trilu(try Trilu(from: &reader))
    case OneHot.code: self = .oneHot(try OneHot(from: &reader))
    case GatherElements.code: self = .gatherElements(try GatherElements(from: &reader))
    case GatherND.code: self = .gatherND(try GatherND(from: &reader))
    case ScatterElements.code: self = .scatterElements(try ScatterElements(from: &reader))
    case ScatterND.code: self = .scatterND(try ScatterND(from: &reader))
    case TopK.code: self = .topK(try TopK(from: &reader))
    case Resize.code: self = .resize(try Resize(from: &reader))
    case Recurrent.code: self = .recurrent(try Recurrent(from: &reader))
    case Trees.code: self = .trees(try Trees(from: &reader))
    case PairCoupling.code: self = .pairCoupling(try PairCoupling(from: &reader))
    case BitCast.code: self = .bitCast(try BitCast(from: &reader))
    case FourierTable.code: self = .fourierTable(try FourierTable(from: &reader))
    case Fourier.code: self = .fourier(try Fourier(from: &reader))
    case ShortTimeFourier.code: self = .shortTimeFourier(try ShortTimeFourier(from: &reader))
    case PoolPlaces.code: self = .poolPlaces(try PoolPlaces(from: &reader))
    case GridSample.code: self = .gridSample(try GridSample(from: &reader))
    case RoiAlign.code: self = .roiAlign(try RoiAlign(from: &reader))
    case DeformConv.code: self = .deformConv(try DeformConv(from: &reader))
    case Resample.code: self = .resample(try Resample(from: &reader))
    case Determinant.code: self = .determinant(try Determinant(from: &reader))
    case Col2Im.code: self = .col2Im(try Col2Im(from: &reader))
    case LinearAttention.code: self = .linearAttention(try LinearAttention(from: &reader))
    case NonZero.code: self = .nonZero(try NonZero(from: &reader))
    case Compress.code: self = .compress(try Compress(from: &reader))
    case Unique.code: self = .unique(try Unique(from: &reader))
    case NonMaxSuppression.code: self = .nonMaxSuppression(try NonMaxSuppression(from: &reader))
    case SequenceConstruct.code: self = .sequenceConstruct(try SequenceConstruct(from: &reader))
    case SequenceInsert.code: self = .sequenceInsert(try SequenceInsert(from: &reader))
    case SequenceErase.code: self = .sequenceErase(try SequenceErase(from: &reader))
    case SequenceAt.code: self = .sequenceAt(try SequenceAt(from: &reader))
    case SequenceLength.code: self = .sequenceLength(try SequenceLength(from: &reader))
    case OptionalHasElement.code: self = .optionalHasElement(try OptionalHasElement(from: &reader))
    case OptionalGetElement.code: self = .optionalGetElement(try OptionalGetElement(from: &reader))
    case SplitToSequence.code: self = .splitToSequence(try SplitToSequence(from: &reader))
    case ConcatFromSequence.code: self = .concatFromSequence(try ConcatFromSequence(from: &reader))
    case Branch.code: self = .branch(try Branch(from: &reader))
    case Loop.code: self = .loop(try Loop(from: &reader))
    case Quantize.code: self = .quantize(try Quantize(from: &reader))
    case ByteTable.code: self = .byteTable(try ByteTable(from: &reader))
    case PackRows.code: self = .packRows(try PackRows(from: &reader))
    case IntegerProduct.code: self = .integerProduct(try IntegerProduct(from: &reader))
    case IntegerConv.code: self = .integerConv(try IntegerConv(from: &reader))
    case IntegerDepthwise.code: self = .integerDepthwise(try IntegerDepthwise(from: &reader))
    case IntegerBinary.code: self = .integerBinary(try IntegerBinary(from: &reader))
    case IntegerPool.code: self = .integerPool(try IntegerPool(from: &reader))
    case IntegerSoftmax.code: self = .integerSoftmax(try IntegerSoftmax(from: &reader))
    case IntegerResize.code: self = .integerResize(try IntegerResize(from: &reader))
    case QuantizeRows.code: self = .quantizeRows(try QuantizeRows(from: &reader))
    case DetectionPostProcess.code: self = .detection(try DetectionPostProcess(from: &reader))
    case StringConcat.code: self = .stringConcat(try StringConcat(from: &reader))
    case StringEqual.code: self = .stringEqual(try StringEqual(from: &reader))
    case StringSplit.code: self = .stringSplit(try StringSplit(from: &reader))
    case RegexMatch.code: self = .regexMatch(try RegexMatch(from: &reader))
    case StringNormalizer.code: self = .stringNormalizer(try StringNormalizer(from: &reader))
    case StringLookup.code: self = .stringLookup(try StringLookup(from: &reader))
    case StringFromNumber.code: self = .stringFromNumber(try StringFromNumber(from: &reader))
    case NumberFromString.code: self = .numberFromString(try NumberFromString(from: &reader))
    case NGrams.code: self = .nGrams(try NGrams(from: &reader))
    case Tokenize.code: self = .tokenize(try Tokenize(from: &reader))
    default: return nil
    }
    try reader.finish()
  }
}

/// Something done with an operator whatever it is.
public protocol OperatorVisitor {
  associatedtype Result
  associatedtype Failure: Error
  mutating func visit<O: OperatorDefinition>(_ definition: O) throws(Failure) -> Result
}

extension Operator {
  private struct Prepare: OperatorVisitor {
    let step: StepContext
    mutating func visit<O: OperatorDefinition>(_ o: O) throws(ShapeError) { try o.prepare(step) }
  }
  private struct Run: OperatorVisitor {
    let step: StepContext
    mutating func visit<O: OperatorDefinition>(_ o: O) throws(Never) { o.run(step) }
  }
  private struct Scratch: OperatorVisitor {
    let step: StepContext
    mutating func visit<O: OperatorDefinition>(_ o: O) throws(Never) -> Int {
      o.scratchBytes(step)
    }
  }
  private struct Work: OperatorVisitor {
    let step: StepContext
    mutating func visit<O: OperatorDefinition>(_ o: O) throws(Never) -> Int {
      o.multiplyAccumulates(step)
    }
  }
  private struct Facts: OperatorVisitor {
    mutating func visit<O: OperatorDefinition>(_ o: O) throws(Never) -> (
      code: Int, name: StaticString, aliasing: Aliasing, shapesOnly: Bool, [AttributeValue]
    ) {
      var writer = AttributeWriter()
      o.encode(into: &writer)
      return (O.code, O.name, o.aliasing, o.dependsOnShapesOnly, writer.values)
    }
  }
  private struct Sharing: OperatorVisitor {
    mutating func visit<O: OperatorDefinition>(_ o: O) throws(Never) -> (Aliasing, Bool) {
      (o.aliasing, o.dependsOnShapesOnly)
    }
  }

  private struct ValueReading: OperatorVisitor {
    let input: Int
    mutating func visit<O: OperatorDefinition>(_ o: O) throws(Never) -> Bool {
      o.readsValue(ofInput: input)
    }
  }
  private struct OutputType: OperatorVisitor {
    let output: Int
    let inputs: [ElementType?]
    mutating func visit<O: OperatorDefinition>(_ o: O) throws(Never) -> ElementType? {
      o.outputType(output, inputs)
    }
  }
  private struct Bodies: OperatorVisitor {
    mutating func visit<O: OperatorDefinition>(_ o: O) throws(Never) -> IntegerList { o.bodies }
  }

  /// Checks the inputs and sets the outputs' element types and shapes.
  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.requireSoundInputs()
    var v = Prepare(step: step)
    try accept(&v)
    try step.requireBoundedOutputs()
  }

  /// Bytes of scratch the step needs; after `prepare`.
  public func scratchBytes(_ step: StepContext) -> Int {
    var v = Scratch(step: step)
    return accept(&v)
  }

  /// Does the arithmetic.
  public func run(_ step: StepContext) {
    var v = Run(step: step)
    accept(&v)
  }

  /// Multiply-accumulates of the step; after `prepare`.
  public func multiplyAccumulates(_ step: StepContext) -> Int {
    var v = Work(step: step)
    return accept(&v)
  }

  private var facts:
    (code: Int, name: StaticString, aliasing: Aliasing, shapesOnly: Bool, [AttributeValue])
  {
    var v = Facts()
    return accept(&v)
  }

  public var code: Int { facts.code }
  public var name: String { "\(facts.name)" }
  public var attributes: [AttributeValue] { facts.4 }

  public var aliasing: Aliasing {
    var v = Sharing()
    return accept(&v).0
  }

  public var dependsOnShapesOnly: Bool {
    var v = Sharing()
    return accept(&v).1
  }

  /// True when the shape rule reads the elements of input `i`.
  public func readsValue(ofInput i: Int) -> Bool {
    var v = ValueReading(input: i)
    return accept(&v)
  }

  /// The element type of output `i` where it follows from the inputs' types alone.
  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    var v = OutputType(output: i, inputs: inputs)
    return accept(&v)
  }

  /// The programs inside of the program that the step runs; empty for all but control flow.
  public var bodies: IntegerList {
    var v = Bodies()
    return accept(&v)
  }
}
