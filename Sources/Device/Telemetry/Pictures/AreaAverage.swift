// Pixels at another size, each the mean of the area that it covers.

/// Averages by area, exactly: a pixel that is covered in part counts by that part.
enum AreaAverage {
  /// What the places of a new line cover of the old one, in parts of an old place as large as one through
  /// the new line's length: whole numbers, whose sum is the old length.
  private struct Cover {
    /// The first old place of each new one.
    var first: [Int] = []
    /// Where its weights begin; one more at the end.
    var start: [Int] = []
    var weights: [UInt64] = []

    init(from old: Int, to new: Int) {
      for place in 0..<new {
        let (begin, end) = (place * old, (place + 1) * old)
        first.append(begin / new)
        start.append(weights.count)
        for i in begin / new...(end - 1) / new {
          weights.append(UInt64(min(end, (i + 1) * new) - max(begin, i * new)))
        }
      }
      start.append(weights.count)
    }
  }

  /// `bytes`: `height × width × channels`; the result `toHeight × toWidth × channels`, to the nearest.
  /// Extents from 1 to 2^14.
  static func scaled(
    _ bytes: Span<UInt8>, width: Int, height: Int, channels: Int, toWidth: Int, toHeight: Int
  ) -> [UInt8] {
    let columns = Cover(from: width, to: toWidth)
    let rows = Cover(from: height, to: toHeight)
    // 255 × 2^28 fits by far.
    let area = UInt64(width) * UInt64(height)
    var line = [UInt64](repeating: 0, count: toWidth * channels)
    var result: [UInt8] = []
    result.reserveCapacity(toWidth * toHeight * channels)
    for y in 0..<toHeight {
      for i in line.indices { line[i] = 0 }
      for k in rows.start[y]..<rows.start[y + 1] {
        let row = (rows.first[y] + k - rows.start[y]) * width
        let share = rows.weights[k]
        for x in 0..<toWidth {
          var at = (row + columns.first[x]) * channels
          for n in columns.start[x]..<columns.start[x + 1] {
            let weight = share * columns.weights[n]
            for c in 0..<channels { line[x * channels + c] += weight * UInt64(bytes[at + c]) }
            at += channels
          }
        }
      }
      for sum in line { result.append(UInt8((sum + area / 2) / area)) }
    }
    return result
  }
}
