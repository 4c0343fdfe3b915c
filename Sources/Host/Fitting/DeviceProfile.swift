// What a device can do, as its file in Targets says or as this machine was found to be.

/// A device to pack for. Rates count a multiply and an add as two operations.
///
/// In a file that came without a measurement every figure is required. Of a detected host nothing is
/// known that would have to be measured, and of a probed one what no meter shows: those figures are nil.
public struct DeviceProfile: Equatable, Sendable {
  /// What `--target` calls it: lower-case letters, digits, `-`, `_`, `.`.
  public var name: String
  /// One line for a person.
  public var description: String
  public var cpu: Processor
  public var memory: Memory
  public var storage: Storage
  /// What stands beside the CPU, if anything does.
  public var accelerator: Accelerator?
  /// Nil on a detected host.
  public var power: Power?
  /// What a probe measured, of a machine that was probed.
  public var measured: MeasuredSpeeds?
}

extension DeviceProfile {
  public enum Architecture: String, CaseIterable, Equatable, Sendable {
    case aarch64, armv7, riscv64
    case amd64 = "x86_64"
  }

  /// An instruction-set extension that a kernel may ask for.
  public enum Feature: String, CaseIterable, Equatable, Sendable {
    case avx2, fma, f16c, avxvnni, avx512, avx512vnni, avx512bf16
    case neon, fp16, dotprod, bf16, i8mm, sve
  }

  public struct Processor: Equatable, Sendable {
    public var architecture: Architecture
    /// Groups of equal cores, the fastest first; never empty.
    public var clusters: [Cluster]

    /// Cores of all clusters.
    public var coreCount: Int { clusters.reduce(0) { $0 + $1.coreCount } }
  }

  /// Cores of one kind.
  public struct Cluster: Equatable, Sendable {
    /// What the maker calls the core.
    public var core: String
    public var coreCount: Int
    /// Nil where the machine does not say.
    public var clockHertz: Double?
    public var features: [Feature]
    /// Sustained, of one core while all work; nil on a detected host.
    public var f32OperationsPerSecondPerCore: Double?
    /// Sustained, of one core while all work; nil on a detected host.
    public var int8OperationsPerSecondPerCore: Double?
    /// What one busy core adds to the idle power; nil on a detected host.
    public var activeWattsPerCore: Double?
  }

  public struct Memory: Equatable, Sendable {
    public var ramTotalBytes: Int
    /// What the system and its services keep; less than the total.
    public var ramReservedBytes: Int
    /// Sustained reads by all cores; nil on a detected host.
    public var bandwidthBytesPerSecond: Double?
  }

  public struct Storage: Equatable, Sendable {
    public var freeBytes: Int
    /// Sequential; nil on a detected host.
    public var readBytesPerSecond: Double?
  }

  /// An NPU, GPU or DSP.
  public struct Accelerator: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Equatable, Sendable {
      case npu, gpu, dsp
    }

    public var kind: Kind
    public var name: String
    /// As the maker names them: f32, f16, bf16, int16, int8, int4.
    public var elementTypes: [String]
    /// ONNX operators that its compiler places on it.
    public var operators: [String]
    /// As the maker states it, dense.
    public var int8OperationsPerSecond: Double
    /// Of convolutional models, one inference at a time.
    public var sustainedInt8OperationsPerSecond: Double
    /// On-chip memory for weights and activations.
    public var localMemoryBytes: Int
    /// What it adds to the idle power when busy.
    public var activeWatts: Double
    /// The tool that turns a model into what it runs.
    public var compiler: String
    /// What that tool calls the device, where it can be called from here.
    public var compilerTarget: String?
    /// Of the cycles that it counts.
    public var clockHertz: Double?
    /// Its compiler takes no open extents.
    public var needsStaticShapes: Bool
    /// Its 8-bit activations have no zero points.
    public var isSymmetric: Bool
    /// Between the CPU's memory and its own, or through the caches.
    public var transferBytesPerSecond: Double
    /// What each tensor that changes sides costs beside its bytes: calls, cache maintenance, waiting.
    public var transferSeconds: Double
  }

  public struct Power: Equatable, Sendable {
    public enum Supply: String, CaseIterable, Equatable, Sendable {
      case mains, battery
    }

    public var supply: Supply
    /// The most the supply gives, or a battery device sustains.
    public var supplyWatts: Double
    /// Given exactly when the supply is a battery.
    public var batteryWattHours: Double?
    /// The whole device, nothing running.
    public var idleWatts: Double
    /// What one operation adds on the fastest cluster. The same energy as its active watts: count
    /// one or the other.
    public var picojoulesPerF32Operation: Double
    public var picojoulesPerInt8Operation: Double
    public var picojoulesPerDRAMByte: Double
  }
}
