// Facts that Linux gives as text: this process's memory, the machine's memory, its CPU.

import CPlatform

/// Memory of this process, from /proc/self/status.
public struct ProcessMemory: Equatable, Sendable {
  /// The most bytes that were resident at once.
  public let peakBytes: Int
  /// Bytes resident now.
  public let residentBytes: Int
  /// Those of them that no file backs; 0 where the kernel does not say.
  public let anonymousBytes: Int

  /// Nil where `status` does not have both figures.
  public init?(status: [UInt8]) {
    guard let peak = SystemText.kilobytes("VmHWM", in: status),
      let resident = SystemText.kilobytes("VmRSS", in: status)
    else { return nil }
    peakBytes = peak
    residentBytes = resident
    anonymousBytes = SystemText.kilobytes("RssAnon", in: status) ?? 0
  }

  /// As it is now; nil where /proc is missing.
  public static var current: ProcessMemory? {
    guard let status = try? File.read("/proc/self/status", limit: 1 << 16) else { return nil }
    return ProcessMemory(status: status)
  }
}

/// Memory of the machine, from /proc/meminfo.
public struct SystemMemory: Equatable, Sendable {
  public let totalBytes: Int
  /// Bytes that programs can have without swapping.
  public let availableBytes: Int

  /// Nil where `meminfo` does not have both figures.
  public init?(meminfo: [UInt8]) {
    guard let total = SystemText.kilobytes("MemTotal", in: meminfo),
      let available = SystemText.kilobytes("MemAvailable", in: meminfo)
    else { return nil }
    totalBytes = total
    availableBytes = available
  }

  /// As it is now; nil where /proc is missing.
  public static var current: SystemMemory? {
    guard let meminfo = try? File.read("/proc/meminfo", limit: 1 << 16) else { return nil }
    return SystemMemory(meminfo: meminfo)
  }
}

/// The processor.
public enum CPUInfo {
  /// Logical CPUs this process may use.
  public static var count: Int { Int(kp_cpu_count()) }

  /// The name of the processor or, on boards that do not name theirs, of the board.
  public static var modelName: String? {
    if let cpuinfo = try? File.read("/proc/cpuinfo", limit: 1 << 22),
      let name = modelName(cpuinfo: cpuinfo)
    {
      return name
    }
    guard var board = try? File.read("/proc/device-tree/model", limit: 4096) else { return nil }
    while board.last == 0 { board.removeLast() }
    return board.isEmpty ? nil : String(decoding: board, as: UTF8.self)
  }

  /// The name in the text of /proc/cpuinfo.
  public static func modelName(cpuinfo: [UInt8]) -> String? {
    for key in ["model name", "Model", "Hardware", "uarch"] {
      if let value = SystemText.value(key, in: cpuinfo), !value.isEmpty {
        return String(decoding: value, as: UTF8.self)
      }
    }
    return nil
  }
}

/// Lines of `key: value`, as /proc has them.
enum SystemText {
  /// What follows the first line's `key` and colon, without the space around it.
  static func value(_ key: String, in text: [UInt8]) -> ArraySlice<UInt8>? {
    for line in text.split(separator: 0x0A) where line.starts(with: key.utf8) {
      var rest = line.dropFirst(key.utf8.count)
      while let first = rest.first, isSpace(first) { rest.removeFirst() }
      guard rest.first == UInt8(ascii: ":") else { continue }
      rest.removeFirst()
      while let first = rest.first, isSpace(first) { rest.removeFirst() }
      while let last = rest.last, isSpace(last) { rest.removeLast() }
      return rest
    }
    return nil
  }

  /// The bytes of a line such as `VmHWM:   1234 kB`.
  static func kilobytes(_ key: String, in text: [UInt8]) -> Int? {
    guard let value = value(key, in: text) else { return nil }
    var count = 0
    var rest = value
    while let digit = rest.first, digit >= 0x30, digit <= 0x39 {
      let (tenfold, tooMany) = count.multipliedReportingOverflow(by: 10)
      let (next, overflow) = tenfold.addingReportingOverflow(Int(digit - 0x30))
      if tooMany || overflow { return nil }
      count = next
      rest.removeFirst()
    }
    guard rest.elementsEqual(" kB".utf8), rest.startIndex > value.startIndex else { return nil }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: 1024)
    return overflow ? nil : bytes
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
