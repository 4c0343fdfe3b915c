// Adaptive binary range coding: the small numbers beside the weights, each bit at what those before it cost.
//
// A bit's model is the Krichevsky-Trofimov estimate of how often it was 0. The coder is that of G. N. N.
// Martin ("Range encoding", 1979) for two symbols: the range is parted in the model's proportion, and its
// leading bytes leave where they can no longer change but by a carry.

/// How likely a bit is 0, learned from those before it.
public struct AdaptiveBit: Sendable {
  /// The likelihood of 0, out of 2^16.
  private var zero: UInt32
  /// Bits that were seen, with those that the start stands for.
  private var seen: UInt32

  /// Out of 2^16, never 0 or all.
  fileprivate var likelihood: UInt32 { zero }

  /// The same where a general model says something too: the more was seen, the less that counts.
  fileprivate func likelihood(beside general: AdaptiveBit) -> UInt32 {
    (zero * seen + general.zero * 4) / (seen + 4)
  }

  /// Both as likely.
  public init() {
    zero = 1 << 15
    seen = 1
  }

  /// As though so many zeros had been seen.
  public init(zeros: UInt32) {
    self.init()
    for _ in 0..<zeros { learn(0) }
  }

  /// As though so many ones had been seen.
  public init(ones: UInt32) {
    self.init()
    for _ in 0..<ones { learn(1) }
  }

  fileprivate mutating func learn(_ bit: Int) {
    // What is far back counts less.
    if seen < 48 { seen += 1 }
    if bit == 0 { zero += (65_536 - zero) / seen } else { zero -= zero / seen }
    zero = min(max(zero, 64), 65_536 - 64)
  }
}

/// Passes bits on: a writer keeps those it is given, a reader puts those it finds in their place.
///
/// What is coded is described once, by code that hands every value to one of the two.
public protocol BitCoder {
  /// bit: 0 or 1; zero: how likely it is 0, out of 2^16, neither none nor all of it.
  mutating func code(_ bit: inout Int, zero: UInt32) throws(WeightCodingError)
  /// Where a reader stands, in bytes; 0 of a writer.
  var offset: Int { get }
}

extension BitCoder {
  public mutating func code(
    _ bit: inout Int, _ model: inout AdaptiveBit
  ) throws(WeightCodingError) {
    try code(&bit, zero: model.likelihood)
    model.learn(bit)
  }

  /// A bit of which nothing is known.
  public mutating func code(_ bit: inout Int) throws(WeightCodingError) {
    try code(&bit, zero: 1 << 15)
  }

  /// The lowest `width` bits of a number, the highest first.
  public mutating func code(bits width: Int, _ value: inout Int) throws(WeightCodingError) {
    var read = 0
    for place in stride(from: width - 1, through: 0, by: -1) {
      var bit = value >> place & 1
      try code(&bit)
      read = read << 1 | bit
    }
    value = read
  }

  /// A number of a field, `usual` most of the time; otherwise in Exp-Golomb bits.
  public mutating func code(
    field name: String, _ value: inout Int, in expected: ClosedRange<Int>, usual: Int? = nil,
    order: Int = 0
  ) throws(WeightCodingError) {
    let offset = offset
    if let usual {
      var model = AdaptiveBit(zeros: 3)
      var isOther = value == usual ? 0 : 1
      try code(&isOther, &model)
      if isOther == 0 {
        value = usual
        try require(name, value, expected, offset)
        return
      }
    }
    var models = AdaptiveNumber()
    // An extreme value of a damaged field is refused below, not trapped on here.
    var distance = value - expected.lowerBound
    try code(&distance, &models, order: order)
    value = expected.lowerBound + distance
    try require(name, value, expected, offset)
  }

  private func require(
    _ name: String, _ value: Int, _ expected: ClosedRange<Int>, _ offset: Int
  ) throws(WeightCodingError) {
    guard expected.contains(value) else {
      throw WeightCodingError(
        offset: offset, reason: .field(name, found: value, expected: expected))
    }
  }

  /// A number of at least 0 in Exp-Golomb bits whose prefix and highest bit adapt.
  public mutating func code(
    _ value: inout Int, _ models: inout AdaptiveNumber, order: Int
  ) throws(WeightCodingError) {
    let shifted = (value >> order) + 1
    let length = Int.bitWidth - 1 - shifted.leadingZeroBitCount
    var prefix = 0
    while true {
      var more = prefix < length ? 1 : 0
      try code(&more, &models.prefix[min(prefix, AdaptiveNumber.prefixes - 1)])
      if more == 0 { break }
      prefix += 1
      guard prefix <= 16 else { throw WeightCodingError(offset: offset, reason: .escape) }
    }
    let width = prefix + order
    var rest = width > 0 ? value - ((1 << prefix) - 1) << order : 0
    if width > 0 {
      var top = rest >> (width - 1) & 1
      try code(&top, &models.top[min(prefix, AdaptiveNumber.prefixes - 1)])
      try code(bits: width - 1, &rest)
      rest |= top << (width - 1)
    }
    value = rest + ((1 << prefix) - 1) << order
  }

  /// Levels of `width` bits, 0 to 4, by a tree of bits, in the light of the level before.
  public mutating func code(levels: inout [UInt8], width: Int) throws(WeightCodingError) {
    var models = [AdaptiveBit](repeating: AdaptiveBit(), count: 256)
    var general = [AdaptiveBit](repeating: AdaptiveBit(), count: 16)
    var last = 0
    for i in levels.indices {
      let tree = last * 16
      var node = 1
      for place in stride(from: width - 1, through: 0, by: -1) {
        var bit = Int(levels[i]) >> place & 1
        try code(&bit, zero: models[tree + node].likelihood(beside: general[node]))
        models[tree + node].learn(bit)
        general[node].learn(bit)
        node = node << 1 | bit
      }
      last = node - 1 << width
      levels[i] = UInt8(truncatingIfNeeded: last)
    }
  }
}

/// The models of an Exp-Golomb number.
public struct AdaptiveNumber: Sendable {
  static var prefixes: Int { 12 }
  fileprivate var prefix = [AdaptiveBit](repeating: AdaptiveBit(), count: AdaptiveNumber.prefixes)
  fileprivate var top = [AdaptiveBit](repeating: AdaptiveBit(), count: AdaptiveNumber.prefixes)

  public init() {}
}

/// Reads the bits of untrusted bytes; never past what a writer leaves out at their end.
public struct AdaptiveBitReader: BitCoder {
  private let bytes: [UInt8]
  /// Where the bytes begin in what errors count from.
  private let base: Int
  private var position = 0
  private var range: UInt32 = .max
  private var value: UInt32 = 0

  /// Zeros behind the last byte that a writer does not store.
  private static var omitted: Int { 3 }

  public init(_ bytes: [UInt8], base: Int = 0) throws(WeightCodingError) {
    self.bytes = bytes
    self.base = base
    for _ in 0..<4 { try shift() }
  }

  public var offset: Int { base + min(position, bytes.count) }

  /// Whether the bytes end where their writer did.
  public var isAtEnd: Bool { position == bytes.count + AdaptiveBitReader.omitted }

  private mutating func shift() throws(WeightCodingError) {
    guard position < bytes.count + AdaptiveBitReader.omitted else {
      throw WeightCodingError(offset: offset, reason: .streamEnd)
    }
    value = value << 8 | (position < bytes.count ? UInt32(bytes[position]) : 0)
    position += 1
  }

  public mutating func code(_ bit: inout Int, zero: UInt32) throws(WeightCodingError) {
    let bound = (range >> 16) * zero
    if value < bound {
      range = bound
      bit = 0
    } else {
      value -= bound
      range -= bound
      bit = 1
    }
    while range < 1 << 24 {
      range <<= 8
      try shift()
    }
  }
}

/// Collects bits; what it wrote an `AdaptiveBitReader` reads.
public struct AdaptiveBitWriter: BitCoder {
  private var bytes: [UInt8] = []
  private var low: UInt64 = 0
  private var range: UInt32 = .max
  /// The last byte that a carry may still change, and bytes of 255 behind it; the first one is always 0.
  private var held: UInt8 = 0
  private var full = 0
  private var isFirst = true

  public init() {}

  public var offset: Int { 0 }

  private mutating func shift() {
    if low < 0xFF00_0000 || low > 0xFFFF_FFFF {
      let carry = UInt8(truncatingIfNeeded: low >> 32)
      if !isFirst { bytes.append(held &+ carry) }
      isFirst = false
      for _ in 0..<full { bytes.append(255 &+ carry) }
      full = 0
      held = UInt8(truncatingIfNeeded: low >> 24)
    } else {
      full += 1
    }
    low = low << 8 & 0xFFFF_FFFF
  }

  public mutating func code(_ bit: inout Int, zero: UInt32) throws(WeightCodingError) {
    let bound = (range >> 16) * zero
    if bit == 0 {
      range = bound
    } else {
      low += UInt64(bound)
      range -= bound
    }
    while range < 1 << 24 {
      range <<= 8
      shift()
    }
  }

  /// All that was written. The range holds a number whose three lowest bytes are 0: they are left out.
  public func finished() -> [UInt8] {
    var writer = self
    writer.low = (low + 0xFF_FFFF) & ~0xFF_FFFF
    // The byte that is left, and the one that was held before it.
    writer.shift()
    writer.shift()
    return writer.bytes
  }
}
