// Finds what someone who mistyped a name probably meant.

/// The candidate that differs from `name` in the fewest letters, the first of equals; nil when all
/// differ in more than a third of it (at least two letters).
public func nearestName(to name: String, among candidates: [String]) -> String? {
  let letters = Array(name.lowercased().utf8.prefix(64))
  var best: (distance: Int, candidate: String)?
  for candidate in candidates {
    let distance = editDistance(letters, Array(candidate.lowercased().utf8.prefix(64)))
    if distance < best?.distance ?? Int.max { best = (distance, candidate) }
  }
  guard let best, best.distance <= max(2, letters.count / 3) else { return nil }
  return best.candidate
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var rows = [Array(0...b.count)]
  for i in 0..<a.count {
    var row = [i + 1]
    for j in 0..<b.count {
      var least = min(rows[i][j + 1], row[j]) + 1
      least = min(least, rows[i][j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        least = min(least, rows[i - 1][j - 1] + 1)
      }
      row.append(least)
    }
    rows.append(row)
  }
  return rows[a.count][b.count]
}
