// Tests of the WordPiece tokenizer against ids that the PyPI package `tokenizers` gave.

import Foundation
import Testing
import Tokenizers

/// The files that make_wordpiece_golden.py writes.
private func support(_ name: String) -> [UInt8] {
  let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Support")
  guard let data = try? Data(contentsOf: folder.appendingPathComponent("Tokenizers/\(name)")) else {
    fatalError("Tests/Support/Tokenizers/\(name) is missing")
  }
  return [UInt8](data)
}

private func smallTokenizer(
  _ options: WordPieceOptions = WordPieceOptions()
) throws -> WordPieceTokenizer {
  let text = support("small-vocab.txt")
  return try WordPieceTokenizer(vocabulary: text.span, options: options)
}

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

struct WordPieceTokenizerTests {
  @Test func specialsAreFound() throws {
    let tokenizer = try smallTokenizer()
    #expect(tokenizer.paddingID == 0)
    #expect(tokenizer.unknownID == 1)
    #expect(tokenizer.classID == 2)
    #expect(tokenizer.separatorID == 3)
    #expect(tokenizer.maskID == 4)
    #expect(tokenizer.token(4) == "[MASK]")
    #expect(tokenizer.token(-1) == nil)
    #expect(tokenizer.token(Int32(tokenizer.vocabularyCount)) == nil)
    #expect(tokenizer.id(of: "nosuchtoken") == nil)
  }

  @Test func spelledOutSpecialsCanBePlainText() throws {
    var options = WordPieceOptions()
    options.recognizesSpecials = false
    let tokenizer = try smallTokenizer(options)
    let ids = tokenizer.encode("[SEP]").ids
    #expect(ids.dropFirst().dropLast().allSatisfy { $0 != tokenizer.separatorID })
    #expect(ids.count > 3)
  }

  /// What is not UTF-8 is read as Swift's own decoder reads it: as U+FFFD.
  @Test func invalidTextIsReplaced() throws {
    var options = WordPieceOptions()
    options.cleansText = false
    var vocabulary = support("small-vocab.txt")
    vocabulary += Array("\u{FFFD}\n##\u{FFFD}\n".utf8)
    let tokenizer = try WordPieceTokenizer(vocabulary: vocabulary.span, options: options)
    let samples: [[UInt8]] = [
      [0xFF], [0x61, 0x80, 0x62], [0xC3], [0xC3, 0x28], [0xE2, 0x82], [0xE2, 0x82, 0x61],
      [0xF0, 0x9F, 0x98], [0xED, 0xA0, 0x80], [0xC0, 0xAF], [0xF4, 0x90, 0x80, 0x80],
      [0xF0, 0x80, 0x80, 0x80], [0x61, 0xE6, 0x97, 0xE6, 0x97, 0xA5], [0xF8, 0x88, 0x80, 0x80],
    ]
    for bytes in samples {
      var sequence = TokenSequence()
      tokenizer.encode(bytes.span, into: &sequence)
      #expect(sequence.ids == tokenizer.encode(String(decoding: bytes, as: UTF8.self)).ids)
    }
  }

  @Test func carriageReturnsEndLinesToo() throws {
    let text = Array("[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\ndog".utf8)
    let tokenizer = try WordPieceTokenizer(vocabulary: text.span)
    #expect(tokenizer.encode("dog").ids == [2, 4, 3])
    #expect(tokenizer.maskID == nil)
  }

  @Test(arguments: [
    ("", WordPieceError.emptyVocabulary),
    ("[PAD]\n\n[UNK]", .emptyToken(id: 1, byteOffset: 6)),
    (
      "[PAD]\n[UNK]\n[CLS]\n[SEP]\ndog\n[UNK]\n", .duplicateToken(id: 5, firstID: 1, byteOffset: 28)
    ),
    ("[PAD]\n[CLS]\n[SEP]\n", .missingSpecial("[UNK]")),
    ("[PAD]\n[UNK]\n[SEP]\n", .missingSpecial("[CLS]")),
    ("[PAD]\n[UNK]\n[CLS]\n", .missingSpecial("[SEP]")),
    ("[UNK]\n[CLS]\n[SEP]\n", .missingSpecial("[PAD]")),
    (
      "[PAD]\n" + String(repeating: "x", count: 1025),
      .tokenTooLong(id: 1, byteCount: 1025, limit: 1024)
    ),
  ])
  func badVocabulariesAreRefused(text: String, expected: WordPieceError) {
    let bytes = Array(text.utf8)
    #expect(throws: expected) { try WordPieceTokenizer(vocabulary: bytes.span) }
  }

  @Test func invalidUTF8InTheVocabularyIsRefused() {
    let bytes = Array("[PAD]\nab".utf8) + [0xC3, 0x0A]
    #expect(throws: WordPieceError.invalidUTF8(id: 1, byteOffset: 8)) {
      try WordPieceTokenizer(vocabulary: bytes.span)
    }
  }

  @Test func tooManyTokensAreRefused() {
    let bytes = [UInt8](repeating: 0x0A, count: 1 << 21)
    #expect(throws: WordPieceError.vocabularyTooLarge(limit: 1 << 21)) {
      try WordPieceTokenizer(vocabulary: bytes.span)
    }
  }

  @Test func optionsOutOfRangeAreRefused() {
    var options = WordPieceOptions()
    options.maximumTokens = 2
    #expect(throws: WordPieceError.optionOutOfRange(name: "maximumTokens", value: 2)) {
      try smallTokenizer(options)
    }
    options = WordPieceOptions()
    options.maximumWordScalars = 0
    #expect(throws: WordPieceError.optionOutOfRange(name: "maximumWordScalars", value: 0)) {
      try smallTokenizer(options)
    }
  }
}

struct WordPieceAssetTests {
  @Test func serializedTokenizersAreTheSame() throws {
    var options = WordPieceOptions()
    options.lowercases = false
    options.stripsAccents = false
    options.maximumTokens = 12
    for tokenizer in [try smallTokenizer(), try smallTokenizer(options)] {
      let bytes = tokenizer.serialize()
      let copy = try WordPieceTokenizer(serialized: bytes.span)
      #expect(copy.options == tokenizer.options)
      #expect(copy.serialize() == bytes)
      for text in ["Unbelievable [MASK] café", "the dogs of New York are running and playing"] {
        #expect(copy.encode(text).ids == tokenizer.encode(text).ids)
      }
    }
  }

  @Test func everyTruncationIsRefused() throws {
    let bytes = try smallTokenizer().serialize()
    for count in 0..<bytes.count {
      let part = Array(bytes[..<count])
      #expect(throws: WordPieceError.self) { try WordPieceTokenizer(serialized: part.span) }
    }
    let longer = bytes + [0]
    #expect(throws: WordPieceError.self) { try WordPieceTokenizer(serialized: longer.span) }
  }

  /// A flipped bit is refused or gives another valid tokenizer; it never traps.
  @Test func everyFlippedBitIsHandled() throws {
    var bytes = try smallTokenizer().serialize()
    var refused = 0
    for bit in 0..<(bytes.count * 8) {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      if let tokenizer = try? WordPieceTokenizer(serialized: bytes.span) {
        #expect(tokenizer.serialize() == bytes)
        #expect(tokenizer.encode("hello [MASK] unbelievable").count >= 3)
      } else {
        refused += 1
      }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    #expect(refused > 400)
  }
}
