// Operators on texts against Swift's own strings.
import Foundation
import Operators
import Randomness
import Tensors
import Testing

private func texts(_ list: [String], _ shape: [Int]? = nil) -> TestTensor {
  TestTensor(texts: list, shape ?? [list.count])
}

private func bools(_ list: [Bool]) -> TestTensor {
  TestTensor(.bool, [list.count], list.map { $0 ? 1 : 0 })
}

extension SeededRandom {
  /// A text of some scalars of `alphabet`.
  fileprivate mutating func text(_ alphabet: [Character], _ counts: ClosedRange<Int>) -> String {
    String((0..<int(counts)).map { _ in pick(alphabet) })
  }

  fileprivate mutating func words(_ count: Int, _ alphabet: String = "aB é中") -> [String] {
    (0..<count).map { _ in text(Array(alphabet), 0...6) }
  }
}

struct StringTests {
  @Test func concatAndEqual() throws {
    var random = SeededRandom(state: 140)
    for rows in [0, 1, 3] {
      for columns in [1, 4] {
        let (a, b) = (random.words(rows * columns), random.words(columns))
        let pairs = a.indices.map { (a[$0], b[$0 % columns]) }
        let inputs = [texts(a, [rows, columns]), texts(b)]
        try check(
          .stringConcat(StringConcat()), inputs,
          is: [texts(pairs.map { $0.0 + $0.1 }, [rows, columns])])
        try check(
          .stringEqual(StringEqual()), inputs,
          is: [TestTensor(.bool, [rows, columns], pairs.map { $0.0 == $0.1 ? 1 : 0 })])
      }
    }
    try check(
      .stringEqual(StringEqual()), [texts(["é", "e\u{301}", "a"]), texts(["é", "é", "a"])],
      is: [bools([true, false, true])])
    for op in [Operator.stringConcat(StringConcat()), .stringEqual(StringEqual())] {
      expectRefusal(op, [texts(["a", "b"]), texts(["a", "b", "c"])])
      expectRefusal(op, [texts(["a"]), TestTensor(.i64, [1], [0])])
    }
  }

  @Test func split() throws {
    var random = SeededRandom(state: 142)
    for limit in [nil, 0, 1, 2] as [Int?] {
      for delimiter in ["", "-", "ab"] {
        let list = (0..<6).map { _ in random.text(Array("ab- \t中"), 0...9) }
        let pieces = list.map { text -> [String] in
          if delimiter.isEmpty {
            // The rest keeps the white space behind it.
            var parts: [String] = []
            var rest = Substring(text).drop { $0.isWhitespace }
            while !rest.isEmpty {
              if parts.count == limit {
                parts.append(String(rest))
                break
              }
              parts.append(String(rest.prefix { !$0.isWhitespace }))
              rest = rest.drop { !$0.isWhitespace }.drop { $0.isWhitespace }
            }
            return parts
          }
          guard !text.isEmpty else { return [] }
          let all = text.components(separatedBy: delimiter)
          guard let limit, all.count > limit + 1 else { return all }
          return Array(all[..<limit]) + [all[limit...].joined(separator: delimiter)]
        }
        let most = pieces.map(\.count).max() ?? 0
        let filled = pieces.flatMap { $0 + [String](repeating: "", count: most - $0.count) }
        try check(
          .stringSplit(StringSplit(maximumSplits: limit)),
          delimiter.isEmpty
            ? [texts(list, [2, 3])] : [texts(list, [2, 3]), texts([delimiter], [])],
          is: [
            texts(filled, [2, 3, most]),
            TestTensor(.i64, [2, 3], pieces.map { Double($0.count) }),
          ])
      }
    }
    try check(
      .stringSplit(StringSplit()), [texts([])],
      is: [texts([], [0, 0]), TestTensor(.i64, [0], [])])
    expectRefusal(.stringSplit(StringSplit()), [texts(["a"]), texts(["-", "+"])], outputs: 2)
  }

  @Test func lookup() throws {
    var random = SeededRandom(state: 145)
    for count in [0, 1, 2, 20] {
      let known = Set(random.words(count)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      let asked = random.words(30) + known
      let places = asked.map { Double(known.firstIndex(of: $0) ?? known.count) }
      try check(
        .stringLookup(StringLookup()), [texts(asked), texts(known)],
        is: [TestTensor(.i64, [asked.count], places)])
    }
  }

  @Test func normalizer() throws {
    let list = ["Straße", "ÉCOLE", "ǆ", "ab中", "", "ΑΣ", "Żółw"]
    try check(
      .stringNormalizer(StringNormalizer(.upper)), [texts(list)],
      is: [texts(["STRAßE", "ÉCOLE", "Ǆ", "AB中", "", "ΑΣ", "ŻÓŁW"])])
    try check(
      .stringNormalizer(StringNormalizer(.lower)), [texts(list)],
      is: [texts(["straße", "école", "ǆ", "ab中", "", "ας".replacing("ς", with: "σ"), "żółw"])])
    try check(.stringNormalizer(StringNormalizer(.none)), [texts(list)], is: [texts(list)])
    let days = ["Monday", "monday", "Tuesday"]
    func drop(_ change: CaseChange, _ isSensitive: Bool, _ words: [String]) -> Operator {
      .stringNormalizer(
        StringNormalizer(change, leavesOut: true, isCaseSensitive: isSensitive))
    }
    try check(
      drop(.upper, true, []), [texts(days), texts(["monday"])],
      is: [texts(["MONDAY", "TUESDAY"])])
    try check(
      drop(.none, false, []), [texts(days, [1, 3]), texts(["monday"])],
      is: [texts(["Tuesday"], [1, 1])])
    try check(
      drop(.lower, false, []), [texts(["MONDAY"]), texts(["monday"])], is: [texts([""])])
    expectRefusal(drop(.none, true, []), [texts(["a", "b"], [2, 1]), texts(["a"])])
    // Every scalar that has a simple mapping by Unicode, but for those of other versions.
    let scalars = (0x20...0x17F).compactMap(Unicode.Scalar.init)
    for (change, mapping) in [
      (CaseChange.upper, { (p: Unicode.Scalar.Properties) in p.uppercaseMapping }),
      (.lower, { $0.lowercaseMapping }),
    ] {
      let wanted = scalars.map { scalar -> String in
        let mapped = mapping(scalar.properties)
        if scalar.value == 0x130, change == .lower { return "i" }
        return mapped.unicodeScalars.count == 1 ? mapped : String(scalar)
      }
      try check(
        .stringNormalizer(StringNormalizer(change)), [texts(scalars.map { String($0) })],
        is: [texts(wanted)])
    }
  }

  @Test func numbersAndTexts() throws {
    var random = SeededRandom(state: 146)
    let reals: [Double] =
      ([0, -0.0, 1, 1.5, 1e10, 123_456_789, 1e-5, 0.1, 1e38]
      + (0..<50).map { _ in
        pow(10, Double(random.int(-30...30))) * Double(random.int(-9999...9999))
      }).map { Double(Float($0)) }
    let spelled = reals.map { String(format: "%.8g", $0) }
    for type in [ElementType.f32, .f64] {
      try check(
        .stringFromNumber(StringFromNumber()), [TestTensor(type, [reals.count], reals)],
        is: [texts(spelled)])
      try check(
        .stringFromNumber(StringFromNumber()),
        [TestTensor(type, [3], [.nan, .infinity, -.infinity])], is: [texts(["NaN", "INF", "-INF"])])
      try check(
        .numberFromString(NumberFromString(to: type)),
        [texts(spelled + [" 7 ", "+4", "3abc", "0x10", "-inf"])],
        is: [
          TestTensor(
            type, [reals.count + 5],
            spelled.map { type == .f32 ? Double(Float($0)!) : Double($0)! }
              + [7, 4, 3, 16, -.infinity])
        ])
    }
    let wholes = [Int64.min, -1, 0, 9, 10, 99, 100, .max]
    let x = TestTensor(.i64, [8], bytes: wholes.flatMap { TestTensor.raw($0) })
    try check(.stringFromNumber(StringFromNumber()), [x], is: [texts(wholes.map { "\($0)" })])
    try check(
      .numberFromString(NumberFromString(to: .i64)), [texts(wholes.map { " \($0)x" })], is: [x])
    let most = TestTensor(.u64, [1], bytes: TestTensor.raw(UInt64.max))
    try check(.stringFromNumber(StringFromNumber()), [most], is: [texts(["\(UInt64.max)"])])
    try check(
      .stringFromNumber(StringFromNumber()), [bools([true, false])], is: [texts(["1", "0"])])
    try check(
      .numberFromString(NumberFromString(to: .u8)), [texts(["300", "-1", "+7", "9.7", "abc", ""])],
      is: [TestTensor(.u8, [6], [44, 255, 7, 9, 0, 0])])
    try check(
      .numberFromString(NumberFromString(to: .f32)), [texts(["abc", ""])],
      is: [TestTensor(.f32, [2], [.nan, .nan])])
    expectRefusal(.stringFromNumber(StringFromNumber()), [texts(["a"])])
    expectRefusal(.cast(Cast(to: .i64)), [texts(["1"])])
    expectRefusal(.bitCast(BitCast(to: .i64)), [texts(["1"])])
  }

  /// Texts go where elements of eight bytes go.
  @Test func texts_are_moved() throws {
    let x = texts(["a", "bb", "", "c", "dd", "a"], [2, 3])
    try check(
      .transpose(Transpose(IntegerList([1, 0]))), [x],
      is: [texts(["a", "c", "bb", "dd", "", "a"], [3, 2])])
    try check(
      .gather(Gather(axis: 1)), [x, TestTensor.i64([2, 0])],
      is: [texts(["", "a", "a", "c"], [2, 2])])
    try check(
      .concat(Concat(axis: 0)), [x, texts(["x", "y", "z"], [1, 3])],
      is: [texts(["a", "bb", "", "c", "dd", "a", "x", "y", "z"], [3, 3])])
    try check(
      .select(Select()), [bools([true, false, true]), x, texts(["-"], [1])],
      is: [texts(["a", "-", "", "c", "-", "a"], [2, 3])])
    try check(
      .expand(Expand()), [texts(["a", "b"], [2, 1]), TestTensor.i64([2, 2])],
      is: [texts(["a", "a", "b", "b"], [2, 2])])
    try check(
      .unique(Unique()), [x],
      is: [
        texts(["", "a", "bb", "c", "dd"]), TestTensor.i64([2, 0, 1, 3, 4]),
        TestTensor.i64([1, 2, 0, 3, 4, 1]), TestTensor.i64([1, 2, 1, 1, 1]),
      ])
  }

  @Test func nGrams() throws {
    var random = SeededRandom(state: 148)
    for _ in 0..<40 {
      let (rows, count, skip) = (random.int(1...2), random.int(0...12), random.int(0...4))
      let x = (0..<rows).map { _ in (0..<count).map { _ in random.int(1...4) } }
      var known: [[Int]] = []
      for length in 1...3 {
        for _ in 0..<random.int(0...6) {
          let run = (0..<length).map { _ in random.int(1...4) }
          if !known.contains(run) { known.append(run) }
        }
      }
      if known.isEmpty { known = [[1]] }
      let weights = random.floats([known.count])
      var words: [Int] = []
      for length in 1...3 {
        let runs = known.enumerated().filter { $0.element.count == length }
          .sorted { $0.element.lexicographicallyPrecedes($1.element) }
        guard !runs.isEmpty else { continue }
        words += [length, runs.count] + runs.flatMap(\.element) + runs.map(\.offset)
      }
      let counts = x.flatMap { row in
        known.map { run -> Double in
          var found = 0
          for gap in 0...(run.count == 1 ? 0 : skip) {
            for start in row.indices {
              let places = run.indices.map { start + $0 * (gap + 1) }
              guard places.last! < row.count else { continue }
              if places.map({ row[$0] }) == run { found += 1 }
            }
          }
          return Double(found)
        }
      }
      for mode in NGramMode.allCases {
        let wanted = counts.enumerated().map { i, n in
          switch mode {
          case .count: n
          case .weight: n > 0 ? weights.values[i % known.count] : 0
          case .weightedCount: Double(Float(n) * Float(weights.values[i % known.count]))
          }
        }
        try check(
          .nGrams(NGrams(mode, columns: known.count, maximumSkip: skip)),
          [
            TestTensor(.i64, [rows, count], x.flatMap { $0.map { Double($0) } }),
            TestTensor.i64(words), weights,
          ], is: [TestTensor(.f32, [rows, known.count], wanted)])
      }
    }
    for words in [[1], [1, 2, 1, 2, 0], [1, 1, 5, 3], [0, 1, 0], [1, -1], [1, 1 << 62, 1, 0]] {
      expectRefusal(
        .nGrams(NGrams(.count, columns: 3, maximumSkip: 0)),
        [TestTensor.i64([1, 2]), TestTensor.i64(words)])
    }
  }

  @Test func scalarsAsTokens() throws {
    let list = ["aé中", "", "b"]
    try check(
      .tokenize(Tokenize(.scalars)), [texts(list), texts(["#"])],
      is: [texts(["a", "é", "中", "#", "#", "#", "b", "#", "#"], [3, 3])])
    try check(
      .tokenize(Tokenize(.scalars, marks: true)), [texts(["ab"], [1, 1]), texts([""])],
      is: [texts(["\u{2}", "a", "b", "\u{3}"], [1, 1, 4])])
    try check(
      .tokenize(Tokenize(.scalars, marks: true)), [texts([""]), texts(["#"])],
      is: [texts([], [1, 0])])
  }
}
