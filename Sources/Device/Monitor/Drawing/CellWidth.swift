// How many cells a character takes, by a table of our own: the same on every C library.

enum CellWidth {
  /// 0, 1 or 2. Controls count as 1: they are replaced before they are drawn.
  static func of(_ scalar: UInt32) -> Int {
    if scalar < 0x300 { return 1 }
    if contains(CellWidthTable.zero, scalar) { return 0 }
    return contains(CellWidthTable.wide, scalar) ? 2 : 1
  }

  /// Binary search in pairs of first and last.
  private static func contains(_ ranges: [UInt32], _ scalar: UInt32) -> Bool {
    var low = 0
    var high = ranges.count / 2
    while low < high {
      let middle = (low + high) / 2
      if scalar < ranges[2 * middle] {
        high = middle
      } else if scalar > ranges[2 * middle + 1] {
        low = middle + 1
      } else {
        return true
      }
    }
    return false
  }
}
