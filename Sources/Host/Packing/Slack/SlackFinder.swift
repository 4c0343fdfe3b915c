// Looks through a model for what it could do without.
import Fitting
import Graphs
import Lowering
import Programs
import Quantization
import Tensors

/// Finds slack in the tensors of one model, and in its steps on one target.
public struct SlackFinder {
  private var findings: [SlackFinding] = []
  /// The largest finding about each tensor, by its place in memory.
  private var savedBytes: [ObjectIdentifier: Int] = [:]

  /// Tensors of fewer bytes are not worth a line.
  private static let leastByteCount = 256

  /// What `path` could do without, and which of its steps int8 does not make faster on `target`.
  public static func report(
    _ request: PackRequest
  ) throws -> SlackReport {
    // What does not fit is looked through all the same.
    var request = request
    request.target.memory.ramTotalBytes = 1 << 50
    request.target.memory.ramReservedBytes = 0
    request.target.storage.freeBytes = 1 << 50
    request.scheme = .f32
    let float = try Packer.pack(request)
    var finder = SlackFinder()
    let model = float.candidate.model
    finder.lookAtTensors(model)
    finder.lookForDuplicates(model)
    var total = finder.savedBytes.values.reduce(0, +)
    for tensor in float.graph.unusedTensors where tensor.byteCount > 0 {
      total += tensor.byteCount
      finder.findings.append(
        SlackFinding(
          .unused, tensor.name, byteCount: tensor.byteCount, "in the file, read by nothing"))
    }
    request.scheme = .int8
    let quantized = try Packer.pack(request)
    var note: String?
    if let slow = float.latency, let fast = quantized.latency {
      finder.findings += SlackFinder.stepsWithoutGain(model, slow, quantized.candidate.model, fast)
    } else {
      note =
        "the profile of \(request.target.name) has no speed figures: "
        + "what int8 gains cannot be said"
    }
    let constants = SlackFinder.constants(model)
    let kinds = SlackFinding.Kind.allCases
    return SlackReport(
      findings: finder.findings.sorted {
        let (a, b) = (kinds.firstIndex(of: $0.kind)!, kinds.firstIndex(of: $1.kind)!)
        return (a, -$0.byteCount, $0.name) < (b, -$1.byteCount, $1.name)
      },
      tensorByteCount: constants.reduce(0) { $0 + SlackFinder.storedBytes($1) }
        + float.graph.unusedTensors.reduce(0) { $0 + $1.byteCount },
      totalByteCount: total, zstdSavedByteCount: try SlackFinder.zstdSavedBytes(constants),
      speedNote: note)
  }

  /// Each constant once.
  private static func constants(_ model: LoweredModel) -> [Constant] {
    var seen = Set<ObjectIdentifier>()
    return model.sources.map(\.constant).filter { seen.insert(ObjectIdentifier($0)).inserted }
  }

  /// Bytes that the model's file takes for a constant.
  private static func storedBytes(_ constant: Constant) -> Int {
    constant.elementType == constant.storedType
      ? constant.bytes.count
      : constant.shape.elementCount * max(constant.storedType.byteCount, 1)
  }

  private mutating func add(
    _ kind: SlackFinding.Kind, _ source: WeightSource, _ byteCount: Int, _ detail: String
  ) {
    guard byteCount > 0 else { return }
    findings.append(SlackFinding(kind, source.name, byteCount: byteCount, detail))
    let key = ObjectIdentifier(source.constant)
    savedBytes[key] = max(savedBytes[key] ?? 0, byteCount)
  }

  // MARK: Tensors

  private mutating func lookAtTensors(_ model: LoweredModel) {
    var seen = Set<ObjectIdentifier>()
    let channels = ChannelAxes(model)
    for (i, source) in model.sources.enumerated() {
      let constant = source.constant
      guard SlackFinder.storedBytes(constant) >= SlackFinder.leastByteCount,
        seen.insert(ObjectIdentifier(constant)).inserted
      else { continue }
      if constant.elementType == .f32 {
        lookAtFloats(source)
      } else if constant.elementType.isNumber {
        lookAtIntegers(source, channels[i])
      }
      constant.releasePages()
    }
  }

  private mutating func lookAtFloats(_ source: WeightSource) {
    let facts = TensorFacts(source)
    let constant = source.constant
    let bytes = SlackFinder.storedBytes(constant)
    let count = constant.shape.elementCount
    let isProduct: Bool
    switch source.role {
    case .matrix, .kernel: isProduct = true
    case .table, .plain: isProduct = false
    }
    if isProduct { addDeadRows(source, facts.zeroRows, facts.uniformRows, of: facts.rows) }
    // What the file has in fewer bits is not called wide for having become f32 here.
    guard constant.storedType == .f32 || constant.storedType == .f64 else { return }
    if facts.isUniform {
      add(.elementType, source, bytes - 4, "all \(count) elements are one number")
    } else if let distinct = facts.distinctCount, distinct <= 16, count >= 256 {
      add(
        .quantized, source, bytes - (count + 1) / 2 - 4 * distinct,
        "\(distinct) different numbers among \(count): 4 bits each are enough")
    } else if facts.isGrid, count >= 256 {
      add(
        .quantized, source, bytes - count - 4 * facts.rows,
        "multiples of one step per row: int8 holds them exactly")
    } else if let distinct = facts.distinctCount, count >= 1024 {
      add(
        .quantized, source, bytes - count - 4 * distinct,
        "\(distinct) different numbers among \(count): 8 bits each are enough")
    } else if facts.isHalf {
      add(.elementType, source, bytes - 2 * count, "f16 holds all of them exactly")
    } else if facts.isBrainFloat {
      add(.elementType, source, bytes - 2 * count, "bf16 holds all of them exactly")
    }
  }

  private mutating func addDeadRows(
    _ source: WeightSource, _ zero: [Int], _ uniform: [Int], of rows: Int
  ) {
    let dead = zero.count + uniform.count
    guard dead > 0, rows > 1 else { return }
    let shown = (zero + uniform).sorted().prefix(8).map(String.init).joined(separator: ", ")
    let what =
      [(zero.count, "all zero"), (uniform.count, "one number each")].filter { $0.0 > 0 }
      .map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    add(
      .deadChannels, source, SlackFinder.storedBytes(source.constant) / rows * dead,
      "\(dead) of \(rows) (\(what)): \(shown)\(dead > 8 ? " …" : "")")
  }

  private mutating func lookAtIntegers(_ source: WeightSource, _ axis: ChannelAxis?) {
    let constant = source.constant
    if let axis, constant.elementType.byteCount == 1 {
      let uniform = axis.uniformChannels(constant.bytes)
      addDeadRows(source, uniform.zero, uniform.other, of: axis.count)
    }
    // Files do not align what they hold.
    let isAligned =
      Int(bitPattern: constant.bytes.baseAddress) % constant.elementType.byteCount == 0
    let aligned = isAligned ? constant : Constant(copying: constant.view)
    let smallest = withExtendedLifetime(aligned) { IntegerRange.smallestType(aligned.view) }
    guard let type = smallest else { return }
    let count = constant.shape.elementCount
    add(
      .elementType, source, count * (constant.elementType.byteCount - type.byteCount),
      "\(constant.elementType.name) whose values fit \(type.name)")
  }

  // MARK: Twice the same

  private mutating func lookForDuplicates(_ model: LoweredModel) {
    var known: [Int: [WeightSource]] = [:]
    var seen = Set<ObjectIdentifier>()
    for source in model.sources {
      let constant = source.constant
      guard SlackFinder.storedBytes(constant) >= SlackFinder.leastByteCount,
        constant.elementType.isNumber, seen.insert(ObjectIdentifier(constant)).inserted
      else { continue }
      let print = Fingerprint.of(constant)
      if let other = known[print]?.first(where: { Fingerprint.isSame(constant, $0.constant) }) {
        add(
          .duplicate, source, SlackFinder.storedBytes(constant), "the same as \(other.name)")
      } else if let turned = Fingerprint.ofTurned(constant),
        let other = known[turned]?.first(where: { Fingerprint.isTurned(constant, $0.constant) })
      {
        add(
          .duplicate, source, SlackFinder.storedBytes(constant),
          "\(other.name) with rows and columns exchanged")
      } else {
        known[print, default: []].append(source)
      }
      constant.releasePages()
    }
  }

  // MARK: zstd

  private static func zstdSavedBytes(_ constants: [Constant]) throws -> Int {
    let compressor = try ZstdCompressor()
    let total = constants.reduce(0) { $0 + $1.bytes.count }
    let level = ZstdCompressor.level(forByteCount: total)
    var saved = 0
    for constant in constants where constant.storedType == constant.elementType {
      for start in stride(from: 0, to: constant.bytes.count, by: 256 << 10) {
        let part = constant.bytes[start..<min(start + 256 << 10, constant.bytes.count)]
        let bytes = Array(part)
        if let frame = try compressor.frame(of: bytes, level: level) {
          saved += bytes.count - frame.count
        }
      }
      constant.releasePages()
    }
    return saved
  }

  // MARK: Speed

  /// Steps that are quantized and predicted not to be faster for it.
  private static func stepsWithoutGain(
    _ float: LoweredModel, _ slow: LatencyEstimate, _ quantized: LoweredModel,
    _ fast: LatencyEstimate
  ) -> [SlackFinding] {
    let names = float.program.steps.map(\.name)
    guard names == quantized.program.steps.map(\.name) else { return [] }
    var found: [SlackFinding] = []
    for i in names.indices {
      let (a, b) = (float.work[i], quantized.work[i])
      guard a.time == .always, a.kind != b.kind || a.weightBytes != b.weightBytes,
        fast.steps[i].value >= slow.steps[i].value
      else { continue }
      let times = [slow, fast].map { microseconds($0.steps[i].value) }
      found.append(
        SlackFinding(
          .noGain, names[i], byteCount: 0,
          "\(a.kind) ~\(times[0]) µs, \(b.kind) ~\(times[1]) µs, from \(fast.origin.rawValue)"))
    }
    return found
  }

  private static func microseconds(_ seconds: Double) -> String {
    let tenths = Int((seconds * 1e7).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
