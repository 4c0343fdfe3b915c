// How a sentence-transformers folder makes one vector of a text: modules.json and its pooling module.
import Bytes

/// What happens behind the encoder.
struct SentencePooling {
  /// One way to pool; several are put behind one another in this order.
  enum Mode: CaseIterable {
    case firstToken, maximum, mean, meanSquareRoot

    var key: String {
      switch self {
      case .firstToken: "pooling_mode_cls_token"
      case .maximum: "pooling_mode_max_tokens"
      case .mean: "pooling_mode_mean_tokens"
      case .meanSquareRoot: "pooling_mode_mean_sqrt_len_tokens"
      }
    }
  }

  var modes: [Mode]
  var normalizes = false

  /// nil where the folder is no sentence-transformers one.
  init?(_ folder: HuggingFaceFolder) throws(ImportError) {
    var pooling = "1_Pooling"
    var hasPooling = true
    if let modules = try folder.json("modules.json") {
      hasPooling = false
      guard let list = modules.value.arrayValue, list.count <= 64 else {
        throw ImportError(
          file: modules.file,
          .malformed(offset: modules.value.offset, "expected a list of modules"))
      }
      for (i, module) in list.enumerated() {
        guard let type = module["type"]?.stringValue else {
          throw modules.refuse("\(i)", "byte \(module.offset): expected a module with a type")
        }
        switch type.split(separator: ".").last {
        case "Transformer": break
        case "Pooling":
          pooling = module["path"]?.stringValue ?? pooling
          hasPooling = true
        case "Normalize": normalizes = true
        default: throw modules.refuse("\(i)", "module '\(type)' is not supported")
        }
      }
      guard !pooling.isEmpty, !pooling.utf8.contains(UInt8(ascii: "/")), pooling != ".." else {
        throw modules.refuse("path", "expected a folder beside modules.json, found '\(pooling)'")
      }
    }
    guard hasPooling, let json = try folder.json(pooling + "/config.json") else { return nil }
    modes = []
    for mode in Mode.allCases where try json.bool(mode.key, false) { modes.append(mode) }
    for key in ["pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"] {
      guard try !json.bool(key, false) else { throw json.refuse(key, "is not supported") }
    }
    if modes.isEmpty { modes = [.mean] }
  }
}
