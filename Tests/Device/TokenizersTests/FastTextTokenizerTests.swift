// The fastText tokenizer against rows worked out by hand from its definition.
import Testing
import Tokenizers

/// fastText's hash: FNV-1a over bytes that widen with their sign.
private func hash(_ text: String) -> UInt32 {
  text.utf8.reduce(2_166_136_261) {
    ($0 ^ UInt32(bitPattern: Int32(Int8(bitPattern: $1)))) &* 16_777_619
  }
}

private func tokenizer(
  _ words: [String], labels: [String] = ["__label__a"], kept: [(hash: Int32, row: Int32)]? = nil,
  _ change: (inout FastTextOptions) -> Void = { _ in }
) throws -> FastTextTokenizer {
  var options = FastTextOptions()
  options.bucketCount = 1000
  change(&options)
  return try FastTextTokenizer(
    words: (words + labels).map { Array($0.utf8) }, wordCount: words.count, kept: kept,
    options: options)
}

@Suite struct FastTextTokenizerTests {
  @Test func wordsAreFoundByteForByte() throws {
    let t = try tokenizer(["</s>", "wind", "Wind", "été"])
    #expect(t.encode("wind\tWind \u{B}été wind\0nobody").ids == [1, 2, 3, 1, 0])
    #expect(t.encode("").ids == [0])
    #expect(t.encode("a\u{A0}wind").ids == [0])
    #expect(t.encode("wind\n\nwind").ids == [1, 1, 0])
    #expect(t.encode("wind </s> wind").ids == [1, 0])
  }

  @Test func labelsAmongWordsAreSkipped() throws {
    let t = try tokenizer(["</s>", "wind"], labels: ["#rain"]) { $0.wordRun = 2 }
    let run =
      (UInt64(bitPattern: Int64(Int32(bitPattern: hash("wind")))) &* 116_049_371
        &+ UInt64(bitPattern: Int64(Int32(bitPattern: hash("</s>"))))) % 1000
    #expect(t.encode("#rain __label__x wind").ids == [1, 0, 2 + Int32(run)])
  }

  @Test func wordsWithoutAnEndOfLineInTheDictionary() throws {
    #expect(try tokenizer(["wind"]).encode("nobody").ids == [])
  }

  @Test func piecesOfWords() throws {
    let t = try tokenizer(["</s>", "été"]) {
      $0.minimumPiece = 2
      $0.maximumPiece = 3
    }
    let pieces = ["<é", "<ét", "ét", "été", "té", "té>", "é>"].map { Int32(2 + hash($0) % 1000) }
    // The end of the line has no pieces.
    #expect(t.encode("été").ids == [1] + pieces + [0])
    let unknown = ["<x", "<x>", "x>"].map { Int32(2 + hash($0) % 1000) }
    #expect(t.encode("x").ids == unknown + [0])
  }

  @Test func piecesOfOneScalarLeaveTheMarksOut() throws {
    let t = try tokenizer(["wind"]) {
      $0.minimumPiece = 1
      $0.maximumPiece = 1
    }
    #expect(t.encode("aé").ids == ["a", "é"].map { Int32(1 + hash($0) % 1000) })
  }

  @Test func prunedRowsAreLeftOut() throws {
    let wanted = Int32(hash("<x") % 1000)
    let t = try tokenizer(["wind"], kept: [(hash: wanted, row: 7), (hash: 5000, row: 1)]) {
      $0.minimumPiece = 2
      $0.maximumPiece = 2
    }
    #expect(t.encode("x").ids == [8])
    #expect(try tokenizer(["wind"], kept: []) { $0.maximumPiece = 3 }.encode("x").ids == [])
  }

  @Test func wordVectorsKeepWordsApart() throws {
    let t = try tokenizer(["wind", "sun"]) { $0.isSupervised = false }
    let sequence = t.encode("sun nobody wind __label__a")
    #expect(sequence.ids == [1, 0, 2] && sequence.ends == [1, 1, 2, 3])
  }

  @Test func longTextsAreCut() throws {
    let t = try tokenizer(["</s>", "wind"]).limited(to: 3)
    #expect(t.encode("wind wind wind wind wind").ids == [1, 1, 1])
  }

  @Test func assetsComeBack() throws {
    let t = try tokenizer(["</s>", "wind", ""], kept: [(hash: 9, row: 0), (hash: 3, row: 1)]) {
      $0.maximumPiece = 4
      $0.wordRun = 5
    }
    let bytes = t.serialize()
    let again = try FastTextTokenizer(serialized: bytes.span)
    let isSerialized = FastTextTokenizer.isSerialized(bytes.span)
    #expect(again == t && isSerialized)
    for count in 0..<bytes.count {
      let part = Array(bytes[..<count])
      #expect(throws: FastTextError.self) { try FastTextTokenizer(serialized: part.span) }
    }
    for i in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[i] ^= 1 << UInt8(bit)
        guard let other = try? FastTextTokenizer(serialized: damaged.span) else { continue }
        _ = other.encode("wind and 風 sun")
      }
    }
  }
}
