// Parsers on recorded texts, and a whole recorded tree.
import Foundation
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

  /// Writes a tree of files and removes it.
  private func withTree(_ files: [String: String], _ body: (String) throws -> Void) throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent(
      "telemetry-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    for (path, text) in files {
      let file = root.appendingPathComponent(path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    try body(root.path)
  }

  @Test func aRecordedBoard() throws {
    let zone = "sys/class/thermal/thermal_zone"
    let files = [
      "proc/self/status": Self.status,
      "proc/self/stat": "4242 (knapsack) S 1 1 1 0 -1 0 10 0 0 0 133 21 0 0 20 0 5 0 1 1",
      "\(zone)0/type": "gpu-thermal\n", "\(zone)0/temp": "55100\n",
      // A sensor that is off says so with a number.
      "\(zone)1/type": "cv0-thermal\n", "\(zone)1/temp": "-256000\n",
      "\(zone)2/type": "cpu-thermal\n", "\(zone)2/temp": "71300\n",
      "\(zone)2/trip_point_0_type": "passive\n", "\(zone)2/trip_point_0_temp": "80000\n",
      "\(zone)2/trip_point_1_type": "critical\n", "\(zone)2/trip_point_1_temp": "95000\n",
      "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000\n",
      "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "2400000\n",
    ]
    try withTree(files) { root in
      let sampler = SystemSampler(root: root)
      #expect(sampler.memory().resident == 21732 * 1024)
      #expect(sampler.cpuNanoseconds() == 1_540_000_000)
      let thermal = sampler.thermal()
      #expect(thermal.celsius == 71.3)
      #expect(thermal.zone == EscapedText("cpu-thermal"))
      #expect(thermal.criticalCelsius == 95)
      #expect(thermal.clockMegahertz == 1800)
      #expect(thermal.maxClockMegahertz == 2400)
    }
  }

  /// Nothing there: everything unknown, with a reason, and never zero.
  @Test func anEmptyMachine() throws {
    try withTree([:]) { root in
      let sampler = SystemSampler(root: root)
      #expect(sampler.memory() == MemoryReading())
      #expect(sampler.cpuNanoseconds() == nil)
      let thermal = sampler.thermal()
      #expect(thermal.celsius == nil)
      #expect(thermal.clockMegahertz == nil)
      #expect(thermal.reason == EscapedText("no thermal zones"))
    }
  }

  @Test func sensorsThatAreOff() throws {
    let zone = "sys/class/thermal/thermal_zone0"
    try withTree(["\(zone)/type": "soc\n", "\(zone)/temp": "0\n"]) { root in
      let thermal = SystemSampler(root: root).thermal()
      #expect(thermal.celsius == nil)
      #expect(thermal.reason == EscapedText("no zone answers"))
    }
  }

  /// Without memory lines in status, statm tells how much is resident.
  @Test func statmIsTheSecondSource() throws {
    let files = ["proc/self/status": "Name:\tx\n", "proc/self/statm": "100 10 5 1 0 9 0\n"]
    try withTree(files) { root in
      #expect(SystemSampler(root: root).memory().resident == 10 * 4096)
    }
  }
}
