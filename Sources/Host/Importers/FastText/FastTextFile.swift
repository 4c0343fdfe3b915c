// A fastText model file, .bin or .ftz, field by field.
import Bytes
import Tensors

/// What a fastText file says. Matrices stay in the file.
struct FastTextFile {
  enum Model: Int32 {
    case continuousBag = 1
    case skipGram, supervised
  }
  enum Loss: Int32 {
    case hierarchicalSoftmax = 1
    case negativeSampling, softmax, oneAgainstAll
  }

  /// A table of vectors: rows of f32, or codes of a product quantizer.
  enum Matrix {
    case dense(rows: Int, columns: Int, data: Range<Int>)
    case quantized(QuantizedMatrix)

    var rows: Int {
      switch self {
      case .dense(let rows, _, _): rows
      case .quantized(let matrix): matrix.rows
      }
    }

    var columns: Int {
      switch self {
      case .dense(_, let columns, _): columns
      case .quantized(let matrix): matrix.columns
      }
    }
  }

  struct QuantizedMatrix {
    var rows: Int
    var columns: Int
    /// A byte per row and part.
    var codes: Range<Int>
    var quantizer: ProductQuantizer
    /// A byte per row and what it stands for, where rows were brought to length 1 first.
    var norms: (codes: Range<Int>, quantizer: ProductQuantizer)?
  }

  /// 256 centroids for each part of a vector; the last part may be shorter.
  struct ProductQuantizer {
    var columns: Int
    var parts: Int
    var width: Int
    var lastWidth: Int
    /// f32.
    var centroids: Range<Int>

    static var centroidCount: Int { 256 }
  }

  static let magic: Int32 = 793_712_314

  let file: ModelFile
  var model = Model.supervised
  var loss = Loss.softmax
  var columns = 0
  var wordRun = 1
  var bucketCount = 0
  var minimumPiece = 0
  var maximumPiece = 0
  /// Words, then labels, with how often they were met.
  var entries: [(text: [UInt8], count: Int64)] = []
  var wordCount = 0
  var kept: [(hash: Int32, row: Int32)]?
  var input = Matrix.dense(rows: 0, columns: 0, data: 0..<0)
  var output = Matrix.dense(rows: 0, columns: 0, data: 0..<0)

  init(_ file: ModelFile) throws(ImportError) {
    self.file = file
    do throws(ByteError) {
      var reader = ByteReader(file.bytes.bytes)
      try read(&reader)
    } catch {
      if case .outOfRange = error.reason {
        throw file.malformed(error.offset, "expected another value of a fastText model")
      }
      throw ImportError(file: file.path, .unsupportedFormat("\(error)"))
    }
    try check()
  }

  /// The refusal of the value that was read last, `byteCount` long.
  private static func refuse(_ reader: borrowing ByteReader, _ byteCount: Int) -> ByteError {
    ByteError(offset: reader.offset - byteCount, reason: .outOfRange(0))
  }

  private static func count(
    _ reader: inout ByteReader, in range: ClosedRange<Int>
  ) throws(ByteError) -> Int {
    let value = Int(try reader.integer(Int32.self))
    guard range.contains(value) else { throw refuse(reader, 4) }
    return value
  }

  private static func longCount(
    _ reader: inout ByteReader, in range: ClosedRange<Int>
  ) throws(ByteError) -> Int {
    let value = Int(try reader.integer(Int64.self))
    guard range.contains(value) else { throw refuse(reader, 8) }
    return value
  }

  private mutating func read(_ reader: inout ByteReader) throws(ByteError) {
    guard try reader.integer(Int32.self) == FastTextFile.magic else {
      throw FastTextFile.refuse(reader, 4)
    }
    let version = try FastTextFile.count(&reader, in: 11...12)
    columns = try FastTextFile.count(&reader, in: 1...1 << 16)
    // Window, epochs, least count and negative samples matter to training only.
    try reader.skip(16)
    wordRun = try FastTextFile.count(&reader, in: 0...1 << 16)
    guard let loss = Loss(rawValue: try reader.integer()) else {
      throw FastTextFile.refuse(reader, 4)
    }
    guard let model = Model(rawValue: try reader.integer()) else {
      throw FastTextFile.refuse(reader, 4)
    }
    (self.loss, self.model) = (loss, model)
    bucketCount = try FastTextFile.count(&reader, in: 0...Int(Int32.max))
    minimumPiece = try FastTextFile.count(&reader, in: 0...1 << 16)
    maximumPiece = try FastTextFile.count(&reader, in: 0...1 << 16)
    // Classifiers of the version before knew no pieces of words.
    if version == 11, model == .supervised { maximumPiece = 0 }
    try reader.skip(12)
    try readDictionary(&reader)
    let isQuantized = try FastTextFile.flag(&reader)
    input =
      isQuantized
      ? .quantized(try FastTextFile.quantized(&reader)) : try FastTextFile.dense(&reader)
    let isOutputQuantized = try FastTextFile.flag(&reader)
    output =
      isQuantized && isOutputQuantized
      ? .quantized(try FastTextFile.quantized(&reader)) : try FastTextFile.dense(&reader)
  }

  private static func flag(_ reader: inout ByteReader) throws(ByteError) -> Bool {
    let value = try reader.byte()
    guard value <= 1 else { throw refuse(reader, 1) }
    return value == 1
  }

  private mutating func readDictionary(_ reader: inout ByteReader) throws(ByteError) {
    // An entry takes ten bytes at least.
    let total = try FastTextFile.count(&reader, in: 0...reader.remaining / 10)
    wordCount = try FastTextFile.count(&reader, in: 0...total)
    guard try FastTextFile.count(&reader, in: 0...total) == total - wordCount else {
      throw FastTextFile.refuse(reader, 4)
    }
    try reader.skip(8)
    let keptCount = try FastTextFile.longCount(&reader, in: -1...reader.remaining / 8)
    entries.reserveCapacity(total)
    for i in 0..<total {
      let start = reader.position
      while try reader.byte() != 0 {}
      let text = [UInt8](copying: reader.bytes.extracting(start..<reader.position - 1))
      let count = try reader.integer(Int64.self)
      let kind = try reader.byte()
      // Words come first.
      guard kind == (i < wordCount ? 0 : 1) else { throw FastTextFile.refuse(reader, 1) }
      entries.append((text, count))
    }
    guard keptCount >= 0 else { return }
    var kept: [(hash: Int32, row: Int32)] = []
    kept.reserveCapacity(keptCount)
    for _ in 0..<keptCount { kept.append((try reader.integer(), try reader.integer())) }
    self.kept = kept
  }

  private static func dense(_ reader: inout ByteReader) throws(ByteError) -> Matrix {
    let rows = try longCount(&reader, in: 0...1 << 40)
    let columns = try longCount(&reader, in: 1...1 << 16)
    return .dense(rows: rows, columns: columns, data: try reader.range(rows * columns * 4))
  }

  private static func quantized(_ reader: inout ByteReader) throws(ByteError) -> QuantizedMatrix {
    let hasNorms = try flag(&reader)
    let rows = try longCount(&reader, in: 0...1 << 40)
    let columns = try longCount(&reader, in: 1...1 << 16)
    let size = try count(&reader, in: 0...Int(Int32.max))
    let codes = try reader.range(size)
    let quantizer = try quantizer(&reader)
    guard quantizer.columns == columns, rows * quantizer.parts == size else {
      throw refuse(reader, 0)
    }
    var matrix = QuantizedMatrix(
      rows: rows, columns: columns, codes: codes, quantizer: quantizer, norms: nil)
    if hasNorms {
      let normCodes = try reader.range(rows)
      let norms = try self.quantizer(&reader)
      guard norms.columns == 1, norms.parts == 1 else { throw refuse(reader, 0) }
      matrix.norms = (normCodes, norms)
    }
    return matrix
  }

  private static func quantizer(_ reader: inout ByteReader) throws(ByteError) -> ProductQuantizer {
    let columns = try count(&reader, in: 1...1 << 16)
    let parts = try count(&reader, in: 1...columns)
    let width = try count(&reader, in: 1...columns)
    let last = try count(&reader, in: 1...width)
    guard (parts - 1) * width + last == columns else { throw refuse(reader, 4) }
    let centroids = try reader.range(columns * ProductQuantizer.centroidCount * 4)
    return ProductQuantizer(
      columns: columns, parts: parts, width: width, lastWidth: last, centroids: centroids)
  }

  /// Whether the parts fit each other.
  private func check() throws(ImportError) {
    func refuse(_ key: String, _ what: String) -> ImportError {
      ImportError(file: file.path, .key(key, what))
    }
    guard input.columns == columns, output.columns == columns else {
      throw refuse("dim", "matrices of \(input.columns) and \(output.columns), expected \(columns)")
    }
    let hashed = kept?.count ?? bucketCount
    let usesHashes = maximumPiece > 0 || (model == .supervised && wordRun > 1)
    guard input.rows >= wordCount + (usesHashes ? hashed : 0), input.rows > 0 else {
      throw refuse("input", "\(input.rows) rows for \(wordCount) words and \(hashed) hashes")
    }
    guard usesHashes ? bucketCount > 0 : true else { throw refuse("bucket", "is 0") }
    if let kept {
      for pair in kept where pair.row < 0 || Int(pair.row) >= input.rows - wordCount {
        throw refuse("pruneidx", "row \(pair.row) of \(input.rows - wordCount)")
      }
    }
    guard model == .supervised else { return }
    let labels = entries.count - wordCount
    guard labels > 0, output.rows == labels else {
      throw refuse("output", "\(output.rows) rows for \(labels) labels")
    }
  }
}
