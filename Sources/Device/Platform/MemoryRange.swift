// Stretches of this process's memory, and how much of them is there.

import CPlatform

/// A stretch of the address space. It is asked about, never read.
public struct MemoryRange: Equatable, Sendable {
  public var address: UInt
  public var byteCount: Int

  public init(address: UInt, byteCount: Int) {
    self.address = address
    self.byteCount = max(byteCount, 0)
  }

  /// Bytes of it that are in memory and can be touched without reading a file, by whole pages; nil
  /// where it is not all mapped. For files it is the system's cache that counts. About 20 ns a page.
  public var residentBytes: Int? {
    guard byteCount > 0 else { return 0 }
    guard !address.addingReportingOverflow(UInt(byteCount) + 65_536).overflow else { return nil }
    let bytes = kp_resident_bytes(address, byteCount)
    return bytes < 0 ? nil : min(Int(bytes), byteCount)
  }

  /// The same bytes in as few stretches as there can be: what lies less than a page apart is one, with
  /// what is between.
  public static func merged(_ ranges: [MemoryRange]) -> [MemoryRange] {
    var out: [MemoryRange] = []
    for range in ranges.sorted(by: { $0.address < $1.address }) where range.byteCount > 0 {
      guard let last = out.last, range.address <= last.address + UInt(last.byteCount) + 4096 else {
        out.append(range)
        continue
      }
      let end = max(last.address + UInt(last.byteCount), range.address + UInt(range.byteCount))
      out[out.count - 1].byteCount = Int(end - last.address)
    }
    return out
  }
}
