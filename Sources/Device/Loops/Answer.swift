// What the model says about one item, as a line for people and as JSON.
import Bytes
import Programs
import Runtime
import Tasks
import Telemetry
import Tensors

/// One raw output.
public struct AnswerTensor: Sendable {
  public var name: String
  public var type: ElementType
  public var shape: Shape
  /// The first elements where they are real numbers, and where they are texts.
  public var head: [Float]
  public var texts: [[UInt8]]
}

/// One item's answer.
public enum Answer {
  case labels([(name: String, score: Float)], index: Int)
  case vector([Float])
  case found(FoundObjects)
  /// Raw outputs.
  case tensors([AnswerTensor])

  /// The answer after a run, by the model's task. Throws where the outputs are not what the task says.
  public init(_ runner: ModelRunner, _ scratch: inout [RankedLabel]) throws(Failure) {
    if case .sentenceEmbedding(let task) = runner.model.task,
      let vector = runner.embedding(task)
    {
      self = .vector(vector)
      return
    }
    if case .objectDetection(let task) = runner.model.task {
      self = .found(try runner.found(task))
      return
    }
    if let ranking = runner.model.task.ranking {
      if runner.hasNoTokens {
        self = .labels([], index: -1)
        return
      }
      var scores = runner.scores(ranking.outputName)
      let best = LabelRanking.best(scores.span) ?? 0
      var span = scores.mutableSpan
      ranking.rank(&span, into: &scratch)
      self = .labels(
        scratch.map { (ranking.label($0.index), $0.score) }, index: scratch.first?.index ?? best)
      return
    }
    var list: [AnswerTensor] = []
    for (i, output) in runner.model.program.outputs.enumerated() {
      let view = runner.session.output(i)
      list.append(
        AnswerTensor(
          name: output.name, type: view.elementType, shape: view.shape,
          head: view.numbers(8) ?? [], texts: view.texts(8, runner.session.texts) ?? []))
    }
    self = .tensors(list)
  }

  /// The class the model chose; nil for answers that are no class.
  public var classIndex: Int? { if case .labels(_, let index) = self { index } else { nil } }

  /// What was found on a picture, as boxes on it.
  var boxes: [PictureBox] { if case .found(let found) = self { found.boxes } else { [] } }

  /// One line.
  public var line: [UInt8] {
    var text = TextBuffer()
    switch self {
    case .labels(let labels, _):
      for (i, label) in labels.enumerated() {
        if i > 0 { text.put("   ") }
        text.put(untrusted: Array(label.name.utf8))
        text.put(" ")
        text.put(Double(label.score), places: 3)
      }
    case .vector(let vector):
      Answer.put(vector, count: 6, into: &text)
    case .found(let found): Answer.put(found, into: &text)
    case .tensors(let list):
      for (i, t) in list.enumerated() {
        if i > 0 { text.put("   ") }
        text.put(untrusted: Array(t.name.utf8))
        text.put(" ")
        text.put(t.type.name)
        text.put(t.shape.description)
        if !t.head.isEmpty {
          text.put(" ")
          Answer.put(t.head, count: 4, into: &text, of: t.shape.elementCount)
        }
        if !t.texts.isEmpty { Answer.put(t.texts, count: 4, into: &text, of: t.shape.elementCount) }
      }
    }
    return text.bytes
  }

  /// `dog 0.621 [109 178 273 444]`: the label, how sure, and the edges in pixels.
  private static func put(_ found: FoundObjects, into text: inout TextBuffer) {
    if found.objects.isEmpty { text.put("nothing found") }
    for (i, object) in found.objects.enumerated() {
      if i > 0 { text.put("   ") }
      text.put(untrusted: Array(object.label.utf8))
      text.put(" ")
      text.put(Double(object.score), places: 3)
      for (k, edge) in [object.left, object.top, object.right, object.bottom].enumerated() {
        text.put(k == 0 ? " [" : " ")
        text.put(Int(edge.rounded()))
      }
      text.put("]")
    }
  }

  private static func put(
    _ vector: [Float], count: Int, into text: inout TextBuffer, of total: Int? = nil
  ) {
    text.put("[")
    for i in 0..<min(count, vector.count) {
      if i > 0 { text.put(", ") }
      text.put(Double(vector[i]), places: 4)
    }
    let all = total ?? vector.count
    if all > min(count, vector.count) {
      text.put(", … ")
      text.put(all)
      text.put(" values")
    }
    text.put("]")
  }

  private static func put(
    _ texts: [[UInt8]], count: Int, into text: inout TextBuffer, of total: Int
  ) {
    text.put(" [")
    for i in 0..<min(count, texts.count) {
      if i > 0 { text.put(", ") }
      text.put("'")
      text.put(untrusted: texts[i])
      text.put("'")
    }
    if total > count {
      text.put(", … ")
      text.put(total)
      text.put(" values")
    }
    text.put("]")
  }

  /// The answer's fields inside an open JSON object.
  public func write(to json: inout JSONWriter) {
    switch self {
    case .labels(let labels, _):
      json.key("labels")
      json.beginArray()
      for label in labels {
        json.beginObject()
        json.field("label", label.name)
        json.field("score", label.score)
        json.endObject()
      }
      json.endArray()
    case .vector(let vector):
      json.key("embedding")
      json.beginArray()
      for x in vector { json.value(x) }
      json.endArray()
    case .found(let found):
      json.field("width_pixels", found.width)
      json.field("height_pixels", found.height)
      json.key("objects")
      json.beginArray()
      for object in found.objects {
        json.beginObject()
        json.field("label", object.label)
        json.field("score", object.score)
        json.field("class", object.classIndex)
        json.key("box_pixels")
        json.beginArray()
        for edge in [object.left, object.top, object.right, object.bottom] {
          json.value(Float(edge))
        }
        json.endArray()
        json.endObject()
      }
      json.endArray()
    case .tensors(let list):
      json.key("outputs")
      json.beginArray()
      for t in list {
        json.beginObject()
        json.field("name", t.name)
        json.field("element_type", t.type.name)
        json.key("shape")
        json.beginArray()
        for d in t.shape.dimensions { json.value(d) }
        json.endArray()
        json.key("first_values")
        json.beginArray()
        for x in t.head { json.value(x) }
        for x in t.texts { json.value(text: x) }
        json.endArray()
        json.endObject()
      }
      json.endArray()
    }
  }
}
