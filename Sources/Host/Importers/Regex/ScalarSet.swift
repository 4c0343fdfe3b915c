// Sets of Unicode scalars, as classes of regular expressions name them.

/// Scalars as ranges in rising order that neither touch nor overlap.
struct ScalarSet: Hashable {
  private(set) var ranges: [ClosedRange<UInt32>]

  static let last: UInt32 = 0x10FFFF
  static let all = ScalarSet([0...last])
  static let digits = ScalarSet("09")
  static let spaces = ScalarSet([0x09...0x0A, 0x0C...0x0D, 0x20...0x20])
  static let words = ScalarSet("09AZ__az")
  static let newline = ScalarSet([0x0A...0x0A])

  /// Any ranges in any order.
  init(_ ranges: [ClosedRange<UInt32>] = []) {
    var merged: [ClosedRange<UInt32>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let old = merged.last, range.lowerBound <= old.upperBound + 1 {
        merged[merged.count - 1] = old.lowerBound...max(old.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    self.ranges = merged
  }

  /// Pairs of first and last scalars.
  init(_ pairs: String) {
    let list = pairs.unicodeScalars.map(\.value)
    self.init(stride(from: 0, to: list.count - 1, by: 2).map { list[$0]...list[$0 + 1] })
  }

  func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

  /// All scalars that are not in it.
  var inverted: ScalarSet {
    var result: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in ranges {
      if range.lowerBound > next { result.append(next...range.lowerBound - 1) }
      next = range.upperBound + 1
    }
    if next <= ScalarSet.last { result.append(next...ScalarSet.last) }
    return ScalarSet(result)
  }

  // MARK: Case

  /// Scalars that are one but for their case, by any of them.
  private static let cases: [UInt32: [UInt32]] = {
    var groups: [UInt32: [UInt32]] = [:]
    func single(_ mapping: String, _ scalar: UInt32) -> UInt32 {
      let list = Array(mapping.unicodeScalars)
      return list.count == 1 ? list[0].value : scalar
    }
    // Letters with case stand in the first two planes.
    for value in 0...0x1FFFF as ClosedRange<UInt32> {
      guard let scalar = Unicode.Scalar(value), scalar.properties.isCased else { continue }
      let upper = single(scalar.properties.uppercaseMapping, value)
      let properties = Unicode.Scalar(upper)?.properties
      groups[single(properties?.lowercaseMapping ?? "", upper), default: []].append(value)
    }
    var result: [UInt32: [UInt32]] = [:]
    for group in groups.values where group.count > 1 {
      for scalar in group { result[scalar] = group }
    }
    return result
  }()

  /// With every scalar those that differ from it in case alone.
  var ignoringCase: ScalarSet {
    var added: [ClosedRange<UInt32>] = []
    for (scalar, group) in ScalarSet.cases
    where ranges.contains(where: { $0.contains(scalar) }) {
      added += group.map { $0...$0 }
    }
    return ScalarSet(ranges + added)
  }

  // MARK: Names

  /// The class `[:name:]`; nil where there is none of that name.
  init?(posix name: String) {
    switch name {
    case "alnum": self.init("09AZaz")
    case "alpha": self.init("AZaz")
    case "ascii": self.init([0...0x7F])
    case "blank": self.init([0x09...0x09, 0x20...0x20])
    case "cntrl": self.init([0...0x1F, 0x7F...0x7F])
    case "digit": self = .digits
    case "graph": self.init([0x21...0x7E])
    case "lower": self.init("az")
    case "print": self.init([0x20...0x7E])
    case "punct": self.init([0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E])
    case "space": self.init([0x09...0x0D, 0x20...0x20])
    case "upper": self.init("AZ")
    case "word": self = .words
    case "xdigit": self.init("09AFaf")
    default: return nil
    }
  }

  /// The general category of that name, one letter or two; nil where there is none.
  init?(category name: String) {
    if name == "Any" {
      self = .all
      return
    }
    guard let categories = ScalarSet.categories[name] else { return nil }
    var ranges: [ClosedRange<UInt32>] = []
    for value in 0...ScalarSet.last {
      // Surrogates, which UTF-8 does not have, are no scalars.
      guard let scalar = Unicode.Scalar(value),
        categories.contains(scalar.properties.generalCategory)
      else { continue }
      if let old = ranges.last, old.upperBound == value - 1 {
        ranges[ranges.count - 1] = old.lowerBound...value
      } else {
        ranges.append(value...value)
      }
    }
    self.init(ranges)
  }

  private static let categories: [String: Set<Unicode.GeneralCategory>] = {
    let names: [(String, Unicode.GeneralCategory)] = [
      ("Lu", .uppercaseLetter), ("Ll", .lowercaseLetter), ("Lt", .titlecaseLetter),
      ("Lm", .modifierLetter), ("Lo", .otherLetter), ("Mn", .nonspacingMark),
      ("Mc", .spacingMark), ("Me", .enclosingMark), ("Nd", .decimalNumber),
      ("Nl", .letterNumber), ("No", .otherNumber), ("Pc", .connectorPunctuation),
      ("Pd", .dashPunctuation), ("Ps", .openPunctuation), ("Pe", .closePunctuation),
      ("Pi", .initialPunctuation), ("Pf", .finalPunctuation), ("Po", .otherPunctuation),
      ("Sm", .mathSymbol), ("Sc", .currencySymbol), ("Sk", .modifierSymbol),
      ("So", .otherSymbol), ("Zs", .spaceSeparator), ("Zl", .lineSeparator),
      ("Zp", .paragraphSeparator), ("Cc", .control), ("Cf", .format), ("Co", .privateUse),
    ]
    var result: [String: Set<Unicode.GeneralCategory>] = [:]
    for (name, category) in names {
      result[name, default: []].insert(category)
      result[String(name.prefix(1)), default: []].insert(category)
    }
    return result
  }()
}
