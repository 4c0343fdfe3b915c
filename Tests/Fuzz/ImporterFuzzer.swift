// What libFuzzer calls with every input it makes: one import, as scripts/fuzz.sh chooses.
import Foundation
import Graphs
import Importers

/// The format whose importer gets the bytes, whatever they look like.
private let format: ModelFormat = {
  let name = ProcessInfo.processInfo.environment["KNAPSACK_FUZZ_FORMAT"] ?? ""
  guard let format = ModelFormat(rawValue: name) else { fatalError("no format '\(name)'") }
  return format
}()

/// Imports the bytes and rewrites what comes of it. Errors are what hostile files should get; a trap,
/// a hang or a sanitizer's report ends the process.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzImporter(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let contents = [UInt8](UnsafeBufferPointer(start: bytes, count: count))
  let file = ModelFile(copying: contents, path: "fuzz")
  if let model = try? Importer.importModel(file, as: format) {
    _ = try? Rewriter.rewrite(model.graph)
  }
  return 0
}
