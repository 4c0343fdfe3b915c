// What a bundle is for: how its inputs are made and what its outputs mean.

import Bytes

/// The task of a bundle, with all that pre- and post-processing need to know.
public enum Task: Equatable, Sendable {
  /// Raw tensors in and out.
  case tensor
  case sentenceEmbedding(SentenceEmbedding)
  case textClassification(TextClassification)
  case imageClassification(ImageClassification)
  case objectDetection(ObjectDetection)

  /// Every task by the name people type.
  public static var names: [String] {
    [
      "tensor", "sentence-embedding", "text-classification", "image-classification",
      "object-detection",
    ]
  }

  /// The task of this name with its defaults; nil where there is none.
  public init?(name: String) {
    if name.hasSameBytes(as: "tensor") {
      self = .tensor
    } else if name.hasSameBytes(as: "sentence-embedding") {
      self = .sentenceEmbedding(SentenceEmbedding())
    } else if name.hasSameBytes(as: "text-classification") {
      self = .textClassification(TextClassification())
    } else if name.hasSameBytes(as: "image-classification") {
      self = .imageClassification(ImageClassification())
    } else if name.hasSameBytes(as: "object-detection") {
      self = .objectDetection(ObjectDetection())
    } else {
      return nil
    }
  }

  public var name: String {
    switch self {
    case .tensor: Task.names[0]
    case .sentenceEmbedding: Task.names[1]
    case .textClassification: Task.names[2]
    case .imageClassification: Task.names[3]
    case .objectDetection: Task.names[4]
    }
  }

  /// The token inputs of the tasks that take text.
  public var textInputs: TextInputs? {
    switch self {
    case .sentenceEmbedding(let task): task.inputs
    case .textClassification(let task): task.inputs
    case .tensor, .imageClassification, .objectDetection: nil
    }
  }

  /// The input of the tasks that take a picture.
  public var pictureInputs: PictureInputs? {
    switch self {
    case .imageClassification(let task): task.picture
    case .objectDetection(let task): task.picture
    case .tensor, .sentenceEmbedding, .textClassification: nil
    }
  }

  /// Labels and ranking of the tasks that classify.
  public var ranking: LabelRanking? {
    switch self {
    case .textClassification(let task): task.ranking
    case .imageClassification(let task): task.ranking
    case .tensor, .sentenceEmbedding, .objectDetection: nil
    }
  }
}

extension Task {
  /// The task for a bundle's manifest.
  public var cbor: CBORValue {
    var fields = [CBORPair("task", .text(name))]
    switch self {
    case .tensor: break
    case .sentenceEmbedding(let task): fields += task.fields
    case .textClassification(let task): fields += task.fields
    case .imageClassification(let task): fields += task.fields
    case .objectDetection(let task): fields += task.fields
    }
    return .map(fields)
  }

  /// The task that a manifest describes. A key that is not known is refused: it would change the
  /// result.
  public init(cbor: CBORValue) throws(TaskError) {
    var reader = try TaskReader(cbor)
    let name = try reader.text("task")
    guard var task = Task(name: name) else { throw .unknownTask(name) }
    switch task {
    case .tensor: break
    case .sentenceEmbedding:
      task = .sentenceEmbedding(try SentenceEmbedding(&reader))
    case .textClassification:
      task = .textClassification(try TextClassification(&reader))
    case .imageClassification:
      task = .imageClassification(try ImageClassification(&reader))
    case .objectDetection:
      task = .objectDetection(try ObjectDetection(&reader))
    }
    try reader.finish()
    self = task
  }
}

/// What is wrong with the description of a task.
public enum TaskError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknownTask(String)
  case missingKey(String)
  case unknownKey(String)
  case invalid(key: String, expected: String)

  public var description: String {
    switch self {
    case .unknownTask(let name): "unknown task \"\(name)\""
    case .missingKey(let key): "the task lacks the key \(key)"
    case .unknownKey(let key): "the task has the unknown key \(key)"
    case .invalid(let key, let expected): "\(key) of the task: expected \(expected)"
    }
  }
}

/// Takes the fields of a task one by one and notices those that nobody took.
struct TaskReader {
  private let pairs: [CBORPair]
  private var taken: [Bool]

  init(_ value: CBORValue) throws(TaskError) {
    guard case .map(let pairs) = value else {
      throw .invalid(key: "task", expected: "a map")
    }
    self.pairs = pairs
    taken = [Bool](repeating: false, count: pairs.count)
  }

  mutating func value(_ key: String) -> CBORValue? {
    for i in pairs.indices {
      if case .text(let name) = pairs[i].key, name.hasSameBytes(as: key) {
        taken[i] = true
        return pairs[i].value
      }
    }
    return nil
  }

  mutating func text(_ key: String) throws(TaskError) -> String {
    guard let value = value(key) else { throw .missingKey(key) }
    guard let text = value.textValue else { throw .invalid(key: key, expected: "text") }
    return text
  }

  mutating func optionalText(_ key: String) throws(TaskError) -> String? {
    guard let value = value(key), !value.isNull else { return nil }
    guard let text = value.textValue else { throw .invalid(key: key, expected: "text") }
    return text
  }

  mutating func bool(_ key: String) throws(TaskError) -> Bool {
    guard let value = value(key) else { throw .missingKey(key) }
    guard let flag = value.boolValue else { throw .invalid(key: key, expected: "true or false") }
    return flag
  }

  mutating func count(_ key: String, in range: ClosedRange<Int>) throws(TaskError) -> Int {
    guard let value = value(key) else { throw .missingKey(key) }
    guard let count = value.integerValue, range.contains(count) else {
      throw .invalid(key: key, expected: "\(range.lowerBound) to \(range.upperBound)")
    }
    return count
  }

  /// Whether there is such a key, which is not taken by that.
  func has(_ key: String) -> Bool {
    pairs.contains {
      if case .text(let name) = $0.key { name.hasSameBytes(as: key) } else { false }
    }
  }

  /// The place of a text among those that it may be.
  mutating func choice(_ key: String, _ names: [String]) throws(TaskError) -> Int {
    let name = try text(key)
    for (i, choice) in names.enumerated() where name.hasSameBytes(as: choice) { return i }
    var expected = names[0]
    for choice in names.dropFirst() { expected += " or " + choice }
    throw .invalid(key: key, expected: expected)
  }

  /// A number from 0 to 1.
  mutating func share(_ key: String) throws(TaskError) -> Float {
    guard let value = value(key) else { throw .missingKey(key) }
    guard let number = value.doubleValue, number >= 0, number <= 1 else {
      throw .invalid(key: key, expected: "0 to 1")
    }
    return Float(number)
  }

  mutating func floats(_ key: String, limit: Int) throws(TaskError) -> [Float] {
    guard let value = value(key) else { throw .missingKey(key) }
    guard let elements = value.arrayValue, !elements.isEmpty, elements.count <= limit else {
      throw .invalid(key: key, expected: "1 to \(limit) numbers")
    }
    var result: [Float] = []
    for element in elements {
      guard let number = element.doubleValue, Float(number).isFinite else {
        throw .invalid(key: key, expected: "finite numbers")
      }
      result.append(Float(number))
    }
    return result
  }

  mutating func texts(_ key: String, limit: Int) throws(TaskError) -> [String] {
    guard let value = value(key) else { throw .missingKey(key) }
    guard let elements = value.arrayValue, elements.count <= limit else {
      throw .invalid(key: key, expected: "at most \(limit) texts")
    }
    var result: [String] = []
    for element in elements {
      guard let text = element.textValue else { throw .invalid(key: key, expected: "texts") }
      result.append(text)
    }
    return result
  }

  func finish() throws(TaskError) {
    for i in pairs.indices where !taken[i] {
      throw .unknownKey(pairs[i].key.textValue ?? "that is not text")
    }
  }
}
