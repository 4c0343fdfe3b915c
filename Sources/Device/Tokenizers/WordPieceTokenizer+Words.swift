// From bytes to words to pieces: the per-scalar work of the tokenizer.

import Bytes

extension WordPieceTokenizer {
  /// Appends the tokens of a text, `limit` at most, without specials around them.
  ///
  /// Returns how many there are. That includes those past the limit only if `countingAll`: which
  /// of two texts is cut depends on which was longer.
  @discardableResult
  func append(
    _ text: Span<UInt8>, to result: inout TokenSequence, atMost limit: Int,
    countingAll: Bool = false
  ) -> Int {
    let before = result.ids.count
    result.word.limit = before + limit
    result.word.excess = 0
    var offset = 0
    while offset < text.count, countingAll || result.ids.count < result.word.limit {
      if options.recognizesSpecials, let special = special(in: text, at: offset) {
        finishMarks(&result)
        finishWord(&result)
        result.ids.append(special)
        trim(&result)
        offset += tokens.range(of: Int(special)).count
      } else {
        clean(nextScalar(in: text, at: &offset), into: &result)
      }
    }
    finishMarks(&result)
    finishWord(&result)
    return result.ids.count - before + result.word.excess
  }

  /// Forgets tokens past the limit.
  private func trim(_ result: inout TokenSequence) {
    let excess = result.ids.count - result.word.limit
    if excess > 0 {
      result.ids.removeLast(excess)
      result.word.excess += excess
    }
  }

  /// The longest special token that is spelled out at `offset`.
  private func special(in text: Span<UInt8>, at offset: Int) -> Int32? {
    var best: Int32?
    var bestCount = 0
    for i in specialLeads.indices where specialLeads[i] == text[offset] {
      let range = tokens.range(of: Int(specialIDs[i]))
      guard range.count > bestCount, range.count <= text.count - offset else { continue }
      var same = 0
      while same < range.count, tokens.bytes[range.lowerBound + same] == text[offset + same] {
        same += 1
      }
      if same == range.count {
        best = specialIDs[i]
        bestCount = same
      }
    }
    return best
  }

  private func clean(_ scalar: UInt32, into result: inout TokenSequence) {
    let kind = ScalarTraits(of: scalar).kind
    switch kind {
    case .control, .controlWhitespace:
      if options.cleansText { return }
      fold(scalar, into: &result)
    case .whitespace: fold(options.cleansText ? 0x20 : scalar, into: &result)
    case .ideograph where options.spacesIdeographs:
      fold(0x20, into: &result)
      fold(scalar, into: &result)
      fold(0x20, into: &result)
    default: fold(scalar, into: &result)
    }
  }

  /// Takes accents off. Marks that stay are put in canonical order, as decomposition demands.
  private func fold(_ scalar: UInt32, into result: inout TokenSequence) {
    guard options.stripsAccents, scalar >= 0x80 else {
      finishMarks(&result)
      return split(scalar, into: &result)
    }
    if let parts = Decomposition(of: scalar) {
      fold(parts.first, into: &result)
      if parts.second != 0 { fold(parts.second, into: &result) }
      return
    }
    let traits = ScalarTraits(of: scalar)
    if traits.combiningClass == 0 {
      finishMarks(&result)
      if traits.kind != .mark { split(scalar, into: &result) }
    } else if traits.kind != .mark {
      var at = result.word.marks.count
      // Past the longest word order no longer matters: the word is unknown in any case.
      if at <= options.maximumWordScalars {
        while at > 0, result.word.markClasses[at - 1] > traits.combiningClass { at -= 1 }
      }
      result.word.marks.insert(scalar, at: at)
      result.word.markClasses.insert(traits.combiningClass, at: at)
    }
  }

  private func finishMarks(_ result: inout TokenSequence) {
    if result.word.marks.isEmpty { return }
    for i in result.word.marks.indices { split(result.word.marks[i], into: &result) }
    result.word.marks.removeAll(keepingCapacity: true)
    result.word.markClasses.removeAll(keepingCapacity: true)
  }

  /// Lower case, then the borders of words.
  private func split(_ scalar: UInt32, into result: inout TokenSequence) {
    let lower = options.lowercases ? lowerCase(of: scalar) : scalar
    switch ScalarTraits(of: lower).kind {
    case .whitespace, .controlWhitespace: finishWord(&result)
    case .punctuation:
      finishWord(&result)
      collect(lower, into: &result)
      finishWord(&result)
    default:
      collect(lower, into: &result)
      if options.lowercases, scalar == 0x130 { collect(0x307, into: &result) }
    }
  }

  private func collect(_ scalar: UInt32, into result: inout TokenSequence) {
    result.word.scalarCount += 1
    if result.word.scalarCount > options.maximumWordScalars { return }
    UTF8Text.append(scalar: scalar, to: &result.word.bytes)
    result.word.ends.append(result.word.bytes.count)
  }

  /// Cuts the collected word into pieces, longest first; all of it or the unknown token.
  private func finishWord(_ result: inout TokenSequence) {
    if result.word.scalarCount == 0 { return }
    let first = result.ids.count
    if result.word.scalarCount > options.maximumWordScalars || !cut(&result) {
      result.ids.removeLast(result.ids.count - first)
      result.ids.append(unknownID)
    }
    trim(&result)
    result.word.clear()
  }

  /// Appends the pieces of the collected word; false where a part of it is no piece.
  private func cut(_ result: inout TokenSequence) -> Bool {
    var scalar = 0
    var start = 0
    while start < result.word.bytes.count {
      let head = start == 0 ? [] : prefix
      var hash = start == 0 ? TokenTable.hashSeed : prefixHash
      let longest = tokens.longestByteCount - head.count
      result.word.hashes.removeAll(keepingCapacity: true)
      var at = start
      var end = scalar
      while end < result.word.ends.count, result.word.ends[end] - start <= longest {
        while at < result.word.ends[end] {
          TokenTable.extend(&hash, with: result.word.bytes[at])
          at += 1
        }
        result.word.hashes.append(hash)
        end += 1
      }
      var found: Int?
      while end > scalar {
        end -= 1
        found = tokens.id(
          head, result.word.bytes.span, start..<result.word.ends[end],
          hash: result.word.hashes[end - scalar])
        if found != nil { break }
      }
      guard let found else { return false }
      result.ids.append(Int32(found))
      scalar = end + 1
      start = result.word.ends[end]
    }
    return true
  }
}
