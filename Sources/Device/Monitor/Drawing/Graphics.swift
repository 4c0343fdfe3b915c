// Bars and sparklines, in cells.

enum Graphics {
  /// A bar of `width` cells, `share` (0…1) of it full; at least one cell when not zero.
  static func bar(_ share: Double, width: Int, isTrackShown: Bool = true) -> [Cell] {
    guard width > 0 else { return [] }
    let held = share.isFinite ? min(max(share, 0), 1) : 0
    let full = held > 0 ? max(1, Int((held * Double(width)).rounded())) : 0
    let track = isTrackShown ? Cell(0x2591, .label) : Cell.blank
    return Array(repeating: Cell(0x2588, .series), count: full)
      + Array(repeating: track, count: width - full)
  }

  /// The last `width` values as one row of eight heights, from the least to the greatest shown.
  static func sparkline(_ values: [UInt64], width: Int) -> [Cell] {
    graph(values, width: width, height: 1).first ?? []
  }

  /// The last `width` values as `height` rows, top row first, of eight steps each, from the least
  /// to the greatest shown. No rows without values.
  static func graph(_ values: [UInt64], width: Int, height: Int) -> [[Cell]] {
    let shown = values.suffix(max(0, width))
    guard height > 0, let low = shown.min(), let high = shown.max() else { return [] }
    // A change below 2 % is drawn flat: noise is not news.
    let range = max(Double(high - low), Double(low) * 0.02, 1)
    let steps = height * 8
    let levels = shown.map { 1 + min(steps - 1, Int(Double($0 - low) / range * Double(steps))) }
    return (0..<height).map { row in
      let below = (height - 1 - row) * 8
      return levels.map { level in
        let part = level - below
        return part <= 0
          ? Cell.blank : part >= 8 ? Cell(0x2588, .series) : Cell(0x2580 + UInt32(part), .series)
      }
    }
  }
}
