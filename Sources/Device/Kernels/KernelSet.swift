// The micro-kernels of one instruction set, and which sets this CPU runs.

public import CKernels

/// One variant of every micro-kernel: scalar code, or code for one CPU feature set.
///
/// A set is constant data of the program, so values can go anywhere and are compared by identity.
@safe
public struct KernelSet: @unchecked Sendable, Equatable {
  /// The C functions. Constant, and valid for as long as the program runs.
  @unsafe public let table: UnsafePointer<kn_kernels>

  private init(_ table: UnsafePointer<kn_kernels>) {
    unsafe self.table = table
  }

  /// Every set this CPU runs: the scalar one first, the fastest one last. Never empty.
  public static let available: [KernelSet] = {
    var sets: [KernelSet] = []
    for index in 0..<kn_kernel_set_count where kn_kernel_set_supported(index) != 0 {
      if let table = unsafe kn_kernel_set(index) { unsafe sets.append(KernelSet(table)) }
    }
    return sets
  }()

  /// The fastest set this CPU runs.
  public static let best: KernelSet = available[available.count - 1]

  /// The set that defines what the others compute.
  public static var scalar: KernelSet { available[0] }

  /// The set of that name, if it was compiled in and this CPU runs it.
  public static func named(_ name: String) -> KernelSet? {
    available.first { $0.name == name }
  }

  /// "scalar", "avx2", "avx2-vnni", "avx512", "avx512-vnni", "neon" or "neon-dotprod".
  public var name: String { unsafe String(cString: table.pointee.name) }

  public static func == (a: KernelSet, b: KernelSet) -> Bool { unsafe a.table == b.table }
}
