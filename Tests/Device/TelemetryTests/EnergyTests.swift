// Energy against what is known of a made-up rail, whatever the sampling does.
import Foundation
import Randomness
import RecordedMachines
import Telemetry
import Testing

private let second: UInt64 = 1_000_000_000

struct EnergyTests {
  /// A load that swings: 5 W, ±2 W every five seconds, and 3 W more in every other ten seconds.
  private static func watts(_ t: Double) -> Double {
    5 + 2 * sin(2 * .pi * t / 5) + (Int(t / 10) % 2 == 0 ? 3 : 0)
  }

  /// Its energy from 0 on, in joules, by hand.
  private static func joules(_ t: Double) -> Double {
    let steps = Int(t / 10)
    let on = Double((steps + 1) / 2) * 10 + (steps % 2 == 0 ? t - Double(steps) * 10 : 0)
    let swing = 2 * 5 / (2 * Double.pi) * (1 - cos(2 * .pi * t / 5))
    return 5 * t + swing + 3 * on
  }

  /// Moments 100 ms apart, each up to 40 ms late, from a seed.
  private static func moments(seconds: Double) -> [Double] {
    var random = SeededRandom(state: 20_260_120)
    var moments: [Double] = []
    var t = 0.0
    while t < seconds {
      moments.append(t + Double.random(in: 0..<0.04, using: &random))
      t += 0.1
    }
    return moments
  }

  /// G19: below 0.5 % with jitter and with a second in which the sensor does not answer.
  @Test func railWithJitterAndGap() throws {
    let rail = "sys/class/hwmon/hwmon0/"
    let tree = RecordedTree([
      rail + "name": "ina3221\n", rail + "in1_label": "VDD_IN\n", rail + "in1_input": "5000\n",
      rail + "curr1_input": "1000\n",
    ])
    let sampler = tree.sampler
    let moments = Self.moments(seconds: 120)
    var sum = 0.0
    for t in moments {
      let isSilent = t >= 42 && t < 43
      tree.write(
        rail + "curr1_input", isSilent ? "" : "\(Int((Self.watts(t) * 200).rounded()))\n")
      let sample = sampler.power(nowNanoseconds: second + UInt64(t * 1e9))
      #expect((sample.watts == nil) == isSilent)
      sum += sample.joules ?? 0
    }
    let truth = Self.joules(try #require(moments.last)) - Self.joules(moments[0])
    #expect(abs(sum / truth - 1) < 0.005)
  }

  /// G19 with a counter: wraps every 60 J, jitter, and the same gap. Nothing is lost at all.
  @Test func counterWithWrapJitterAndGap() throws {
    let range = 60_000_000
    let tree = RecordedTree(Machine.zone("0", "package-0", 59_000_000, range: range))
    let sampler = tree.sampler
    _ = sampler.power(nowNanoseconds: second / 2)
    let moments = Self.moments(seconds: 120)
    let energy = "sys/class/powercap/intel-rapl:0/energy_uj"
    var sum = 0.0
    var nanoseconds: UInt64 = 0
    var wraps = 0
    for (i, t) in moments.enumerated() {
      let isSilent = t >= 42 && t < 43
      let counted = 59_000_000 + Int(Self.joules(t) * 1e6)
      wraps = max(wraps, counted / range)
      tree.write(energy, isSilent ? "" : "\(counted % range)\n")
      let sample = sampler.power(nowNanoseconds: second + UInt64(t * 1e9))
      guard i > 0 else { continue }
      sum += sample.joules ?? 0
      nanoseconds += sample.joulesNanoseconds
    }
    let truth = Self.joules(try #require(moments.last)) - Self.joules(moments[0])
    #expect(wraps >= 10)
    #expect(abs(sum / truth - 1) < 1e-6)
    let seconds = try #require(moments.last) - moments[0]
    #expect(abs(Double(nanoseconds) / 1e9 - seconds) < 1e-6)
  }

  /// A run on a board of 6 W that takes 2 W when idle: 100 inferences of 0.2 s.
  @Test func perInferenceGrossAndAboveIdle() throws {
    let tree = RecordedTree(Machine.channel(0, 1, "VDD_IN", 5000, 1200))
    let collector = Collector(
      facts: RunFacts(), nowNanoseconds: 0, sampler: tree.sampler)
    collector.setState(.running)
    var now = second
    func run(_ count: Int) {
      for _ in 0..<count {
        collector.recordInference(startNanoseconds: now, durationNanoseconds: 200_000_000)
        for _ in 0..<2 {
          now += 100_000_000
          collector.poll(nowNanoseconds: now)
        }
      }
    }
    run(45)
    // Nine seconds are too few.
    #expect(collector.snapshot(nowNanoseconds: now).power.joulesPerInference == nil)
    run(55)
    var power = collector.snapshot(nowNanoseconds: now).power
    #expect(power.grade == .meter)
    #expect(power.source.string == "INA3221 VDD_IN")
    #expect(abs(try #require(power.watts) - 6) < 1e-6)
    #expect(abs(try #require(power.joulesPerInference) - 1.2) < 1e-3)
    #expect(abs(try #require(power.carbon.gramsPerHour) - 6 * 0.475) < 1e-6)
    #expect(power.joulesPerInferenceAboveIdle == nil)
    #expect(power.idleWatts == nil)
    #expect(abs(try #require(power.totalJoules) - 119.4) < 0.7)
    // A pause of six seconds measures the idle power and counts for nothing else.
    collector.setPaused(true)
    tree.write("sys/class/hwmon/hwmon0/curr1_input", "400\n")
    for _ in 0..<60 {
      now += 100_000_000
      collector.poll(nowNanoseconds: now)
    }
    collector.setPaused(false)
    tree.write("sys/class/hwmon/hwmon0/curr1_input", "1200\n")
    let before = power.totalJoules
    run(1)
    let snapshot = collector.snapshot(nowNanoseconds: now)
    power = snapshot.power
    #expect(abs(try #require(power.idleWatts) - 2) < 1e-6)
    #expect(power.idleMeasuredSeconds != nil)
    #expect(snapshot.events.last?.text == EscapedText("idle baseline 2.00 W"))
    #expect(abs(try #require(power.joulesPerInferenceAboveIdle) - 0.8) < 0.02)
    #expect(try #require(power.totalJoules) - (try #require(before)) < 2)
  }

  /// The counter went on while the machine slept for an hour; the run did not.
  @Test func energyOfASleepIsNotCounted() throws {
    let tree = RecordedTree(Machine.zone("0", "package-0", 0))
    let sampler = tree.sampler
    var asleep: UInt64 = 5_000
    sampler.asleep = { asleep }
    let collector = Collector(facts: RunFacts(), nowNanoseconds: 0, sampler: sampler)
    collector.setState(.running)
    var counted = 0
    var now = second
    for i in 0..<200 {
      collector.recordInference(startNanoseconds: now, durationNanoseconds: 100_000_000)
      now += 100_000_000
      counted += 1_000_000
      if i == 100 {
        counted += 3_600_000_000
        asleep += 3600 * second
      }
      tree.write("sys/class/powercap/intel-rapl:0/energy_uj", "\(counted)\n")
      collector.poll(nowNanoseconds: now)
    }
    let snapshot = collector.snapshot(nowNanoseconds: now)
    // 10 W for 20 s, less the two tenths of a second that are not known.
    #expect(abs(try #require(snapshot.power.totalJoules) - 198) < 1.5)
    #expect(
      snapshot.events.map { $0.text.string } == [
        "the machine slept for 3600 s: its energy is not counted"
      ])
  }

  /// Without a meter the model's energy is a model's, and says so.
  @Test func theModelIsTheLastResort() throws {
    let tree = RecordedTree(["proc/self/stat": Self.stat(ticks: 0)])
    var facts = RunFacts()
    facts.energy = EnergyFigures(idleWatts: 2, wattsPerActiveCore: 3)
    let collector = Collector(facts: facts, nowNanoseconds: 0, sampler: tree.sampler)
    collector.setState(.running)
    var now = second
    for i in 0..<150 {
      collector.recordInference(startNanoseconds: now, durationNanoseconds: 100_000_000)
      now += 100_000_000
      // One core busy: ten ticks in 100 ms.
      tree.write("proc/self/stat", Self.stat(ticks: (i + 1) * 10))
      collector.poll(nowNanoseconds: now)
    }
    let power = collector.snapshot(nowNanoseconds: now).power
    #expect(power.grade == .model)
    #expect(power.bandPercent == 35)
    #expect(abs(try #require(power.joulesPerInference) - 0.5) < 0.01)
    #expect(abs(try #require(power.joulesPerInferenceAboveIdle) - 0.3) < 0.01)
    #expect(power.tried.count == 7)
  }

  private static func stat(ticks: Int) -> String {
    "1 (k) S 1 1 1 0 -1 0 10 0 0 0 \(ticks) 0 0 0 20 0 5 0 1 1\n"
  }

  /// Ten seconds, a minute, ten minutes and the whole run: each looks back as far as it says.
  @Test func windows() throws {
    let collector = Collector(
      facts: RunFacts(), nowNanoseconds: 0, sampler: SystemSampler(root: "/nonexistent"))
    collector.setState(.running)
    var now = second
    // 20 minutes at one inference a second, each minute a millisecond slower.
    for i in 0..<1200 {
      collector.recordInference(
        startNanoseconds: now, durationNanoseconds: UInt64(1 + i / 60) * 1_000_000)
      now += second
      collector.poll(nowNanoseconds: now)
    }
    func window(_ seconds: Int?) -> Snapshot {
      collector.snapshot(nowNanoseconds: now, windowSeconds: seconds)
    }
    #expect((9...10).contains(window(10).latency.count))
    #expect((59...60).contains(window(60).latency.count))
    #expect((590...600).contains(window(600).latency.count))
    #expect(window(nil).latency.count == 1200)
    #expect(window(nil).windowSeconds == nil)
    #expect(window(99_999).windowSeconds == 600)
    let ten = Double(try #require(window(600).latency.p50))
    #expect(abs(ten - 15.5e6) < 0.6e6)
    #expect(abs(Double(try #require(window(nil).latency.p50)) - 10.5e6) < 0.6e6)
    #expect(abs(try #require(window(600).perSecond) - 1) < 0.01)
    #expect(abs(try #require(window(nil).perSecond) - 1) < 0.01)
  }
}
