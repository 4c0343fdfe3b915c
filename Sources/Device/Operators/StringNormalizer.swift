// Texts in lower or upper case, without the words that say nothing.
import Tensors
import Tokenizers

/// What becomes of letters. Raw values are part of the bundle format.
public enum CaseChange: Int, Sendable, CaseIterable {
  case none = 0
  case lower
  case upper

  /// The simple case mapping of one scalar; texts never grow in scalars.
  func callAsFunction(_ scalar: UInt32) -> UInt32 {
    switch self {
    case .none: scalar
    case .lower: lowerCase(of: scalar)
    case .upper: upperCase(of: scalar)
    }
  }
}

/// inputs: texts; words to leave out, a vector in rising order of their bytes, in lower case unless
/// `isCaseSensitive`; only with `leavesOut` → output: the texts in another case. With words to leave out the texts are [count]
/// or [1, count], and so is what is left of them: one empty text where nothing is.
public struct StringNormalizer: OperatorDefinition {
  public static var code: Int { 144 }
  public static var name: StaticString { "StringNormalizer" }

  public var change: CaseChange
  /// Words are left out: the shape follows from data.
  public var leavesOut: Bool
  public var isCaseSensitive: Bool

  public init(_ change: CaseChange, leavesOut: Bool = false, isCaseSensitive: Bool = true) {
    self.change = change
    self.leavesOut = leavesOut
    self.isCaseSensitive = isCaseSensitive
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let change = CaseChange(rawValue: try attributes.integer()) else {
      throw attributes.fail("unknown change of case")
    }
    self.change = change
    leavesOut = try attributes.bool()
    isCaseSensitive = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(change.rawValue)
    attributes.put(leavesOut)
    attributes.put(isCaseSensitive)
  }

  public func readsValue(ofInput i: Int) -> Bool { leavesOut }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: leavesOut ? 2...2 : 1...1)
    try step.requireTexts(0)
    let shape = step.input(0).shape
    guard leavesOut else { return step.setOutput(0, .string, shape) }
    try step.requireTexts(1)
    try step.requireKnown(1)
    try step.requireKnown(0)
    guard step.input(1).shape.rank == 1 else {
      throw ShapeError("expected a vector", input: 1, expected: 1, found: step.input(1).shape.rank)
    }
    guard shape.rank == 1 || shape.rank == 2 && shape[0] == 1 else {
      throw ShapeError("expected [count] or [1, count]", input: 0)
    }
    let texts = step.input(0).texts
    var kept = 0
    for i in texts.indices where !isLeftOut(texts[i], step) { kept += 1 }
    var result = shape
    result[shape.rank - 1] = max(kept, 1)
    step.setOutput(0, .string, result)
  }

  public func run(_ step: StepContext) {
    let (texts, y, pool) = (step.input(0).texts, step.output().texts, step.compute.texts)
    var at = 0
    for i in texts.indices where at < y.count {
      if leavesOut, isLeftOut(texts[i], step) { continue }
      y[at] = change == .none ? texts[i] : pool.add(texts[i], in: change)
      at += 1
    }
    while at < y.count {
      y[at] = TextReference()
      at += 1
    }
  }

  private func isLeftOut(_ text: TextReference, _ step: StepContext) -> Bool {
    let (words, pool) = (step.input(1).texts, step.compute.texts)
    if isCaseSensitive { return words.place(of: pool.range(text), in: pool) != nil }
    let start = pool.end
    let lower = pool.add(text, in: .lower)
    defer { pool.cut(to: start) }
    return words.place(of: pool.range(lower), in: pool) != nil
  }
}

extension TextPool {
  /// Adds a text of the pool in another case. Bytes that are not UTF-8 become U+FFFD.
  func add(_ text: TextReference, in change: CaseChange) -> TextReference {
    let range = range(text)
    let start = end
    var at = range.lowerBound
    while at < range.upperBound {
      append(scalar: change(nextScalar(&at, before: range.upperBound)))
    }
    return self.text(from: start)
  }

  /// The scalar at `at`, which moves behind it.
  func nextScalar(_ at: inout Int, before end: Int) -> UInt32 {
    let first = bytes[at]
    guard first >= 0x80 else {
      at += 1
      return UInt32(first)
    }
    let start = at
    var offset = 0
    let list = bytes
    let text = list.span
    let scalar = Tokenizers.nextScalar(
      in: text.extracting(start..<min(start + 4, end)), at: &offset)
    at += offset
    return scalar
  }

  /// Adds a scalar in UTF-8.
  func append(scalar s: UInt32) {
    if s < 0x80 { return append(UInt8(s)) }
    if s < 0x800 {
      append(UInt8(0xC0 | s >> 6))
    } else {
      if s < 0x10000 {
        append(UInt8(0xE0 | s >> 12))
      } else {
        append(UInt8(0xF0 | s >> 18 & 7))
        append(UInt8(0x80 | s >> 12 & 0x3F))
      }
      append(UInt8(0x80 | s >> 6 & 0x3F))
    }
    append(UInt8(0x80 | s & 0x3F))
  }
}
