// From a Hugging Face folder to a model, by what its config.json says it is.
import Graphs

/// Imports folders with `config.json`, `model.safetensors` and a tokenizer.
public enum HuggingFaceImporter {
  /// The model in the folder at `path`.
  public static func importModel(_ path: String) throws(ImportError) -> ImportedModel {
    let folder = HuggingFaceFolder(path)
    guard let json = try folder.json("config.json") else {
      throw ImportError(file: path, .unreadable("there is no config.json in it"))
    }
    guard json.value.objectValue != nil else {
      throw ImportError(
        file: json.file, .malformed(offset: json.value.offset, "expected an object"))
    }
    guard let type = try json.string("model_type") else {
      throw json.refuse("model_type", "expected the kind of model, found nothing")
    }
    guard let family = BERTFamily(rawValue: type) else {
      let known = BERTFamily.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
      throw json.refuse("model_type", "'\(type)' is not supported yet, \(known) are")
    }
    let name = "model.safetensors"
    guard folder.has(name) else {
      let pickle = folder.has("pytorch_model.bin")
      throw ImportError(
        file: path,
        .unreadable(
          "there is no \(name) in it"
            + (pickle ? "; pickled weights are not read, save them as safetensors" : "")))
    }
    let weights = try SafetensorsWeights(try ModelFile(mapping: folder.path(of: name)))
    return try BERTImporter.importModel(
      folder, try BERTConfiguration(json, family), weights)
  }
}
