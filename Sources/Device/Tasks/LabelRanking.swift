// From a model's scores to the likeliest labels.

import Bytes

/// One answer of a classifier.
public struct RankedLabel: Equatable, Sendable {
  /// Which class, from 0.
  public var index: Int
  /// Its probability, or the model's own score where no softmax is asked for.
  public var score: Float

  public init(index: Int, score: Float) {
    self.index = index
    self.score = score
  }
}

/// What the classes are called and how their scores become an answer.
public struct LabelRanking: Equatable, Sendable {
  public static var maximumLabelCount: Int { 1 << 20 }

  /// By class; fewer than classes where the model names none.
  public var labels: [String] = []
  public var outputName = "logits"
  /// The scores are logits: a softmax makes them probabilities.
  public var appliesSoftmax = true
  /// Answers that are shown.
  public var topCount = 1

  public init() {}

  /// The name of a class: its label, or its number.
  public func label(_ index: Int) -> String {
    labels.indices.contains(index) ? labels[index] : "\(index)"
  }

  /// Puts the best `topCount` classes into `result`, best first; equal scores keep their order and
  /// NaN comes last. Scores are changed to probabilities where the ranking asks for it.
  ///
  /// `result` keeps its memory: reserve `topCount` once.
  public func rank(_ scores: inout MutableSpan<Float>, into result: inout [RankedLabel]) {
    if appliesSoftmax { softmax(&scores) }
    result.removeAll(keepingCapacity: true)
    for i in scores.indices {
      let score = scores[i]
      var at = result.count
      while at > 0, score > result[at - 1].score || (result[at - 1].score.isNaN && !score.isNaN) {
        at -= 1
      }
      if at >= topCount { continue }
      if result.count == topCount { result.removeLast() }
      result.insert(RankedLabel(index: i, score: score), at: at)
    }
  }

  /// The class of the highest score; nil for no scores. The first of equal ones.
  public static func best(_ scores: Span<Float>) -> Int? {
    var best: Int?
    for i in scores.indices where !scores[i].isNaN {
      if let current = best, scores[i] <= scores[current] { continue }
      best = i
    }
    return best ?? (scores.isEmpty ? nil : 0)
  }
}

extension LabelRanking {
  var fields: [CBORPair] {
    [
      CBORPair("labels", .array(labels.map { .text($0) })),
      CBORPair("output", .text(outputName)),
      CBORPair("softmax", .bool(appliesSoftmax)),
      CBORPair("top", .integer(topCount)),
    ]
  }

  init(_ reader: inout TaskReader) throws(TaskError) {
    labels = try reader.texts("labels", limit: LabelRanking.maximumLabelCount)
    outputName = try reader.text("output")
    appliesSoftmax = try reader.bool("softmax")
    topCount = try reader.count("top", in: 1...1000)
  }
}
