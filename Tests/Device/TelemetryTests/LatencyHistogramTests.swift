// The histogram against exact quantiles of the same data.
import Randomness
import Telemetry
import Testing

struct LatencyHistogramTests {
  /// Exact quantile by nearest rank.
  private func exact(_ sorted: [UInt64], _ q: Double) -> UInt64 {
    sorted[max(1, Int((q * Double(sorted.count)).rounded(.up))) - 1]
  }

  @Test(arguments: [1, 2, 3, 4, 5], [1, 7, 100, 20_000])
  func quantilesAreWithinTheBound(seed: Int, count: Int) throws {
    var generator = SeededRandom(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
    var histogram = LatencyHistogram()
    var values: [UInt64] = []
    for _ in 0..<count {
      // Spread evenly over octaves from 1 ns to 18 minutes.
      let value = UInt64.random(
        in: 0..<(1 << UInt64.random(in: 1...40, using: &generator)), using: &generator)
      values.append(value)
      histogram.record(nanoseconds: value)
    }
    values.sort()
    #expect(histogram.count == UInt64(count))
    #expect(histogram.minNanoseconds == values.first)
    #expect(histogram.maxNanoseconds == values.last)
    #expect(histogram.sumNanoseconds == values.reduce(0, +))
    var before: UInt64 = 0
    for octave in 0...42 as ClosedRange<UInt64> {
      // Between two buckets, and in the middle of one.
      for bound in [(1 << octave) - 1, (1 << octave) + (1 << octave) / 3] as [UInt64] {
        let truth = UInt64(values.prefix { $0 <= bound }.count)
        let least = UInt64(values.prefix { Double($0) <= Double(bound) * 0.984 }.count)
        let most = UInt64(values.prefix { Double($0) <= Double(bound) * 1.016 }.count)
        let found = histogram.count(atMost: bound)
        #expect((least...most).contains(found), "\(found) of \(truth) up to \(bound)")
        #expect(found >= before)
        if bound < 64 || bound == (1 << octave) - 1 { #expect(found == truth, "\(bound)") }
        before = found
      }
    }
    for q in [0, 0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1] {
      let truth = Double(exact(values, q))
      let found = Double(try #require(histogram.quantile(q)))
      #expect(abs(found - truth) <= max(0.5, truth * 0.008), "q \(q): \(found) for \(truth)")
    }
  }

  @Test func emptyKnowsNothing() {
    let histogram = LatencyHistogram()
    #expect(histogram.quantile(0.5) == nil)
    #expect(histogram.meanNanoseconds == nil)
    #expect(histogram.bars(limit: 5).isEmpty)
    #expect(histogram.count(atMost: .max) == 0)
  }

  /// Two merged are as one that saw both; a reset one is as new.
  @Test func mergeAndReset() {
    var generator = SeededRandom(state: 42)
    var left = LatencyHistogram()
    var right = LatencyHistogram()
    var both = LatencyHistogram()
    for i in 0..<5000 {
      let value = UInt64.random(in: 1000...5_000_000, using: &generator)
      if i % 3 == 0 { left.record(nanoseconds: value) } else { right.record(nanoseconds: value) }
      both.record(nanoseconds: value)
    }
    left.merge(right)
    for q in [0.1, 0.5, 0.99, 1] { #expect(left.quantile(q) == both.quantile(q)) }
    #expect(left.count == both.count)
    #expect(left.sumNanoseconds == both.sumNanoseconds)
    left.reset()
    left.record(nanoseconds: 70)
    #expect(left.quantile(0.5) == 70)
    #expect(left.count == 1)
    var empty = LatencyHistogram()
    empty.merge(LatencyHistogram())
    #expect(empty.count == 0)
    empty.merge(left)
    #expect(empty.minNanoseconds == 70)
  }

  @Test func hugeDurationsShareTheLastBucket() {
    var histogram = LatencyHistogram()
    histogram.record(nanoseconds: .max)
    histogram.record(nanoseconds: .max)
    #expect(histogram.quantile(0.5) == .max)
    #expect(histogram.sumNanoseconds == .max)
  }

  /// Every duration is in exactly one row, and rows have round, even bounds.
  @Test(arguments: [1, 2, 3, 5, 8, 20])
  func barsHoldEverything(limit: Int) throws {
    var generator = SeededRandom(state: 7)
    var histogram = LatencyHistogram()
    var values: [UInt64] = []
    for i in 0..<3000 {
      let value =
        UInt64.random(in: 4_400_000...5_600_000, using: &generator)
        + (i % 100 == 0 ? 20_000_000 : 0)
      values.append(value)
      histogram.record(nanoseconds: value)
    }
    let bars = histogram.bars(limit: limit)
    #expect(bars.count >= 1 && bars.count <= limit)
    #expect(bars.reduce(0) { $0 + $1.count } == 3000)
    let last = try #require(bars.last)
    #expect(last.isOpen || limit == 1)
    guard bars.count > 1 else { return }
    let step = bars[1].lowerNanoseconds - bars[0].lowerNanoseconds
    var round = step
    while round % 10 == 0 { round /= 10 }
    #expect([1, 2, 3, 5].contains(round))
    for (i, bar) in bars.dropLast().enumerated() {
      #expect(bar.lowerNanoseconds == bars[0].lowerNanoseconds + UInt64(i) * step)
      #expect(bar.lowerNanoseconds % step == 0)
      let truth = values.filter { $0 >= bar.lowerNanoseconds && $0 < bar.lowerNanoseconds + step }
        .count
      // A bucket may straddle a bound; its durations are spread evenly here.
      #expect(abs(Int(bar.count) - truth) <= 60)
    }
  }
}
