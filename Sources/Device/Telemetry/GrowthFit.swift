// Whether memory grows: a regression line through its readings.

/// The least-squares line through (time, bytes), kept as means and sums of products about them
/// (Welford's recurrences), so that neither length nor size loses digits.
struct GrowthFit {
  private static let leastSeconds = 60.0

  private var count = 0.0
  private var firstSeconds = 0.0
  private var lastSeconds = 0.0
  private var meanTime = 0.0
  private var meanBytes = 0.0
  private var timeTime = 0.0
  private var timeBytes = 0.0
  private var bytesBytes = 0.0

  mutating func add(bytes: UInt64, atSeconds seconds: Double) {
    if count == 0 { firstSeconds = seconds }
    lastSeconds = seconds
    count += 1
    let time = seconds - meanTime
    let size = Double(bytes) - meanBytes
    meanTime += time / count
    meanBytes += size / count
    let rest = Double(bytes) - meanBytes
    timeTime += time * (seconds - meanTime)
    timeBytes += time * rest
    bytesBytes += size * rest
  }

  /// The slope, once there is a minute to draw it through.
  var reading: GrowthReading {
    var reading = GrowthReading()
    reading.overSeconds = lastSeconds - firstSeconds
    guard reading.overSeconds >= Self.leastSeconds, timeTime > 0 else { return reading }
    reading.kilobytesPerHour = timeBytes / timeTime * 3600 / 1000
    if bytesBytes > 0 {
      reading.correlation = timeBytes / (timeTime * bytesBytes).squareRoot()
    }
    return reading
  }
}
