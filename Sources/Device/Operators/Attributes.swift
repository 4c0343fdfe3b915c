// How an operator's attributes travel in a bundle: a flat list of integers and floats.

/// One attribute value.
public enum AttributeValue: Equatable, Sendable {
  case integer(Int64)
  case float(Float)
}

/// An attribute list that does not fit its operator.
public struct AttributeError: Error, Equatable, Sendable {
  /// Index of the value in the operator's list.
  public var index: Int
  public var message: StaticString

  public static func == (a: AttributeError, b: AttributeError) -> Bool { a.index == b.index }
}

/// Reads an operator's attributes in the order in which they were written.
public struct AttributeReader {
  private let values: [AttributeValue]
  private var next = 0

  public init(_ values: [AttributeValue]) { self.values = values }

  public func fail(_ message: StaticString) -> AttributeError {
    AttributeError(index: next - 1, message: message)
  }

  private mutating func take() throws(AttributeError) -> AttributeValue {
    next += 1
    guard next <= values.count else { throw fail("attribute is missing") }
    return values[next - 1]
  }

  /// An integer in `range`.
  public mutating func integer(
    in range: ClosedRange<Int> = -(1 << 40)...(1 << 40)
  ) throws(AttributeError) -> Int {
    guard case .integer(let value) = try take() else { throw fail("expected an integer") }
    guard let n = Int(exactly: value), range.contains(n) else { throw fail("out of range") }
    return n
  }

  public mutating func bool() throws(AttributeError) -> Bool { try integer(in: 0...1) == 1 }

  public mutating func float() throws(AttributeError) -> Float {
    guard case .float(let value) = try take() else { throw fail("expected a float") }
    return value
  }

  /// A length followed by that many integers.
  public mutating func list(
    in range: ClosedRange<Int> = -(1 << 40)...(1 << 40)
  ) throws(AttributeError) -> IntegerList {
    let count = try integer(in: 0...IntegerList.capacity)
    var result = IntegerList()
    for _ in 0..<count { result.append(try integer(in: range)) }
    return result
  }

  /// Every value must have been read.
  public func finish() throws(AttributeError) {
    guard next == values.count else {
      throw AttributeError(index: next, message: "more attributes than the operator has")
    }
  }
}

/// Collects an operator's attributes.
public struct AttributeWriter {
  public private(set) var values: [AttributeValue] = []

  public init() {}

  public mutating func put(_ value: Int) { values.append(.integer(Int64(value))) }
  public mutating func put(_ value: Bool) { values.append(.integer(value ? 1 : 0)) }
  public mutating func put(_ value: Float) { values.append(.float(value)) }
  public mutating func put(_ list: IntegerList) {
    put(list.count)
    for i in 0..<list.count { put(list[i]) }
  }
}

/// Up to sixteen integers held inline: axes, permutations, pads, strides.
public struct IntegerList: Equatable, Sendable {
  public static var capacity: Int { 16 }
  private var values: InlineArray<16, Int> = InlineArray(repeating: 0)
  public private(set) var count = 0

  public init() {}

  /// Traps past sixteen: a caller that reads from a file checks first.
  public init(_ list: [Int]) {
    for v in list { append(v) }
  }

  public subscript(i: Int) -> Int {
    get {
      precondition(i >= 0 && i < count)
      return values[i]
    }
    set {
      precondition(i >= 0 && i < count)
      values[i] = newValue
    }
  }

  public mutating func append(_ value: Int) {
    precondition(count < IntegerList.capacity)
    values[count] = value
    count += 1
  }

  public func contains(_ value: Int) -> Bool {
    for i in 0..<count where values[i] == value { return true }
    return false
  }

  public var array: [Int] { (0..<count).map { values[$0] } }

  public static func == (a: IntegerList, b: IntegerList) -> Bool {
    guard a.count == b.count else { return false }
    for i in 0..<a.count where a.values[i] != b.values[i] { return false }
    return true
  }
}
