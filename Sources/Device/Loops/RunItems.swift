// The items of a run, in order: texts, rows of data sets, whole tensor files.
import Bytes
import Platform
import Programs
import Tasks

/// One thing to run the model on.
public enum RunItem {
  case text(String)
  /// All tensors of a file at once.
  case tensors(TensorFile)
  /// A value for every input, as typed.
  case values([TypedValue])
  /// Item `row` of a file, with the class it should get.
  case row(TensorFile, row: Int, label: Int?)
  /// Values made up here.
  case sample
}

extension ModelRunner {
  /// Fills the inputs with an item; the class it should get, where that is known.
  @discardableResult
  public func fill(_ item: RunItem) throws(Failure) -> Int? {
    switch item {
    case .text(let text): try fill(text: text)
    case .values(let values): try fill(values: values)
    case .tensors(let file): try fill(from: file)
    case .row(let file, let row, let expected):
      try fill(from: file, first: row)
      return expected
    case .sample: try fillWithSamples()
    }
    return nil
  }
}

/// The items a run goes through.
public struct RunItems {
  public private(set) var items: [RunItem] = []
  /// True when outputs of all items are one batch.
  public private(set) var isBatch = false
  /// True when every item's answer is worth a line: what a person typed, not a data set.
  public private(set) var printsAnswers = false

  /// The most lines taken from text files and standard input.
  private static let maximumLines = 1 << 20

  public init(_ options: RunOptions, _ runner: ModelRunner) throws(Failure) {
    if let path = options.inputFile {
      let file = try TensorFile(path: path)
      printsAnswers = true
      if let count = try runner.itemCount(in: file) {
        isBatch = true
        for row in 0..<count { items.append(.row(file, row: row, label: nil)) }
      } else {
        items.append(.tensors(file))
      }
    }
    if !options.values.isEmpty {
      printsAnswers = true
      items.append(.values(options.values))
    }
    for input in options.inputs { try add(input, runner) }
    if items.isEmpty { items.append(.sample) }
  }

  private mutating func add(_ input: String, _ runner: ModelRunner) throws(Failure) {
    if input == "-" || hasSuffix(input, ".txt"), !runner.takesText { throw runner.textRefusal }
    if input == "-" {
      do throws(PlatformError) {
        addLines(try Standard.readInput(limit: 64 << 20))
      } catch {
        throw Failure(reading: error)
      }
      return
    }
    if hasSuffix(input, ".safetensors") {
      return try addDataSet(input, runner)
    }
    if hasSuffix(input, ".txt") {
      do throws(PlatformError) {
        addLines(try File.read(input, limit: 64 << 20))
      } catch {
        throw Failure(reading: error)
      }
      return
    }
    guard runner.takesText else { throw runner.textRefusal }
    printsAnswers = true
    items.append(.text(input))
  }

  private mutating func addDataSet(_ path: String, _ runner: ModelRunner) throws(Failure) {
    let file = try TensorFile(path: path)
    let names = runner.callerInputs.map { runner.model.program.inputs[$0].name }
    let data: LabelledData
    do throws(LabelledDataError) {
      data = try LabelledData(file.tensors, inputNames: names)
    } catch {
      throw Failure(.badData, "\(path): \(error)")
    }
    let map = file.map
    let bytes = map.bytes
    for i in 0..<data.itemCount {
      items.append(.row(file, row: i, label: data.label(ofItem: i, in: bytes)))
    }
  }

  private mutating func addLines(_ bytes: [UInt8]) {
    printsAnswers = true
    var start = 0
    for (i, byte) in bytes.enumerated() where byte == 0x0A || i == bytes.count - 1 {
      let end = byte == 0x0A ? i : i + 1
      if end > start, items.count < RunItems.maximumLines {
        items.append(.text(String(decoding: bytes[start..<end], as: UTF8.self)))
      }
      start = i + 1
    }
  }

  private func hasSuffix(_ text: String, _ suffix: String) -> Bool {
    let t = Array(text.utf8)
    let s = Array(suffix.utf8)
    return t.count > s.count && Array(t[(t.count - s.count)...]) == s
  }
}
