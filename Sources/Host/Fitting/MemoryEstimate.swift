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

  /// Resident bytes beside weights, arena and program. VmHWM of `bench` less all that, the median of the
  /// 156 cases of Benchmarks/predictions (x86-64, Swift 6.3.1), is 24.9 MiB for `knapsack`; `knapsack-run`
  /// takes 4.1 MiB with shared libraries and about 2 MiB less as a static executable.
  public var bytes: Int {
    switch self {
    case .knapsack: 26_060_000
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
  /// Values computed while preparing (weights in the kernels' own panels among them), and the program
  /// itself.
  public var programBytes: Int
  /// Tokenizer and labels.
  public var assetBytes: Int
  public var runtimeBytes: Int

  /// True where the sizes of some tensors are found in the run: their memory is not counted.
  public var isLowerBound: Bool
  /// Weights and tables that are pages of the bundle file: the system takes them back when it must, and
  /// reads them again.
  public var mappedBytes: Int

  public var peakBytes: Int {
    weightBytes + tableBytes + arenaBytes + programBytes + assetBytes + runtimeBytes
  }

  /// What is not of the bundle file.
  public var privateBytes: Int { peakBytes - mappedBytes }

  /// A mapped table costs a page per row looked up, and the kernel maps up to 16 pages around a fault
  /// where the file is in its cache (`fault_around_bytes`, 64 KiB); rows of frequent tokens share
  /// them. Three quarters of that is the expectation.
  private static let bytesPerLookup = 48 << 10

  /// Bytes of a mapped table that so many look-ups touch.
  package static func touchedBytes(lookups: Int) -> Int {
    let (bytes, overflow) = lookups.multipliedReportingOverflow(by: bytesPerLookup)
    return overflow ? .max : bytes
  }

  /// What a session holds of each step (its name, attributes and context) and of each weight (its name,
  /// view and place); fitted to the same bundles.
  private static let bytesPerStep = 1024
  private static let bytesPerWeight = 1536

  /// mapsWeights: all weights are used where the bundle's file is mapped.
  public init(
    _ model: LoweredModel, mapsWeights: Bool, runtime: RuntimeFootprint, assetBytes: Int = 0
  ) {
    self.init(
      model, isMapped: { _ in mapsWeights }, runtime: runtime, assetBytes: assetBytes)
  }

  /// isMapped: whether a weight is used where the bundle's file is mapped; decoded ones are not.
  public init(
    _ model: LoweredModel, isMapped: (Int) -> Bool, runtime: RuntimeFootprint, assetBytes: Int = 0
  ) {
    self.assetBytes = assetBytes
    isLowerBound = model.work.contains { $0.time == .open }
    mappedBytes = 0
    weightBytes = 0
    tableBytes = 0
    for (i, weight) in model.program.weights.enumerated() {
      let bytes = weight.byteCount ?? 0
      if isMapped(i), let lookups = model.lookups[i] {
        let touched = min(bytes, MemoryEstimate.touchedBytes(lookups: lookups))
        tableBytes += touched
        mappedBytes += touched
      } else {
        weightBytes += bytes
        if isMapped(i) { mappedBytes += bytes }
      }
    }
    arenaBytes = model.program.plan.arenaBytes
    programBytes =
      model.staticBytes + model.program.steps.count * MemoryEstimate.bytesPerStep
      + model.program.weights.count * MemoryEstimate.bytesPerWeight
    runtimeBytes = runtime.bytes
  }
}
