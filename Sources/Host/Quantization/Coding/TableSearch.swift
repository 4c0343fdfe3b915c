// How the frequencies of a coding's contexts are told: one by one, or by laws.
import WeightCoding

/// How a context's frequencies are told.
enum TableForm: CaseIterable {
  /// As near to the counts as the total allows.
  case exact
  case law
}

/// Finds the tables that take the fewest bits, those of the integers included.
struct TableSearch {
  /// The coding with its tables.
  private(set) var best: IntegerCoding
  /// Bits of the head and of all symbols.
  private(set) var bits = Double.infinity
  private let counts: [[Int]]
  private let columns: Int

  /// coding: without frequencies; counts: of its symbols, by context; columns: of a row.
  init(_ coding: IntegerCoding, _ counts: [[Int]], columns: Int) {
    best = coding
    self.counts = counts
    self.columns = columns
  }

  /// Exact tables of every precision, laws for all contexts that follow one; then context by context.
  mutating func search(isThorough: Bool) throws {
    let laws = counts.map { LawFit.law($0, low: best.low) }
    var coding = best
    coding.laws = counts.map { _ in nil }
    for precision in [12, 11, 10, 9, 8] where 1 << precision > coding.symbolCount + 1 {
      coding.precision = precision
      coding.frequencies = counts.map { FrequencyFit.frequencies($0, total: 1 << precision) }
      try consider(coding)
      guard precision == 12 else { continue }
      var lawful = coding
      for context in counts.indices {
        _ = lawful.tell(context, counts[context], as: .law, laws[context])
      }
      try consider(lawful)
    }
    guard isThorough else { return }
    for context in counts.indices {
      var other = best
      let form: TableForm = best.laws[context] == nil ? .law : .exact
      if other.tell(context, counts[context], as: form, laws[context]) { try consider(other) }
    }
  }

  private mutating func consider(_ coding: IntegerCoding) throws {
    var bits = try coding.headBits(columns: columns)
    for (counts, frequencies) in zip(counts, coding.frequencies) {
      bits += FrequencyFit.bits(counts, frequencies, total: 1 << coding.precision)
    }
    if bits < self.bits { (best, self.bits) = (coding, bits) }
  }
}

extension IntegerCoding {
  /// Bits of a head with this coding.
  func headBits(columns: Int) throws -> Double {
    try Double(CodedHead(.steps, self).bytes(columns: columns).count * 8)
  }

  /// Sets the frequencies of one context; whether there are such.
  fileprivate mutating func tell(
    _ context: Int, _ counts: [Int], as form: TableForm, _ law: FrequencyLaw?
  ) -> Bool {
    let total = 1 << precision
    switch form {
    case .exact:
      frequencies[context] = FrequencyFit.frequencies(counts, total: total)
      laws[context] = nil
    case .law:
      guard let law, let spread = LawFit.frequencies(law, counts, low: low, total: total) else {
        return false
      }
      (frequencies[context], laws[context]) = (spread, law)
    }
    return true
  }
}
