// What Linux says about process and machine, from recorded text and from the machine itself.

import Foundation
import Platform
import Testing

@Suite struct SystemTests {
  @Test func readsRecordedStatus() {
    let status = """
      Name:\tknapsack
      VmPeak:\t  106072 kB
      VmHWM:\t   21964 kB
      VmRSS:\t   20480 kB
      """
    let memory = ProcessMemory(status: Array(status.utf8))
    #expect(memory?.peakBytes == 21964 * 1024)
    #expect(memory?.residentBytes == 20480 * 1024)
  }

  @Test(arguments: [
    "", "VmHWM: 1 kB", "VmHWM: 1 kB\nVmRSS: kB", "VmHWM: 1 MB\nVmRSS: 1 kB",
    "VmHWM: 99999999999999999999 kB\nVmRSS: 1 kB", "VmHWM: 9223372036854775807 kB\nVmRSS: 1 kB",
    "VmHWM 1 kB\nVmRSS: 1 kB", "VmHWM: -1 kB\nVmRSS: 1 kB",
  ])
  func refusesOtherStatus(_ text: String) {
    #expect(ProcessMemory(status: Array(text.utf8)) == nil)
  }

  @Test func readsRecordedProcessors() {
    let intel = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.00GHz\n"
    #expect(CPUInfo.modelName(cpuinfo: Array(intel.utf8)) == "Intel(R) Xeon(R) CPU @ 2.00GHz")
    let board =
      "processor\t: 0\nBogoMIPS\t: 108.00\nCPU part\t: 0xd0b\n\nModel\t\t: Raspberry Pi 5\n"
    #expect(CPUInfo.modelName(cpuinfo: Array(board.utf8)) == "Raspberry Pi 5")
    #expect(CPUInfo.modelName(cpuinfo: []) == nil)
  }

  @Test func knowsThisProcessAndMachine() throws {
    let before = try #require(ProcessMemory.current)
    #expect(before.residentBytes > 1 << 20)
    #expect(before.peakBytes >= before.residentBytes / 2)
    // Touch pages: the peak follows.
    let memory = try AnonymousMemory(count: 64 << 20)
    for offset in stride(from: 0, to: memory.count, by: 4096) { memory.buffer[offset] = 1 }
    let after = try #require(ProcessMemory.current)
    #expect(after.peakBytes >= 64 << 20)
    let system = try #require(SystemMemory.current)
    #expect(system.totalBytes >= system.availableBytes)
    #expect(system.totalBytes == Int(ProcessInfo.processInfo.physicalMemory))
    #expect(CPUInfo.count >= 1)
    #expect(CPUInfo.count <= ProcessInfo.processInfo.processorCount)
  }

  @Test func clockMovesForward() {
    let first = Clock.monotonicNanoseconds
    Clock.sleep(milliseconds: 2)
    #expect(Clock.monotonicNanoseconds >= first + 1_000_000)
    #expect(abs(Double(Clock.unixSeconds) - Date().timeIntervalSince1970) < 5)
  }

  @Test func readsArgumentsAndEnvironment() {
    #expect(Array(Arguments()) == Array(CommandLine.arguments.dropFirst()))
    #expect(Environment.get("PATH") == ProcessInfo.processInfo.environment["PATH"])
    #expect(Environment.get("KNAPSACK_NO_SUCH_VARIABLE") == nil)
    setenv("KNAPSACK_EMPTY", "", 1)
    #expect(Environment.get("KNAPSACK_EMPTY") == "")
    #expect(Environment.getNonEmpty("KNAPSACK_EMPTY") == nil)
  }
}
