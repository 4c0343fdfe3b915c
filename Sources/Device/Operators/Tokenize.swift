// Texts cut into tokens that a regular expression describes, or that stand between what it describes.
import Tensors

/// What a token is. Raw values are part of the bundle format.
public enum TokenKind: Int, Sendable, CaseIterable {
  /// What the expression describes: of all places from left to right the first, and there the longest.
  case matches = 0
  /// What stands between the places that the expression describes.
  case between
  /// Every scalar.
  case scalars
}

/// inputs: texts; what fills up short rows, one text; the program of an expression, i32 [words], see
/// `RegexMachine`, not for scalars → output: the tokens with an axis more, as long as the most tokens of
/// one text. With `marks` U+0002 stands in front of each text's tokens and U+0003 behind them. Where no
/// text has tokens the new axis is 0 long.
///
/// Tokens of fewer scalars than `minimum` are left out.
public struct Tokenize: OperatorDefinition {
  public static var code: Int { 149 }
  public static var name: StaticString { "Tokenize" }

  public var kind: TokenKind
  public var minimum: Int
  public var marks: Bool

  public init(_ kind: TokenKind, minimum: Int = 1, marks: Bool = false) {
    self.kind = kind
    self.minimum = minimum
    self.marks = marks
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let kind = TokenKind(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown kind of tokens")
    }
    self.kind = kind
    minimum = try attributes.integer(in: 0...1 << 31)
    marks = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(kind.rawValue)
    attributes.put(minimum)
    attributes.put(marks)
  }

  public func readsValue(ofInput i: Int) -> Bool { i != 1 }

  /// The tokens are counted in `run`: this is the most there can be, a token for each byte.
  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: kind == .scalars ? 2...2 : 3...3)
    try step.requireTexts(0)
    try step.requireTexts(1)
    try step.requireKnown(0)
    guard step.input(1).shape.elementCount == 1 else {
      throw ShapeError("is not one text", input: 1)
    }
    if kind != .scalars { try RegexMachine.check(step, 2) }
    var shape = step.input(0).shape
    guard shape.rank < Shape.maximumRank else { throw ShapeError("output has too many axes") }
    let (texts, pool) = (step.input(0).texts, step.compute.texts)
    var most = 0
    for i in texts.indices { most = max(most, pool.range(texts[i]).count) }
    shape.append(most > 0 ? most + (marks ? 2 : 0) : 0)
    guard let count = shape.checkedElementCount, count <= 1 << 32 else {
      throw ShapeError("output is too large")
    }
    step.setOutput(0, .string, shape)
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    kind == .scalars ? 0 : RegexMachine.scratchBytes(step.input(2))
  }

  public func run(_ step: StepContext) {
    let (texts, y, pool) = (step.input(0).texts, step.output().texts, step.compute.texts)
    let filling = step.input(1).texts[0]
    let machine = kind == .scalars ? nil : RegexMachine(step, 2)
    // Tokens of one text after the other: rows are moved apart once their length is known.
    var most = 0
    var total = 0
    for i in texts.indices {
      let count = forEachToken(pool, machine, texts[i]) {
        y[total] = pool.text($0)
        total += 1
      }
      most = max(most, count)
    }
    let width = most > 0 ? most + (marks ? 2 : 0) : 0
    var shape = step.input(0).shape
    shape.append(width)
    step.setOutput(0, .string, shape)
    guard width > 0 else { return }
    let start = marks ? pool.add(CollectionOfOne(UInt8(2))) : filling
    let end = marks ? pool.add(CollectionOfOne(UInt8(3))) : filling
    var i = texts.count - 1
    while i >= 0 {
      let count = forEachToken(pool, machine, texts[i]) { _ in }
      total -= count
      let row = i * width
      y.copy(from: y, at: total, to: row + (marks ? 1 : 0), count: count)
      if marks {
        y[row] = start
        y[row + count + 1] = end
      }
      for k in (count + (marks ? 2 : 0))..<max(width, count) { y[row + k] = filling }
      i -= 1
    }
  }

  /// Calls `body` with each token's place; returns how many there are.
  private func forEachToken(
    _ pool: TextPool, _ machine: RegexMachine?, _ text: TextReference, _ body: (Range<Int>) -> Void
  ) -> Int {
    let whole = pool.range(text)
    var count = 0
    func token(_ range: Range<Int>) {
      var scalars = 0
      var at = range.lowerBound
      while at < range.upperBound, scalars < minimum {
        _ = pool.nextScalar(&at, before: range.upperBound)
        scalars += 1
      }
      guard !range.isEmpty, scalars >= minimum else { return }
      body(range)
      count += 1
    }
    var at = whole.lowerBound
    guard let machine else {
      while at < whole.upperBound {
        let start = at
        _ = pool.nextScalar(&at, before: whole.upperBound)
        token(start..<at)
      }
      return count
    }
    var start = at
    while at < whole.upperBound, let found = machine.first(in: whole, from: at) {
      guard !found.isEmpty else {
        // Nothing, found between two scalars, is no token and no separator.
        at = found.upperBound
        guard at < whole.upperBound else { break }
        _ = pool.nextScalar(&at, before: whole.upperBound)
        continue
      }
      token(kind == .matches ? found : start..<found.lowerBound)
      at = found.upperBound
      start = at
    }
    if kind == .between { token(start..<whole.upperBound) }
    return count
  }
}
