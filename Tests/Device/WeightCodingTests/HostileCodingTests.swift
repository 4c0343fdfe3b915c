// Coded weights that were changed on the way: an error or other numbers, never a crash.

import Bytes
import Graphs
import Lowering
import Quantization
import Randomness
import Tensors
import Testing
import WeightCoding

/// A weight and its coding.
struct Sample: Sendable {
  var coded: CodedTensor
  var encoding: WeightEncoding
  var shape: Shape
  var bytes: [UInt8]

  func decoded(_ coded: CodedTensor) throws -> [UInt8] {
    try coded.decoded(encoding, shape, byteCount: bytes.count)
  }
}

@Suite struct HostileCodingTests {
  /// One of every kind: with contexts, escapes, low bits, dependent states, planes, blocks.
  static let samples: [Sample] = {
    do { return try make() } catch { fatalError("\(error)") }
  }()

  static func make() throws -> [Sample] {
    var noise = SeededRandom(state: 4)
    let (rows, columns) = (100, 96)
    var values = (0..<rows * columns).map { i -> Float in
      let scale: Float = i / columns % 3 == 0 ? 4 : 0.5
      return (0..<4).reduce(0) { sum, _ in sum + Float.random(in: -1...1, using: &noise) } * scale
    }
    values[77] = 90
    values[4000] = -120
    let matrix = WeightMatrix(rows: rows, columns: columns, values: values)
    let lossless = try LosslessCoder()
    var samples: [Sample] = [
      try moving(lossless, rows: 48), try moving(lossless, rows: 240), try codes(lossless),
    ]
    for layout in [WeightLayout.rowMajor, .panels] {
      let shape = Shape(layout == .panels ? [columns, rows] : [rows, columns])
      let encoder = StepEncoder(matrix, shape: shape)
      for (step, isDependent) in [(1, false), (1, true), (0.01, true), (0.02, false)]
        as [(Float, Bool)]
      {
        let choice = StepChoice(step: step, isDependent: isDependent)
        let encoding = WeightEncoding(encoder.scheme(choice), layout)
        let result = try encoder.encode(choice, encoding, lossless)
        guard let coded = result.coded else { continue }
        samples.append(
          Sample(coded: coded, encoding: encoding, shape: shape, bytes: result.resident))
      }
      for scheme in [QuantizationScheme.int8, .iq4_nl, .nl2, .nl3, .nl6, .f32] {
        let encoding = WeightEncoding(scheme, layout)
        let source = WeightSource(
          name: "w", constant: Constant(floats: values, shape: Shape([rows, columns])),
          role: layout == .panels ? .matrix(transposed: true) : .table)
        var bytes = [UInt8](repeating: 0, count: encoding.byteCount(shape)!)
        bytes.withUnsafeMutableBytes { WeightEncoder(source, encoding).encode(into: $0) }
        let coded = try bytes.withUnsafeBytes {
          try lossless.code($0, encoding, shape, elementByteCount: 4, share: 2)
        }
        if let coded {
          samples.append(Sample(coded: coded, encoding: encoding, shape: shape, bytes: bytes))
        }
      }
    }
    return samples
  }

  /// Weights whose sizes change along their rows, of a convolution whose input channels differ.
  static func moving(_ lossless: LosslessCoder, rows: Int) throws -> Sample {
    var noise = SeededRandom(state: 91)
    let shape = Shape([rows, 16, 3, 3])
    var size: Float = 1
    let values = (0..<shape.elementCount).map { i -> Float in
      if i % 40 == 0 { size = 1 / Float(1 << Int.random(in: 0...4, using: &noise)) }
      let channel: Float = i / 9 % 16 < 8 ? 1 : 6
      return (0..<4).reduce(0) { sum, _ in sum + Float.random(in: -1...1, using: &noise) }
        * size * channel
    }
    let encoder = StepEncoder(
      WeightMatrix(rows: rows, columns: 144, values: values), shape: shape)
    let choice = StepChoice(step: 0.25, isDependent: true)
    let encoding = WeightEncoding(encoder.scheme(choice), .rowMajor)
    let result = try encoder.encode(choice, encoding, lossless)
    guard let coded = result.coded else { fatalError("levels are worth their bytes") }
    return Sample(coded: coded, encoding: encoding, shape: shape, bytes: result.resident)
  }

  /// int8 codes whose low bits are stored as they are, in eight lanes.
  static func codes(_ lossless: LosslessCoder) throws -> Sample {
    var noise = SeededRandom(state: 23)
    let (rows, columns) = (200, 200)
    let values = (0..<rows * columns).map { _ in
      (0..<4).reduce(0 as Float) { sum, _ in sum + Float.random(in: -1...1, using: &noise) }
    }
    let source = WeightSource(
      name: "w", constant: Constant(floats: values, shape: Shape([rows, columns])), role: .table)
    let encoding = WeightEncoding(.int8, .rowMajor)
    var bytes = [UInt8](repeating: 0, count: encoding.byteCount(source.shape)!)
    bytes.withUnsafeMutableBytes { WeightEncoder(source, encoding).encode(into: $0) }
    let coded = try bytes.withUnsafeBytes {
      try lossless.code($0, encoding, source.shape, elementByteCount: 4, share: 2)
    }
    guard let coded else { fatalError("codes are worth coding") }
    return Sample(coded: coded, encoding: encoding, shape: source.shape, bytes: bytes)
  }

  /// The contexts that a decoder meets: levels of runs and of columns, some of several together, and moving ones.
  @Test func samplesCoverEveryContext() throws {
    let codings = try HostileCodingTests.samples.compactMap { sample in
      try CodedWeight(
        head: sample.coded.head.span.bytes, encoding: sample.encoding, shape: sample.shape,
        byteCount: sample.bytes.count
      ).integers
    }
    #expect(codings.contains { $0.activity != nil && $0.stateContexts > 1 })
    #expect(codings.contains { $0.runLevelBits > 0 })
    #expect(
      codings.contains { coding in
        let levels = coding.columnLevels
        return Set(levels).count > 1
          && levels.indices.allSatisfy { $0 % 9 == 0 || levels[$0] == levels[$0 - 1] }
      })
    #expect(Set(codings.map(\.lanes)) == [1, 2, 8])
    #expect(codings.contains { $0.lanes == 8 && (1...4).contains($0.shift) })
  }

  /// Tables that are told number by number, and those that follow a law.
  @Test func samplesCoverEveryTable() throws {
    let codings = try HostileCodingTests.samples.compactMap { sample in
      try CodedWeight(
        head: sample.coded.head.span.bytes, encoding: sample.encoding, shape: sample.shape,
        byteCount: sample.bytes.count
      ).integers
    }
    #expect(codings.contains { $0.laws.contains { $0 == nil } })
    #expect(
      codings.contains { coding in
        coding.stateContexts == 1 && coding.laws.contains { $0 != nil }
      })
    #expect(
      codings.contains { coding in
        coding.stateContexts > 1 && coding.laws.contains { $0 != nil }
      })
  }

  @Test func samplesCoverEveryKind() throws {
    for kind in WeightCodingKind.allCases {
      #expect(HostileCodingTests.samples.contains { $0.coded.kind == kind }, "\(kind)")
    }
    for sample in HostileCodingTests.samples {
      #expect(try sample.decoded(sample.coded) == sample.bytes)
    }
  }

  @Test func truncationsAreErrors() {
    for sample in HostileCodingTests.samples {
      for keep in stride(from: 0, to: sample.coded.head.count, by: 1) {
        var coded = sample.coded
        coded.head.removeLast(coded.head.count - keep)
        #expect(throws: WeightCodingError.self) { try sample.decoded(coded) }
      }
      for (i, piece) in sample.coded.pieces.enumerated() {
        for keep in stride(from: 0, to: piece.count, by: max(1, piece.count / 60)) {
          var coded = sample.coded
          coded.pieces[i].removeLast(piece.count - keep)
          #expect(throws: WeightCodingError.self) { try sample.decoded(coded) }
        }
        var longer = sample.coded
        longer.pieces[i].append(1)
        #expect(throws: WeightCodingError.self) { try sample.decoded(longer) }
      }
    }
  }

  /// Every bit of the heads, and many of the pieces. What still decodes has the right size, and the
  /// range coder notices nearly every change of its stream.
  @Test func changedBitsNeverCrash() {
    var noise = SeededRandom(state: 8)
    var changed = 0
    var unnoticed = 0
    for sample in HostileCodingTests.samples {
      for bit in 0..<sample.coded.head.count * 8 {
        var coded = sample.coded
        coded.head[bit / 8] ^= 1 << UInt8(bit % 8)
        _ = try? sample.decoded(coded)
      }
      for i in sample.coded.pieces.indices {
        for _ in 0..<200 {
          var coded = sample.coded
          let at = Int.random(in: 0..<coded.pieces[i].count, using: &noise)
          coded.pieces[i][at] ^= 1 << UInt8.random(in: 0..<8, using: &noise)
          changed += 1
          if let bytes = try? sample.decoded(coded) {
            #expect(bytes.count == sample.bytes.count)
            unnoticed += 1
          }
        }
      }
    }
    #expect(unnoticed * 2 < changed, "\(unnoticed) of \(changed)")
  }

  @Test func noiseNeverCrashes() {
    var noise = SeededRandom(state: 15)
    for sample in HostileCodingTests.samples {
      for _ in 0..<100 {
        var coded = sample.coded
        for i in coded.pieces.indices {
          coded.pieces[i] = (0..<Int.random(in: 0...4000, using: &noise)).map { _ in
            UInt8.random(in: 0...255, using: &noise)
          }
        }
        _ = try? sample.decoded(coded)
        coded.head = (0..<Int.random(in: 0...200, using: &noise)).map { _ in
          UInt8.random(in: 0...255, using: &noise)
        }
        // Of the same kind.
        if let first = coded.head.indices.first {
          coded.head[first] = coded.head[first] & 0x3F | sample.coded.head[0] & 0xC0
        }
        _ = try? sample.decoded(coded)
      }
    }
  }

  @Test func errorsSayWhatIsWrong() throws {
    let sample = try #require(HostileCodingTests.samples.first { $0.coded.kind == .steps })
    func error(_ change: (inout [UInt8]) -> Void) -> WeightCodingError? {
      var coded = sample.coded
      change(&coded.head)
      return #expect(throws: WeightCodingError.self) { try sample.decoded(coded) }
    }
    // The first two bits are the kind, the next sixteen the step.
    #expect(
      error { $0[0] = $0[0] & 0x3F | WeightCodingKind.blocks.rawValue << 6 }?.description
        == "byte 0: blocks cannot become int8")
    #expect(
      error { $0.replaceSubrange(0..<3, with: [0x7F, 0xC0, 0]) }?.message
        == "the step is no length")
    #expect(error { $0.removeLast($0.count - 3) }?.reason == .streamEnd)
    #expect(error { $0[$0.count - 1] ^= 0x55 } != nil)
  }

  /// Integers beyond a code's range are refused where the escape brings them.
  @Test func integersBeyondTheFormAreRefused() throws {
    // One run of one integer, no symbol but the escape: -1 - 3000.
    let rule = ValueRule(isDependent: false)
    let coding = IntegerCoding(
      count: 1, rule: rule, lanes: 2, runLength: 1, runsPerPiece: 2, low: 0, symbolCount: 1,
      precision: 5, frequencies: [[0, 32]])
    let head = try CodedHead(.steps, coding, step: CodedStep(above: 1)).bytes(columns: 1)
    var bits = BitWriter()
    bits.put(golomb: 3000, order: 0)
    bits.put(1, 1)
    var piece = ByteWriter()
    piece.put(0x1_0000 as UInt32)
    piece.put(0x1_0000 as UInt32)
    piece.put(varint: UInt64(bits.bytes.count))
    piece.put(bits.bytes)
    let coded = CodedTensor(kind: .steps, head: head, pieces: [piece.bytes])
    let shape = Shape([1])
    let wide = WeightEncoding(.f32, .rowMajor)
    let value = try coded.decoded(wide, shape, byteCount: 4)
    #expect(value.withUnsafeBytes { $0.load(as: Float.self) } == -3001)
    let narrow = WeightEncoding(.int8, .rowMajor)
    let error = #expect(throws: WeightCodingError.self) {
      try coded.decoded(narrow, shape, byteCount: narrow.byteCount(shape)!)
    }
    #expect(error?.reason == .value)
  }
}
