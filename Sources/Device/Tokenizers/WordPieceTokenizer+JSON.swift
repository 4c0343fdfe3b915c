// The tokenizer from Hugging Face's files. Build machines only: devices read the asset.

import Bytes

extension WordPieceTokenizer {
  /// From a `tokenizer.json` of BertNormalizer, BertPreTokenizer and WordPiece.
  ///
  /// What this tokenizer would do differently is refused by its key. Without `truncation` in the
  /// file the limit is that of `WordPieceOptions`; padding is the caller's.
  public init(tokenizerJSON bytes: [UInt8]) throws(WordPieceError) {
    let root = try WordPieceTokenizer.parse(bytes)
    let model = try root.object("model")
    if let type = model["type"] { try type.require("WordPiece", key: "model.type") }
    var options = WordPieceOptions()
    options.unknownToken = try model.string("unk_token") ?? options.unknownToken
    options.continuationPrefix =
      try model.string("continuing_subword_prefix") ?? options.continuationPrefix
    options.maximumWordScalars =
      try model.integer("max_input_chars_per_word") ?? options.maximumWordScalars
    let normalizer = try root.object("normalizer")
    try normalizer.object("type").require("BertNormalizer", key: "normalizer.type")
    options.cleansText = try normalizer.bool("clean_text") ?? true
    options.spacesIdeographs = try normalizer.bool("handle_chinese_chars") ?? true
    options.lowercases = try normalizer.bool("lowercase") ?? true
    options.stripsAccents = try normalizer.bool("strip_accents") ?? options.lowercases
    try root.object("pre_tokenizer").object("type").require(
      "BertPreTokenizer", key: "pre_tokenizer.type")
    try options.readSpecials(ofProcessor: try root.object("post_processor"))
    if let truncation = root["truncation"], !truncation.isNull {
      options.maximumTokens = try truncation.integer("max_length") ?? options.maximumTokens
      try truncation["strategy"]?.require("LongestFirst", key: "truncation.strategy")
      try truncation["direction"]?.require("Right", key: "truncation.direction")
    }
    if let padding = root["padding"], !padding.isNull {
      options.paddingToken = try padding.string("pad_token") ?? options.paddingToken
    }
    var entries = TokenEntries()
    for member in try model.object("vocab").members() {
      try entries.add(member.key, id: member.value, offset: member.keyOffset)
    }
    var specials: [Int32] = []
    if let added = root["added_tokens"], !added.isNull {
      for token in try added.elements() {
        for key in ["single_word", "lstrip", "rstrip", "normalized"] {
          guard let flag = try token.bool(key), flag else { continue }
          throw .unsupported(key: "added_tokens." + key, byteOffset: token.offset)
        }
        guard let content = try token.string("content") else {
          throw .malformed(byteOffset: token.offset, expected: "an added token's content")
        }
        let id = try token.object("id")
        try entries.addSpecial(content, id: id, offset: token.offset)
        specials.append(Int32(truncatingIfNeeded: id.integerValue ?? 0))
      }
    }
    guard specials.count <= 4096 else {
      throw .optionOutOfRange(name: "added_tokens", value: specials.count)
    }
    try self.init(tokens: try entries.table(), specialIDs: specials, options: options)
  }

  fileprivate static func parse(_ bytes: [UInt8]) throws(WordPieceError) -> JSONValue {
    do throws(JSONError) { return try JSON.parse(bytes) } catch { throw .json(error) }
  }
}

extension WordPieceOptions {
  /// From a `tokenizer_config.json`, for folders that have a `vocab.txt` and no `tokenizer.json`.
  public init(tokenizerConfigJSON bytes: [UInt8]) throws(WordPieceError) {
    self.init()
    let root = try WordPieceTokenizer.parse(bytes)
    lowercases = try root.bool("do_lower_case") ?? lowercases
    stripsAccents = try root.bool("strip_accents") ?? lowercases
    spacesIdeographs = try root.bool("tokenize_chinese_chars") ?? spacesIdeographs
    unknownToken = try root.token("unk_token") ?? unknownToken
    classToken = try root.token("cls_token") ?? classToken
    separatorToken = try root.token("sep_token") ?? separatorToken
    paddingToken = try root.token("pad_token") ?? paddingToken
    maskToken = try root.token("mask_token") ?? maskToken
    // "No limit" is written as 10^30 there.
    if let limit = root["model_max_length"]?.integerValue, limit <= 1 << 20 {
      maximumTokens = limit
    }
    try check()
  }

  /// The special tokens of `[CLS] A [SEP] B [SEP]`, in either of the two forms it is written.
  fileprivate mutating func readSpecials(ofProcessor processor: JSONValue) throws(WordPieceError) {
    let type = try processor.object("type")
    if let name = type.stringValue, name.hasSameBytes(as: "BertProcessing") {
      for (key, isClass) in [("cls", true), ("sep", false)] {
        guard let name = processor[key]?[0]?.stringValue else {
          throw .malformed(byteOffset: processor.offset, expected: "post_processor." + key)
        }
        if isClass { classToken = name } else { separatorToken = name }
      }
      return
    }
    try type.require("TemplateProcessing", key: "post_processor.type")
    let single = try processor.object("single")
    let pair = try processor.object("pair")
    guard let opening = single[0]?["SpecialToken"]?["id"]?.stringValue,
      let closing = single[2]?["SpecialToken"]?["id"]?.stringValue,
      single.spells([opening, "A", closing], types: [0, 0, 0])
    else { throw .unsupported(key: "post_processor.single", byteOffset: single.offset) }
    guard pair.spells([opening, "A", closing, "B", closing], types: [0, 0, 0, 1, 1]) else {
      throw .unsupported(key: "post_processor.pair", byteOffset: pair.offset)
    }
    classToken = opening
    separatorToken = closing
  }
}

/// Tokens that come in any order.
private struct TokenEntries {
  private var names: [String] = []
  private var offsets: [Int] = []
  /// Where the token of each id is in `names`, -1 for none.
  private var places: [Int32] = []

  mutating func add(_ name: String, id: JSONValue, offset: Int) throws(WordPieceError) {
    guard let value = id.integerValue, value >= 0, value < TokenTable.maximumTokenCount else {
      throw .malformed(
        byteOffset: id.offset, expected: "an id below \(TokenTable.maximumTokenCount)")
    }
    while places.count <= value { places.append(-1) }
    guard places[value] < 0 else {
      throw .malformed(byteOffset: id.offset, expected: "an id that no other token has")
    }
    places[value] = Int32(names.count)
    names.append(name)
    offsets.append(offset)
  }

  /// A special token, which the vocabulary may hold already.
  mutating func addSpecial(_ name: String, id: JSONValue, offset: Int) throws(WordPieceError) {
    if let value = id.integerValue, places.indices.contains(value), places[value] >= 0,
      names[Int(places[value])].hasSameBytes(as: name)
    {
      return
    }
    try add(name, id: id, offset: offset)
  }

  func table() throws(WordPieceError) -> TokenTable {
    var byteCount = 0
    for name in names { byteCount += name.utf8.count }
    var table = try TokenTable(capacity: places.count, byteCount: byteCount)
    for id in places.indices {
      guard places[id] >= 0 else { throw .missingToken(id: id) }
      let bytes = Array(names[Int(places[id])].utf8)
      try table.append(bytes.span, offset: offsets[Int(places[id])])
    }
    return table
  }
}

extension JSONValue {
  fileprivate func object(_ key: String) throws(WordPieceError) -> JSONValue {
    guard let value = self[key] else {
      throw .malformed(byteOffset: offset, expected: "the key " + key)
    }
    return value
  }

  fileprivate func require(_ name: String, key: String) throws(WordPieceError) {
    guard let text = stringValue, text.hasSameBytes(as: name) else {
      throw .unsupported(key: key, byteOffset: offset)
    }
  }

  fileprivate func string(_ key: String) throws(WordPieceError) -> String? {
    guard let value = self[key], !value.isNull else { return nil }
    guard let text = value.stringValue else {
      throw .malformed(byteOffset: value.offset, expected: "a string for " + key)
    }
    return text
  }

  fileprivate func integer(_ key: String) throws(WordPieceError) -> Int? {
    guard let value = self[key], !value.isNull else { return nil }
    guard let number = value.integerValue else {
      throw .malformed(byteOffset: value.offset, expected: "an integer for " + key)
    }
    return number
  }

  fileprivate func bool(_ key: String) throws(WordPieceError) -> Bool? {
    guard let value = self[key], !value.isNull else { return nil }
    guard let flag = value.boolValue else {
      throw .malformed(byteOffset: value.offset, expected: "true or false for " + key)
    }
    return flag
  }

  /// A token by its text, or as an object that holds its text.
  fileprivate func token(_ key: String) throws(WordPieceError) -> String? {
    if let value = self[key], value.objectValue != nil { return try value.string("content") }
    return try string(key)
  }

  fileprivate func members() throws(WordPieceError) -> [JSONMember] {
    guard let members = objectValue else {
      throw .malformed(byteOffset: offset, expected: "an object")
    }
    return members
  }

  fileprivate func elements() throws(WordPieceError) -> [JSONValue] {
    guard let elements = arrayValue else {
      throw .malformed(byteOffset: offset, expected: "an array")
    }
    return elements
  }

  /// True for a template of these special tokens and sequences, with these type ids.
  fileprivate func spells(_ names: [String], types: [Int]) -> Bool {
    guard let parts = arrayValue, parts.count == names.count else { return false }
    for i in names.indices {
      let isText = names[i].hasSameBytes(as: "A") || names[i].hasSameBytes(as: "B")
      let kind = isText ? "Sequence" : "SpecialToken"
      guard let part = parts[i][kind], let id = part["id"]?.stringValue,
        id.hasSameBytes(as: names[i]), part["type_id"]?.integerValue == types[i]
      else { return false }
    }
    return true
  }
}
