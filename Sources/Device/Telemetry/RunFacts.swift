// What is fixed once a bundle is loaded: its names, its sizes, and what was predicted for it.
import Platform

/// What limits how fast a step can be.
public enum StepBound: UInt8, Sendable, CaseIterable {
  /// Arithmetic.
  case compute
  /// The way of its weights and data.
  case memory
  /// Starting it.
  case launch

  /// As screens, documents and bundles have it.
  public var name: String {
    switch self {
    case .compute: "compute"
    case .memory: "memory"
    case .launch: "launch"
    }
  }

  /// The one of this name.
  public init?(name: String) {
    guard let found = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = found
  }
}

/// One step of the program, by the names that a person knows it by.
public struct StepFact: Sendable {
  /// Its place in the model, such as `encoder.layer.0.attention`.
  public var name: EscapedText
  /// Its operator, such as `conv2d 3x3`.
  public var kind: EscapedText
  /// How its weights are stored, such as `int8`; empty when it has none.
  public var scheme: EscapedText
  /// Bytes of the weights that it reads; nil is unknown.
  public var weightBytes: UInt64?
  /// What was predicted for it when packing; nil for no prediction.
  public var predictedNanoseconds: Double?
  /// What it has to multiply and add; nil is unknown.
  public var multiplyAccumulates: UInt64?
  /// What most of the predicted time goes into; nil is unknown.
  public var bound: StepBound?

  public init(
    name: EscapedText, kind: EscapedText, scheme: EscapedText, weightBytes: UInt64? = nil,
    predictedNanoseconds: Double? = nil, multiplyAccumulates: UInt64? = nil,
    bound: StepBound? = nil
  ) {
    self.multiplyAccumulates = multiplyAccumulates
    self.bound = bound
    self.name = name
    self.kind = kind
    self.scheme = scheme
    self.weightBytes = weightBytes
    self.predictedNanoseconds = predictedNanoseconds
  }
}

/// One tensor of weights, as the map of weights tells of it.
public struct TensorFact: Equatable, Sendable {
  public var name: EscapedText
  /// Such as `64x3x3`.
  public var shape: EscapedText
  public var scheme: EscapedText
  public var elementCount: UInt64
  /// In memory, scales included.
  public var byteCount: UInt64
  /// In the bundle; nil is unknown.
  public var storedBytes: UInt64?
  /// Its part of the loss that was predicted when packing; nil is unknown.
  public var predictedLoss: Double?

  public init(
    name: EscapedText, shape: EscapedText, scheme: EscapedText, elementCount: UInt64,
    byteCount: UInt64, storedBytes: UInt64? = nil, predictedLoss: Double? = nil
  ) {
    self.name = name
    self.shape = shape
    self.scheme = scheme
    self.elementCount = elementCount
    self.byteCount = byteCount
    self.storedBytes = storedBytes
    self.predictedLoss = predictedLoss
  }
}

/// How much of the weights a quantization scheme holds.
public struct SchemeShare: Sendable {
  public var scheme: EscapedText
  /// One letter for the map: `8`, `4`, `h`, `f`.
  public var letter: UInt8
  /// How many tensors are stored so.
  public var tensorCount: Int
  /// Bytes they take, scales included.
  public var byteCount: UInt64

  public init(scheme: EscapedText, letter: UInt8, tensorCount: Int, byteCount: UInt64) {
    self.scheme = scheme
    self.letter = letter
    self.tensorCount = tensorCount
    self.byteCount = byteCount
  }
}

/// Everything about a loaded bundle that its monitor shows. A field left nil is unknown and is
/// shown as `-`.
public struct RunFacts: Sendable {
  public var bundleName = EscapedText("")
  public var bundleVersion = EscapedText("")
  /// The scheme of most of its weights.
  public var scheme = EscapedText("")
  /// The device and how much of it is used, such as `pi5 4 threads`.
  public var device = EscapedText("")
  /// Inferences at the start that are not counted.
  public var warmUpCount = 0
  /// Longest inference that is in time, in nanoseconds.
  public var latencyBudgetNanoseconds: UInt64?
  public var memoryBudgetBytes: UInt64?
  public var weightBytes: UInt64?
  /// Where they are in memory.
  public var weightRanges: [MemoryRange] = []
  public var arenaBytes: UInt64?
  public var loadNanoseconds: UInt64?
  /// The steps, in the order that `recordStep` counts them.
  public var steps: [StepFact] = []
  public var schemeShares: [SchemeShare] = []
  /// One letter per tensor, in program order.
  public var schemeMap: [UInt8] = []
  /// What each letter of the map stands for.
  public var tensors: [TensorFact] = []
  /// The loss that was predicted when packing; nil where none was.
  public var predictedLoss: Double?
  public var bitsPerWeight: Double?
  public var predictedP50Nanoseconds: Double?
  public var predictedPeakBytes: UInt64?
  public var predictedJoulesPerInference: Double?
  /// What the predictions rest on, a line each.
  public var predictionNotes: [EscapedText] = []
  public var energy: EnergyFigures?
  /// Of a model that generates text; nil for all others.
  public var generation: GenerationFacts?

  public init() {}
}
