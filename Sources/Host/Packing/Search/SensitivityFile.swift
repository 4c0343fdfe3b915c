// Sensitivities on disk: what one search has measured, the next of the same model and inputs takes over.
import BundleFormat
import Bytes
import Calibration
import Platform
import Tensors

/// The measurements of one model with one set of inputs, under a name that their bytes give.
///
/// A cache: what cannot be read or is not whole counts as nothing.
struct SensitivityFile {
  private let path: String?
  private(set) var known: [Sensitivity] = []

  /// Raised where measuring changes.
  private static let version = 1

  /// folder: nil keeps nothing.
  init(_ folder: String?, _ meter: LossMeter) throws {
    guard let folder else {
      path = nil
      return
    }
    let name = Digest(of: SensitivityFile.key(meter)).hexadecimal.prefix(32)
    let path = "\(folder)/\(name).cbor"
    self.path = path
    if let bytes = try? File.read(path, limit: 16 << 20) {
      known = SensitivityFile.decode(bytes) ?? []
    }
  }

  /// What the measurements depend on.
  private static func key(_ meter: LossMeter) -> [UInt8] {
    var key = ByteWriter()
    key.put(UInt64(version))
    for meter in meter.meters {
      key.put(UInt64(meter.output))
      key.put(Array(meter.metric.rawValue.utf8))
    }
    for step in LossMeter.probeSteps { key.put(step) }
    for source in meter.model.sources {
      key.put(Array(source.name.utf8))
      key.put(digest(source.constant.bytes))
      source.constant.releasePages()
    }
    key.put(meter.model.program.encoded())
    for item in meter.items {
      for input in item.inputs { key.put(digest(input.bytes)) }
    }
    return key.bytes
  }

  private static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    Digest(of: RawSpan(_unsafeBytes: bytes)).bytes
  }

  /// Writes `list`, whole or not at all; a folder that cannot be written to keeps nothing.
  func save(_ list: [Sensitivity]) {
    guard let path else { return }
    try? Folder.createParent(of: path)
    guard let file = try? AtomicFile(path: path) else { return }
    try? file.write(CBOR.encode(SensitivityFile.encode(list)))
    try? file.commit()
  }

  private static func encode(_ list: [Sensitivity]) -> CBORValue {
    .array(
      list.map { s in
        .map([
          "weight": .integer(s.weight), "name": .text(s.name),
          "elements": .integer(s.elementCount), "scale": .double(s.scale),
          "probes": .array(
            s.probes.map { .array([.double($0.distortion), .double($0.loss)]) }),
        ])
      })
  }

  private static func decode(_ bytes: [UInt8]) -> [Sensitivity]? {
    guard let value = try? CBOR.decode(bytes), let list = value.arrayValue else {
      return nil
    }
    var found: [Sensitivity] = []
    for entry in list {
      guard let weight = entry["weight"]?.integerValue, let name = entry["name"]?.textValue,
        let count = entry["elements"]?.integerValue, let scale = entry["scale"]?.doubleValue,
        let probes = entry["probes"]?.arrayValue
      else { return nil }
      found.append(
        Sensitivity(
          weight: weight, name: name, elementCount: count, scale: scale,
          probes: probes.compactMap { pair in
            guard let numbers = pair.arrayValue?.compactMap(\.doubleValue), numbers.count == 2,
              numbers[0] > 0, numbers[1].isFinite
            else { return nil }
            let (distortion, loss) = (numbers[0], numbers[1])
            return Sensitivity.Probe(distortion: distortion, loss: loss)
          }))
    }
    return found
  }
}
