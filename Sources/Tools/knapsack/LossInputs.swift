// Inputs for measuring loss: what `run` takes, or values that are made up.
import Bytes
import Calibration
import Foundation
import Loops
import Packing
import Platform
import Programs
import Quantization

extension LossInputs {
  /// How many inputs are made up where there are none.
  private static let generatedCount = 16
  /// How many of the given ones are taken where nobody said it: as many as two runs of each weight take
  /// about ten seconds for, counted in multiply-accumulates so that every machine takes the same.
  private static let fewest = 16
  private static let most = 256
  private static let multiplyAccumulates = 6e11

  /// The items of `files`, or of the recipe, `count` at most where it is given.
  ///
  /// The model is not run: only its inputs are filled.
  static func made(
    for packed: PackedModel, _ files: [String], atMost count: Int?
  ) throws -> LossInputs {
    let lowered = packed.candidate.model
    let memory = try AnonymousMemory(count: max(lowered.weightBytes, 1))
    // Shapes may follow from small constants; what is large stays zero and takes no memory.
    for (source, weight) in zip(lowered.sources, lowered.program.weights)
    where !source.isQuantizable {
      let encoder = WeightEncoder(source, weight.encoding)
      let end = weight.offset + encoder.byteCount
      encoder.encode(
        into: UnsafeMutableRawBufferPointer(rebasing: memory.buffer[weight.offset..<end]))
    }
    let model = try LoadedModel(
      name: packed.name, manifest: Manifest.make(packed), program: packed.program,
      memory: .anonymous(memory), tokenizerAsset: packed.tokenizerAsset)
    let runner = try ModelRunner(model, threads: 1)
    var options = RunOptions()
    options.inputs = files.isEmpty ? packed.recipe?.calibrationData.map { [$0] } ?? [] : files
    guard !options.inputs.isEmpty else {
      let items = try (0..<generatedCount).map { i in
        try runner.fillWithSamples(seed: UInt64(i))
        return CalibrationItem(copying: runner.session)
      }
      warn(
        "no calibration inputs: \(items.count) were made up, and what is measured with them may be far "
          + "from the truth; --calibration FILE takes real ones")
      return LossInputs(items: items, isGenerated: true)
    }
    let all = try items(options, runner)
    try runner.fill(all[all.count / 2])
    let work = runner.session.multiplyAccumulates.reduce(1.0) { $0 + Double($1) }
    let weights = lowered.sources.filter(\.isQuantizable).count
    let count =
      count
      ?? Int(
        min(max(multiplyAccumulates / work / Double(max(weights, 1)), Double(fewest)), Double(most))
      )
    // Items of a stream follow one another; others are taken from everywhere.
    let isStream = !model.program.states.isEmpty
    let places = (0..<min(all.count, count)).map {
      isStream || all.count <= count ? $0 : $0 * all.count / count
    }
    let items = try places.map { i in
      try runner.fill(all[i])
      return CalibrationItem(copying: runner.session)
    }
    return LossInputs(items: items, isGenerated: false)
  }

  /// What the files hold: something, of the kind that the model takes.
  private static func items(_ options: RunOptions, _ runner: ModelRunner) throws -> [RunItem] {
    let files = options.inputs.joined(separator: ", ")
    for path in options.inputs where !path.hasSuffix(".safetensors") {
      guard path.hasSuffix(".txt"), runner.takesText else {
        throw Failure(
          .usage,
          "--calibration: \(path): \(runner.model.name) takes .safetensors"
            + (runner.takesText ? ", or .txt with a text a line" : ""))
      }
    }
    let items = try RunItems(options, runner).items
    if case .sample? = items.first {
      throw Failure(.badData, "\(files): there are no inputs in it")
    }
    return items
  }

  private static func warn(_ text: String) {
    FileHandle.standardError.write(Data("knapsack: warning: \(text)\n".utf8))
  }
}
