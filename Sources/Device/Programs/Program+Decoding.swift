// A program read back from CBOR, field by field; nothing is believed that does not fit.
import Bytes
import Operators
import Tensors

extension Program {
  /// Decodes what `encoded` wrote. The result is well-formed; `validate` says whether it is legal.
  public init(decoding bytes: [UInt8]) throws(ProgramError) {
    let root: CBORValue
    do throws(CBORError) {
      root = try CBOR.decode(bytes)
    } catch {
      throw .malformed(at: error.description, expected: "CBOR")
    }
    try self.init(Fields(root, "program"), within: [], depth: 0)
  }

  /// outer: the weights of the outermost program, for a body, which refers to them.
  private init(
    _ fields: Fields, within outer: [ProgramWeight], depth: Int
  ) throws(ProgramError) {
    self.init()
    for s in try fields.array("symbols") {
      let f = try Fields(s, "symbols").list(2)
      symbols.append(Symbol(name: try f.text(0), limit: try f.integer(1)))
    }
    for i in try fields.array("inputs") {
      let f = try Fields(i, "inputs").list(4)
      var dimensions: [Dimension] = []
      let isOpen = f.isNull(3)
      for d in isOpen ? [] : try f.integers(3) {
        dimensions.append(d < 0 ? .symbol(-1 - d) : .constant(d))
      }
      inputs.append(
        ProgramInput(
          name: try f.text(0), tensor: try f.integer(1),
          elementType: try Program.elementType(f, 2), dimensions: dimensions, isOpen: isOpen))
    }
    for o in try fields.array("outputs") {
      let f = try Fields(o, "outputs").list(2)
      outputs.append(ProgramOutput(name: try f.text(0), tensor: try f.integer(1)))
    }
    for s in try fields.array("states") {
      let f = try Fields(s, "states").list(2)
      states.append(ProgramState(input: try f.integer(0), tensor: try f.integer(1)))
    }
    if depth == 0 {
      for w in try fields.array("weights") { weights.append(try Program.weight(w)) }
    } else {
      sharedWeights = try fields.integers("weights")
      for i in sharedWeights {
        guard outer.indices.contains(i) else {
          throw .malformed(at: "weights of a body", expected: "weights of the program")
        }
        weights.append(outer[i])
      }
    }
    slotCount = try fields.integer("slots")
    for (index, s) in try fields.array("steps").enumerated() {
      steps.append(try Program.step(s, index))
    }
    plan = try ArenaPlan(Fields(try fields.value("plan"), "plan"))
    if let bytes = fields.root["texts"] {
      guard depth == 0, case .bytes(let list) = bytes else {
        throw .malformed(at: "texts", expected: "bytes of the outermost program")
      }
      texts = list
    }
    guard fields.root["bodies"] != nil else { return }
    guard depth < Program.maximumDepth else {
      throw .malformed(at: "bodies", expected: "at most \(Program.maximumDepth) levels")
    }
    for body in try fields.array("bodies") {
      bodies.append(
        try Program(Fields(body, "body"), within: depth == 0 ? weights : outer, depth: depth + 1))
    }
  }

  private static func elementType(_ f: List, _ i: Int) throws(ProgramError) -> ElementType {
    guard let raw = UInt8(exactly: try f.integer(i)), let type = ElementType(rawValue: raw) else {
      throw .malformed(at: f.name, expected: "a known element type")
    }
    return type
  }

  private static func weight(_ value: CBORValue) throws(ProgramError) -> ProgramWeight {
    let f = try Fields(value, "weights").list(6)
    var encoding: WeightEncoding?
    let scheme = try f.integer(2)
    if scheme != 0 {
      guard let s = UInt8(exactly: scheme).flatMap({ QuantizationScheme(rawValue: $0) }),
        let l = UInt8(exactly: try f.integer(3)).flatMap({ WeightLayout(rawValue: $0) })
      else { throw .malformed(at: "weights", expected: "a known scheme and layout") }
      encoding = WeightEncoding(s, l)
    }
    let extents = try f.integers(4)
    guard extents.count <= Shape.maximumRank else {
      throw .malformed(at: "weights", expected: "at most 8 axes")
    }
    for e in extents where e < 0 || e > 1 << 46 {
      throw .malformed(at: "weights", expected: "extents from 0 to 2^46")
    }
    return ProgramWeight(
      name: try f.text(0), elementType: try elementType(f, 1), encoding: encoding,
      shape: Shape(extents), offset: try f.integer(5))
  }

  private static func step(_ value: CBORValue, _ index: Int) throws(ProgramError) -> Step {
    let f = try Fields(value, "steps").list(5)
    let code = try f.integer(1)
    var attributes: [AttributeValue] = []
    for a in try f.array(2) {
      switch a {
      case .integer(let n): attributes.append(.integer(n))
      case .double(let d): attributes.append(.float(Float(d)))
      default: throw .malformed(at: "steps", expected: "attributes that are numbers")
      }
    }
    let op: Operator?
    do throws(AttributeError) {
      op = try Operator(code: code, attributes: attributes)
    } catch {
      throw .attribute(step: index, error)
    }
    guard let op else { throw .unknownOperator(step: index, code: code) }
    return Step(
      name: try f.text(0), op: op, inputs: try f.integers(3), outputs: try f.integers(4))
  }
}

extension ArenaPlan {
  fileprivate init(_ f: Fields) throws(ProgramError) {
    self.init()
    arenaBytes = try f.integer("arena_bytes")
    lowerBoundBytes = try f.integer("lower_bound_bytes")
    peakStep = try f.integer("peak_step")
    offsets = try f.integers("offsets")
    capacities = try f.integers("capacities")
    roots = try f.integers("roots")
    scratchOffsets = try f.integers("scratch_offsets")
    scratchCapacities = try f.integers("scratch_capacities")
  }
}

/// A CBOR map whose missing or mistyped fields are errors that name them.
private struct Fields {
  let root: CBORValue
  let name: String

  init(_ root: CBORValue, _ name: String) {
    self.root = root
    self.name = name
  }

  func value(_ key: String) throws(ProgramError) -> CBORValue {
    guard let value = root[key] else { throw .malformed(at: name, expected: "a field '\(key)'") }
    return value
  }

  func array(_ key: String) throws(ProgramError) -> [CBORValue] {
    guard let array = try value(key).arrayValue else {
      throw .malformed(at: "\(name).\(key)", expected: "an array")
    }
    return array
  }

  func integer(_ key: String) throws(ProgramError) -> Int {
    guard let n = try value(key).integerValue else {
      throw .malformed(at: "\(name).\(key)", expected: "an integer")
    }
    return n
  }

  func integers(_ key: String) throws(ProgramError) -> [Int] {
    try List(try array(key), "\(name).\(key)").allIntegers()
  }

  /// The value itself as an array of exactly `count` items.
  func list(_ count: Int) throws(ProgramError) -> List {
    guard let array = root.arrayValue, array.count == count else {
      throw .malformed(at: name, expected: "an array of \(count)")
    }
    return List(array, name)
  }
}

/// A CBOR array with the same kind of errors.
private struct List {
  let items: [CBORValue]
  let name: String

  init(_ items: [CBORValue], _ name: String) {
    self.items = items
    self.name = name
  }

  func integer(_ i: Int) throws(ProgramError) -> Int {
    guard let n = items[i].integerValue, n >= -(1 << 62), n <= 1 << 62 else {
      throw .malformed(at: "\(name)[\(i)]", expected: "an integer")
    }
    return n
  }

  func text(_ i: Int) throws(ProgramError) -> String {
    guard let text = items[i].textValue else {
      throw .malformed(at: "\(name)[\(i)]", expected: "text")
    }
    return text
  }

  func isNull(_ i: Int) -> Bool { items[i].isNull }

  func array(_ i: Int) throws(ProgramError) -> [CBORValue] {
    guard let array = items[i].arrayValue else {
      throw .malformed(at: "\(name)[\(i)]", expected: "an array")
    }
    return array
  }

  func integers(_ i: Int) throws(ProgramError) -> [Int] {
    try List(try array(i), "\(name)[\(i)]").allIntegers()
  }

  func allIntegers() throws(ProgramError) -> [Int] {
    var result: [Int] = []
    result.reserveCapacity(items.count)
    for i in items.indices { result.append(try integer(i)) }
    return result
  }
}
