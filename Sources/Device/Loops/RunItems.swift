// The items of a run that are there before it begins: texts, rows of data sets, tensor files, pictures,
// sound.
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
  /// A picture in a file, which is read when its turn comes.
  case pictureFile(String)
  /// A picture from a camera.
  case picture(Picture)
  /// So many samples of a sound from one on.
  case sound(Sound, start: Int)
  /// Values made up here.
  case sample

  /// What answers about it are told apart by; nil where the text, or its number, does that.
  var name: String? {
    switch self {
    case .pictureFile(let path): path
    case .sound(let sound, let start):
      "\(sound.path) \(RunItem.seconds(start, sound.rate)) s"
    default: nil
    }
  }

  /// What is in a file that is read when its turn comes; nil for what is in memory.
  func opened() throws(Failure) -> RunItem? {
    guard case .pictureFile(let path) = self else { return nil }
    return .picture(try RunItems.picture(path))
  }

  private static func seconds(_ samples: Int, _ rate: Int) -> String {
    var text = TextBuffer()
    text.put(Double(samples) / Double(max(rate, 1)), places: 2)
    return text.text
  }
}

/// Sound that is in memory as a whole.
public final class Sound {
  public let path: String
  /// Samples per second.
  public let rate: Int
  public let samples: [Float]

  public init(path: String, rate: Int, samples: [Float]) {
    self.path = path
    self.rate = rate
    self.samples = samples
  }
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
    case .pictureFile(let path): try fill(picture: RunItems.picture(path))
    case .picture(let picture): try fill(picture: picture)
    case .sound(let sound, let start):
      try fill(samples: sound.samples[min(start, sound.samples.count)...], rate: sound.rate)
    case .sample: try fillWithSamples()
    }
    return nil
  }
}

/// The items a run goes through, and the source of those that are still to come.
public struct RunItems {
  public private(set) var items: [RunItem] = []
  /// What gives more items while the run goes on; nil for none.
  public private(set) var live: LiveSource?
  /// True when outputs of all items are one batch.
  public private(set) var isBatch = false
  /// True when every item's answer is worth a line: what a person typed, not a data set.
  public private(set) var printsAnswers = false

  /// The most lines taken from text files, and the most files taken from a folder.
  private static let maximumLines = 1 << 20
  private static let maximumFileBytes = 64 << 20

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
    for input in options.inputs { try add(input, options, runner) }
    if items.isEmpty, live == nil { items.append(.sample) }
  }

  private mutating func add(
    _ input: String, _ options: RunOptions, _ runner: ModelRunner
  ) throws(Failure) {
    if let source = try LiveSource(input, options, runner) {
      guard live == nil else {
        throw Failure(.usage, "\(input): only one input can be a stream or a device")
      }
      live = source
      printsAnswers = true
      return
    }
    if try addFile(input, options, runner) { return }
    // A word with a slash may be a text; a folder is one only by its name.
    let kind = (try? File.kind(of: input)) ?? .nothing
    if kind == .folder { return try addFolder(input, options, runner) }
    guard runner.takesText else { throw RunItems.refusal(of: input, kind, runner) }
    guard kind != .nothing || !hasPrefix(input, "/dev/") else {
      throw Failure(.missingInput, "\(input): no such device")
    }
    printsAnswers = true
    items.append(.text(input))
  }

  /// Why a word is nothing to run a model on that takes no text.
  private static func refusal(
    of input: String, _ kind: File.Kind, _ runner: ModelRunner
  ) -> Failure {
    if kind == .regular {
      return Failure(
        .usage, "\(input): expected a .safetensors, .wav, .ppm or .pgm file by its name")
    }
    guard Array(input.utf8).contains(UInt8(ascii: "/")) else { return runner.textRefusal }
    return Failure(.missingInput, "\(input): no such file or device")
  }

  /// True where the name's ending says what the file is.
  private mutating func addFile(
    _ input: String, _ options: RunOptions, _ runner: ModelRunner
  ) throws(Failure) -> Bool {
    if hasSuffix(input, ".safetensors") {
      try addDataSet(input, runner)
    } else if hasSuffix(input, ".txt") {
      guard runner.takesText else { throw runner.textRefusal }
      addLines(try RunItems.bytes(input))
    } else if hasSuffix(input, ".wav") {
      try addSound(input, options, runner)
    } else if hasSuffix(input, ".ppm") || hasSuffix(input, ".pgm") || hasSuffix(input, ".pnm") {
      guard runner.pictureInput != nil else { throw runner.pictureRefusal }
      printsAnswers = true
      items.append(.pictureFile(input))
    } else {
      return false
    }
    return true
  }

  /// Every file of a folder whose ending says what it is, by name; at least one.
  private mutating func addFolder(
    _ path: String, _ options: RunOptions, _ runner: ModelRunner
  ) throws(Failure) {
    let names: [String]
    do throws(PlatformError) {
      names = try Folder.names(path)
    } catch {
      throw Failure(reading: error)
    }
    var count = 0
    for name in names {
      let file = hasSuffix(path, "/") ? path + name : "\(path)/\(name)"
      if try addFile(file, options, runner) { count += 1 }
    }
    guard count > 0 else {
      throw Failure(
        .missingInput, "\(path): no .txt, .safetensors, .wav, .ppm or .pgm file in this folder")
    }
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

  private mutating func addSound(
    _ path: String, _ options: RunOptions, _ runner: ModelRunner
  ) throws(Failure) {
    guard let place = runner.soundInput else { throw runner.soundRefusal }
    let bytes = try RunItems.bytes(path)
    let file: WavFile
    do throws(WavError) {
      file = try WavFile(bytes.span)
    } catch {
      throw Failure(.badData, "\(path): \(error)")
    }
    let rate = options.sampleRate ?? file.rate
    var resampler = Resampler(from: file.rate, to: rate)
    let samples = resampler.take(file.samples) + resampler.finish()
    let sound = Sound(path: path, rate: rate, samples: samples)
    printsAnswers = true
    for start in stride(from: 0, to: max(samples.count, 1), by: place.sampleCount) {
      items.append(.sound(sound, start: start))
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

  /// The picture of a PGM or PPM file.
  static func picture(_ path: String) throws(Failure) -> Picture {
    let bytes = try bytes(path)
    do throws(PictureError) {
      return try Picture(pnm: bytes.span)
    } catch {
      throw Failure(.badData, "\(path): \(error)")
    }
  }

  private static func bytes(_ path: String) throws(Failure) -> [UInt8] {
    do throws(PlatformError) {
      return try File.read(path, limit: maximumFileBytes)
    } catch {
      throw Failure(reading: error)
    }
  }

  private func hasPrefix(_ text: String, _ prefix: String) -> Bool {
    Array(text.utf8).starts(with: Array(prefix.utf8))
  }

  private func hasSuffix(_ text: String, _ suffix: String) -> Bool {
    let t = Array(text.utf8)
    let s = Array(suffix.utf8)
    return t.count > s.count && Array(t[(t.count - s.count)...]) == s
  }
}
