// The peak resident memory of a run, predicted from the program alone.
import Lowering
import Programs
import Tensors

/// Which tool will run the bundle: its code and libraries are part of the peak.
public enum RuntimeFootprint: Sendable {
  /// The workstation tool, with the Swift runtime and Foundation as shared libraries.
  case knapsack
  /// The device tool: one static executable.
  case knapsackRun

  /// x86-64 machines run the workstation tool, boards the device tool.
  public init(for profile: DeviceProfile) {
    self = profile.cpu.architecture == .amd64 ? .knapsack : .knapsackRun
  }

  /// Resident bytes beside weights, arena and program. Measured as VmHWM of a run of the digits bundle
  /// (x86-64, Swift 6.3.1): 22.5 MiB for `knapsack`, 4.1 MiB for `knapsack-run` with shared libraries
  /// and about 2 MiB less as a static executable.
  public var bytes: Int {
    switch self {
    case .knapsack: 23 << 20
    case .knapsackRun: 2 << 20
    }
  }
}

/// What one run holds in memory, by cause.
public struct MemoryEstimate: Equatable, Sendable {
  /// Weights that every inference reads whole.
  public var weightBytes: Int
  /// Pages of look-up tables that one inference touches, out of a mapped file.
  public var tableBytes: Int
  public var arenaBytes: Int
  /// Values computed while preparing, and the program itself.
  public var programBytes: Int
  public var runtimeBytes: Int

  public var peakBytes: Int {
    weightBytes + tableBytes + arenaBytes + programBytes + runtimeBytes
  }

  /// A mapped table costs a page per row looked up, and the kernel maps up to 16 pages around a fault
  /// where the file is in its cache (`fault_around_bytes`, 64 KiB); rows of frequent tokens share
  /// them. Three quarters of that is the expectation.
  private static let bytesPerLookup = 48 << 10

  /// mapsWeights: the weights section is stored raw and used from the file.
  public init(_ model: LoweredModel, mapsWeights: Bool, runtime: RuntimeFootprint) {
    weightBytes = 0
    tableBytes = 0
    for (i, weight) in model.program.weights.enumerated() {
      let bytes = weight.byteCount ?? 0
      if mapsWeights, let lookups = model.lookups[i] {
        tableBytes += min(bytes, lookups * MemoryEstimate.bytesPerLookup)
      } else {
        weightBytes += bytes
      }
    }
    arenaBytes = model.program.plan.arenaBytes
    // Steps, names and tensor views: about a kilobyte each.
    programBytes = model.staticBytes + model.program.steps.count * 1024
    runtimeBytes = runtime.bytes
  }
}
