// Tests of task descriptions and of what each task does to its inputs and outputs.

import Bytes
import Platform
import Tasks
import Tensors
import Testing
import Tokenizers

private func changed(_ task: Task, _ key: String, _ value: CBORValue?) -> CBORValue {
  guard case .map(var pairs) = task.cbor else { return .null }
  pairs.removeAll { $0.key == .text(key) }
  if let value { pairs.append(CBORPair(key, value)) }
  return .map(pairs)
}

/// A task whose every field differs from its default.
private func unusualTasks() -> [Task] {
  var inputs = TextInputs()
  inputs.maximumTokens = 77
  inputs.idsName = "ids"
  inputs.maskName = nil
  inputs.typesName = nil
  inputs.tokenizerName = "words"
  var ranking = LabelRanking()
  ranking.labels = ["nein", "ja"]
  ranking.outputName = "p"
  ranking.appliesSoftmax = false
  ranking.topCount = 2
  var embedding = SentenceEmbedding()
  embedding.inputs = inputs
  embedding.outputName = "h"
  embedding.pooling = .max
  embedding.normalizes = false
  var text = TextClassification()
  text.inputs = inputs
  text.ranking = ranking
  var image = ImageClassification()
  image.picture.name = "pixels"
  image.picture.layout = .interleaved
  image.picture.scale = [0.1, 0.2, 1 / 3]
  image.picture.shift = [-1, 0, 1.5]
  image.ranking = ranking
  var detection = ObjectDetection()
  detection.picture = image.picture
  detection.picture.isBlueFirst = true
  detection.picture.letterbox = 114
  detection.labels = ["cat", "dog"]
  detection.head = .grid
  detection.outputNames = ["rows"]
  detection.threshold = 0.25
  detection.overlap = 0.5
  detection.limit = 7
  detection.hasBackground = true
  detection.strides = [4, 8]
  return [
    .tensor, .sentenceEmbedding(embedding), .textClassification(text), .imageClassification(image),
    .objectDetection(detection),
  ]
}

struct TaskTests {
  @Test func everyTaskHasItsName() throws {
    for name in Task.names {
      let task = try #require(Task(name: name))
      #expect(task.name == name)
    }
    #expect(Set(unusualTasks().map(\.name)) == Set(Task.names))
    #expect(Task(name: "mind-reading") == nil)
  }

  @Test func descriptionsRoundTrip() throws {
    for task in unusualTasks() + Task.names.compactMap({ Task(name: $0) }) {
      let bytes = CBOR.encode(task.cbor)
      #expect(try Task(cbor: CBOR.decode(bytes)) == task)
    }
  }

  @Test func wrongDescriptionsAreRefused() throws {
    let task = Task.sentenceEmbedding(SentenceEmbedding())
    #expect(throws: TaskError.unknownTask("x")) {
      try Task(cbor: changed(task, "task", .text("x")))
    }
    #expect(throws: TaskError.missingKey("pooling")) {
      try Task(cbor: changed(task, "pooling", nil))
    }
    #expect(throws: TaskError.invalid(key: "pooling", expected: "mean, cls or max")) {
      try Task(cbor: changed(task, "pooling", .text("last")))
    }
    #expect(throws: TaskError.unknownKey("color")) {
      try Task(cbor: changed(task, "color", .text("red")))
    }
    #expect(throws: TaskError.invalid(key: "maximum_tokens", expected: "3 to 1048576")) {
      try Task(cbor: changed(task, "maximum_tokens", .integer(2)))
    }
    let image = Task.imageClassification(ImageClassification())
    #expect(throws: TaskError.invalid(key: "scale", expected: "finite numbers")) {
      try Task(cbor: changed(image, "scale", .array([.double(1e300)])))
    }
    #expect(throws: TaskError.invalid(key: "scale", expected: "1 to 4096 numbers")) {
      try Task(cbor: changed(image, "scale", .array([])))
    }
    #expect(throws: TaskError.self) { try Task(cbor: .null) }
  }
}

struct TextInputsTests {
  @Test func rowsHoldTokensMaskAndTypes() throws {
    let vocabulary = Array("[PAD]\n[UNK]\n[CLS]\n[SEP]\ndog\ncat\n".utf8)
    let tokenizer = try WordPieceTokenizer(vocabulary: vocabulary.span)
    let tokens = tokenizer.encode("dog", pair: "cat dog")
    var ids = [Int64](repeating: 99, count: 8)
    var mask = ids
    var types = ids
    var row = ids.mutableSpan
    TextInputs.fill(ids: &row, from: tokens, padding: 0)
    var maskRow = mask.mutableSpan
    TextInputs.fill(mask: &maskRow, from: tokens)
    var typesRow = types.mutableSpan
    TextInputs.fill(types: &typesRow, from: tokens)
    #expect(ids == [2, 4, 3, 5, 4, 3, 0, 0])
    #expect(mask == [1, 1, 1, 1, 1, 1, 0, 0])
    #expect(types == [0, 0, 0, 1, 1, 1, 0, 0])
  }
}

struct SentenceEmbeddingTests {
  @Test(arguments: SentenceEmbedding.Pooling.allCases)
  func poolingMatchesNumPy(pooling: SentenceEmbedding.Pooling) throws {
    let expected = try Expected.load().pooling
    let (raw, unit) =
      switch pooling {
      case .mean: (expected.mean, expected.meanUnit)
      case .classToken: (expected.cls, expected.clsUnit)
      case .max: (expected.max, expected.maxUnit)
      }
    for (normalizes, values) in [(false, raw), (true, unit)] {
      var task = SentenceEmbedding()
      task.pooling = pooling
      task.normalizes = normalizes
      var result = [Float](repeating: 9, count: values.count)
      var span = result.mutableSpan
      task.pool(expected.hidden.span, mask: expected.mask.span, into: &span)
      for i in values.indices { #expect(abs(Double(result[i]) - values[i]) < 1e-6) }
    }
  }

  @Test func nothingKeptGivesZero() {
    for pooling in [SentenceEmbedding.Pooling.mean, .max] {
      var task = SentenceEmbedding()
      task.pooling = pooling
      var result: [Float] = [7, 7]
      var span = result.mutableSpan
      task.pool(([1, 2, 3, 4] as [Float]).span, mask: ([0, 0] as [Int64]).span, into: &span)
      #expect(result == [0, 0])
    }
  }

  @Test func cosineIsBetweenOppositeAndEqual() {
    let a: [Float] = [3, 4]
    let b: [Float] = [-6, -8]
    let c: [Float] = [4, -3]
    let zero: [Float] = [0, 0]
    let cosines = [
      SentenceEmbedding.cosine(a.span, a.span), SentenceEmbedding.cosine(a.span, b.span),
      SentenceEmbedding.cosine(a.span, c.span), SentenceEmbedding.cosine(a.span, zero.span),
    ]
    #expect(cosines == [1, -1, 0, 0])
  }
}

struct LabelRankingTests {
  @Test func softmaxMatchesNumPy() throws {
    for row in try Expected.load().softmax {
      var values = row.logits
      var span = values.mutableSpan
      softmax(&span)
      for i in values.indices {
        let difference = abs(Double(values[i]) - row.probabilities[i])
        #expect(difference <= row.probabilities[i] * 1e-7 + 1e-45)
      }
    }
  }

  @Test func softmaxOfExtremes() {
    func result(_ values: [Float]) -> [Float] {
      var values = values
      var span = values.mutableSpan
      softmax(&span)
      return values
    }
    #expect(result([]) == [])
    #expect(result([.infinity, 1]) == [1, 0])
    #expect(result([.infinity, .infinity, 0]) == [0.5, 0.5, 0])
    #expect(result([-.infinity, 5]) == [0, 1])
    #expect(result([-.infinity, -.infinity]) == [0.5, 0.5])
    #expect(result([3e38, -3e38]) == [1, 0])
    let broken = result([1, .nan])
    #expect(broken[0].isNaN && broken[1].isNaN)
  }

  @Test func bestLabelsComeFirst() {
    var ranking = LabelRanking()
    ranking.labels = ["a", "b"]
    ranking.topCount = 3
    ranking.appliesSoftmax = false
    var scores: [Float] = [0.1, 0.5, .nan, 0.2, 0.5, -1]
    var result: [RankedLabel] = []
    var span = scores.mutableSpan
    ranking.rank(&span, into: &result)
    #expect(
      result == [
        RankedLabel(index: 1, score: 0.5), RankedLabel(index: 4, score: 0.5),
        RankedLabel(index: 3, score: 0.2),
      ])
    #expect(result.map { ranking.label($0.index) } == ["b", "4", "3"])
    let none: [Float] = []
    let broken: [Float] = [.nan, -3]
    let best = [
      LabelRanking.best(scores.span), LabelRanking.best(none.span),
      LabelRanking.best(broken.span),
    ]
    #expect(best == [1, nil, 1])
    ranking.topCount = 10
    var again = scores.mutableSpan
    ranking.rank(&again, into: &result)
    #expect(result.map(\.index) == [1, 4, 3, 0, 5, 2])
  }

  @Test func probabilitiesAreRanked() {
    var ranking = LabelRanking()
    ranking.topCount = 1
    var scores: [Float] = [0, 2]
    var result: [RankedLabel] = []
    var span = scores.mutableSpan
    ranking.rank(&span, into: &result)
    #expect(result.count == 1)
    #expect(result[0].index == 1)
    #expect(abs(result[0].score - 0.8807971) < 1e-6)
  }
}

struct PictureInputsTests {
  private func prepared(
    _ task: PictureInputs, _ bytes: [UInt8], _ type: ElementType, _ shape: [Int], _ count: Int
  ) throws -> [Float] {
    var result = [Float](repeating: 0, count: count)
    var span = result.mutableSpan
    let input = bytes.span
    try task.prepare(input.bytes, type, Shape(shape), into: &span)
    return result
  }

  @Test func pixelsAreScaledByChannel() throws {
    var task = PictureInputs()
    task.scale = [1, 10]
    task.shift = [0, -1]
    #expect(try prepared(task, [1, 2, 3, 4], .u8, [2, 1, 2], 4) == [1, 2, 29, 39])
    task.layout = .interleaved
    #expect(try prepared(task, [1, 2, 3, 4], .u8, [1, 2, 2], 4) == [1, 19, 3, 39])
    #expect(throws: TaskError.self) { try prepared(task, [1, 2, 3], .u8, [1, 1, 3], 3) }
    task.scale = [0.5]
    task.shift = [1]
    #expect(try prepared(task, [0, 255], .u8, [1, 2], 2) == [1, 128.5])
  }

  @Test func realNumbersAreOnlyConverted() throws {
    var task = PictureInputs()
    task.scale = [9]
    let expected = try Expected.load()
    let half = expected.halfBits.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    let values = try prepared(task, half, .f16, [9], 9)
    #expect(values == expected.half.map { Float($0) ?? .nan })
    #expect(values[1].sign == .minus)
    #expect(try prepared(task, [0x80, 0x3F, 0x20, 0xC0], .bf16, [2], 2) == [1, -2.5])
    #expect(try prepared(task, [0, 0, 0, 0, 0, 0, 0xF8, 0x3F], .f64, [1], 1) == [1.5])
    #expect(throws: TaskError.self) { try prepared(task, [1, 0, 0, 0], .i32, [1], 1) }
    #expect(throws: TaskError.self) { try prepared(task, [1, 0], .f32, [1], 1) }
    #expect(throws: TaskError.self) { try prepared(task, [1, 2, 3], .u8, [3], 2) }
  }
}

struct ElementsSpanTests {
  @Test func spansSeeAndChangeTheElements() {
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: 3)
    defer { memory.deallocate() }
    memory.initialize(repeating: 2, count: 3)
    var elements = Elements(base: memory, count: 3)
    var span = elements.mutableSpan
    span[1] = 5
    SentenceEmbedding.normalize(&span)
    let norm = (0..<3).reduce(Float(0)) { $0 + memory[$1] * memory[$1] }
    #expect(abs(norm - 1) < 1e-6)
    let best = LabelRanking.best(elements.span)
    #expect(best == 1)
  }
}

struct LabelledDataTests {
  private func data(_ labels: [UInt8], _ type: ElementType) throws -> [UInt8] {
    var writer = SafetensorsWriter()
    try writer.add("input.x", Shape([3, 2]), floats: ([1, 2, 3, 4, 5, 6] as [Float]).span)
    try writer.add("y", .u8, Shape([3, 1]), bytes: [7, 8, 9])
    try writer.add("labels", type, Shape([labels.count / type.byteCount]), bytes: labels)
    try writer.add("other", .u8, Shape([1]), bytes: [0])
    return writer.encode()
  }

  @Test func itemsAreRowsOfTheirTensors() throws {
    let wide = ([2, 0, -1] as [Int64]).flatMap { value in
      (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
    let bytes = try data(wide, .i64)
    let items = try LabelledData(try read(bytes), inputNames: ["x", "y"])
    #expect(items.itemCount == 3)
    #expect(items.inputs[0].itemShape == Shape([1, 2]))
    #expect(texts(Array(bytes[items.inputs[0].byteRange(ofItem: 1)]), .f32) == ["3.0", "4.0"])
    #expect(Array(bytes[items.inputs[1].byteRange(ofItem: 2)]) == [9])
    let span = bytes.span
    for (i, label) in [2, 0, -1].enumerated() {
      let found = items.label(ofItem: i, in: span.bytes)
      #expect(found == label)
    }
    let narrow = try data([5, 6, 255], .u8)
    let narrowSpan = narrow.span
    let small = try LabelledData(try read(narrow), inputNames: ["y"])
    for (i, label) in [5, 6, 255].enumerated() {
      let found = small.label(ofItem: i, in: narrowSpan.bytes)
      #expect(found == label)
    }
  }

  /// The data set that `make run` measures accuracy on.
  @Test func digitsAreLabelled() throws {
    let path = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let file = try MappedFile(path: "/" + path + "/Bundles/digits/test.safetensors")
    let items = try LabelledData(try Safetensors(file.bytes), inputNames: ["image"])
    #expect(items.itemCount == 450)
    #expect(items.inputs[0].itemShape == Shape([1, 1, 8, 8]))
    var counts = [Int](repeating: 0, count: 10)
    for i in 0..<items.itemCount {
      let label = items.label(ofItem: i, in: file.bytes)
      counts[try #require(label)] += 1
    }
    #expect(counts.allSatisfy { $0 > 40 && $0 < 50 })
  }

  @Test func whatIsMissingIsNamed() throws {
    let file = try read(try data([1, 2, 3], .u8))
    #expect(throws: LabelledDataError.missingTensor("z")) {
      try LabelledData(file, inputNames: ["z"])
    }
    #expect(throws: LabelledDataError.itemCount(name: "other", expected: 3, found: 1)) {
      try LabelledData(file, inputNames: ["x", "other"])
    }
    let few = try read(try data([1, 2], .u8))
    #expect(throws: LabelledDataError.itemCount(name: "labels", expected: 3, found: 2)) {
      try LabelledData(few, inputNames: ["x"])
    }
    let floats = try read(try data([UInt8](repeating: 0, count: 12), .f32))
    #expect(throws: LabelledDataError.labelType(.f32)) {
      try LabelledData(floats, inputNames: ["x"])
    }
    #expect(try LabelledData(file, inputNames: ["x"], labelsName: "none").labels == nil)
  }
}
