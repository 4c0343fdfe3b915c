// Operators on texts, and counts of the words in them.
import Graphs
import Operators
import Tensors
import Tokenizers

extension ONNXOperator {
  static let strings: [ONNXOperator] = [
    ONNXOperator("StringConcat", 20) { b throws(ImportError) in
      [b.add(.stringConcat(StringConcat()), [try b.raw(0), try b.raw(1)])]
    },
    ONNXOperator("StringSplit", 20, stringSplit),
    ONNXOperator("RegexFullMatch", 20) { b throws(ImportError) in
      let program = try b.regex(try b.string("pattern", ""))
      return [b.add(.regexMatch(RegexMatch()), [try b.raw(0), program])]
    },
    ONNXOperator("StringNormalizer", 10, stringNormalizer),
    ONNXOperator("TfIdfVectorizer", 9, tfIdf),
    ONNXOperator("Tokenizer", domain: "com.microsoft", tokenizer),
  ]

  private static func stringSplit(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let limit = try b.integer("maxsplit")
    guard limit ?? 0 >= 0 else { throw b.fail("maxsplit is negative") }
    let op = StringSplit(maximumSplits: limit.map { min($0, 1 << 40) })
    let delimiter = try b.string("delimiter", "")
    let outputs = b.add(
      .stringSplit(op), [x] + (delimiter.isEmpty ? [] : [b.text(delimiter)]), outputs: 2)
    if let rank = b.facts.rank(x) {
      b.facts.setRank(outputs[0], rank + 1)
      b.facts.setRank(outputs[1], rank)
    }
    return outputs
  }

  private static func stringNormalizer(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let change: CaseChange
    switch try b.string("case_change_action", "NONE") {
    case "NONE": change = .none
    case "LOWER": change = .lower
    case "UPPER": change = .upper
    case let name: throw b.fail("case_change_action '\(name)' is not known")
    }
    let locale = try b.string("locale", "")
    if !locale.isEmpty { b.note("StringNormalizer: Unicode's case mapping, whatever the locale") }
    let isSensitive = try b.bool("is_case_sensitive", false)
    let words = (try b.strings("stopwords") ?? []).map { word in
      isSensitive ? Array(word.utf8) : lowered(word)
    }
    guard !words.isEmpty else {
      return [b.add(.stringNormalizer(StringNormalizer(change)), [x])]
    }
    let op = StringNormalizer(change, leavesOut: true, isCaseSensitive: isSensitive)
    let y = b.add(.stringNormalizer(op), [x, b.texts(SortedTexts(words).texts)])
    if let rank = b.facts.rank(x) { b.facts.setRank(y, rank) }
    return [y]
  }

  /// In lower case as the device does it.
  private static func lowered(_ word: String) -> [UInt8] {
    var scalars = String.UnicodeScalarView()
    for scalar in word.unicodeScalars {
      scalars.append(Unicode.Scalar(lowerCase(of: scalar.value)) ?? scalar)
    }
    return Array(String(scalars).utf8)
  }

  // MARK: Counts

  private static func tfIdf(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    var x = try b.raw(0)
    let mode: NGramMode
    switch try b.string("mode", "") {
    case "TF": mode = .count
    case "IDF": mode = .weight
    case "TFIDF": mode = .weightedCount
    case let name: throw b.fail("mode '\(name)' is not known")
    }
    let words: [Int]
    let rank = b.facts.rank(x)
    if let pool = try b.strings("pool_strings"), !pool.isEmpty {
      let vocabulary = SortedTexts(pool.map { Array($0.utf8) })
      words = vocabulary.places
      x = b.add(.stringLookup(StringLookup()), [x, b.texts(vocabulary.texts)])
    } else {
      words = try b.integers("pool_int64s") ?? []
      x = b.cast(x, to: .i64)
    }
    let runs = try NGramTable(b, words)
    let skip = try b.integer("max_skip_count", 0)
    guard (0...1 << 40).contains(skip) else { throw b.fail("max_skip_count is out of range") }
    b.note("TfIdfVectorizer → lookup, counts of runs")
    var inputs: [ValueID?] = [x, nil]
    let list = Constant(integers: runs.words, shape: Shape([runs.words.count]))
    let table = b.graph.addConstant("\(b.node.label).runs", list)
    b.facts.keep(table, list)
    inputs[1] = table
    if mode != .count, let weights = try b.floats("weights"), !weights.isEmpty {
      guard weights.count == runs.columnOf.count else {
        throw b.fail("\(weights.count) weights for \(runs.columnOf.count) runs")
      }
      var columns = [Float](repeating: 1, count: runs.columns)
      for (column, weight) in zip(runs.columnOf, weights) { columns[column] = weight }
      inputs.append(b.vector(columns))
    }
    let y = b.add(.nGrams(NGrams(mode, columns: runs.columns, maximumSkip: skip)), inputs)
    if let rank { b.facts.setRank(y, rank) }
    return [y]
  }

  // MARK: Tokens

  /// ONNX Runtime's tokenizer for bags of words.
  private static func tokenizer(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.raw(0)
    let minimum = try b.integer("mincharnum", 1)
    guard (0...1 << 31).contains(minimum) else { throw b.fail("mincharnum is out of range") }
    let padding = b.text(try b.string("pad_value", ""))
    let marks = try b.bool("mark", false)
    let pattern = try b.string("tokenexp", "")
    let separators = try b.strings("separators") ?? []
    let y: ValueID
    if !pattern.isEmpty {
      let op = Tokenize(.matches, minimum: minimum, marks: marks)
      y = b.add(.tokenize(op), [x, padding, try b.regex(pattern)])
    } else if separators.isEmpty || separators == [""] {
      y = b.add(.tokenize(Tokenize(.scalars, minimum: minimum, marks: marks)), [x, padding])
    } else {
      // Each must be an expression of its own before they become one.
      for separator in separators { _ = try b.regex(separator) }
      let any = separators.map { "(?:\($0))" }.joined(separator: "|")
      let op = Tokenize(.between, minimum: minimum, marks: marks)
      y = b.add(.tokenize(op), [x, padding, try b.regex(any)])
    }
    if let rank = b.facts.rank(x) { b.facts.setRank(y, rank + 1) }
    return [y]
  }
}

/// Known runs of tokens in the order in which the device looks them up.
private struct NGramTable {
  /// As `NGrams` takes them.
  var words: [Int] = []
  var columns: Int
  /// The column of each run as the model lists them.
  var columnOf: [Int]

  init(_ b: ONNXGraphBuilder, _ pool: [Int]) throws(ImportError) {
    let starts = try b.integers("ngram_counts") ?? []
    columnOf = try b.integers("ngram_indexes") ?? []
    let (shortest, longest) = (
      try b.integer("min_gram_length", 0), try b.integer("max_gram_length", 0)
    )
    guard shortest > 0, longest >= shortest, longest <= NGrams.maximumLength else {
      throw b.fail("runs of \(shortest) to \(longest) tokens are not supported")
    }
    guard let largest = columnOf.max(), columnOf.allSatisfy({ (0..<1 << 24).contains($0) }) else {
      throw b.fail("ngram_indexes are missing or out of range")
    }
    columns = largest + 1
    guard starts.first == 0, starts.count <= NGrams.maximumLength, starts.last! <= pool.count else {
      throw b.fail("ngram_counts do not fit the pool")
    }
    var run = 0
    for (i, start) in starts.enumerated() {
      let (length, end) = (i + 1, i + 1 < starts.count ? starts[i + 1] : pool.count)
      guard end >= start, (end - start) % length == 0,
        run + (end - start) / length <= columnOf.count
      else { throw b.fail("runs of \(length) tokens do not fit the pool") }
      var rows: [(tokens: ArraySlice<Int>, column: Int)] = []
      for at in stride(from: start, to: end, by: length) {
        rows.append((pool[at..<at + length], columnOf[run]))
        run += 1
      }
      guard (shortest...longest).contains(length), !rows.isEmpty else { continue }
      rows.sort { $0.tokens.lexicographicallyPrecedes($1.tokens) }
      words += [length, rows.count] + rows.flatMap(\.tokens) + rows.map(\.column)
    }
    guard run == columnOf.count else {
      throw b.fail("\(columnOf.count) ngram_indexes for \(run) runs")
    }
  }
}

/// Texts in rising order of their bytes, each once.
struct SortedTexts {
  var texts: [[UInt8]]
  /// The place among `texts` of each that was given.
  var places: [Int]

  init(_ given: [[UInt8]]) {
    texts = []
    places = [Int](repeating: 0, count: given.count)
    for i in given.indices.sorted(by: { given[$0].lexicographicallyPrecedes(given[$1]) }) {
      if texts.last != given[i] { texts.append(given[i]) }
      places[i] = texts.count - 1
    }
  }
}

extension ONNXGraphBuilder {
  /// Texts, a vector.
  mutating func texts(_ list: [[UInt8]]) -> ValueID {
    addConstant(Constant(texts: list, shape: Shape([list.count])))
  }

  /// One text, a scalar.
  mutating func text(_ text: String) -> ValueID {
    addConstant(Constant(texts: [Array(text.utf8)], shape: Shape()))
  }

  /// The program of a regular expression, which shape rules read.
  mutating func regex(_ pattern: String) throws(ImportError) -> ValueID {
    let program: Constant
    do throws(RegexError) {
      program = try RegexCompiler.compile(pattern)
    } catch {
      throw fail(error.description)
    }
    let value = graph.addConstant("\(node.label).expression", program)
    facts.keep(value, program)
    return value
  }
}
