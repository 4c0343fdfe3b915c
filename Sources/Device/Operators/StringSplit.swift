// Texts cut into pieces.
import Tensors

/// inputs: texts; a delimiter, one text, where left out or empty runs of ASCII white space → outputs: the
/// pieces, with an axis more, as long as the most pieces of one text, filled up with empty texts; and how
/// many pieces each text has, i64.
///
/// After `maximumSplits` cuts the rest of a text is one piece. White space in front of the first piece
/// and behind the last is no part of any; an empty text has no pieces.
public struct StringSplit: OperatorDefinition {
  public static var code: Int { 142 }
  public static var name: StaticString { "StringSplit" }

  /// nil cuts everywhere.
  public var maximumSplits: Int?

  public init(maximumSplits: Int? = nil) { self.maximumSplits = maximumSplits }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    let count = try attributes.integer(in: -1...1 << 40)
    maximumSplits = count < 0 ? nil : count
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(maximumSplits ?? -1)
  }

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? {
    i == 0 ? .string : .i64
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...2, outputs: 2)
    for i in 0..<step.inputCount where step.has(i) {
      try step.requireTexts(i)
      try step.requireKnown(i)
    }
    if step.has(1), step.input(1).shape.elementCount != 1 {
      throw ShapeError("is not one text", input: 1)
    }
    var shape = step.input(0).shape
    guard shape.rank < Shape.maximumRank else { throw ShapeError("output has too many axes") }
    let texts = step.input(0).texts
    var most = 0
    for i in texts.indices { most = max(most, forEachPiece(step, texts[i]) { _, _ in }) }
    step.setOutput(1, .i64, shape)
    shape.append(most)
    guard shape.checkedElementCount != nil else { throw ShapeError("output is too large") }
    step.setOutput(0, .string, shape)
  }

  public func run(_ step: StepContext) {
    let (pieces, counts) = (step.output(0).texts, step.output(1).elements(Int64.self))
    let pool = step.compute.texts
    let texts = step.input(0).texts
    guard texts.count > 0 else { return }
    let width = pieces.count / texts.count
    pieces.fill(TextReference())
    for i in texts.indices {
      counts[i] = Int64(
        forEachPiece(step, texts[i]) { place, range in
          if place < width { pieces[i * width + place] = pool.text(range) }
        })
    }
  }

  /// Calls `body` with each piece's number and place; returns how many there are.
  private func forEachPiece(
    _ step: StepContext, _ text: TextReference, _ body: (Int, Range<Int>) -> Void
  ) -> Int {
    let pool = step.compute.texts
    let whole = pool.range(text)
    guard !whole.isEmpty else { return 0 }
    let delimiter = step.has(1) ? pool.range(step.input(1).texts[0]) : 0..<0
    var count = 0
    var start = whole.lowerBound
    func piece(_ range: Range<Int>) {
      body(count, range)
      count += 1
    }
    guard !delimiter.isEmpty else {
      while true {
        while start < whole.upperBound, StringSplit.isSpace(pool.bytes[start]) { start += 1 }
        guard start < whole.upperBound else { return count }
        if let maximumSplits, count == maximumSplits {
          piece(start..<whole.upperBound)
          return count
        }
        var end = start
        while end < whole.upperBound, !StringSplit.isSpace(pool.bytes[end]) { end += 1 }
        piece(start..<end)
        start = end
      }
    }
    var at = start
    while at + delimiter.count <= whole.upperBound, count < maximumSplits ?? Int.max {
      if pool.compare(at..<at + delimiter.count, delimiter) == 0 {
        piece(start..<at)
        at += delimiter.count
        start = at
      } else {
        at += 1
      }
    }
    piece(start..<whole.upperBound)
    return count
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
  }
}
