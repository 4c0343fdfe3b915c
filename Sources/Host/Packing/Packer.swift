// The whole journey of a model: import, rewrite, fit, encode, write.
import BundleFormat
import Bytes
import Calibration
import Fitting
import Foundation
import Graphs
import Importers
import Lowering
import Platform
import Programs
import Quantization
import Tasks
import Tensors
import Tokenizers

/// What to pack, and for what.
public struct PackRequest: Sendable {
  /// A model file, a model folder or a recipe folder.
  public var model: String
  public var target: DeviceProfile
  /// nil lets the fit choose.
  public var scheme: QuantizationScheme?
  /// Largest values of symbols; they go before the recipe's.
  public var limits: [String: Int] = [:]
  /// Outputs that become inputs of the next run, by the input's name; the first run sees zeros.
  public var states: [String: String] = [:]
  /// nil takes the model's or the recipe's.
  public var task: Task?
  /// Which tool will run the bundle.
  public var runtime: RuntimeFootprint
  /// Threads that memory is planned and latency predicted for; nil takes one.
  public var threads: Int?
  /// Which weights are coded in the bundle.
  public var storage = WeightStorage.coded
  /// What is asked of the bundle beside that it fits, and who finds the weights that do it.
  public var goals = FitGoals()
  public var search = SearchRequest()

  public init(model: String, target: DeviceProfile) {
    self.model = model
    self.target = target
    runtime = RuntimeFootprint(for: target)
  }
}

/// How weights are searched, where a limit or a wish asks for that.
public struct SearchRequest: Sendable {
  /// Wishes for single weights, behind those of the recipe.
  public var pins: [SchemePin] = []
  /// Packs the nearest where nothing keeps the goals.
  public var isBestEffort = false
  /// Makes the inputs that sensitivities are measured on, for a model whose weights are zeros yet; nil
  /// refuses what needs a search.
  public var calibrate: (@Sendable (PackedModel) throws -> LossInputs)?
  /// True where a person or the recipe gave inputs: the search is then taken before a coarser scheme.
  public var hasInputs = false
  /// Threads that measure.
  public var threads = 1
  public var watch = SearchWatch()

  public init() {}
}

/// Inputs to measure on.
public struct LossInputs: Sendable {
  public var items: [CalibrationItem]
  /// True where they were made up: what is measured with them may be far from the truth.
  public var isGenerated: Bool

  public init(items: [CalibrationItem], isGenerated: Bool) {
    self.items = items
    self.isGenerated = isGenerated
  }
}

/// A model fitted to a target, before it is written or run.
public struct PackedModel: Sendable {
  public var name: String
  public var request: PackRequest
  public var recipe: Recipe?
  public var format: ModelFormat
  public var graph: Graph
  public var candidate: FitCandidate
  public var task: Task
  public var tokenizerAsset: [UInt8]?
  public var budget: FitBudget
  /// nil where the target's profile says nothing about speed, or power.
  public var latency: LatencyEstimate?
  public var energy: EnergyEstimate?
  /// What the bundle stores; nil until `Packer.encode`.
  public var weights: PackedWeights?
  /// What stands on the target's accelerator; nil where nothing was placed there.
  public var placed: PlacedParts?
  /// What a search chose; nil where one scheme serves all weights.
  public var fit: FittedWeights?

  /// What people read: the scheme, or `mixed`.
  public var schemeName: String { fit == nil ? candidate.scheme.name : "mixed" }

  public var program: Program { weights?.program ?? candidate.model.program }

  /// Time and energy of the model as it is now.
  mutating func predictCosts() {
    let work = candidate.model.work
    latency = LatencyEstimate(work, on: request.target, threads: request.threads ?? 1)
    energy = latency.flatMap { EnergyEstimate(work, $0, on: request.target) }
  }
}

/// A request that the model cannot meet.
public enum PackError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A limit for an extent that the model does not have, or that is fixed.
  case unknownLimit(String, model: String, known: [String])
  case limitTooLarge(String, Int, model: String, most: Int)
  /// A state between an input and an output of which one is not the model's.
  case unknownState(
    input: String, output: String, model: String, inputs: [String], outputs: [String])
  /// The bundle would replace the model it is made of.
  case replacesModel(String)

  /// One line, without a full stop.
  public var description: String {
    switch self {
    case .unknownLimit(let name, let model, let known):
      "\(model): no open extent '\(name)': "
        + (known.isEmpty ? "all are fixed" : "expected " + known.joined(separator: ", "))
        + (nearestName(to: name, among: known).map { "; did you mean '\($0)'?" } ?? "")
    case .limitTooLarge(let name, let limit, let model, let most):
      "\(model): limit \(name)=\(limit): the model takes at most \(most)"
    case .unknownState(let input, let output, let model, let inputs, let outputs):
      "\(model): state \(input)=\(output): "
        + (inputs.contains(input)
          ? "no output '\(output)': expected " + outputs.joined(separator: ", ")
          : "no input '\(input)': expected " + inputs.joined(separator: ", "))
    case .replacesModel(let path): "\(path): the bundle would replace the model"
    }
  }
}

/// Packs models.
public enum Packer {
  /// Everything up to the choice of scheme.
  public static func pack(_ request: PackRequest) throws -> PackedModel {
    let recipe = Recipe.isRecipe(request.model) ? try Recipe(folder: request.model) : nil
    let path = recipe?.model ?? request.model
    var imported = try Importer.importModel(path)
    try addStates(request.states, to: &imported.graph, path)
    let asset = try imported.tokenizer.map { source in
      try source.serialized ?? makeTokenizer(source, imported, path).serialize()
    }
    var limits = recipe?.limits ?? [:]
    if let length = imported.maximumLength, limits["sequence"] == nil {
      limits["sequence"] = min(length, 128)
    }
    limits.merge(request.limits) { $1 }
    try check(request.limits, imported.graph, path)
    let graph = try Rewriter.rewrite(imported.graph, limits: limits)
    let task = request.task ?? recipe?.task ?? task(of: imported)
    // Plans for one thread: more threads ask for more scratch when the session is made.
    let options = LoweringOptions(limits: limits, threads: request.threads ?? 1)
    var packed = PackedModel(
      name: recipe?.name ?? modelName(path), request: request, recipe: recipe,
      format: imported.format, graph: graph,
      candidate: try candidate(.f32, graph, options, request, asset), task: task,
      tokenizerAsset: asset, budget: FitBudget(request.target))
    packed.request.search.pins = (recipe?.pins ?? []) + request.search.pins
    return try fit(packed, options)
  }

  /// Chooses the scheme, or schemes, of a model.
  private static func fit(_ packed: PackedModel, _ options: LoweringOptions) throws -> PackedModel {
    let request = packed.request
    let isAsked = !request.goals.isEmpty || !request.search.pins.isEmpty
    guard request.scheme == nil, request.search.calibrate != nil else {
      return try uniform(packed, options)
    }
    if isAsked { return try search(packed, options) }
    do {
      let found = try uniform(packed, options)
      let isPrecise = [.f32, .f16].contains(found.candidate.scheme)
      return isPrecise || !request.search.hasInputs ? found : try search(packed, options)
    } catch is FitError {
      return try search(packed, options)
    }
  }

  /// One scheme for all weights.
  static func candidate(
    _ scheme: QuantizationScheme, _ graph: Graph, _ options: LoweringOptions,
    _ request: PackRequest, _ asset: [UInt8]?
  ) throws -> FitCandidate {
    let model = try Lowering.lower(graph, options) { _ in scheme }
    let memory = MemoryEstimate(
      model, mapsWeights: true, runtime: request.runtime, assetBytes: asset?.count ?? 0)
    let overhead = model.program.encoded().count + (asset?.count ?? 0) + 4096
    return FitCandidate(
      scheme: scheme, model: model, memory: memory, storageBytes: model.weightBytes + overhead)
  }

  /// The most precise scheme that fits, for all weights alike; or the one that was asked for.
  private static func uniform(
    _ packed: PackedModel, _ options: LoweringOptions
  ) throws -> PackedModel {
    let request = packed.request
    var result = packed
    result.candidate = try UniformFit.fit(
      packed.budget, target: request.target.name, scheme: request.scheme
    ) { scheme in
      guard scheme != packed.candidate.scheme else { return packed.candidate }
      return try candidate(scheme, packed.graph, options, request, packed.tokenizerAsset)
    }
    result.predictCosts()
    return result
  }

  /// Every limit that was asked for is one of the model's open extents, and no more than it takes.
  private static func check(_ limits: [String: Int], _ graph: Graph, _ path: String) throws {
    for (name, limit) in limits.sorted(by: { $0.key < $1.key }) {
      guard graph.symbols.contains(name) else {
        throw PackError.unknownLimit(name, model: path, known: graph.symbols)
      }
      if let most = graph.limits[name], limit > most {
        throw PackError.limitTooLarge(name, limit, model: path, most: most)
      }
    }
  }

  private static func addStates(
    _ states: [String: String], to graph: inout Graph, _ path: String
  ) throws {
    for (input, output) in states.sorted(by: { $0.key < $1.key }) {
      guard let i = graph.inputs.firstIndex(where: { graph[$0.value].name == input }),
        let o = graph.outputs.first(where: { $0.name == output })
      else {
        throw PackError.unknownState(
          input: input, output: output, model: path,
          inputs: graph.inputs.map { graph[$0.value].name }, outputs: graph.outputs.map(\.name))
      }
      graph.states.removeAll { $0.input == i }
      graph.states.append(GraphState(input: i, next: o.value))
    }
  }

  private static func modelName(_ path: String) -> String {
    let url = URL(fileURLWithPath: path)
    let last = url.deletingPathExtension().lastPathComponent
    return ["model", "hf"].contains(last) ? url.deletingLastPathComponent().lastPathComponent : last
  }

  private static func makeTokenizer(
    _ source: TokenizerSource, _ model: ImportedModel, _ path: String
  ) throws -> WordPieceTokenizer {
    do {
      var tokenizer: WordPieceTokenizer
      if let json = source.tokenizerJSON {
        tokenizer = try WordPieceTokenizer(tokenizerJSON: json)
      } else {
        let options =
          try source.configurationJSON.map { try WordPieceOptions(tokenizerConfigJSON: $0) }
          ?? WordPieceOptions()
        let vocabulary = source.vocabulary ?? []
        tokenizer = try WordPieceTokenizer(vocabulary: vocabulary.span, options: options)
      }
      if let limit = model.maximumLength { tokenizer = try tokenizer.limited(to: limit) }
      return tokenizer
    } catch {
      throw RecipeError(path: path, message: "tokenizer: \(error)")
    }
  }

  private static func task(of model: ImportedModel) -> Task {
    if model.format == .fastText { return fastTextTask(of: model) }
    switch model.task {
    case .sentenceEmbedding:
      var task = SentenceEmbedding()
      task.inputs.maximumTokens = model.maximumLength ?? 512
      if model.graph.outputs.contains(where: { $0.name == "sentence_embedding" }) {
        task.outputName = "sentence_embedding"
      }
      return .sentenceEmbedding(task)
    case .textClassification:
      var task = TextClassification()
      task.inputs.maximumTokens = model.maximumLength ?? 512
      task.ranking.labels = model.labels
      task.ranking.topCount = max(1, min(model.labels.count, 3))
      return .textClassification(task)
    case .tokenClassification, nil: return detectionTask(of: model) ?? .tensor
    }
  }

  /// A model that takes pixels as they are and ends in TFLite's detection operator finds things.
  private static func detectionTask(of model: ImportedModel) -> Task? {
    let graph = model.graph
    guard let input = graph.inputs.first, graph.inputs.count == 1, input.elementType == .u8,
      input.dimensions.count == 4, input.dimensions[0] == .constant(1),
      input.dimensions[3] == .constant(3)
    else { return nil }
    let ends = graph.nodes.contains { node in
      if case .detection = node.op { node.outputs == graph.outputs.map(\.value) } else { false }
    }
    guard ends else { return nil }
    var task = ObjectDetection()
    task.picture.name = graph[input.value].name
    task.picture.layout = .interleaved
    task.labels = graph.labels
    return .objectDetection(task)
  }

  /// A classifier's probabilities need no softmax; a model of word vectors gives a text's.
  private static func fastTextTask(of model: ImportedModel) -> Task {
    var inputs = TextInputs()
    inputs.maximumTokens = model.maximumLength ?? inputs.maximumTokens
    inputs.idsName = FastTextImporter.idsName
    inputs.maskName = nil
    inputs.typesName = nil
    if model.task == .sentenceEmbedding {
      var task = SentenceEmbedding()
      inputs.maskName = FastTextImporter.averagesName
      task.inputs = inputs
      task.outputName = "sentence_vector"
      task.normalizes = false
      return .sentenceEmbedding(task)
    }
    var task = TextClassification()
    task.inputs = inputs
    task.ranking.outputName = "probabilities"
    task.ranking.appliesSoftmax = false
    task.ranking.labels = model.labels
    task.ranking.topCount = max(1, min(model.labels.count, 3))
    return .textClassification(task)
  }

  // MARK: Weights

  /// All weights, encoded, at their offsets.
  public static func encodeWeights(
    _ model: LoweredModel, into out: UnsafeMutableRawBufferPointer
  ) {
    precondition(out.count >= model.weightBytes)
    let program = model.program
    // Weights do not overlap: each iteration writes bytes of its own.
    nonisolated(unsafe) let out = out
    DispatchQueue.concurrentPerform(iterations: program.weights.count) { i in
      let weight = program.weights[i]
      let encoder = WeightEncoder(model.sources[i], weight.encoding)
      encoder.encode(
        into: UnsafeMutableRawBufferPointer(
          rebasing: out[weight.offset..<weight.offset + encoder.byteCount]))
    }
  }

  // MARK: Writing

  /// The model with its weights as the bundle stores them, and its memory as they make it.
  ///
  /// path: where the bundle will be; the weights wait for it in a file without a name beside it.
  public static func encode(_ packed: PackedModel, for path: String) throws -> PackedModel {
    if packed.weights != nil { return packed }
    var encoded = packed
    let weights = try PackedWeights(packed.candidate.model, packed.request.storage, for: path)
    encoded.weights = weights
    encoded.candidate.memory = MemoryEstimate(
      packed.candidate.model, isMapped: { weights.codings[$0] == nil },
      runtime: packed.request.runtime, assetBytes: packed.assetBytes)
    return encoded
  }

  /// Writes the bundle of an encoded model, whole or not at all.
  public static func write(_ packed: PackedModel, to path: String) throws -> BundleWriter.Summary {
    let source = packed.recipe?.model ?? packed.request.model
    if try File.isSame(path, source) { throw PackError.replacesModel(path) }
    return try writer(try encode(packed, for: path)).write(to: path)
  }

  /// A bundle's sections; their assets are read whole when it is opened.
  static func writer(_ packed: PackedModel) -> BundleWriter {
    var writer = BundleWriter()
    writer.add(manifest: Manifest.make(packed))
    writer.add(.program, packed.program.encoded())
    var assets: [BundleAsset] = []
    if let asset = packed.tokenizerAsset {
      assets.append(BundleAsset(name: "tokenizer", bytes: asset))
    }
    for part in packed.placed?.compiled ?? [] {
      assets.append(BundleAsset(name: part.asset, bytes: part.bytes))
    }
    if !assets.isEmpty { writer.add(assets: assets) }
    packed.weights?.add(to: &writer)
    return writer
  }
}
