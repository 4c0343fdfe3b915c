// One vector for a text, from the vectors of its tokens.

import Bytes

/// Text in, vector out: the tokens' last hidden states are pooled and brought to length 1.
public struct SentenceEmbedding: Equatable, Sendable {
  public enum Pooling: UInt8, Sendable, CaseIterable {
    /// The mean over the tokens that the attention mask keeps.
    case mean
    /// The vector of the first token, [CLS].
    case classToken
    /// The largest value of each component over the tokens that the attention mask keeps.
    case max

    /// The name in manifests and recipes.
    public var name: String {
      switch self {
      case .mean: "mean"
      case .classToken: "cls"
      case .max: "max"
      }
    }
  }

  public var inputs = TextInputs()
  public var outputName = "last_hidden_state"
  public var pooling = Pooling.mean
  /// Divide by the Euclidean norm, so that a dot product is a cosine.
  public var normalizes = true

  public init() {}

  /// Pools one text.
  ///
  /// hidden: [tokens, width], mask: [tokens] → result: [width]. With no token kept the result is 0.
  public func pool(
    _ hidden: Span<Float>, mask: Span<Int64>, into result: inout MutableSpan<Float>
  ) {
    let width = result.count
    precondition(hidden.count == mask.count * width)
    switch pooling {
    case .classToken:
      for i in 0..<width { result[i] = hidden.isEmpty ? 0 : hidden[i] }
    case .mean:
      var kept: Float = 0
      for i in 0..<width { result[i] = 0 }
      for token in mask.indices where mask[token] != 0 {
        kept += 1
        for i in 0..<width { result[i] += hidden[token * width + i] }
      }
      let scale = kept > 0 ? 1 / kept : 0
      for i in 0..<width { result[i] *= scale }
    case .max:
      var isFirst = true
      for i in 0..<width { result[i] = 0 }
      for token in mask.indices where mask[token] != 0 {
        for i in 0..<width {
          let value = hidden[token * width + i]
          if isFirst || value > result[i] { result[i] = value }
        }
        isFirst = false
      }
    }
    if normalizes { SentenceEmbedding.normalize(&result) }
  }

  /// Brings a vector to length 1; one of length 0 stays.
  public static func normalize(_ vector: inout MutableSpan<Float>) {
    var squares = 0.0
    for i in vector.indices { squares += Double(vector[i]) * Double(vector[i]) }
    let scale = 1 / Swift.max(squares.squareRoot(), 1e-12)
    for i in vector.indices { vector[i] = Float(Double(vector[i]) * scale) }
  }

  /// The cosine between two vectors of one length; 0 where one of them is 0.
  public static func cosine(_ a: Span<Float>, _ b: Span<Float>) -> Float {
    precondition(a.count == b.count)
    var (dot, aa, bb) = (0.0, 0.0, 0.0)
    for i in a.indices {
      dot += Double(a[i]) * Double(b[i])
      aa += Double(a[i]) * Double(a[i])
      bb += Double(b[i]) * Double(b[i])
    }
    let length = (aa * bb).squareRoot()
    return length > 0 ? Float(dot / length) : 0
  }
}

extension SentenceEmbedding {
  var fields: [CBORPair] {
    inputs.fields + [
      CBORPair("normalizes", .bool(normalizes)),
      CBORPair("output", .text(outputName)),
      CBORPair("pooling", .text(pooling.name)),
    ]
  }

  init(_ reader: inout TaskReader) throws(TaskError) {
    inputs = try TextInputs(&reader)
    normalizes = try reader.bool("normalizes")
    outputName = try reader.text("output")
    let name = try reader.text("pooling")
    for pooling in Pooling.allCases where pooling.name.hasSameBytes(as: name) {
      self.pooling = pooling
      return
    }
    throw .invalid(key: "pooling", expected: "mean, cls or max")
  }
}
