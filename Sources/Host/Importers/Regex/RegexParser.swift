// Regular expressions in RE2's syntax, read into a tree.
import Operators

/// What an expression is made of.
indirect enum RegexNode {
  case scalars(ScalarSet)
  case place(RegexPlace)
  case sequence([RegexNode])
  case choice([RegexNode])
  /// At most so often, any number of times where that is nil.
  case repeated(RegexNode, minimum: Int, maximum: Int?)
}

/// What is wrong with an expression, and at which of its bytes.
struct RegexError: Error, CustomStringConvertible {
  var byte: Int
  var message: String

  var description: String { "byte \(byte) of the pattern: \(message)" }
}

/// Reads an expression from left to right. Which of several ways to match counts is no question here, so
/// lazy repetitions are read as others.
struct RegexParser {
  static let maximumDepth = 200
  static let maximumRepeat = 1000

  private struct Flags {
    var ignoresCase = false
    var isMultiline = false
    var dotTakesNewline = false
  }

  let scalars: [UInt32]
  /// Where each scalar, and the end, is in the pattern.
  private let offsets: [Int]
  var position = 0
  private var flags = Flags()
  private var depth = 0

  init(_ pattern: String) {
    var offset = 0
    var scalars: [UInt32] = []
    var offsets: [Int] = []
    for scalar in pattern.unicodeScalars {
      scalars.append(scalar.value)
      offsets.append(offset)
      offset += scalar.utf8.count
    }
    self.scalars = scalars
    self.offsets = offsets + [offset]
  }

  /// The whole expression.
  static func parse(_ pattern: String) throws(RegexError) -> RegexNode {
    var parser = RegexParser(pattern)
    let node = try parser.choice()
    guard parser.position == parser.scalars.count else { throw parser.fail("no group to close") }
    return node
  }

  func fail(_ message: String, at place: Int? = nil) -> RegexError {
    RegexError(byte: offsets[min(place ?? position, scalars.count)], message: message)
  }

  // MARK: Scalars

  var next: UInt32? { position < scalars.count ? scalars[position] : nil }

  func isNext(_ text: String) -> Bool {
    let wanted = text.unicodeScalars.map(\.value)
    return scalars.count - position >= wanted.count
      && scalars[position..<position + wanted.count].elementsEqual(wanted)
  }

  /// Steps over `text`; false where something else stands.
  mutating func skips(_ text: String) -> Bool {
    guard isNext(text) else { return false }
    position += text.unicodeScalars.count
    return true
  }

  mutating func take(_ what: String) throws(RegexError) -> UInt32 {
    guard let scalar = next else { throw fail("expected \(what)") }
    position += 1
    return scalar
  }

  /// What stands up to `end`, which is taken too.
  mutating func text(upTo end: String, _ what: String) throws(RegexError) -> String {
    let start = position
    var text = String.UnicodeScalarView()
    while !skips(end) {
      guard let scalar = next.flatMap(Unicode.Scalar.init) else {
        throw fail("expected the end of \(what)", at: start)
      }
      text.append(scalar)
      position += 1
    }
    return String(text)
  }

  func set(_ scalar: UInt32) -> RegexNode { .scalars(cased(ScalarSet([scalar...scalar]))) }

  func cased(_ set: ScalarSet) -> ScalarSet { flags.ignoresCase ? set.ignoringCase : set }

  // MARK: Structure

  private mutating func choice() throws(RegexError) -> RegexNode {
    depth += 1
    guard depth <= RegexParser.maximumDepth else {
      throw fail("groups are nested deeper than \(RegexParser.maximumDepth)")
    }
    defer { depth -= 1 }
    var branches = [try sequence()]
    while skips("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .choice(branches)
  }

  private mutating func sequence() throws(RegexError) -> RegexNode {
    var list: [RegexNode] = []
    while let scalar = next, scalar != 0x7C, scalar != 0x29 {  // | )
      if skips("\\Q") {
        let before = list.count
        while next != nil, !skips("\\E") { list.append(set(try take("a scalar"))) }
        // What follows repeats the last scalar.
        if list.count > before { list.append(try repetitions(of: list.removeLast())) }
        continue
      }
      guard let atom = try atom() else { continue }
      list.append(try repetitions(of: atom))
    }
    return list.count == 1 ? list[0] : .sequence(list)
  }

  /// One scalar, class, place or group; nil where flags were set.
  private mutating func atom() throws(RegexError) -> RegexNode? {
    let start = position
    let scalar = try take("an expression")
    switch scalar {
    case 0x28: return try group(start)  // (
    case 0x5B: return .scalars(try bracket(start))  // [
    case 0x2E: return .scalars(flags.dotTakesNewline ? .all : ScalarSet.newline.inverted)  // .
    case 0x5E: return .place(flags.isMultiline ? .lineStart : .textStart)  // ^
    case 0x24: return .place(flags.isMultiline ? .lineEnd : .textEnd)  // $
    case 0x2A, 0x2B, 0x3F: throw fail("nothing to repeat", at: start)  // * + ?
    case 0x5C:  // backslash
      if skips("A") { return .place(.textStart) }
      if skips("z") { return .place(.textEnd) }
      if skips("b") { return .place(.wordBoundary) }
      if skips("B") { return .place(.noWordBoundary) }
      if let list = try namedClass(start) { return .scalars(list) }
      return set(try escape(start))
    default: return set(scalar)
    }
  }

  private mutating func group(_ start: Int) throws(RegexError) -> RegexNode? {
    let outer = flags
    if skips("?") {
      if skips("P<") || (isNext("<") && !isNext("<=") && !isNext("<!") && skips("<")) {
        let name = try text(upTo: ">", "the group's name")
        guard !name.isEmpty, name.unicodeScalars.allSatisfy({ $0.value > 0x7F || isWord($0) })
        else { throw fail("expected a group's name", at: start) }
      } else if try !setFlags(start) {
        return nil
      }
    }
    let node = try choice()
    guard skips(")") else { throw fail("the group is not closed", at: start) }
    flags = outer
    return node
  }

  private func isWord(_ scalar: Unicode.Scalar) -> Bool {
    ScalarSet.words.ranges.contains { $0.contains(scalar.value) }
  }

  /// `i`, `m`, `s` and `U` up to `:` or the closing parenthesis; true where a group follows.
  private mutating func setFlags(_ start: Int) throws(RegexError) -> Bool {
    var value = true
    while true {
      switch try take("flags") {
      case 0x69: flags.ignoresCase = value  // i
      case 0x6D: flags.isMultiline = value  // m
      case 0x73: flags.dotTakesNewline = value  // s
      case 0x55: break  // U: which way counts is no question here
      case 0x2D where value: value = false  // -
      case 0x3A: return true  // :
      case 0x29: return false  // )
      default: throw fail("this kind of group is not supported", at: start)
      }
    }
  }

  private mutating func repetitions(of atom: RegexNode) throws(RegexError) -> RegexNode {
    var node = atom
    var last: Int?
    while true {
      let start = position
      if skips("*") {
        node = .repeated(node, minimum: 0, maximum: nil)
      } else if skips("+") {
        node = .repeated(node, minimum: 1, maximum: nil)
      } else if skips("?") {
        node = .repeated(node, minimum: 0, maximum: 1)
      } else if let (low, high) = try bounds() {
        node = .repeated(node, minimum: low, maximum: high)
      } else {
        return node
      }
      if last == start { throw fail("a repetition of a repetition", at: start) }
      _ = skips("?")
      last = position
    }
  }

  /// `{2}`, `{2,}` or `{2,5}`; nil where the brace stands for itself.
  private mutating func bounds() throws(RegexError) -> (Int, Int?)? {
    let start = position
    guard skips("{"), let low = number() else {
      position = start
      return nil
    }
    var high: Int? = low
    if skips(",") {
      high = number()
      // A comma and something else than a number: no bounds.
      if high == nil, !isNext("}") {
        position = start
        return nil
      }
    }
    guard skips("}") else {
      position = start
      return nil
    }
    guard low <= RegexParser.maximumRepeat, high ?? low <= RegexParser.maximumRepeat,
      high ?? low >= low
    else { throw fail("expected bounds up to \(RegexParser.maximumRepeat)", at: start) }
    return (low, high)
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let scalar = next, (0x30...0x39).contains(scalar) {
      value = min((value ?? 0) * 10 + Int(scalar - 0x30), 1 << 20)
      position += 1
    }
    return value
  }
}
