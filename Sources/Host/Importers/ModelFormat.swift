// What a path leads to, told by its content, and the one call that imports a model.
import Graphs

/// What a file or folder is.
public enum ModelFormat: String, Sendable {
  case onnx
  /// A FlatBuffers file of TensorFlow Lite.
  case tfLite = "tflite"
  /// A folder with `config.json` and `model.safetensors`.
  case huggingFace = "hugging-face"
  /// A folder with `bundle.json5`.
  case recipe
  /// A packed bundle.
  case bundle
  /// JSON or UBJSON.
  case xgboost
  case lightGBM = "lightgbm"
  /// `.bin` or `.ftz`.
  case fastText = "fasttext"

  /// The format of what lies at `path`; throws what it looks like where that is nothing we take.
  public static func detect(_ path: String) throws(ImportError) -> ModelFormat {
    switch FileKind(at: path) {
    case .missing: throw ImportError(file: path, .unreadable("no such file or folder"))
    case .other: throw ImportError(file: path, .unreadable("neither a file nor a folder"))
    case .folder:
      if FileKind(at: path + "/bundle.json5") == .file { return .recipe }
      if FileKind(at: path + "/config.json") == .file { return .huggingFace }
      throw ImportError(
        file: path,
        .unsupportedFormat("a folder with neither bundle.json5 nor config.json in it"))
    case .file: return try detect(try ModelFile(mapping: path))
    }
  }

  /// The format of a file's bytes.
  public static func detect(_ file: ModelFile) throws(ImportError) -> ModelFormat {
    func refuse(_ what: String) -> ImportError {
      ImportError(file: file.path, .unsupportedFormat(what))
    }
    let head = [UInt8](file.bytes.prefix(64))
    guard !head.isEmpty else { throw refuse("the file is empty") }
    if starts(head.dropFirst(), "KNAP") { return .bundle }
    if starts(head.dropFirst(4), "TFL3") { return .tfLite }
    for (magic, offset, what) in known where starts(head.dropFirst(offset), magic) {
      throw refuse("looks like \(what), which is not supported yet")
    }
    if head.count > 8, head[8] == UInt8(ascii: "{") {
      throw refuse("looks like a safetensors file: give the folder that holds its config.json")
    }
    if looksLikeONNX(file) { return .onnx }
    if starts(head, "tree\n") || starts(head, "tree\r\n") { return .lightGBM }
    if looksLikeXGBoost(file) { return .xgboost }
    if FastTextImporter.isFastText(file) { return .fastText }
    if head.first == UInt8(ascii: "{") || head.first == UInt8(ascii: "[") {
      throw refuse("looks like JSON, which is not supported yet")
    }
    let start = head.prefix(8).map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }
    throw refuse(
      "expected an ONNX or TFLite file, a Hugging Face folder, a recipe folder or a bundle, "
        + "found bytes " + start.joined(separator: " "))
  }

  private static let known: [(magic: String, offset: Int, what: String)] = [
    ("GGUF", 0, "a GGUF model"),
    ("PK\u{3}\u{4}", 0, "a zip archive, such as PyTorch writes"),
    ("\u{89}HDF", 0, "a Keras HDF5 model"),
  ]

  private static func starts(_ bytes: some Collection<UInt8>, _ magic: String) -> Bool {
    bytes.prefix(magic.unicodeScalars.count)
      .elementsEqual(magic.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })
  }

  /// True for objects, JSON or UBJSON, that say `learner` early on: `version` alone may stand before.
  private static func looksLikeXGBoost(_ file: ModelFile) -> Bool {
    guard let first = file.bytes.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }),
      first == UInt8(ascii: "{")
    else { return false }
    return file.bytes.prefix(256).contains("learner".utf8)
  }

  /// True when the fields of the outermost message are those of a ModelProto and a graph is among
  /// them, as far as they can be read: a cut file is an ONNX file with an error.
  private static func looksLikeONNX(_ file: ModelFile) -> Bool {
    let kinds: [Int: Bool] = [
      1: false, 2: true, 3: true, 4: true, 5: false, 6: true, 7: true, 8: true, 14: true, 20: true,
      25: true, 26: true,
    ]
    guard var reader = try? ProtobufReader(file) else { return false }
    var count = 0
    while true {
      guard let field = try? reader.next() else { return count > 0 }
      guard let isBytes = kinds[field.number] else { return false }
      switch field.value {
      case .bytes where isBytes, .varint where !isBytes: count += 1
      default: return false
      }
      if count == 64 { return true }
    }
  }
}

/// Imports models of every format.
public enum Importer {
  /// The model at `path`: a model file or a Hugging Face folder.
  public static func importModel(_ path: String) throws(ImportError) -> ImportedModel {
    let format = try ModelFormat.detect(path)
    if format == .huggingFace { return try HuggingFaceImporter.importModel(path) }
    if format == .recipe {
      throw ImportError(
        file: path, .unsupportedFormat("a recipe folder, expected the model that it names"))
    }
    return try importModel(try ModelFile(mapping: path), as: format)
  }

  /// The model that is all in `file`, taken for what `format` says.
  public static func importModel(
    _ file: ModelFile, as format: ModelFormat
  ) throws(ImportError) -> ImportedModel {
    switch format {
    case .onnx:
      var model = ImportedModel(graph: try ONNXImporter.importGraph(file), format: .onnx)
      model.labels = model.graph.labels
      return model
    case .tfLite:
      return ImportedModel(graph: try TFLiteImporter.importGraph(file), format: .tfLite)
    case .huggingFace, .recipe:
      throw ImportError(file: file.path, .unsupportedFormat("a file, expected a folder"))
    case .xgboost: return try XGBoostImporter.importModel(file)
    case .lightGBM: return try LightGBMImporter.importModel(file)
    case .fastText: return try FastTextImporter.importModel(file)
    case .bundle:
      throw ImportError(file: file.path, .unsupportedFormat("a packed bundle, expected a model"))
    }
  }
}
