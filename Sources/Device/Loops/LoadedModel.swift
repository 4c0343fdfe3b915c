// A model that is ready for a session: program, weights in memory, assets, task.
import BundleFormat
import Bytes
import Kernels
import Operators
import Platform
import Programs
import Tasks
import Tensors
import Tokenizers

/// What keeps the weights' bytes alive.
public enum WeightMemory: Sendable {
  case bundle(BundleWeights)
  case anonymous(AnonymousMemory)

  /// Bytes of all weights.
  var byteCount: Int {
    switch self {
    case .bundle(let weights): weights.totalCount
    case .anonymous(let memory): memory.count
    }
  }

  /// Where the bytes of a weight are; nil where they are not all in one place.
  @unsafe func start(ofWeightAt offset: Int, byteCount: Int) -> UnsafeRawPointer? {
    switch self {
    case .bundle(let weights):
      return unsafe weights.start(ofWeightAt: offset, byteCount: byteCount)
    case .anonymous(let memory):
      guard Checked.fits(offset: offset, count: byteCount, in: memory.count) else { return nil }
      return unsafe memory.buffer.baseAddress.map { unsafe UnsafeRawPointer($0 + offset) }
    }
  }
}

/// A program with everything it needs, from a bundle or packed in memory.
public final class LoadedModel: @unchecked Sendable {
  public let name: String
  public let manifest: CBORValue
  public let program: Program
  public let task: Task
  public let tokenizer: TextTokenizer?
  /// Nanoseconds from opening to the end of loading.
  public private(set) var loadNanoseconds: UInt64 = 0
  /// One view per program weight.
  public let weights: [TensorView]
  private let memory: WeightMemory

  /// memory: the weights section; the program's offsets count from its start.
  public init(
    name: String, manifest: CBORValue, program: Program, memory: WeightMemory,
    tokenizerAsset: [UInt8]?
  ) throws(Failure) {
    self.name = name
    self.manifest = manifest
    self.program = program
    self.memory = memory
    do throws(TaskError) {
      task =
        try manifest["task"].map { value throws(TaskError) in try Task(cbor: value) } ?? .tensor
    } catch {
      throw Failure(.badData, "\(name): \(error)")
    }
    if let tokenizerAsset {
      do throws(TextTokenizerError) {
        tokenizer = try TextTokenizer(serialized: tokenizerAsset.span)
      } catch {
        throw Failure(.badData, "\(name): tokenizer: \(error)")
      }
    } else {
      tokenizer = nil
    }
    do throws(ProgramError) {
      try program.validate(weightBytes: memory.byteCount)
    } catch {
      throw Failure(.badData, "\(name): \(error)")
    }
    try LoadedModel.checkOutputs(program, name)
    var views: [TensorView] = []
    for (i, w) in program.weights.enumerated() {
      let count = w.byteCount ?? 0
      // Nothing is read of a weight without bytes, which still has an address.
      let start =
        unsafe count == 0
        ? UnsafeRawPointer(bitPattern: 64) : memory.start(ofWeightAt: w.offset, byteCount: count)
      guard let start = unsafe start else {
        throw Failure(.badData, "\(name): weight \(i) is stored and coded")
      }
      views.append(
        unsafe TensorView(
          base: UnsafeMutableRawPointer(mutating: start), byteCount: count,
          elementType: w.elementType, shape: w.shape, encoding: w.encoding))
    }
    weights = views
  }

  /// There is something to read after a run, and its bytes are plain.
  private static func checkOutputs(_ program: Program, _ name: String) throws(Failure) {
    guard !program.outputs.isEmpty else { throw Failure(.badData, "\(name): has no outputs") }
    for output in program.outputs where !program.isSlot(output.tensor) {
      guard program.weights[output.tensor].encoding == nil else {
        throw Failure(.badData, "\(name): output '\(output.name)' is a quantized weight")
      }
    }
  }

  /// Opens, checks and loads a bundle; coded weights are decoded on so many threads. One whose weights take
  /// more than `memoryLimit` is refused before they are read. `progress` is told how far it is.
  public static func open(
    bundle path: String, memoryLimit: Int? = nil, threads: Int = min(CPUInfo.count, 8),
    progress: LoadProgress? = nil
  ) throws(Failure) -> LoadedModel {
    let start = Clock.monotonicNanoseconds
    let reader: BundleReader
    let programBytes: [UInt8]
    let assets: [BundleAsset]
    let weightBytes: Int
    do throws(BundleError) {
      reader = try BundleReader(path: path, progress: progress)
      programBytes = try reader.sectionBytes(.program)
      assets = try reader.assets()
      weightBytes = try reader.weightByteCount()
    } catch {
      throw Failure(bundle: error)
    }
    let program: Program
    do throws(ProgramError) {
      program = try Program(decoding: programBytes)
      try program.validate(weightBytes: weightBytes)
    } catch {
      throw Failure(.badData, "\(path): \(error)")
    }
    try Failure.check(path, needs: program.weightBytes, limit: memoryLimit)
    let weights: BundleWeights
    do throws(BundleError) {
      weights = try reader.loadWeights(of: program, threads: threads)
    } catch {
      throw Failure(bundle: error)
    }
    var tokenizer: [UInt8]?
    for asset in assets where asset.name == "tokenizer" { tokenizer = asset.bytes }
    let model = try LoadedModel(
      name: reader.manifest["name"]?.textValue ?? path, manifest: reader.manifest,
      program: program, memory: .bundle(weights), tokenizerAsset: tokenizer)
    model.loadNanoseconds = Clock.monotonicNanoseconds &- start
    return model
  }

  /// Whether it was packed by this very process, which then holds what packing took as well.
  public var isPackedHere: Bool {
    if case .anonymous = memory { true } else { false }
  }

  /// For models packed in memory.
  public func setLoadTime(_ nanoseconds: UInt64) { loadNanoseconds = nanoseconds }

  /// Prepares the program at its limits and checks that its memory plan is right for them, which opening
  /// does not ask: a wrong plan cannot harm memory, only results.
  public func checkPlan() throws(Failure) {
    let compute = unsafe Compute(
      kernels: KernelSet.best.table, pool: nil, texts: TextPool(program.texts))
    let preparation = Preparation(program, weights: weights, compute: compute)
    do throws(PreparationError) {
      try preparation.prepare(program.symbols.map { $0.limit })
    } catch {
      throw Failure(.badData, "\(name): \(error)")
    }
    let isSound = program.plan.isSound(
      for: program, slotBytes: preparation.slotBytes, scratchBytes: preparation.scratchBytes)
    guard isSound else {
      throw Failure(.badData, "\(name): plan: live tensors overlap or do not fit")
    }
  }

  /// The scheme the bundle was packed with, by name.
  public var scheme: String { manifest["scheme"]?.textValue ?? "f32" }

  /// A figure of the manifest's `predicted` map; nil where it is none that can be true.
  public func predicted(_ key: String) -> Double? {
    guard let value = manifest["predicted"]?[key]?.doubleValue, value >= 0, value < 1e18 else {
      return nil
    }
    return value
  }
}
