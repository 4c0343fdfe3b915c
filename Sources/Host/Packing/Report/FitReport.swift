// What the one-page report of a pack tells. What was not measured is nil or empty, and is said to be.

/// A model fitted to a target, in figures.
public struct FitReport: Sendable {
  /// One weight.
  public struct Tensor: Sendable {
    public var name: String
    public var elementCount: Int
    /// In the bundle.
    public var storedBytes: Int
    /// The stored form: `int8`, `f16` …
    public var scheme: String
    /// How the bundle codes it; nil where it is stored as it is used.
    public var coding: String?
    /// What a unit of squared error adds to the loss.
    public var sensitivity: Double?
    /// What the choice is predicted to add to the loss.
    public var loss: Double?

    public init(
      name: String, elementCount: Int, storedBytes: Int, scheme: String, coding: String? = nil,
      sensitivity: Double? = nil, loss: Double? = nil
    ) {
      self.name = name
      self.elementCount = elementCount
      self.storedBytes = storedBytes
      self.scheme = scheme
      self.coding = coding
      self.sensitivity = sensitivity
      self.loss = loss
    }

    public var bitsPerElement: Double {
      Double(storedBytes) * 8 / Double(max(elementCount, 1))
    }
  }

  /// A size and the loss that goes with it.
  public struct Point: Sendable {
    public var bytes: Double
    public var loss: Double
    /// Empty for points of the curve.
    public var name: String

    public init(bytes: Double, loss: Double, name: String = "") {
      self.bytes = bytes
      self.loss = loss
      self.name = name
    }
  }

  /// What was promised of the outputs, and what became of it.
  public struct Promise: Sendable {
    /// What the loss is measured in, such as `KL divergence`.
    public var metric: String
    /// Inputs it was measured on.
    public var itemCount: Int
    /// True where nobody gave inputs, and they were made up.
    public var inputsAreGenerated: Bool
    public var predictedLoss: Double?
    public var measuredLoss: Double?
    /// Of a bundle of the same size with one scheme for all weights.
    public var uniformLoss: Double?
    public var uniformBytes: Int?
    /// True where the uniform choice was the better one, and is what was packed.
    public var shipsUniform: Bool

    public init(
      metric: String, itemCount: Int, inputsAreGenerated: Bool = false,
      predictedLoss: Double? = nil, measuredLoss: Double? = nil,
      uniformLoss: Double? = nil, uniformBytes: Int? = nil, shipsUniform: Bool = false
    ) {
      self.metric = metric
      self.itemCount = itemCount
      self.inputsAreGenerated = inputsAreGenerated
      self.predictedLoss = predictedLoss
      self.measuredLoss = measuredLoss
      self.uniformLoss = uniformLoss
      self.uniformBytes = uniformBytes
      self.shipsUniform = shipsUniform
    }
  }

  /// What figures are in.
  public enum Unit: Sendable {
    case bytes
    case seconds
    case joules
  }

  /// A resource of the target.
  public struct Budget: Sendable {
    public var name: String
    public var unit: Unit
    public var used: Double
    /// Nine times in ten the truth is in it; nil where `used` is exact.
    public var interval: ClosedRange<Double>?
    /// nil where nothing limits it.
    public var limit: Double?
    /// Where the figure is from.
    public var source: String

    public init(
      name: String, unit: Unit, used: Double, interval: ClosedRange<Double>? = nil,
      limit: Double? = nil, source: String = ""
    ) {
      self.name = name
      self.unit = unit
      self.used = used
      self.interval = interval
      self.limit = limit
      self.source = source
    }
  }

  /// One step of the program.
  public struct Step: Sendable {
    public var name: String
    public var operation: String
    /// Working memory while it runs.
    public var liveBytes: Int
    /// nil where the target's speed is not known.
    public var seconds: Double?

    public init(name: String, operation: String, liveBytes: Int, seconds: Double? = nil) {
      self.name = name
      self.operation = operation
      self.liveBytes = liveBytes
      self.seconds = seconds
    }
  }

  /// The model's name.
  public var name: String
  public var target: String
  public var targetDescription: String
  /// Pairs of a word and its value, such as task and scheme.
  public var facts: [(name: String, value: String)] = []
  public var budgets: [Budget] = []
  public var promise: Promise?
  public var tensors: [Tensor] = []
  /// Sizes and losses that can be had, in any order.
  public var curve: [Point] = []
  /// The point that was packed.
  public var chosen: Point?
  /// Other schemes at their sizes.
  public var baselines: [Point] = []
  public var steps: [Step] = []
  public var arenaBytes = 0

  public init(name: String, target: String, targetDescription: String = "") {
    self.name = name
    self.target = target
    self.targetDescription = targetDescription
  }
}
