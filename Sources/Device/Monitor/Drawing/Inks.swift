// The colours that pictures are drawn in.

/// A fixed choice among xterm's 256 colours, numbered from 1; 0 stands for no colour.
///
/// A half block shows two colours at once, and a terminal library keeps a number for each pair: all 240
/// fixed colours would need 57,600, more than some terminals have (32,767 with rxvt's and st's entries) and
/// a table of megabytes. These 74 need 5,625, with
/// the terminal's own colours. Four steps of each channel out of the cube's six, and ten
/// greys, come within 13 % of the error that all 240 make (root mean square over two photographs, 96 × 64);
/// dithering made it worse, and every dot of it would be bytes on the line.
package enum Inks {
  /// The cube's steps that are used, and where they stand among its six.
  private static let steps: [(value: Int, place: Int)] = [(0, 0), (95, 1), (175, 3), (255, 5)]
  /// Places in xterm's ramp of greys, which begins at 8 and rises by 10.
  private static let greys = [1, 3, 5, 7, 11, 13, 15, 19, 21, 23]

  package static var count: Int { 64 + greys.count }
  /// The pairs of two of them, or of one and the terminal's own.
  static var pairCount: Int { (count + 1) * (count + 1) }
  static var black: UInt8 { 1 }
  /// Red and green at their most.
  static var yellow: UInt8 { 1 + 3 * 16 + 3 * 4 }

  /// The ink nearest to a colour.
  package static func nearest(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
    let (r, g, b) = (Int(red), Int(green), Int(blue))
    let places = (step(r), step(g), step(b))
    let cube = distance(
      r - steps[places.0].value, g - steps[places.1].value, b - steps[places.2].value)
    // Of all greys the nearest is the one next to the mean.
    let sum = r + g + b
    var best = 0
    for i in 1..<greys.count where abs(3 * grey(i) - sum) < abs(3 * grey(best) - sum) { best = i }
    let value = grey(best)
    if distance(r - value, g - value, b - value) < cube { return UInt8(65 + best) }
    return UInt8(1 + places.0 * 16 + places.1 * 4 + places.2)
  }

  /// Its number in xterm's palette.
  package static func terminalColor(_ ink: UInt8) -> Int16 {
    let i = Int(ink) - 1
    guard i < 64 else { return Int16(232 + greys[i - 64]) }
    return Int16(16 + 36 * steps[i / 16].place + 6 * steps[i / 4 % 4].place + steps[i % 4].place)
  }

  /// Whether yellow is hard to see on it: as bright as light grey, by ITU-R BT.601.
  static func isBright(_ ink: UInt8) -> Bool {
    let i = Int(ink) - 1
    guard i >= 0 else { return false }
    if i >= 64 { return grey(i - 64) > 160 }
    return 299 * steps[i / 16].value + 587 * steps[i / 4 % 4].value + 114 * steps[i % 4].value
      > 160_000
  }

  private static func grey(_ i: Int) -> Int { 8 + 10 * greys[i] }

  /// The step next to a value: the borders lie half way.
  private static func step(_ value: Int) -> Int {
    value < 48 ? 0 : value <= 135 ? 1 : value <= 215 ? 2 : 3
  }

  private static func distance(_ r: Int, _ g: Int, _ b: Int) -> Int { r * r + g * g + b * b }
}
