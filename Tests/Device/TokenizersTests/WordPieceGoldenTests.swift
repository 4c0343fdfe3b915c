// Tests of the WordPiece tokenizer against ids that the PyPI package `tokenizers` gave.

import Foundation
import Testing
import Tokenizers

private struct GoldenCase: Decodable {
  var text: String
  var pair: String?
  var ids: [Int32]
  var types: Int
  var decoded: String
  var spelled: String
  var maximum: Int?
  var clean: Bool?
  var chinese: Bool?
  var strip: Bool?
  var lower: Bool?

  var options: WordPieceOptions {
    var options = WordPieceOptions()
    if let maximum { options.maximumTokens = maximum }
    options.cleansText = clean ?? true
    options.spacesIdeographs = chinese ?? true
    options.lowercases = lower ?? true
    options.stripsAccents = strip ?? options.lowercases
    return options
  }
}

struct WordPieceGoldenTests {
  /// Ids, types and decoded text of every case agree; one sequence is reused for all of them.
  @Test func idsMatchTheReference() throws {
    let cases = try JSONDecoder().decode(
      [GoldenCase].self, from: Data(support("small-golden.json")))
    #expect(cases.count > 500)
    var sequence = TokenSequence()
    for golden in cases {
      let tokenizer = try smallTokenizer(golden.options)
      let text = Array(golden.text.utf8)
      if let pair = golden.pair.map({ Array($0.utf8) }) {
        tokenizer.encode(text.span, pair: pair.span, into: &sequence)
      } else {
        tokenizer.encode(text.span, into: &sequence)
      }
      #expect(sequence.ids == golden.ids, "\(golden)")
      let types = (0..<sequence.count).reduce(0) { $0 + Int(sequence.typeID(at: $1)) }
      #expect(types == golden.types, "\(golden)")
      #expect(tokenizer.decode(golden.ids) == golden.decoded)
      #expect(tokenizer.decode(golden.ids, keepingSpecials: true) == golden.spelled)
    }
  }

  /// Every Unicode scalar is classified and folded as in the reference.
  @Test(arguments: ["uncased", "cased", "accented", "uncleaned"])
  func everyScalarMatchesTheReference(mode: String) throws {
    let blocks = try #require(
      try JSONDecoder().decode([String: [String]].self, from: Data(support("scalar-digests.json")))[
        mode])
    var options = WordPieceOptions()
    if mode == "cased" { options.lowercases = false }
    if mode != "uncased", mode != "uncleaned" { options.stripsAccents = false }
    if mode == "uncleaned" {
      options.cleansText = false
      options.spacesIdeographs = false
    }
    let vocabulary = support("scalar-vocab.txt")
    let tokenizer = try WordPieceTokenizer(vocabulary: vocabulary.span, options: options)
    #expect(blocks.count == 0x110000 / 4096)
    var sequence = TokenSequence()
    for (block, expected) in blocks.enumerated() {
      var hash: UInt64 = 0xCBF2_9CE4_8422_2325
      for value in (block * 4096)..<((block + 1) * 4096) {
        guard let scalar = Unicode.Scalar(UInt32(value)) else { continue }
        let text = [UInt8(ascii: "a")] + Array(String(Character(scalar)).utf8) + [0x62]
        tokenizer.encode(text.span, into: &sequence)
        for id in sequence.ids { hash = (hash ^ UInt64(id)) &* 0x100_0000_01B3 }
      }
      let found = String(hash, radix: 16)
      #expect(
        String(repeating: "0", count: 16 - found.count) + found == expected,
        "scalars from \(String(block * 4096, radix: 16)) on")
    }
  }
}

/// Where the MiniLM model and the data sets are, if this machine has them.
private let minilmFolder = ProcessInfo.processInfo.environment["KNAPSACK_MINILM"]
private let modelsFolder = ProcessInfo.processInfo.environment["KNAPSACK_MODELS"]

/// The real vocabulary of MiniLM, 30,522 tokens.
@Suite(.enabled(if: minilmFolder != nil, "KNAPSACK_MINILM is not set to MiniLM's folder"))
struct MiniLMTokenizerTests {
  private struct Golden: Decodable {
    struct Text: Decodable {
      var text: String
      var ids: [Int32]
    }
    var texts: [Text]
    var pairs: Int
    var single: String
    var paired: String
  }

  private func read(_ folder: String?, _ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: try #require(folder) + "/" + name)))
  }

  private func golden() throws -> Golden {
    try JSONDecoder().decode(Golden.self, from: Data(support("minilm-golden.json")))
  }

  private func tokenizer() throws -> WordPieceTokenizer {
    var options = WordPieceOptions()
    options.maximumTokens = 128
    let text = try read(minilmFolder, "vocab.txt")
    return try WordPieceTokenizer(vocabulary: text.span, options: options)
  }

  @Test func idsMatchTheReference() throws {
    let tokenizer = try tokenizer()
    #expect(tokenizer.vocabularyCount == 30522)
    let fromJSON = try WordPieceTokenizer(tokenizerJSON: try read(minilmFolder, "tokenizer.json"))
    let asset = tokenizer.serialize()
    let isSame = fromJSON.serialize() == asset
    #expect(isSame)
    let copy = try WordPieceTokenizer(serialized: asset.span)
    for text in try golden().texts {
      #expect(tokenizer.encode(text.text).ids == text.ids, "\(text)")
      #expect(copy.encode(text.text).ids == text.ids, "\(text)")
    }
  }

  @Test(.enabled(if: modelsFolder != nil, "KNAPSACK_MODELS is not set"))
  func sentencePairsMatchTheReference() throws {
    let golden = try golden()
    let tokenizer = try tokenizer()
    let data = try read(modelsFolder, "emb-minilm-l6-v2/eval/stsb.tsv")
    var single: UInt64 = 0xCBF2_9CE4_8422_2325
    var paired = single
    var rows = 0
    for line in String(decoding: data, as: UTF8.self).split(separator: "\n").dropFirst() {
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
      for text in fields.prefix(2) {
        for id in tokenizer.encode(String(text)).ids {
          single = (single ^ UInt64(id)) &* 0x100_0000_01B3
        }
      }
      for id in tokenizer.encode(String(fields[0]), pair: String(fields[1])).ids {
        paired = (paired ^ UInt64(id)) &* 0x100_0000_01B3
      }
      rows += 1
    }
    #expect(rows == golden.pairs)
    #expect(String(single, radix: 16) == String(golden.single.drop { $0 == "0" }))
    #expect(String(paired, radix: 16) == String(golden.paired.drop { $0 == "0" }))
  }
}
