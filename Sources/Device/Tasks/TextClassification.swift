// A label for a text.

import Bytes

/// Text in, label out: the scores of the whole text are ranked.
///
/// The model's output is [texts, classes].
public struct TextClassification: Equatable, Sendable {
  public var inputs = TextInputs()
  public var ranking = LabelRanking()

  public init() {}
}

extension TextClassification {
  var fields: [CBORPair] { inputs.fields + ranking.fields }

  init(_ reader: inout TaskReader) throws(TaskError) {
    inputs = try TextInputs(&reader)
    ranking = try LabelRanking(&reader)
  }
}
