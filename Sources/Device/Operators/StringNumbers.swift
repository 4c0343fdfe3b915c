// Numbers as texts, and texts as numbers.
import CPlatform
import Tensors

/// input: numbers or bools → output: each as text: integers in full, real numbers with at most eight
/// significant digits as printf's %g gives them, INF, -INF and NaN; 1 and 0 for bools. These are ONNX
/// Runtime's texts.
public struct StringFromNumber: OperatorWithoutAttributes {
  public static var code: Int { 146 }
  public static var name: StaticString { "StringFromNumber" }

  private static var digits: Int32 { 8 }

  public init() {}

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requirePlain(0)
    guard step.input(0).elementType.isNumber else {
      throw ShapeError("element type is not taken here", input: 0)
    }
    step.setOutput(0, .string, step.input(0).shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .string }

  public func run(_ step: StepContext) {
    let (x, y, pool) = (step.input(0), step.output().texts, step.compute.texts)
    let isReal = x.elementType.isFloatingPoint
    for i in y.indices {
      let start = pool.end
      if isReal {
        StringFromNumber.append(Cast.real(x, i), to: pool)
      } else if x.elementType == .u64 {
        StringFromNumber.append(x.elements(UInt64.self)[i], isNegative: false, to: pool)
      } else {
        let value = x.integer(at: i)
        StringFromNumber.append(UInt64(value.magnitude), isNegative: value < 0, to: pool)
      }
      y[i] = pool.text(from: start)
    }
  }

  private static func append(_ magnitude: UInt64, isNegative: Bool, to pool: TextPool) {
    if isNegative { pool.append(0x2D) }
    var divisor: UInt64 = 1
    while magnitude / divisor >= 10 { divisor *= 10 }
    var rest = magnitude
    while divisor > 0 {
      pool.append(0x30 + UInt8(rest / divisor))
      rest %= divisor
      divisor /= 10
    }
  }

  private static func append(_ value: Double, to pool: TextPool) {
    guard value.isFinite else {
      if !value.isNaN, value < 0 { pool.append(0x2D) }
      let (a, b, c): (UInt8, UInt8, UInt8) =
        value.isNaN ? (0x4E, 0x61, 0x4E) : (0x49, 0x4E, 0x46)
      pool.append(a)
      pool.append(b)
      pool.append(c)
      return
    }
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 40) { buffer in
      let count = unsafe kp_number_text(value, digits, buffer.baseAddress!, buffer.count)
      for i in 0..<Int(count) { pool.append(UInt8(bitPattern: unsafe buffer[i])) }
    }
  }
}

/// input: texts → output: the number each begins with, behind white space, in `type`: real numbers as
/// strtod reads them, of integers the digits up to the first byte that is none, cut to the type's width.
/// A text that begins with no number gives NaN, or 0 in types that have none.
public struct NumberFromString: OperatorDefinition {
  public static var code: Int { 147 }
  public static var name: StaticString { "NumberFromString" }

  /// Longer texts are read up to here; no number needs more.
  private static var maximumBytes: Int { 512 }

  public var type: ElementType

  public init(to type: ElementType) { self.type = type }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    guard let type = ElementType(rawValue: UInt8(try attributes.integer(in: 0...255))),
      type.isNumber
    else { throw attributes.fail("unknown element type") }
    self.type = type
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(Int(type.rawValue))
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1)
    try step.requireTexts(0)
    step.setOutput(0, type, step.input(0).shape)
  }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { type }

  public func run(_ step: StepContext) {
    let (x, y, pool) = (step.input(0).texts, step.output(), step.compute.texts)
    let cast = Cast(to: type)
    for i in x.indices {
      let range = pool.range(x[i])
      if type.isFloatingPoint {
        cast.store(NumberFromString.real(pool, range), y, i)
      } else {
        cast.store(NumberFromString.integer(pool, range), y, i)
      }
    }
  }

  private static func real(_ pool: TextPool, _ range: Range<Int>) -> Double {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: maximumBytes + 1) { buffer in
      let count = min(range.count, maximumBytes)
      for i in 0..<count {
        unsafe buffer[i] = CChar(bitPattern: pool.bytes[range.lowerBound + i])
      }
      unsafe buffer[count] = 0
      var value = Double.nan
      return unsafe kp_text_number(buffer.baseAddress!, &value) != 0 ? value : .nan
    }
  }

  private static func integer(_ pool: TextPool, _ range: Range<Int>) -> Int64 {
    var at = range.lowerBound
    while at < range.upperBound, pool.bytes[at] == 0x20 || (0x09...0x0D).contains(pool.bytes[at]) {
      at += 1
    }
    var isNegative = false
    if at < range.upperBound, pool.bytes[at] == 0x2D || pool.bytes[at] == 0x2B {
      isNegative = pool.bytes[at] == 0x2D
      at += 1
    }
    var magnitude: UInt64 = 0
    while at < range.upperBound, (0x30...0x39).contains(pool.bytes[at]) {
      let (ten, overflow) = magnitude.multipliedReportingOverflow(by: 10)
      let (sum, carry) = ten.addingReportingOverflow(UInt64(pool.bytes[at] - 0x30))
      if overflow || carry { return isNegative ? .min : .max }
      magnitude = sum
      at += 1
    }
    return Int64(truncatingIfNeeded: isNegative ? 0 &- magnitude : magnitude)
  }
}
