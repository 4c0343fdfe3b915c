// What BERT text cleaning sees in a Unicode scalar: its class, its accents, its lower case.

/// The part a scalar plays in splitting text into words. Raw values are those of the tables.
enum ScalarClass: UInt8 {
  /// Part of a word.
  case other = 0
  /// Ends a word.
  case whitespace = 1
  /// Ends a word where text is not cleaned, else vanishes.
  case controlWhitespace = 2
  /// Vanishes when text is cleaned: controls, formats, private use, NUL and U+FFFD.
  case control = 3
  /// A word of its own.
  case punctuation = 4
  /// A word of its own where ideographs are spaced.
  case ideograph = 5
  /// A non-spacing mark: an accent.
  case mark = 6
}

/// A scalar's class, and its canonical combining class (of marks: only whether it is 0).
struct ScalarTraits {
  var kind: ScalarClass
  var combiningClass: UInt8

  init(of scalar: UInt32) {
    if scalar < 0x80 {
      combiningClass = 0
      switch scalar {
      case 0x61...0x7A, 0x41...0x5A, 0x30...0x39: kind = .other
      case 0x20, 0x09, 0x0A, 0x0D: kind = .whitespace
      case 0x0B, 0x0C: kind = .controlWhitespace
      case 0..<0x20, 0x7F: kind = .control
      default: kind = .punctuation
      }
      return
    }
    let ranges = UnicodeTables.classRanges
    var low = 0
    var high = ranges.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if ranges[middle] >> 11 <= scalar { low = middle } else { high = middle }
    }
    kind = ScalarClass(rawValue: UInt8(ranges[low] & 7)) ?? .other
    combiningClass = UInt8(truncatingIfNeeded: ranges[low] >> 3)
  }
}

/// One scalar taken apart: its first part, which may come apart again, and its second (0: none).
struct Decomposition {
  var first: UInt32
  var second: UInt32

  /// Nil where the scalar stays whole. Parts that are accents are left out already.
  init?(of scalar: UInt32) {
    if scalar < 0xC0 { return nil }
    if scalar >= 0xAC00, scalar < 0xAC00 + 11172 {
      // A Hangul syllable is lead, vowel and maybe trail, by arithmetic.
      let index = scalar - 0xAC00
      if index % 28 != 0 {
        first = scalar - index % 28
        second = 0x11A7 + index % 28
      } else {
        first = 0x1100 + index / 588
        second = 0x1161 + index % 588 / 28
      }
      return
    }
    let table = UnicodeTables.decompositions
    var low = 0
    var high = table.count
    while low < high {
      let middle = (low + high) / 2
      if UInt32(table[middle] >> 42) < scalar { low = middle + 1 } else { high = middle }
    }
    guard low < table.count, UInt32(table[low] >> 42) == scalar else { return nil }
    first = UInt32(table[low] >> 21 & 0x1F_FFFF)
    second = UInt32(table[low] & 0x1F_FFFF)
  }
}

/// The lower case of `scalar`. U+0130 gives `i`; its dot is the caller's to add.
public func lowerCase(of scalar: UInt32) -> UInt32 {
  if scalar < 0x80 { return scalar >= 0x41 && scalar <= 0x5A ? scalar + 0x20 : scalar }
  return scalar == 0x130 ? 0x69 : moved(scalar, by: UnicodeTables.lowerCaseRuns)
}

/// The simple upper case of `scalar`: itself where its upper case is several scalars, as that of ß is.
public func upperCase(of scalar: UInt32) -> UInt32 {
  if scalar < 0x80 { return scalar >= 0x61 && scalar <= 0x7A ? scalar - 0x20 : scalar }
  return moved(scalar, by: UnicodeTables.upperCaseRuns)
}

/// `scalar`, or what the run it is in makes of it.
private func moved(_ scalar: UInt32, by runs: [UInt64]) -> UInt32 {
  var low = 0
  var high = runs.count
  while high - low > 1 {
    let middle = (low + high) / 2
    if UInt32(runs[middle] >> 43) <= scalar { low = middle } else { high = middle }
  }
  let first = UInt32(runs[low] >> 43)
  let last = UInt32(runs[low] >> 22 & 0x1F_FFFF)
  guard scalar >= first, scalar <= last else { return scalar }
  if runs[low] >> 21 & 1 == 1, (scalar - first) % 2 == 1 { return scalar }
  return UInt32(Int(scalar) + Int(runs[low] & 0x1F_FFFF) - (1 << 20))
}
