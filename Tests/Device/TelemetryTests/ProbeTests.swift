// Parsers on recorded texts, and a whole recorded tree.
import Foundation
import RecordedMachines
import Telemetry
import Testing

struct ProbeTests {
  private static let status = """
    Name:\tknapsack
    Umask:\t0022
    State:\tS (sleeping)
    VmPeak:\t  412340 kB
    VmHWM:\t   22940 kB
    VmRSS:\t   21732 kB
    RssAnon:\t    9200 kB
    RssFile:\t   12532 kB
    RssShmem:\t       0 kB
    Threads:\t5

    """

  @Test func statusLines() {
    let text = Array(Self.status.utf8)
    let status = ProcessStatus(status: text.span)
    #expect(status.peakBytes == 22940 * 1024)
    #expect(status.residentBytes == 21732 * 1024)
    #expect(status.anonymousBytes == 9200 * 1024)
    #expect(status.fileBytes == 12532 * 1024)
    #expect(status.threadCount == 5)
  }

  /// A kernel thread has no memory lines: unknown, not zero.
  @Test(arguments: [
    "", "Name:\tkthreadd\nThreads:\t1\n", "VmRSS:\n", "VmRSS:\t12",
    "VmRSS: 99999999999999999999 kB\n",
    "VmRSS: 18446744073709551615 kB\n", "XVmRSS:\t 1 kB\n", "VmRSS:\t 1 MB\n",
  ])
  func missingLinesAreUnknown(text: String) {
    let bytes = Array(text.utf8)
    let status = ProcessStatus(status: bytes.span)
    #expect(status.residentBytes == nil)
  }

  @Test func statSurvivesNamesWithParentheses() throws {
    let text = Array(
      "4242 (a) R 1 (b) S 1 4242 4242 34816 -1 4194304 1520 0 7 0 133 21 0 0 20 0 5 0 152805 3133440"
        .utf8)
    let parsed = ProcessStat(stat: text.span)
    let stat = try #require(parsed)
    #expect(stat.minorFaults == 1520)
    #expect(stat.majorFaults == 7)
    #expect(stat.cpuTicks == 154)
  }

  @Test(arguments: [
    "", "1 (a", "1 (a)", "1 (a) S", "1 (a) S 1 2 3", "1 (a) S 1 2 3 4 5 6 7 8 9 x 1 1",
  ])
  func brokenStatIsRefused(text: String) {
    let bytes = Array(text.utf8)
    let parsed = ProcessStat(stat: bytes.span)
    #expect(parsed == nil)
  }

  @Test func statm() {
    let text = Array("103085 5433 3133 23 0 2300 0\n".utf8)
    let pages = ProcessStatm.residentPages(text.span)
    #expect(pages == 5433)
    let broken = Array("103085".utf8)
    let none = ProcessStatm.residentPages(broken.span)
    #expect(none == nil)
  }

  @Test func aRecordedBoard() {
    let tree = RecordedTree([
      "proc/self/status": Self.status,
      "proc/self/stat": "4242 (knapsack) S 1 1 1 0 -1 0 10 0 0 0 133 21 0 0 20 0 5 0 1 1",
    ])
    let reading = tree.sampler.reading(nowNanoseconds: 1)
    #expect(reading.memory.resident == 21732 * 1024)
    #expect(reading.memory.peak == 22940 * 1024)
    #expect(reading.cpuNanoseconds == 1_540_000_000)
  }

  /// Nothing there: everything unknown, with a reason, and never zero.
  @Test func anEmptyMachine() {
    let sampler = RecordedTree().sampler
    _ = sampler.reading(nowNanoseconds: 1)
    let reading = sampler.reading(nowNanoseconds: 1_000_000_001)
    var expected = MemoryReading()
    expected.pressure.reason = EscapedText("no /proc/pressure")
    expected.limits.reason = EscapedText("no control groups")
    #expect(reading.memory == expected)
    #expect(reading.cpuNanoseconds == nil)
    #expect(reading.thermal.celsius == nil)
    #expect(reading.thermal.clockMegahertz == nil)
    #expect(reading.thermal.reason == EscapedText("no thermal zones"))
    #expect(reading.accelerators.list.isEmpty)
    #expect(!reading.accelerators.reason.isEmpty)
    let power = sampler.power(nowNanoseconds: 1)
    #expect(power.watts == nil)
    #expect(power.joules == nil)
    #expect(power.battery.watts == nil)
    #expect(power.battery.reason == EscapedText("none"))
  }

  /// Without memory lines in status, statm tells how much is resident.
  @Test func statmIsTheSecondSource() {
    let tree = RecordedTree([
      "proc/self/status": "Name:\tx\n", "proc/self/statm": "100 10 5 1 0 9 0\n",
    ])
    #expect(tree.sampler.reading(nowNanoseconds: 1).memory.resident == 10 * 4096)
  }
}
