// The small vocabulary and expected ids that the tests share.

import Foundation
import Tokenizers

/// The files that make_wordpiece_golden.py writes.
func support(_ name: String) -> [UInt8] {
  let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Support")
  guard let data = try? Data(contentsOf: folder.appendingPathComponent("Tokenizers/\(name)")) else {
    fatalError("Tests/Support/Tokenizers/\(name) is missing")
  }
  return [UInt8](data)
}

func smallTokenizer(
  _ options: WordPieceOptions = WordPieceOptions()
) throws -> WordPieceTokenizer {
  let text = support("small-vocab.txt")
  return try WordPieceTokenizer(vocabulary: text.span, options: options)
}
