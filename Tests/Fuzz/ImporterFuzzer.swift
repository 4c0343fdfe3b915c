// What libFuzzer calls with every input it makes: one import or coded weight, as scripts/fuzz.sh chooses.
import Foundation
import Graphs
import Importers

/// The format whose importer gets the bytes, whatever they look like; nil for coded weights.
private let format: ModelFormat? = {
  let name = ProcessInfo.processInfo.environment["KNAPSACK_FUZZ_FORMAT"] ?? ""
  if name == "coded" { return nil }
  guard let format = ModelFormat(rawValue: name) else { fatalError("no format '\(name)'") }
  return format
}()

/// Where inputs to start from are to be written, before anything else.
@_cdecl("LLVMFuzzerInitialize")
public func initializeFuzzer(
  _ count: UnsafeMutablePointer<CInt>?,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>?
) -> CInt {
  if let folder = ProcessInfo.processInfo.environment["KNAPSACK_FUZZ_SEEDS"] {
    do { try CodedWeightFuzzer.writeSeeds(to: folder) } catch { fatalError("seeds: \(error)") }
  }
  return 0
}

/// Imports the bytes and rewrites what comes of it. Errors are what hostile files should get; a trap,
/// a hang or a sanitizer's report ends the process.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzImporter(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let contents = [UInt8](UnsafeBufferPointer(start: bytes, count: count))
  guard let format else {
    CodedWeightFuzzer.decode(contents)
    return 0
  }
  let file = ModelFile(copying: contents, path: "fuzz")
  if let model = try? Importer.importModel(file, as: format) {
    _ = try? Rewriter.rewrite(model.graph)
  }
  return 0
}
