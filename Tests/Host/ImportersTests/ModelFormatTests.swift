// What files and folders are told to be.
import Foundation
import Importers
import Testing

@Suite struct ModelFormatTests {
  @Test func digitsAreONNX() throws {
    #expect(try ModelFormat.detect(Models.digits) == .onnx)
  }

  @Test func recipesAreRecipes() throws {
    #expect(try ModelFormat.detect(Models.repository + "/Bundles/digits") == .recipe)
  }

  @Test func modelsWithoutATableOfTheirOwnAreONNX() throws {
    var model = ONNXModelSketch(opset: 17)
    model.output("y")
    #expect(try ModelFormat.detect(model.file) == .onnx)
  }

  @Test func bundlesAreBundles() throws {
    let file = ModelFile(copying: [0x8B] + [UInt8]("KNAP\r\n\u{1A}".utf8), path: "x")
    #expect(try ModelFormat.detect(file) == .bundle)
  }

  @Test(arguments: [
    ("GGUF\u{3}\0\0\0", "GGUF"), ("PK\u{3}\u{4}\u{14}", "zip"), ("{\"model\": {}}", "JSON"),
    ("\u{10}\0\0\0\0\0\0\0{\"a\": {}}", "safetensors"), ("", "empty"), ("hello", "68 65 6c 6c 6f"),
  ])
  func namesWhatItDoesNotTake(text: String, name: String) throws {
    let file = ModelFile(copying: [UInt8](text.utf8), path: "some/file")
    let error = #expect(throws: ImportError.self) { try ModelFormat.detect(file) }
    let description = try #require(error?.description)
    #expect(description.hasPrefix("some/file: "))
    #expect(description.contains(name))
    #expect(error?.isMissingInput == false)
  }

  @Test func pathsThatAreNotThere() throws {
    let error = #expect(throws: ImportError.self) { try Importer.importModel("/no/such/model") }
    #expect(error?.isMissingInput == true)
    #expect(error?.description == "/no/such/model: no such file or folder")
  }

  @Test func foldersOfSomethingElse() throws {
    let error = #expect(throws: ImportError.self) {
      try Importer.importModel(Models.repository + "/Sources")
    }
    #expect(error?.isMissingInput == false)
  }
}
