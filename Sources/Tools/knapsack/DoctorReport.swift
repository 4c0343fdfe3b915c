// What knapsack doctor says of a machine: a page that fits into a bug report.
import Bytes
import Fitting
import Foundation
import Kernels
import Packing
import Platform
import Reporting
import Telemetry

/// A line a subject; what stands in the way has a `!` and what to do about it.
struct DoctorReport {
  private(set) var text = TextBuffer()
  private let environment = ProcessInfo.processInfo.environment
  private var root: String { environment["KNAPSACK_SYSROOT"] ?? "" }

  mutating func describe() throws {
    line("knapsack", Manifest.toolVersion)
    line("system", systemName)
    let host = try DeviceProfile.host(root: root.isEmpty ? "/" : root)
    processor(host)
    memory(host)
    probe()
    let settings = try Settings()
    let sampler = SystemSampler(
      settings: PowerSettings(meterPath: settings[.powerFrom], gridGramsPerKilowattHour: nil))
    power(sampler)
    thermal(sampler.reading(nowNanoseconds: Clock.monotonicNanoseconds))
    terminal()
    devices()
    folders()
    let chosen = Setting.allCases.filter { settings[$0] != nil }
    line("settings", chosen.isEmpty ? "none" : "\(chosen.count), see knapsack config")
  }

  /// The column behind the longest subject.
  private static let wordsAt = 15

  private mutating func line(_ subject: String, _ words: String, isBad: Bool = false) {
    text.put(isBad ? "! " : "  ")
    text.put(subject)
    text.pad(to: Self.wordsAt)
    text.put(untrusted: Array(words.utf8))
    text.put("\n")
  }

  private mutating func remedy(_ words: String) {
    text.pad(to: Self.wordsAt)
    text.put("\(words)\n")
  }

  private var systemName: String {
    var names = utsname()
    guard uname(&names) == 0 else { return "unknown" }
    func word<T>(_ tuple: T) -> String {
      withUnsafeBytes(of: tuple) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    let kernel = "\(word(names.sysname)) \(word(names.release)) \(word(names.machine))"
    let release = (try? File.read(root + "/etc/os-release", limit: 1 << 16)) ?? []
    let name = String(decoding: release, as: UTF8.self).split(separator: "\n")
      .first { $0.hasPrefix("PRETTY_NAME=") }?.dropFirst("PRETTY_NAME=".count)
    return name.map { "\($0.trimmingCharacters(in: ["\""])), \(kernel)" } ?? kernel
  }

  private mutating func processor(_ host: DeviceProfile) {
    let clusters = host.cpu.clusters.map { "\($0.coreCount) x \($0.core)" }
    line("processor", clusters.joined(separator: ", "))
    let others = KernelSet.available.map(\.name).filter { $0 != KernelSet.best.name }
    line(
      "kernels",
      KernelSet.best.name + (others.isEmpty ? "" : "; also " + others.joined(separator: ", ")))
    let load = (try? File.read(root + "/proc/loadavg", limit: 256)).flatMap {
      String(decoding: $0, as: UTF8.self).split(separator: " ").first.flatMap { Double($0) }
    }
    guard let load else { return line("load", "unknown") }
    let isBusy = load > 0.5 * Double(CPUInfo.count)
    line("load", "\(load) on \(CPUInfo.count) cores", isBad: isBusy)
    if isBusy { remedy("other work slows what is measured now, and what a probe would measure") }
  }

  private mutating func memory(_ host: DeviceProfile) {
    func mebibytes(_ count: Int) -> String { "\(count >> 20) MiB" }
    let total = host.memory.ramTotalBytes
    line(
      "memory", mebibytes(total) + ", \(mebibytes(total - host.memory.ramReservedBytes)) for models"
    )
    line("disk", mebibytes(host.storage.freeBytes) + " free here")
  }

  private mutating func probe() {
    let path = DeviceProfile.hostFile
    guard (try? File.kind(of: path)) == .regular else {
      line("probe", "this machine was not measured", isBad: true)
      return remedy("knapsack probe does that in 30 s; predictions for it are figures of its kind")
    }
    do {
      let file = try DeviceProfile.read(path)
      let isOurs = file.measured?.isOf(KernelSet.best.name) == true
      line(
        "probe", path + (isOurs ? "" : ": of other kernels, or of another version"), isBad: !isOurs)
      if !isOurs { remedy("knapsack probe measures this machine anew") }
    } catch {
      line("probe", error.description, isBad: true)
      remedy("knapsack probe writes it anew")
    }
  }

  private mutating func power(_ sampler: SystemSampler) {
    let tried = sampler.everyPowerSource()
    func words(_ text: EscapedText) -> String { String(decoding: text.utf8, as: UTF8.self) }
    if let source = tried.first(where: { $0.outcome == .works }) {
      line("power", "\(words(source.name)), \(words(source.detail))")
    } else {
      line("power", "no meter; energy is an estimate, or unknown", isBad: true)
      let refused = tried.first { $0.outcome == .notPermitted && !$0.remedy.isEmpty }
      remedy(refused.map { words($0.remedy) } ?? "knapsack doctor power lists what was tried")
    }
  }

  private mutating func thermal(_ reading: SystemReading) {
    let zones = reading.thermal.zones.filter { $0.celsius != nil }
    line("thermal", zones.isEmpty ? "no zone that answers" : "\(zones.count) zones")
    let names = reading.accelerators.list.map { String(decoding: $0.name.utf8, as: UTF8.self) }
    line("accelerator", names.isEmpty ? "none that tells its load" : names.joined(separator: ", "))
  }

  private mutating func terminal() {
    let type = environment["TERM"] ?? ""
    guard Standard.output.isTerminal, Standard.isInputTerminal else {
      return line("terminal", "none: a run prints lines")
    }
    let isPlain = type.isEmpty || type == "dumb"
    line("terminal", type.isEmpty ? "TERM is not set" : "TERM=\(type)", isBad: isPlain)
    if isPlain { remedy("the monitor is not drawn; TERM names what your terminal is") }
    for name in ["NO_COLOR", "CI", "KNAPSACK_A11Y"] where !(environment[name] ?? "").isEmpty {
      remedy(name == "NO_COLOR" ? "NO_COLOR is set: no colours" : "\(name) is set: lines only")
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }
      .first { !$0.isEmpty }
    let isUTF8 = locale?.uppercased().replacing("-", with: "").contains("UTF8") ?? false
    line("locale", locale ?? "not set", isBad: !isUTF8)
    if !isUTF8 { remedy("the monitor draws with ASCII; LANG=C.UTF-8 gives it blocks and lines") }
  }

  /// Cameras and microphones that `run` could take.
  private mutating func devices() {
    let cameras = ((try? Folder.names(root + "/dev")) ?? []).filter { $0.hasPrefix("video") }
    let sounds = ((try? Folder.names(root + "/dev/snd")) ?? []).filter {
      $0.hasPrefix("pcm") && $0.hasSuffix("c")
    }
    let found = cameras.map { "/dev/\($0)" } + sounds.map { "/dev/snd/\($0)" }
    line("inputs", found.isEmpty ? "no camera, no microphone" : found.joined(separator: ", "))
  }

  private mutating func folders() {
    let state = StateFolder.path
    line("reports", state ?? "nowhere: HOME is not set", isBad: state == nil)
    do {
      line("sockets", try RuntimeFolder.make())
    } catch {
      line("sockets", error.description, isBad: true)
      remedy("knapsack top cannot attach; XDG_RUNTIME_DIR names a folder of yours alone")
    }
  }
}
