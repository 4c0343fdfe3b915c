// Classes and escapes of regular expressions.
import Operators

extension RegexParser {
  /// `\d`, `\w`, `\s`, `\pL` and their opposites behind a backslash; nil where something else stands.
  mutating func namedClass(_ start: Int) throws(RegexError) -> ScalarSet? {
    guard let scalar = next else { throw fail("expected something behind the backslash") }
    switch Unicode.Scalar(scalar) {
    case "d": return take(.digits)
    case "D": return take(ScalarSet.digits.inverted)
    case "w": return take(.words)
    case "W": return take(ScalarSet.words.inverted)
    case "s": return take(.spaces)
    case "S": return take(ScalarSet.spaces.inverted)
    case "p", "P":
      position += 1
      var isInverted = scalar == 0x50
      var name: String
      if skips("{") {
        name = try text(upTo: "}", "the class' name")
        if name.hasPrefix("^") {
          isInverted.toggle()
          name.removeFirst()
        }
      } else {
        name = Unicode.Scalar(try take("a class' name")).map(String.init) ?? ""
      }
      guard let set = ScalarSet(category: name) else {
        throw fail("class '\(name)' is not supported", at: start)
      }
      return isInverted ? cased(set).inverted : cased(set)
    default: return nil
    }
  }

  private mutating func take(_ set: ScalarSet) -> ScalarSet {
    position += 1
    return set
  }

  /// The scalar that an escape stands for, behind its backslash.
  mutating func escape(_ start: Int) throws(RegexError) -> UInt32 {
    let scalar = try take("something behind the backslash")
    switch Unicode.Scalar(scalar) {
    case "a": return 0x07
    case "f": return 0x0C
    case "t": return 0x09
    case "n": return 0x0A
    case "r": return 0x0D
    case "v": return 0x0B
    case "x": return try hexadecimal(start)
    case let digit? where (0x30...0x37).contains(digit.value):
      var value = scalar - 0x30
      var count = 1
      while count < 3, let digit = next, (0x30...0x37).contains(digit) {
        value = value * 8 + digit - 0x30
        position += 1
        count += 1
      }
      guard count > 1 || scalar == 0x30 else {
        throw fail("references to groups are not supported", at: start)
      }
      return value
    default:
      let isLetter = ScalarSet("09AZaz").ranges.contains { $0.contains(scalar) }
      guard scalar < 0x80, !isLetter else { throw fail("this escape is not supported", at: start) }
      return scalar
    }
  }

  /// Two hexadecimal digits, or any number of them in braces.
  private mutating func hexadecimal(_ start: Int) throws(RegexError) -> UInt32 {
    let digits =
      skips("{")
      ? try text(upTo: "}", "the number")
      : String(
        String.UnicodeScalarView(
          [try take("a digit"), try take("a digit")].compactMap(Unicode.Scalar.init)))
    guard let value = UInt32(digits, radix: 16), value <= ScalarSet.last, digits.first != "+" else {
      throw fail("expected a scalar's number", at: start)
    }
    return value
  }

  /// What stands between brackets, behind the first one.
  mutating func bracket(_ start: Int) throws(RegexError) -> ScalarSet {
    let isInverted = skips("^")
    var set = ScalarSet()
    var isFirst = true
    while isFirst || !isNext("]") {
      isFirst = false
      guard next != nil else { throw fail("the class is not closed", at: start) }
      if skips("[:") {
        let name = try text(upTo: ":]", "the class' name")
        let isOpposite = name.hasPrefix("^")
        guard let list = ScalarSet(posix: isOpposite ? String(name.dropFirst()) : name) else {
          throw fail("class '\(name)' is not known", at: start)
        }
        set = set.union(isOpposite ? cased(list).inverted : cased(list))
        continue
      }
      let place = position
      if skips("\\") {
        if let list = try namedClass(place) {
          set = set.union(list)
          continue
        }
        position = place
      }
      let low = try member(place)
      var high = low
      if isNext("-"), !isNext("-]") {
        position += 1
        high = try member(position)
        guard low <= high else { throw fail("a range that ends before it starts", at: place) }
      }
      set = set.union(cased(ScalarSet([low...high])))
    }
    position += 1
    return isInverted ? set.inverted : set
  }

  private mutating func member(_ start: Int) throws(RegexError) -> UInt32 {
    skips("\\") ? try escape(start) : try take("the end of the class")
  }
}
