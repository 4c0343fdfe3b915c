// Fields as bytes in both directions: one list of a value's fields both says it and takes it.
import Bytes

/// A value made of fields.
protocol Fields {
  /// What a value is read into.
  static var blank: Self { get }
  /// Names every field to a coder, in the order of the format.
  mutating func code(_ coder: inout FieldCoder) throws(RecordingError)
}

/// Says fields as bytes, or sets them from bytes that nobody vouches for.
///
/// Integers are LEB128, texts and lists begin with their count, what may be missing with a 0 or 1.
/// What is read is held to ranges in which the statistics cannot overflow, and never takes memory
/// for more than the bytes that are there.
struct FieldCoder {
  /// The largest quantity: 2^56 bytes or nanoseconds (2.3 years).
  static var quantityLimit: UInt64 { 1 << 56 }
  /// The largest magnitude of a real number.
  static var realLimit: Double { 1e15 }
  /// The longest text in bytes, and the longest list.
  static var textLimit: Int { 4096 }
  static var listLimit: Int { 1 << 16 }

  /// Whether fields are set, not said.
  let isReading: Bool
  private var writer = ByteWriter()
  private let input: [UInt8]
  private let base: Int
  private var position = 0

  /// A coder that says fields.
  init() {
    isReading = false
    input = []
    base = 0
  }

  /// A coder that sets fields from `bytes`, which begin at `base` in their file.
  init(reading bytes: [UInt8], base: Int = 0) {
    isReading = true
    input = bytes
    self.base = base
  }

  /// What was said so far.
  var bytes: [UInt8] { writer.bytes }

  /// The bytes of one value.
  static func bytes<T: Fields>(_ value: T) -> [UInt8] {
    var coder = FieldCoder()
    var copy = value
    // Only what is read can be wrong.
    try? copy.code(&coder)
    return coder.bytes
  }

  /// The value whose bytes these are, all of them.
  static func value<T: Fields>(
    _: T.Type = T.self, of bytes: [UInt8], base: Int = 0
  ) throws(RecordingError) -> T {
    var coder = FieldCoder(reading: bytes, base: base)
    var value = T.blank
    try value.code(&coder)
    try coder.end()
    return value
  }

  /// Where the next field lies in its file.
  var offset: Int { base + position }

  /// Steps over bytes that were looked at already.
  mutating func skip(_ count: Int) throws(RecordingError) { _ = try take(count) }

  /// Refuses what lies behind the last field.
  func end() throws(RecordingError) {
    guard position == input.count else { throw error(.leftOver(input.count - position)) }
  }

  private func error(_ reason: RecordingError.Reason, _ at: Int? = nil) -> RecordingError {
    RecordingError(offset: base + (at ?? position), reason: reason)
  }

  // MARK: Reading

  private mutating func varint(limit: UInt64) throws(RecordingError) -> UInt64 {
    let start = position
    let bytes = input
    var reader = ByteReader(bytes.span, base: base)
    var value: UInt64 = 0
    do throws(ByteError) {
      try reader.seek(to: position)
      value = try reader.varint()
    } catch {
      throw RecordingError(error)
    }
    position = reader.position
    guard value <= limit else { throw error(.outOfRange(value), start) }
    return value
  }

  private mutating func take(_ count: Int) throws(RecordingError) -> ArraySlice<UInt8> {
    guard count <= input.count - position else {
      throw error(.bytes(.truncated(needed: count, remaining: input.count - position)))
    }
    position += count
    return input[position - count..<position]
  }

  // MARK: Fields

  mutating func code(
    _ value: inout UInt64, limit: UInt64 = quantityLimit
  ) throws(RecordingError) {
    if isReading {
      value = try varint(limit: limit)
    } else {
      writer.put(varint: min(value, limit))
    }
  }

  /// A count: 0…limit.
  mutating func code(_ value: inout Int, limit: Int = 1 << 40) throws(RecordingError) {
    var count = UInt64(max(0, min(value, limit)))
    try code(&count, limit: UInt64(limit))
    value = Int(count)
  }

  mutating func code(_ value: inout UInt8) throws(RecordingError) {
    var wide = UInt64(value)
    try code(&wide, limit: 255)
    value = UInt8(wide)
  }

  mutating func code(_ value: inout Bool) throws(RecordingError) {
    var wide: UInt64 = value ? 1 : 0
    try code(&wide, limit: 1)
    value = wide == 1
  }

  mutating func code(_ value: inout Double) throws(RecordingError) {
    guard isReading else {
      let limit = Self.realLimit
      return writer.put(value.isFinite ? min(max(value, -limit), limit) : 0)
    }
    let start = position
    var bits: UInt64 = 0
    for byte in try take(8).reversed() { bits = bits << 8 | UInt64(byte) }
    let read = Double(bitPattern: bits)
    guard read.isFinite, read.magnitude <= Self.realLimit else { throw error(.notANumber, start) }
    value = read
  }

  /// Escaped again when it is read: nobody vouches for it.
  mutating func code(_ value: inout EscapedText) throws(RecordingError) {
    guard isReading else {
      var count = min(value.utf8.count, Self.textLimit)
      // Not in the middle of a character.
      while count > 0, count < value.utf8.count, value.utf8[count] & 0xC0 == 0x80 { count -= 1 }
      writer.put(varint: UInt64(count))
      return writer.put(Array(value.utf8.prefix(count)))
    }
    let count = Int(try varint(limit: UInt64(Self.textLimit)))
    value = EscapedText(Array(try take(count)))
  }

  mutating func code(_ value: inout [UInt8]) throws(RecordingError) {
    guard isReading else {
      let kept = value.prefix(Self.listLimit)
      writer.put(varint: UInt64(kept.count))
      return writer.put(Array(kept))
    }
    let count = Int(try varint(limit: UInt64(Self.listLimit)))
    value = Array(try take(count))
  }

  /// One of a few cases, by its place among them.
  mutating func code<T: Equatable>(_ value: inout T, among cases: [T]) throws(RecordingError) {
    var place: UInt8 = 0
    for (i, each) in cases.enumerated() where each == value { place = UInt8(i) }
    let start = position
    try code(&place)
    guard Int(place) < cases.count else { throw error(.unknown(place), start) }
    value = cases[Int(place)]
  }

  /// The same where it may be missing.
  mutating func code<T: Equatable>(_ value: inout T?, among cases: [T]) throws(RecordingError) {
    guard try isThere(value != nil), let first = cases.first else {
      value = nil
      return
    }
    var some = value ?? first
    try code(&some, among: cases)
    value = some
  }

  // MARK: What may be missing, and lists

  /// Whether it is there; when reading, whether it will be.
  private mutating func isThere(_ value: Bool) throws(RecordingError) -> Bool {
    var there = value
    try code(&there)
    return there
  }

  mutating func code(
    _ value: inout UInt64?, limit: UInt64 = quantityLimit
  ) throws(RecordingError) {
    guard try isThere(value != nil) else {
      value = nil
      return
    }
    var some = value ?? 0
    try code(&some, limit: limit)
    value = some
  }

  mutating func code(_ value: inout Int?) throws(RecordingError) {
    guard try isThere(value != nil) else {
      value = nil
      return
    }
    var some = value ?? 0
    try code(&some)
    value = some
  }

  mutating func code(_ value: inout Bool?) throws(RecordingError) {
    guard try isThere(value != nil) else {
      value = nil
      return
    }
    var some = value ?? false
    try code(&some)
    value = some
  }

  /// A number that is not finite counts as missing.
  mutating func code(_ value: inout Double?) throws(RecordingError) {
    guard try isThere(value?.isFinite ?? false) else {
      value = nil
      return
    }
    var some = value ?? 0
    try code(&some)
    value = some
  }

  mutating func code<T: Fields>(_ value: inout T?) throws(RecordingError) {
    guard try isThere(value != nil) else {
      value = nil
      return
    }
    var some = value ?? T.blank
    try some.code(&self)
    value = some
  }

  mutating func code<T: Fields>(_ value: inout T) throws(RecordingError) { try value.code(&self) }

  /// The first `limit` of a list. One whose elements take more memory than bytes has a limit of its own.
  mutating func code<T: Fields>(
    _ values: inout [T], limit: Int = listLimit
  ) throws(RecordingError) {
    var count = min(values.count, limit)
    try code(&count, limit: limit)
    if isReading { values = [] }
    for i in 0..<count {
      // Every element has a byte at least: a count alone makes nothing grow.
      var value = isReading ? T.blank : values[i]
      try value.code(&self)
      if isReading { values.append(value) }
    }
  }

  mutating func code(_ values: inout [UInt64]) throws(RecordingError) {
    var count = min(values.count, Self.listLimit)
    try code(&count, limit: Self.listLimit)
    if isReading { values = [] }
    for i in 0..<count {
      var value = isReading ? 0 : values[i]
      try code(&value)
      if isReading { values.append(value) }
    }
  }
}

extension EscapedText: Fields {
  static var blank: EscapedText { EscapedText("") }
  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) { try coder.code(&self) }
}
