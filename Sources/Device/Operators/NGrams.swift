// How often known runs of tokens come in rows of tokens, weighted: term frequencies.
import Tensors

/// What an output says of how often a run of tokens comes. Raw values are part of the bundle format.
public enum NGramMode: Int, Sendable, CaseIterable {
  /// How often it comes.
  case count = 0
  /// Its weight, once, where it comes.
  case weight
  /// Its weight each time that it comes.
  case weightedCount
}

/// inputs: tokens, i64 [tokens] or [rows, tokens]; the known runs, i64 [words]; the weight of each output
/// column, f32 [columns], by default 1 → output: f32 [columns] or [rows, columns].
///
/// The known runs are listed by their length: the length, the number of runs, the runs in rising order,
/// and the output column of each. Tokens of a run may be up to `maximumSkip` others apart, all of them as
/// many; single tokens count once.
public struct NGrams: OperatorDefinition {
  public static var code: Int { 148 }
  public static var name: StaticString { "NGrams" }

  /// The longest runs that are known.
  public static var maximumLength: Int { 1 << 10 }

  public var mode: NGramMode
  public var columns: Int
  public var maximumSkip: Int

  public init(_ mode: NGramMode, columns: Int, maximumSkip: Int) {
    self.mode = mode
    self.columns = columns
    self.maximumSkip = maximumSkip
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let mode = NGramMode(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown mode")
    }
    self.mode = mode
    columns = try attributes.integer(in: 1...1 << 31)
    maximumSkip = try attributes.integer(in: 0...1 << 40)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(mode.rawValue)
    attributes.put(columns)
    attributes.put(maximumSkip)
  }

  public func readsValue(ofInput i: Int) -> Bool { i == 1 }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .f32 }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...3)
    for i in 0..<step.inputCount { try step.requirePlain(i) }
    try step.require(0, is: .i64)
    try step.require(1, is: .i64)
    try step.requireKnown(1)
    if step.has(2) {
      try step.require(2, is: .f32)
      guard step.input(2).shape == Shape([columns]) else {
        throw ShapeError("is not a weight for each column", input: 2)
      }
    }
    let shape = step.input(0).shape
    guard shape.rank == 1 || shape.rank == 2 else {
      throw ShapeError("expected rows of tokens", input: 0, expected: 2, found: shape.rank)
    }
    try checkRuns(step.input(1))
    step.setOutput(0, .f32, shape.rank == 1 ? Shape([columns]) : Shape([shape[0], columns]))
  }

  private func checkRuns(_ list: TensorView) throws(ShapeError) {
    let words = list.elements(Int64.self)
    var at = 0
    while at < words.count {
      guard words.count - at >= 2, (1...Int64(NGrams.maximumLength)).contains(words[at]),
        words[at + 1] >= 0,
        words[at + 1] <= Int64(words.count - at - 2) / (words[at] + 1)
      else { throw ShapeError("is no list of runs", input: 1, found: at) }
      let (length, count) = (Int(words[at]), Int(words[at + 1]))
      let first = at + 2 + length * count
      for i in first..<first + count {
        guard words[i] >= 0, words[i] < Int64(columns) else {
          throw ShapeError("there is no such column", input: 1, expected: columns, found: i)
        }
      }
      at = first + count
    }
  }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    step.input(0).shape.elementCount.saturatingProduct(maximumSkip + 1)
  }

  public func run(_ step: StepContext) {
    let (x, words, y) = (
      step.input(0).elements(Int64.self), step.input(1).elements(Int64.self), step.output().floats
    )
    let shape = step.input(0).shape
    let tokens = shape[shape.rank - 1]
    y.fill(0)
    for row in 0..<(shape.rank == 1 ? 1 : shape[0]) {
      var at = 0
      while at + 1 < words.count {
        let (length, count) = (Int(words[at]), Int(words[at + 1]))
        for skip in 0...(length == 1 ? 0 : min(maximumSkip, tokens)) {
          let stride = skip + 1
          let span = (length - 1) * stride
          guard span < tokens else { break }
          for start in 0..<tokens - span {
            let place = NGrams.place(
              words, at + 2, length, count, x, row * tokens + start, stride)
            if let place {
              y[row * columns + Int(words[at + 2 + length * count + place])] += 1
            }
          }
        }
        at += 2 + (length + 1) * count
      }
    }
    guard mode != .count else { return }
    let weights = step.has(2) ? step.input(2).floats : nil
    for i in y.indices where y[i] > 0 {
      let weight = weights.map { $0[i % columns] } ?? 1
      y[i] = mode == .weight ? weight : weight * y[i]
    }
  }

  /// Which of the `count` runs of `length` words at `first` the tokens from `start` on are.
  private static func place(
    _ words: Elements<Int64>, _ first: Int, _ length: Int, _ count: Int, _ x: Elements<Int64>,
    _ start: Int, _ stride: Int
  ) -> Int? {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      var order = 0
      for k in 0..<length {
        let (known, token) = (words[first + middle * length + k], x[start + k * stride])
        if known != token {
          order = known < token ? -1 : 1
          break
        }
      }
      if order == 0 { return middle }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return nil
  }
}
