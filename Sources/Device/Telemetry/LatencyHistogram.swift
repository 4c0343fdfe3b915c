// A log-linear histogram of durations: 64 buckets per octave, so a quantile is at most 0.8 % off.

/// Counts durations from 0 ns to 2^40 ns (18 minutes; longer ones share the last bucket).
///
/// Storage is one array of 9 kB, allocated at creation; `record` touches one element.
/// Values below 64 ns have a bucket each; above, an octave has 64 buckets, and a quantile answers
/// with the middle of its bucket: at most 1/128 of the value away.
public struct LatencyHistogram: Sendable {
  private static let subBucketBits = 6
  private static let limitBits = 40
  /// How many buckets there are.
  static let bucketCount = (limitBits - subBucketBits + 1) << subBucketBits

  private var buckets: [UInt32]
  // The range of buckets that hold anything, so that clearing and merging touch no more.
  private var lowest = LatencyHistogram.bucketCount
  private var highest = -1

  /// How many durations were recorded.
  public private(set) var count: UInt64 = 0
  /// Their sum in nanoseconds; stays at its largest value when it would overflow.
  public private(set) var sumNanoseconds: UInt64 = 0
  /// The shortest one, exact; 0 when there is none.
  public private(set) var minNanoseconds: UInt64 = 0
  /// The longest one, exact; 0 when there is none.
  public private(set) var maxNanoseconds: UInt64 = 0

  public init() { buckets = Array(repeating: 0, count: Self.bucketCount) }

  /// The bucket of a duration.
  static func bucket(of nanoseconds: UInt64) -> Int {
    let limited = min(nanoseconds, (1 << limitBits) - 1)
    guard limited >= 1 << subBucketBits else { return Int(limited) }
    let shift = 63 - limited.leadingZeroBitCount - subBucketBits
    let sub = Int(limited >> UInt64(shift)) & ((1 << subBucketBits) - 1)
    return ((shift + 1) << subBucketBits) + sub
  }

  /// The shortest duration of a bucket, in nanoseconds.
  static func lowerBound(of bucket: Int) -> UInt64 {
    guard bucket >= 1 << subBucketBits else { return UInt64(bucket) }
    let shift = (bucket >> subBucketBits) - 1
    let sub = bucket & ((1 << subBucketBits) - 1)
    return UInt64(sub + (1 << subBucketBits)) << UInt64(shift)
  }

  /// Counts one duration. Does not allocate.
  public mutating func record(nanoseconds: UInt64) {
    let bucket = Self.bucket(of: nanoseconds)
    buckets[bucket] = Self.sum(buckets[bucket], 1)
    lowest = min(lowest, bucket)
    highest = max(highest, bucket)
    minNanoseconds = count == 0 ? nanoseconds : min(minNanoseconds, nanoseconds)
    maxNanoseconds = max(maxNanoseconds, nanoseconds)
    count += 1
    sumNanoseconds = Self.sum(sumNanoseconds, nanoseconds)
  }

  /// Counts the durations of samples, as one by one. Does not allocate unless the storage is shared.
  mutating func record(_ samples: Span<Sample>) {
    guard samples.count > 0 else { return }
    var low = UInt64.max
    var high: UInt64 = 0
    var sum: UInt64 = 0
    var counts = buckets.mutableSpan
    for i in samples.indices {
      let duration = samples[i].durationNanoseconds
      let bucket = Self.bucket(of: duration)
      counts[bucket] = Self.sum(counts[bucket], 1)
      low = min(low, duration)
      high = max(high, duration)
      sum = Self.sum(sum, duration)
    }
    lowest = min(lowest, Self.bucket(of: low))
    highest = max(highest, Self.bucket(of: high))
    minNanoseconds = count == 0 ? low : min(minNanoseconds, low)
    maxNanoseconds = max(maxNanoseconds, high)
    count = Self.sum(count, UInt64(samples.count))
    sumNanoseconds = Self.sum(sumNanoseconds, sum)
  }

  private static func sum<T: FixedWidthInteger>(_ a: T, _ b: T) -> T {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? T.max : sum
  }

  /// Adds the counts of `other`. Does not allocate unless the storage is shared.
  public mutating func merge(_ other: borrowing LatencyHistogram) {
    guard other.count > 0 else { return }
    for i in other.lowest...other.highest {
      buckets[i] = Self.sum(buckets[i], other.buckets[i])
    }
    lowest = min(lowest, other.lowest)
    highest = max(highest, other.highest)
    minNanoseconds = count == 0 ? other.minNanoseconds : min(minNanoseconds, other.minNanoseconds)
    maxNanoseconds = max(maxNanoseconds, other.maxNanoseconds)
    count = Self.sum(count, other.count)
    sumNanoseconds = Self.sum(sumNanoseconds, other.sumNanoseconds)
  }

  /// Forgets everything and keeps the storage.
  public mutating func reset() {
    if highest >= lowest { for i in lowest...highest { buckets[i] = 0 } }
    lowest = Self.bucketCount
    highest = -1
    count = 0
    sumNanoseconds = 0
    minNanoseconds = 0
    maxNanoseconds = 0
  }

  /// The duration that at least the share `q` (0…1) of all durations does not exceed, by nearest
  /// rank, in nanoseconds; nil when nothing was recorded.
  public func quantile(_ q: Double) -> UInt64? {
    guard count > 0 else { return nil }
    guard q < 1 else { return maxNanoseconds }
    let rank = max(1, UInt64((max(0, q) * Double(count)).rounded(.up)))
    var seen: UInt64 = 0
    for i in lowest...highest {
      seen += UInt64(buckets[i])
      guard seen >= rank else { continue }
      if i == Self.bucketCount - 1 { return maxNanoseconds }
      let lower = Self.lowerBound(of: i)
      let middle = lower + (Self.lowerBound(of: i + 1) - lower) / 2
      return min(max(middle, minNanoseconds), maxNanoseconds)
    }
    return maxNanoseconds
  }

  /// The mean in nanoseconds; nil when nothing was recorded.
  public var meanNanoseconds: Double? {
    count == 0 ? nil : Double(sumNanoseconds) / Double(count)
  }

  /// How many durations were at most so long. Exact for bounds between two buckets; the bucket that a
  /// bound cuts is shared out. Never less for a longer bound, and all of them from the longest one on.
  public func count(atMost nanoseconds: UInt64) -> UInt64 {
    guard count > 0, nanoseconds >= minNanoseconds else { return 0 }
    guard nanoseconds < maxNanoseconds else { return count }
    let cut = Self.bucket(of: nanoseconds)
    var sum: UInt64 = 0
    for i in lowest..<max(lowest, min(cut, Self.bucketCount)) { sum += UInt64(buckets[i]) }
    let lower = Self.lowerBound(of: cut)
    let width = Self.lowerBound(of: cut + 1) - lower
    let share = min(1, Double(nanoseconds - lower + 1) / Double(width))
    return min(count, sum + UInt64(Double(buckets[cut]) * share))
  }

  /// The counts per bucket that are not zero, as (shortest duration in ns, shortest of the next
  /// bucket, count), ascending.
  func occupied(_ visit: (_ lower: UInt64, _ upper: UInt64, _ count: UInt64) -> Void) {
    guard highest >= lowest else { return }
    for i in lowest...highest where buckets[i] != 0 {
      visit(Self.lowerBound(of: i), Self.lowerBound(of: i + 1), UInt64(buckets[i]))
    }
  }
}

extension LatencyHistogram: Fields {
  static var blank: LatencyHistogram { LatencyHistogram() }

  /// The buckets that hold anything, ascending, each as its distance from the one before and its
  /// count; then the shortest, the longest and the sum. `count` is what the buckets add up to.
  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    if coder.isReading { reset() }
    var occupied = 0
    if highest >= lowest { for i in lowest...highest where buckets[i] != 0 { occupied += 1 } }
    try coder.code(&occupied, limit: Self.bucketCount)
    var at = -1
    for _ in 0..<occupied {
      var next = at + 1
      if !coder.isReading { while buckets[next] == 0 { next += 1 } }
      var distance = next - at - 1
      try coder.code(&distance, limit: Self.bucketCount - 2 - at)
      at += distance + 1
      var here = UInt64(buckets[at])
      try coder.code(&here, limit: UInt64(UInt32.max))
      guard coder.isReading else { continue }
      buckets[at] = UInt32(here)
      count += here
      lowest = min(lowest, at)
      highest = at
    }
    try coder.code(&minNanoseconds)
    try coder.code(&maxNanoseconds)
    try coder.code(&sumNanoseconds)
    // Bounds that contradict the buckets would send a quantile outside of them.
    guard coder.isReading, count > 0 else { return }
    let isWhole =
      buckets[lowest] != 0 && buckets[highest] != 0 && minNanoseconds <= maxNanoseconds
      && Self.bucket(of: minNanoseconds) == lowest && Self.bucket(of: maxNanoseconds) == highest
    guard isWhole else {
      throw RecordingError(offset: coder.offset, reason: .outOfRange(maxNanoseconds))
    }
  }
}
