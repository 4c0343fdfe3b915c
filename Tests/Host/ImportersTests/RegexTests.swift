// Regular expressions against what RE2 itself says, kept by scripts/string-tests.py.
import Foundation
import Graphs
import Importers
import Tensors
import Testing

@Suite struct RegexTests {
  private static let golden = Models.repository + "/Tests/Support/Strings/regex.json"

  private static func read() throws -> [String: Any] {
    let data = try Data(contentsOf: URL(fileURLWithPath: golden))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  private static func model(_ pattern: String) -> ModelFile {
    var model = ONNXModelSketch(opset: 20)
    model.input("x", ["n"], type: 8)
    model.node("RegexFullMatch", ["x"], ["y"], ["pattern": .text(pattern)])
    model.output("y")
    return model.file
  }

  static func matches(_ pattern: String, _ texts: [String]) throws -> [Bool] {
    let run = try GraphRunner(try ONNXImporter.importGraph(model(pattern)))
    let x = Constant(texts: texts.map { Array($0.utf8) }, shape: Shape([texts.count]))
    let y = try #require(try run.run(["x": x])["y"])
    return y.bytes.map { $0 != 0 }
  }

  @Test func matchesWhatRE2Matches() throws {
    let cases = try #require(try RegexTests.read()["cases"] as? [[Any]])
    #expect(cases.count >= 300)
    for item in cases {
      let pattern = try #require(item[0] as? String)
      let pairs = try #require(item[1] as? [[Any]])
      let texts = try pairs.map { try #require($0[0] as? String) }
      let wanted = try pairs.map { try #require($0[1] as? Bool) }
      let found = try RegexTests.matches(pattern, texts)
      for (i, text) in texts.enumerated() where found[i] != wanted[i] {
        Issue.record("'\(pattern)' and '\(text)': \(found[i])")
      }
    }
  }

  @Test func whatRE2RefusesIsRefusedAtItsByte() throws {
    for pattern in try #require(try RegexTests.read()["broken"] as? [String]) {
      let error = #expect(throws: ImportError.self, "\(pattern)") {
        try ONNXImporter.importGraph(RegexTests.model(pattern))
      }
      #expect("\(try #require(error))".contains("byte "), "\(pattern)")
    }
    for (pattern, byte) in [
      ("ab(c", 2), ("é[", 2), ("a\\p{Greek}", 1), ("x{1001}", 1), ("ab\\C", 2), ("(?=a)", 0),
    ] {
      let error = #expect(throws: ImportError.self) {
        try ONNXImporter.importGraph(RegexTests.model(pattern))
      }
      let text = "\(try #require(error))"
      #expect(text.contains("byte \(byte) of the pattern") && text.contains("node of y"), "\(text)")
    }
  }

  /// Neither a pattern nor a text can make a match take long: these would for who tries one way after
  /// the other.
  @Test func sizesAreBounded() throws {
    let deep = String(repeating: "(", count: 5000) + String(repeating: ")", count: 5000)
    for pattern in ["(((a{1000}){1000}){1000}){1000}", "((((){1000}){1000}){1000}){1000}", deep] {
      #expect(throws: ImportError.self) {
        try ONNXImporter.importGraph(RegexTests.model(pattern))
      }
    }
    let many = String(repeating: "a", count: 20_000)
    #expect(try RegexTests.matches("(a*)*b", [many, many + "b"]) == [false, true])
    #expect(
      try RegexTests.matches("(a?){500}a{500}", [String(many.prefix(500)), "a"]) == [true, false])
  }
}
