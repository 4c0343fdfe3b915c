// The coding of a tensor's integers as bytes: fields, levels of columns, frequencies.

import Bytes
import CKernels

extension IntegerCoding {
  /// The coding of `count` integers out of a tensor's head, up to the head's end. Where low bits are not
  /// stored by themselves, no symbol stands for more than `limit`.
  init(_ reader: inout ByteReader, count: Int, limit: Int) throws(WeightCodingError) {
    self.init(
      count: count, rule: ValueRule(isDependent: false), lanes: 2, runLength: 1, runsPerPiece: 2,
      low: 0, symbolCount: 1, frequencies: [])
    let flags = try IntegerCoding.field("the coding's flags", 0...3, &reader)
    rule.isDependent = flags & 1 != 0
    lanes = flags & 2 != 0 ? Int(KN_RANS_LANES) : 2
    rule.subdivision = try IntegerCoding.field("the subdivision", 1...255, &reader)
    if rule.subdivision > 1 {
      for i in 0..<6 {
        rule.trims[i] = UInt8(try IntegerCoding.field("a trim", 0...rule.subdivision, &reader))
      }
    }
    runLength = try IntegerCoding.field(
      "the run length", 1...IntegerCoding.maximumRun, &reader)
    let most = IntegerCoding.maximumPiece / (runLength * lanes)
    runsPerPiece = lanes * (try IntegerCoding.field("the groups of a piece", 1...most, &reader))
    stateContexts = try IntegerCoding.field("the contexts of states", 1...4, &reader)
    guard stateContexts != 3, stateContexts == 1 || rule.isDependent else {
      throw WeightCodingError(
        offset: reader.offset, reason: .mismatch("\(stateContexts) contexts of states"))
    }
    classes = try IntegerCoding.field(
      "the classes", 1...IntegerCoding.maximumContexts / stateContexts, &reader)
    runLevelBits = try IntegerCoding.field("the bits of a level", 0...4, &reader)
    try readSymbols(&reader, limit)
    let period = try IntegerCoding.field("the period of levels", 0...runLength, &reader)
    let start: Int
    let rest: [UInt8]
    do throws(ByteError) {
      for byte in try reader.array((period + 1) / 2) {
        columnLevels.append(byte & 15)
        if columnLevels.count < period { columnLevels.append(byte >> 4) }
      }
      start = reader.offset
      rest = try reader.array(reader.remaining)
    } catch {
      throw WeightCodingError(error)
    }
    try readFrequencies(BitReader(rest, base: start))
  }

  private mutating func readSymbols(
    _ reader: inout ByteReader, _ limit: Int
  ) throws(WeightCodingError) {
    low = -(try IntegerCoding.field("the lowest symbol", 0...Int(KN_RANS_SYMBOLS), &reader))
    symbolCount = try IntegerCoding.field(
      "the symbol count", 1...Int(KN_RANS_SYMBOLS) - 1, &reader)
    shift = try IntegerCoding.field("the shift", 0...8, &reader)
    escapeOrder = try IntegerCoding.field("the escape's order", 0...12, &reader)
    precision = try IntegerCoding.field("the precision", 5...12, &reader)
    // Symbols become values by a table, without another look at them.
    let largest = rule.largest(max(-low, low + symbolCount - 1))
    guard shift > 0 || largest <= limit else {
      throw WeightCodingError(
        offset: reader.offset,
        reason: .field("the largest value of a symbol", found: largest, expected: 0...limit))
    }
  }

  private mutating func readFrequencies(_ source: BitReader) throws(WeightCodingError) {
    var bits = source
    let order = order
    for context in 0..<contexts {
      let previous = previous(ofContext: context).map { frequencies[$0] }
      frequencies.append(try order.read(&bits, context: context, previous: previous))
    }
  }

  private static func field(
    _ name: String, _ expected: ClosedRange<Int>, _ reader: inout ByteReader
  ) throws(WeightCodingError) -> Int {
    let offset = reader.offset
    let value: Int
    do throws(ByteError) { value = Int(clamping: try reader.varint()) } catch {
      throw WeightCodingError(error)
    }
    guard expected.contains(value) else {
      throw WeightCodingError(
        offset: offset, reason: .field(name, found: value, expected: expected))
    }
    return value
  }

  /// Appends the bytes that give the same coding back.
  public func write(to writer: inout ByteWriter) {
    func put(_ value: Int) { writer.put(varint: UInt64(value)) }
    put((rule.isDependent ? 1 : 0) | (lanes == Int(KN_RANS_LANES) ? 2 : 0))
    put(rule.subdivision)
    if rule.subdivision > 1 { for trim in rule.trims { put(Int(trim)) } }
    put(runLength)
    put(runsPerPiece / lanes)
    put(stateContexts)
    put(classes)
    put(runLevelBits)
    put(-low)
    put(symbolCount)
    put(shift)
    put(escapeOrder)
    put(precision)
    put(columnLevels.count)
    for i in stride(from: 0, to: columnLevels.count, by: 2) {
      writer.put(columnLevels[i] | (i + 1 < columnLevels.count ? columnLevels[i + 1] << 4 : 0))
    }
    var bits = BitWriter()
    let order = order
    for context in 0..<contexts {
      let previous = previous(ofContext: context).map { frequencies[$0] }
      order.write(frequencies[context], previous: previous, to: &bits)
    }
    writer.put(bits.bytes)
  }
}
