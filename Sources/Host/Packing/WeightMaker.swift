// Weights to the bytes and codes of a bundle, a few at a time.
import Dispatch
import Lowering
import Platform
import Programs
import Quantization
import Tensors
import WeightCoding

/// Gives weights, by index, that are quantized already, when they are asked for; nil for all others.
package typealias ChosenWeights = @Sendable (Int) throws -> ChosenWeight?

/// A weight that is quantized already.
package struct ChosenWeight: Sendable {
  /// The bytes of the stored form.
  var resident: [UInt8]
  /// Coded; nil where it is stored as it is.
  var coded: CodedTensor?

  init(resident: [UInt8], coded: CodedTensor?) {
    self.resident = resident
    self.coded = coded
  }

  package init(_ result: StepResult) {
    self.init(resident: result.resident, coded: result.coded)
  }
}

/// Makes the stored form of every weight, and the coding of those that are to be coded.
struct WeightMaker {
  /// By weight.
  private(set) var forms: [StoredForm]
  private(set) var codings: [StoredCoding?]
  private let model: LoweredModel
  private let storage: WeightStorage
  private let chosen: ChosenWeights
  private let scratch: WeightScratch

  /// What is stored as it is may be so much of the smallest coding: 5 % are worth decoding.
  static let share = 0.95
  /// Bytes of constants that are worked on side by side. A larger one is worked on by itself, in parts.
  private static let batchByteCount = 8 << 20

  init(
    _ model: LoweredModel, _ storage: WeightStorage, _ chosen: @escaping ChosenWeights,
    _ scratch: WeightScratch
  ) {
    self.model = model
    self.storage = storage
    self.chosen = chosen
    self.scratch = scratch
    forms = []
    codings = []
  }

  private struct Made {
    var form: StoredForm
    var coding: StoredCoding?
  }

  /// Makes all weights; what goes wrong with the first of them is thrown.
  mutating func makeAll() throws {
    let count = model.program.weights.count
    let coder = try LosslessCoder()
    var first = 0
    while first < count {
      var last = first
      var bytes = 0
      repeat {
        bytes += model.sources[last].constant.bytes.count
        last += 1
      } while last < count
        && bytes + model.sources[last].constant.bytes.count <= WeightMaker.batchByteCount
      var made = [Result<Made, any Error>?](repeating: nil, count: last - first)
      made.withUnsafeMutableBufferPointer { made in
        nonisolated(unsafe) let made = made
        let maker = self
        let start = first
        DispatchQueue.concurrentPerform(iterations: made.count) { i in
          made[i] = Result { try maker.make(start + i, coder) }
        }
      }
      for case .some(let result) in made {
        let weight = try result.get()
        forms.append(weight.form)
        codings.append(weight.coding)
      }
      first = last
    }
  }

  private func make(_ i: Int, _ coder: LosslessCoder) throws -> Made {
    if let result = try chosen(i) { return try take(result) }
    let weight = model.program.weights[i]
    let form = try encode(i)
    // Small tensors would save less than their place in the tables takes.
    guard storage == .smallest || storage == .coded && model.lookups[i] == nil,
      form.byteCount >= 1024
    else { return Made(form: form) }
    let coded = try coder.code(
      form, weight.encoding, weight.shape, elementByteCount: weight.elementType.byteCount,
      share: WeightMaker.share
    ) { try scratch.put($0) }
    return Made(form: form, coding: coded.map(StoredCoding.init))
  }

  /// What is quantized already.
  private func take(_ result: ChosenWeight) throws -> Made {
    let place = try scratch.put(result.resident)
    let coding = try result.coded.map { coded in
      StoredCoding(
        CodedPieces(
          kind: coded.kind, head: coded.head,
          pieces: try coded.pieces.map { (try scratch.put($0), $0.count) }))
    }
    return Made(form: scratch.form(at: place, byteCount: result.resident.count), coding: coding)
  }

  /// The stored form: in the scratch file, or the constant where that is the same.
  private func encode(_ i: Int) throws -> StoredForm {
    let source = model.sources[i]
    let encoder = WeightEncoder(source, model.program.weights[i].encoding)
    guard !encoder.isIdentity else { return StoredForm(source.constant) }
    let place = scratch.reserve(encoder.byteCount)
    let windows = encoder.windows
    var failures = [(any Error)?](repeating: nil, count: windows.count)
    failures.withUnsafeMutableBufferPointer { failures in
      nonisolated(unsafe) let failures = failures
      DispatchQueue.concurrentPerform(iterations: windows.count) { w in
        do {
          try encoder.encode(windows[w]) { offset, bytes in
            try scratch.file.write(bytes, at: place + offset)
          }
        } catch { failures[w] = error }
      }
    }
    if let failure = failures.lazy.compactMap({ $0 }).first { throw failure }
    return scratch.form(at: place, byteCount: encoder.byteCount)
  }
}
