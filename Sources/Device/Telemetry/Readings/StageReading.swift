// What happens to an item on its way through the loop, and how long each part of it takes.

/// A part of an item's way, in order.
public enum ItemStage: UInt8, Sendable, CaseIterable {
  /// A file, or what a device gave, becomes a picture, a text, a sound.
  case read
  /// That becomes the model's inputs: resized, cut into tokens, copied.
  case prepare
  case infer
  /// The model's outputs become labels, vectors, boxes, a line.
  case answer
  /// The line is written to whoever wants it.
  case publish

  /// As screens and documents have it.
  public var name: String {
    switch self {
    case .read: "read"
    case .prepare: "prepare"
    case .infer: "infer"
    case .answer: "answer"
    case .publish: "publish"
    }
  }
}

/// How long one stage took.
///
/// Inferences are all counted; the other stages are timed for 32 items a second at most.
public struct StageReading: Sendable {
  public var stage: ItemStage
  /// Over the window.
  public var latency: LatencySummary
  /// Of the mean times of all stages together, 0…1.
  public var share: Double
  /// Over the whole run, of the items that were timed; empty for `.infer`, which has its own.
  public var overall: LatencyHistogram

  public init(
    stage: ItemStage, latency: LatencySummary, share: Double,
    overall: LatencyHistogram = LatencyHistogram()
  ) {
    self.stage = stage
    self.latency = latency
    self.share = share
    self.overall = overall
  }
}
