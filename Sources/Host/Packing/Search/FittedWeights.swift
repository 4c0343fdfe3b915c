// What the search found, what was promised, and what became of the promise.
import Calibration
import Fitting
import Tensors

/// The precision of every searched weight, with the promise and its proof.
public struct FittedWeights: Sendable {
  /// One weight's share.
  public struct Entry: Sendable {
    public var weight: Int
    public var name: String
    public var elementCount: Int
    public var scheme: QuantizationScheme
    /// Of the coded integers; nil where the elements are stored as the scheme has them.
    public var step: Float?
    /// Loss of the outputs per squared error.
    public var slope: Double
    public var predictedLoss: Double
    public var storedBytes: Int

    public var bitsPerWeight: Double { Double(storedBytes) * 8 / Double(max(elementCount, 1)) }
  }

  /// A size of the weights and the loss it is predicted to have.
  public struct CurvePoint: Sendable {
    public var storedBytes: Double
    public var loss: Double
  }

  public var entries: [Entry] = []
  /// What the outputs lose: as added up before packing, and as measured afterwards.
  public var predictedLoss = 0.0
  public var measuredLoss = 0.0
  /// The same of the first choice, before anything was corrected.
  public var firstAddedLoss = 0.0
  public var firstMeasuredLoss = 0.0
  /// One relative step for all weights, in about as many bytes: what that loses. nil where no step does.
  public var uniformLoss: Double?
  public var uniformBytes: Int?
  /// True where the uniform choice was the better one, and is what was packed.
  public var shipsUniform = false
  /// How far the choice may be from the best there is, as a fraction of its loss.
  public var optimalityGap = 0.0
  public var metrics: [LossMetric] = []
  public var itemCount = 0
  /// True where the inputs were made up.
  public var isGenerated = false
  /// Weights whose sensitivity was taken from the others', because the search was stopped.
  public var unmeasuredCount = 0
  /// Where the packed weights do not keep all goals.
  public var missed: GoalsNotReached?
  /// Predicted, by size.
  public var curve: [CurvePoint] = []

  /// How far off additive predictions may be before the tool says so: 15 %.
  public static let acceptedError = 0.15

  /// Whether the prediction held.
  public var isPredictionKept: Bool {
    abs(predictedLoss - measuredLoss) <= FittedWeights.acceptedError * measuredLoss
  }
}
