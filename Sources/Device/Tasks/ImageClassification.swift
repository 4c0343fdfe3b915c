// A label for a picture.

import Bytes

/// Picture in, label out.
public struct ImageClassification: Equatable, Sendable {
  public var picture = PictureInputs()
  public var ranking = LabelRanking()

  public init() {}
}

extension ImageClassification {
  var fields: [CBORPair] { ranking.fields + picture.fields }

  init(_ reader: inout TaskReader) throws(TaskError) {
    ranking = try LabelRanking(&reader)
    picture = try PictureInputs(&reader)
  }
}
