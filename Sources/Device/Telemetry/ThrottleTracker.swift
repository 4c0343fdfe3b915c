// From moments in which the machine is held back to stretches of time, and what they cost.
import Bytes

/// Follows throttling over a run. Plain data of one thread.
struct ThrottleTracker {
  private static let episodesKept = 50
  /// Counters tell only that something happened: a stretch ends when nothing has for so long.
  private static let holdSeconds = 2.0
  private static let countForMedian: UInt64 = 20
  /// Causes kept apart; what holds the machine back for yet another reason is counted as the last one.
  private static let causesKept = 16

  private(set) var reading = ThrottleReading()
  private var during = LatencyHistogram()
  private var before: UInt64?
  private var heldUntil = 0.0
  private var clockBefore: Double?

  var isThrottled: Bool { reading.current != nil }

  /// Counts inferences.
  mutating func add(_ durations: borrowing LatencyHistogram) {
    if isThrottled { during.merge(durations) }
  }

  /// Takes a look at the machine. `median` gives the median of the minute up to now, in nanoseconds,
  /// or nil for too few. The event to write, if one begins or ends.
  mutating func take(
    _ thermal: ThermalReading, atSeconds now: Double, median: () -> UInt64?
  ) -> (level: EventLevel, text: EscapedText)? {
    guard !thermal.throttleWatch.isEmpty else {
      reading.reason = EscapedText("nothing here tells of throttling")
      return nil
    }
    reading.reason = thermal.throttleWatch
    let last = reading.episodes.count - 1
    if let cause = thermal.throttleCause {
      heldUntil = now + Self.holdSeconds
      reading.isThrottled = true
      if isThrottled {
        update(last, thermal)
        return nil
      }
      return begin(cause, thermal, now, median())
    }
    if !isThrottled { clockBefore = thermal.clockMegahertz }
    reading.isThrottled = isThrottled
    guard isThrottled else { return nil }
    update(last, thermal)
    guard now >= heldUntil else { return nil }
    return end(last, now)
  }

  private mutating func begin(
    _ cause: EscapedText, _ thermal: ThermalReading, _ now: Double, _ median: UInt64?
  ) -> (level: EventLevel, text: EscapedText) {
    before = median
    during.reset()
    if reading.episodes.count >= Self.episodesKept { reading.episodes.removeFirst() }
    reading.episodes.append(ThrottleEpisode(cause: cause, beginSeconds: now))
    reading.count += 1
    update(reading.episodes.count - 1, thermal)
    var text = TextBuffer()
    text.put("throttled: ")
    text.put(bytes: cause.utf8)
    if let celsius = thermal.celsius {
      text.put(", ")
      text.put(celsius, places: 1)
      text.put(" °C")
    }
    if let clock = thermal.clockMegahertz, let from = clockBefore ?? thermal.maxClockMegahertz,
      clock < from
    {
      text.put(", ")
      text.put(from, places: 0)
      text.put(">")
      text.put(clock, places: 0)
      text.put(" MHz")
    }
    return (.warning, EscapedText(text.bytes))
  }

  private mutating func update(_ i: Int, _ thermal: ThermalReading) {
    if let celsius = thermal.celsius {
      reading.episodes[i].maxCelsius = max(reading.episodes[i].maxCelsius ?? celsius, celsius)
    }
    guard let before, before > 0, during.count >= Self.countForMedian,
      let now = during.quantile(0.5)
    else { return }
    reading.episodes[i].slowdown = Double(now) / Double(before) - 1
  }

  private mutating func end(_ i: Int, _ now: Double) -> (level: EventLevel, text: EscapedText) {
    reading.isThrottled = false
    reading.episodes[i].endSeconds = now
    let seconds = now - reading.episodes[i].beginSeconds
    Self.add(seconds, by: reading.episodes[i].cause, to: &reading.causes)
    var text = TextBuffer()
    text.put("throttling over after ")
    text.put(significant: seconds)
    text.put(" s")
    if let slowdown = reading.episodes[i].slowdown {
      text.put(slowdown < 0 ? ", latency -" : ", latency +")
      text.put(slowdown.magnitude * 100, places: 0)
      text.put(" %")
    }
    return (.note, EscapedText(text.bytes))
  }

  /// As it is at a moment: the time of a stretch that lasts is counted up to it.
  func reading(atSeconds now: Double) -> ThrottleReading {
    var out = reading
    if let current = out.current {
      Self.add(max(0, now - current.beginSeconds), by: current.cause, to: &out.causes)
    }
    out.totalSeconds = out.causes.reduce(0) { $0 + $1.seconds }
    return out
  }

  private static func add(
    _ seconds: Double, by cause: EscapedText, to causes: inout [ThrottleCause]
  ) {
    if let i = causes.firstIndex(where: { $0.cause == cause }) {
      causes[i].seconds += seconds
    } else if causes.count < causesKept {
      causes.append(ThrottleCause(cause: cause, seconds: seconds))
    } else {
      causes[causesKept - 1].seconds += seconds
    }
  }

  /// The median of a histogram that has enough in it to have one.
  static func median(_ histogram: borrowing LatencyHistogram) -> UInt64? {
    histogram.count >= countForMedian ? histogram.quantile(0.5) : nil
  }
}
