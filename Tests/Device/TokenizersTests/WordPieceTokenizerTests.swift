// Tests of what the tokenizer accepts, refuses, writes and reads back.

import Foundation
import Testing
import Tokenizers

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

  /// Tokens that all fall on one slot would make each look-up as long as the vocabulary.
  @Test func crowdedLookupTablesAreRefused() throws {
    var text = Array("[PAD]\n[UNK]\n[CLS]\n[SEP]\n".utf8)
    var found = 0
    var number = 0
    while found < 700 {
      let token = Array(String(number, radix: 36).utf8)
      number += 1
      // FNV-1a and the mixing of the table, which has 2,048 slots for 512 to 1,024 tokens.
      var hash: UInt32 = 0x811C_9DC5
      for byte in token { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
      hash = (hash ^ hash >> 15) &* 0x9E37_79B1
      if (hash ^ hash >> 13) & 2047 == 5 {
        text += token + [0x0A]
        found += 1
      }
    }
    do {
      _ = try WordPieceTokenizer(vocabulary: text.span)
      Issue.record("accepted a crowded table")
    } catch WordPieceError.degenerateVocabulary(let id) {
      #expect(id > 500 && id < 704)
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
        let isSame = tokenizer.serialize() == bytes
        #expect(isSame, "bit \(bit)")
        #expect(tokenizer.encode("hello [MASK] unbelievable").count >= 3)
      } else {
        refused += 1
      }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    #expect(refused > 400)
  }
}

struct WordPieceJSONTests {
  /// `small-tokenizer.json` with one piece of its text replaced.
  private func changed(_ old: String, _ new: String) throws -> [UInt8] {
    let text = String(decoding: support("small-tokenizer.json"), as: UTF8.self)
    try #require(text.contains(old))
    return Array(text.replacingOccurrences(of: old, with: new).utf8)
  }

  @Test func tokenizerJSONEqualsItsVocabulary() throws {
    let tokenizer = try WordPieceTokenizer(tokenizerJSON: support("small-tokenizer.json"))
    var options = WordPieceOptions()
    options.maximumTokens = 64
    let isSame = try tokenizer.serialize() == smallTokenizer(options).serialize()
    #expect(isSame)
    #expect(try tokenizer.limited(to: 5).encode("the dog plays in the city").count == 5)
    #expect(throws: WordPieceError.self) { try tokenizer.limited(to: 0) }
  }

  @Test(arguments: [
    ("\"type\":\"BertNormalizer\"", "\"type\":\"NFC\"", "normalizer.type"),
    ("\"type\":\"BertPreTokenizer\"", "\"type\":\"Whitespace\"", "pre_tokenizer.type"),
    ("\"type\":\"WordPiece\",\"unk", "\"type\":\"BPE\",\"unk", "model.type"),
    ("\"lstrip\":false", "\"lstrip\":true", "added_tokens.lstrip"),
    ("\"strategy\":\"LongestFirst\"", "\"strategy\":\"OnlyFirst\"", "truncation.strategy"),
    ("\"id\":\"B\",\"type_id\":1", "\"id\":\"B\",\"type_id\":0", "post_processor.pair"),
  ])
  func unsupportedSettingsAreNamed(old: String, new: String, key: String) throws {
    let bytes = try changed(old, new)
    do {
      _ = try WordPieceTokenizer(tokenizerJSON: bytes)
      Issue.record("accepted \(new)")
    } catch WordPieceError.unsupported(let found, let offset) {
      #expect(found == key)
      #expect(offset > 0 && offset < bytes.count)
    }
  }

  @Test func idsMustBeDenseAndUnique() throws {
    let gap = try changed("\"[unused0]\":5", "\"[unused0]\":9999")
    #expect(throws: WordPieceError.missingToken(id: 5)) {
      try WordPieceTokenizer(tokenizerJSON: gap)
    }
    let twice = try changed("\"[unused0]\":5", "\"[unused0]\":4")
    #expect(throws: WordPieceError.self) { try WordPieceTokenizer(tokenizerJSON: twice) }
    let negative = try changed("\"[unused0]\":5", "\"[unused0]\":-5")
    #expect(throws: WordPieceError.self) { try WordPieceTokenizer(tokenizerJSON: negative) }
  }

  @Test func everyTruncationIsRefused() throws {
    let bytes = support("small-tokenizer.json")
    for count in stride(from: 0, to: bytes.count - 1, by: 7) {
      let part = Array(bytes[..<count])
      #expect(throws: WordPieceError.self) { try WordPieceTokenizer(tokenizerJSON: part) }
    }
  }

  @Test func tokenizerConfigGivesOptions() throws {
    let text = """
      {"do_lower_case": false, "strip_accents": null, "tokenize_chinese_chars": false,
       "cls_token": {"content": "<c>"}, "sep_token": "<s>", "model_max_length": 384}
      """
    let options = try WordPieceOptions(tokenizerConfigJSON: Array(text.utf8))
    #expect(!options.lowercases && !options.stripsAccents && !options.spacesIdeographs)
    #expect(options.classToken == "<c>")
    #expect(options.separatorToken == "<s>")
    #expect(options.maskToken == "[MASK]")
    #expect(options.maximumTokens == 384)
    let unlimited = Array("{\"model_max_length\": 1000000000000000019884624838656}".utf8)
    #expect(try WordPieceOptions(tokenizerConfigJSON: unlimited).maximumTokens == 512)
  }
}
