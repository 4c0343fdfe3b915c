// A matrix at any step: what it takes to store, how far it is from the original, and its coded bytes.
import Bytes
import CKernels
import Dispatch
import Foundation
import Tensors
import WeightCoding

/// What a matrix comes to at a step.
public struct StepCost: Equatable, Sendable {
  /// Bits of its coded form, heads and levels included.
  public var bits: Double
  /// Σ (w - w')², over all elements.
  public var squaredError: Double
  /// What white noise of that many squares would do to the rows' products: with error feedback less than
  /// the squares, else they.
  public var effectiveError: Double
}

/// A matrix coded at a step.
public struct StepResult: Sendable {
  public var choice: StepChoice
  /// What was stored: coded, or the stored form's bytes where those are no more.
  public var coded: CodedTensor?
  public var cost: StepCost
  /// The bytes of the stored form.
  public var resident: [UInt8]
  /// Bits of an ideal code that knows how often each integer comes in each context.
  public var conditionalEntropyBits: Double
  /// Bytes in the bundle.
  public var storedByteCount: Int { coded?.byteCount ?? resident.count }
}

/// Quantizes one matrix at many steps: what does not depend on the step is found once.
public final class StepEncoder: Sendable {
  let matrix: WeightMatrix
  let shape: Shape
  let layout: RunLayout
  let levels: ScaleLevels
  let peak: Float
  private let meanSquare: Double
  /// Where errors of earlier columns are made good by later ones.
  private let feedback: ErrorFeedback?

  /// feedback: of as many columns; taken for matrices whose runs are whole rows.
  public init(
    _ matrix: WeightMatrix, shape: Shape, feedback: ErrorFeedback? = nil
  ) {
    precondition(feedback == nil || feedback?.columns == matrix.columns)
    self.matrix = matrix
    self.shape = shape
    layout = RunLayout(
      rows: matrix.rows, columns: matrix.columns, group: RunLayout.group(shape, matrix.columns))
    levels = ScaleLevels(matrix, layout)
    self.feedback = layout.period == matrix.columns ? feedback : nil
    peak = matrix.peak
    meanSquare = matrix.energy / Double(max(matrix.count, 1))
  }

  /// The stored form that holds the values of a step: int8 where none is beyond its codes, else f16.
  public func scheme(_ choice: StepChoice) -> QuantizationScheme {
    peak / choice.step <= (choice.isDependent ? 125 : 127) ? .int8 : .f16
  }

  /// The smallest step whose values fit int8 codes.
  public func leastStep(isDependent: Bool) -> Float {
    CodedStep(above: peak / (isDependent ? 125 : 127)).value
  }

  // MARK: Quantizing

  /// How many weights the rates are learned from.
  private static let sample = 1 << 16

  /// The integers of the runs `runs`, and the rates that were used.
  private func rates(_ choice: StepChoice) -> RateTable {
    let step = Double(choice.step) * (choice.isDependent ? 2 : 1)
    let reach = min(max(Int(Double(peak) / step) + 2, 3), 100)
    let classes = min(
      Int(levels.runs.max() ?? 0) + Int(levels.columns.max() ?? 0) + 1, 8)
    var rates = RateTable(
      reach: reach, classes: classes,
      meanSquare: meanSquare / Double(choice.step) / Double(choice.step),
      isDependent: choice.isDependent)
    let runs = sampledRuns(StepEncoder.sample)
    // Where rates decide nothing there is nothing to learn.
    guard choice.rateWeight > 0 else { return rates }
    for _ in 0..<4 {
      let integers = quantize(choice, rates, runs)
      rates = RateTable(
        reach: reach, classes: classes,
        counts: counts(integers, runs, reach: reach, classes: classes, choice.isDependent))
    }
    return rates
  }

  /// Runs all over the matrix with about `limit` weights.
  private func sampledRuns(_ limit: Int) -> [Int] {
    let count = layout.runCount
    let wanted = max(1, limit / layout.runLength)
    guard count > wanted else { return Array(0..<count) }
    return (0..<wanted).map { $0 * count / wanted }
  }

  private func classes(ofRun run: Int, most: Int, _ out: inout [UInt8]) {
    let level = levels.runs[run]
    for j in 0..<layout.runLength {
      let column = levels.columns.isEmpty ? 0 : levels.columns[j % layout.period]
      out[j] = min(level + column, UInt8(most))
    }
  }

  private func counts(
    _ integers: [Int16], _ runs: [Int], reach: Int, classes: Int, _ isDependent: Bool
  ) -> [Int32] {
    let width = 2 * reach + 1
    var counts = [Int32](repeating: 0, count: classes * 4 * width)
    var places = [UInt8](repeating: 0, count: layout.runLength)
    for (i, run) in runs.enumerated() {
      self.classes(ofRun: run, most: classes - 1, &places)
      var state = 0
      for j in 0..<length(run) {
        let k = Int(integers[i * layout.runLength + j])
        let row = Int(places[j]) * 4 + state
        counts[row * width + min(max(k, -reach), reach) + reach] += 1
        if isDependent { state = Int(DependentMachine.next[state * 2 + (k & 1)]) }
      }
    }
    return counts
  }

  private func length(_ run: Int) -> Int {
    min(layout.runLength, layout.count - run * layout.runLength)
  }

  /// Gives the memory of these runs, and of what is between them, back where it can be read again.
  private func release(_ runs: ArraySlice<Int>) {
    guard let first = runs.first, let last = runs.last else { return }
    matrix.release(first * layout.runLength..<last * layout.runLength + length(last))
  }

  /// The integers of the listed runs, each in `runLength` places.
  private func quantize(_ choice: StepChoice, _ rates: RateTable, _ runs: [Int]) -> [Int16] {
    let dear = choice.rateWeight * (choice.isDependent ? 0.42 : 0.115)
    let inverse = 1 / choice.step
    let parts = min(max(runs.count * layout.runLength >> 14, 1), 64)
    return [Int16](unsafeUninitializedCapacity: runs.count * layout.runLength) { out, count in
      out.initialize(repeating: 0)
      nonisolated(unsafe) let out = out
      DispatchQueue.concurrentPerform(iterations: parts) { part in
        var places = [UInt8](repeating: 0, count: layout.runLength)
        let search = choice.isDependent ? DependentQuantizer(longest: layout.runLength) : nil
        let mine = part * runs.count / parts..<(part + 1) * runs.count / parts
        defer { release(runs[mine]) }
        for i in mine {
          let run = runs[i]
          classes(ofRun: run, most: rates.classes - 1, &places)
          let start = run * layout.runLength
          let target = out.baseAddress! + i * layout.runLength
          matrix.withElements(start..<start + length(run)) { values in
            rates.bits.withUnsafeBufferPointer { bits in
              let weights = values.baseAddress!
              if let search {
                places.withUnsafeBufferPointer { places in
                  search.quantize(
                    weights, length(run), inverse: inverse, bits: bits.baseAddress!,
                    reach: rates.reach, classes: places.baseAddress!, dear: dear, into: target)
                }
              } else {
                let width = 2 * rates.reach + 1
                for j in 0..<length(run) {
                  let row = bits.baseAddress! + Int(places[j]) * 4 * width
                  target[j] = Int16(
                    StepQuantizer.round(weights[j] * inverse, row, rates.reach, dear))
                }
              }
            }
          }
        }
      }
      count = out.count
    }
  }

  /// The integers of all rows with error feedback, each run in `runLength` places.
  private func quantizeRows(
    _ choice: StepChoice, _ rates: RateTable, most: Float
  ) -> [Int16] {
    guard let feedback else { preconditionFailure("feedback was given") }
    let columns = matrix.columns
    let dear = choice.rateWeight * 0.42
    let runs = layout.runCount
    let parts = min(max(layout.count >> 14, 1), min(runs, 16))
    return [Int16](unsafeUninitializedCapacity: runs * layout.runLength) { out, count in
      out.initialize(repeating: 0)
      nonisolated(unsafe) let out = out
      DispatchQueue.concurrentPerform(iterations: parts) { part in
        let search = FeedbackQuantizer(feedback)
        var places = [UInt8](repeating: 0, count: layout.runLength)
        let mine = part * runs / parts..<(part + 1) * runs / parts
        defer { release(Array(mine)[...]) }
        for run in mine {
          classes(ofRun: run, most: rates.classes - 1, &places)
          var state = 0
          for row in stride(from: 0, to: length(run), by: columns) {
            let start = run * layout.runLength + row
            matrix.withElements(start..<start + columns) { values in
              rates.bits.withUnsafeBufferPointer { bits in
                places.withUnsafeBufferPointer { places in
                  search.quantize(
                    values.baseAddress!, inverse: 1 / choice.step, most: most,
                    bits: bits.baseAddress!, reach: rates.reach,
                    classes: places.baseAddress! + row, dear: dear, state: &state,
                    into: out.baseAddress! + start)
                }
              }
            }
          }
        }
      }
      count = out.count
    }
  }

  /// Rows that tell how much of the errors feedback has left.
  private static let judgedRows = 96

  /// Σ Dⱼηⱼ² over some of the rows, for all of them.
  private func effectiveError(
    _ integers: [Int16], _ rule: ValueRule, scale: Float, _ scheme: QuantizationScheme
  ) -> Double {
    guard let feedback else { preconditionFailure("feedback was given") }
    let columns = matrix.columns
    let judged = min(matrix.rows, StepEncoder.judgedRows)
    let perRun = layout.runLength / columns
    let table = ValueTable(rule)
    var errors = [Float](repeating: 0, count: columns)
    var scratch = errors
    var sum = 0.0
    for n in 0..<judged {
      let row = n * matrix.rows / judged
      // The state in which a row begins follows from the rows before it in its run.
      var state = 0
      for k in integers[row / perRun * perRun * columns..<row * columns] {
        state = Int(DependentMachine.next[state * 2 + (Int(k) & 1)])
      }
      matrix.withElements(row * columns..<(row + 1) * columns) { weights in
        for j in 0..<columns {
          let k = Int(integers[row * columns + j])
          var value = Float(table.value(k, state / 2)) * scale
          if scheme == .f16 { value = kn_f16_to_f32(kn_f32_to_f16(value)) }
          errors[j] = weights[j] - value
          state = Int(DependentMachine.next[state * 2 + (k & 1)])
        }
      }
      sum += errors.withUnsafeBufferPointer { errors in
        scratch.withUnsafeMutableBufferPointer {
          feedback.loss(errors.baseAddress!, $0.baseAddress!)
        }
      }
    }
    return sum * Double(matrix.rows) / Double(max(judged, 1))
  }

  // MARK: Values

  /// Values of integers with the middles of the weights that became 1, 2 and 3, as finely as `most`, the
  /// largest value of the stored form, allows.
  private func rule(_ choice: StepChoice, _ integers: [Int16], _ runs: [Int], most: Float)
    -> ValueRule
  {
    var rule = ValueRule(isDependent: choice.isDependent)
    guard choice.centers else { return rule }
    let reach = max(peak / choice.step + (choice.isDependent ? 2 : 1), 1)
    let subdivision = min(Int(most / reach), 64)
    guard subdivision >= 2 else { return rule }
    var sums = [Double](repeating: 0, count: 8)
    var counts = [Double](repeating: 0, count: 8)
    for (i, run) in runs.enumerated() {
      var state = 0
      let start = run * layout.runLength
      matrix.withElements(start..<start + length(run)) { weights in
        for j in weights.indices {
          let k = Int(integers[i * layout.runLength + j])
          if k != 0, abs(k) <= 3 {
            let place = state / 2 * 4 + abs(k)
            sums[place] += Double(weights[j] * Float(k.signum()) / choice.step)
            counts[place] += 1
          }
          if choice.isDependent { state = Int(DependentMachine.next[state * 2 + (k & 1)]) }
        }
      }
      if i % 256 == 255 || i + 1 == runs.count { release(runs[(i - i % 256)...i]) }
    }
    var isMoved = false
    for quantizer in 0..<2 {
      for k in 1...3 where counts[quantizer * 4 + k] > 0 {
        let place = quantizer * 4 + k
        let steps = choice.isDependent ? 2 * k - quantizer : k
        let trim = (Double(steps) - sums[place] / counts[place]) * Double(subdivision)
        let units = UInt8(min(max(trim.rounded(), 0), Double(subdivision)))
        rule.trims[quantizer * 3 + k - 1] = units
        isMoved = isMoved || units > 0
      }
    }
    rule.subdivision = subdivision
    return isMoved ? rule : ValueRule(isDependent: choice.isDependent)
  }

  /// The error of the listed runs in their stored form.
  private func error(
    _ integers: [Int16], _ runs: [Int], _ rule: ValueRule, scale: Float,
    _ scheme: QuantizationScheme
  ) -> Double {
    let table = ValueTable(rule)
    var squared = 0.0
    for (i, run) in runs.enumerated() {
      var state = 0
      let start = run * layout.runLength
      matrix.withElements(start..<start + length(run)) { weights in
        for j in weights.indices {
          let k = Int(integers[i * layout.runLength + j])
          var value = Float(table.value(k, state / 2)) * scale
          if scheme == .f16 { value = kn_f16_to_f32(kn_f32_to_f16(value)) }
          if scheme == .bf16 { value = Float(bitPattern: UInt32(HalfPrecision.bf16(value)) << 16) }
          let difference = Double(weights[j] - value)
          squared += difference * difference
          if rule.isDependent { state = Int(DependentMachine.next[state * 2 + (k & 1)]) }
        }
      }
      if i % 256 == 255 || i + 1 == runs.count { release(runs[(i - i % 256)...i]) }
    }
    return squared
  }

  // MARK: Results

  /// About what `encode` will come to, from a sample of the matrix: the bits to about a percent.
  public func estimate(_ choice: StepChoice) -> StepCost {
    let rates = rates(choice)
    let runs = sampledRuns(StepEncoder.sample)
    let integers = quantize(choice, rates, runs)
    let scheme = scheme(choice)
    let most: Float = scheme == .int8 ? 127 : Float(Int16.max)
    let rule = rule(choice, integers, runs, most: most)
    let error = error(
      integers, runs, rule, scale: choice.step / Float(rule.subdivision), scheme)
    var part = layout
    part.count = runs.reduce(0) { $0 + length($1) }
    // The last run is the only one that may be shorter, and stays last.
    var partLevels = levels
    partLevels.runs = runs.map { levels.runs[$0] }
    let source = IntegerSource(Array(integers.prefix(part.count)))
    guard
      let coder = try? IntegerCoder(
        source, rule, part, partLevels, limit: Int(most), isThorough: false),
      let head = try? coder.headBits()
    else {
      preconditionFailure("integers in memory are read and coded without fail")
    }
    let factor = Double(layout.count) / Double(max(part.count, 1))
    return StepCost(
      bits: head + (coder.bits - head) * factor, squaredError: error * factor,
      effectiveError: error * factor * (choice.isDependent ? feedback?.meanShare ?? 1 : 1))
  }

  /// The matrix at a step, in the fewest bytes.
  ///
  /// encoding: the stored form, whose scheme holds the step's values (`scheme`).
  public func encode(
    _ choice: StepChoice, _ encoding: WeightEncoding, _ lossless: LosslessCoder
  ) throws -> StepResult {
    let (steps, cost, entropyBits) = try coded(choice, encoding)
    let resident = try steps.decoded(encoding, shape, byteCount: encoding.byteCount(shape) ?? 0)
    let width = encoding.scheme == .int8 ? 1 : encoding.scheme == .f32 ? 4 : 2
    let best = try resident.withUnsafeBytes { bytes in
      try lossless.orPlanes(
        steps, bytes, width: width, ZstdCompressor.level(forByteCount: bytes.count))
    }
    let bits = Double(min(best.byteCount, resident.count) * 8)
    return StepResult(
      choice: choice, coded: best.byteCount < resident.count ? best : nil,
      cost: StepCost(
        bits: bits, squaredError: cost.squaredError,
        effectiveError: cost.effectiveError),
      resident: resident, conditionalEntropyBits: entropyBits)
  }

  /// The matrix at a step, coded. The integers are gone before its stored form is made.
  private func coded(
    _ choice: StepChoice, _ encoding: WeightEncoding
  ) throws -> (steps: CodedTensor, cost: StepCost, entropyBits: Double) {
    let most: Float = encoding.scheme == .int8 ? 127 : Float(Int16.max)
    precondition(
      peak / choice.step <= (encoding.scheme == .int8 && choice.isDependent ? 125 : most),
      "a stored form that holds the step's values")
    let runs = Array(0..<layout.runCount)
    let usesFeedback = feedback != nil && choice.isDependent
    var integers =
      usesFeedback
      ? quantizeRows(choice, rates(choice), most: most) : quantize(choice, rates(choice), runs)
    integers.removeLast(integers.count - layout.count)
    // Errors have been made good for the values as they are: those stay.
    let rule =
      usesFeedback
      ? ValueRule(isDependent: true) : rule(choice, integers, runs, most: most)
    let scale = choice.step / Float(rule.subdivision)
    let error = error(integers, runs, rule, scale: scale, encoding.scheme)
    let coder = try IntegerCoder(
      IntegerSource(integers), rule, layout, levels, limit: Int(most))
    let head = try CodedHead(.steps, coder.coding, step: CodedStep(above: choice.step))
      .bytes(columns: layout.columns)
    let steps = CodedTensor(kind: .steps, head: head, pieces: try coder.pieces { $0 })
    let cost = StepCost(
      bits: Double(steps.byteCount * 8), squaredError: error,
      effectiveError: usesFeedback
        ? effectiveError(integers, rule, scale: scale, encoding.scheme) : error)
    return (steps, cost, coder.entropyBits)
  }
}

/// Values of integers, looked up where they are small.
struct ValueTable {
  private let rule: ValueRule
  private var values: [Int32] = []

  init(_ rule: ValueRule) {
    self.rule = rule
    for quantizer in 0..<2 {
      for k in -128..<128 { values.append(Int32(rule.value(k, quantizer: quantizer))) }
    }
  }

  @inline(__always)
  func value(_ k: Int, _ quantizer: Int) -> Int32 {
    k >= -128 && k < 128
      ? values[quantizer * 256 + k + 128] : Int32(rule.value(k, quantizer: quantizer))
  }
}
