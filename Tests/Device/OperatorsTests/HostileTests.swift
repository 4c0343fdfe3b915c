// Attributes, shapes and values no importer would write: every operator refuses them or copes.

import Kernels
import Operators
import Randomness
import Tensors
import Testing

private let hostileIntegers: [Int64] = [
  0, 1, 2, 3, -1, -2, 7, 8, -8, -9, 15, 16, 17, 255, 256, 1 << 20, 1 << 31, 1 << 40, -(1 << 40),
  .max, .min, .max - 1,
]
private let hostileFloats: [Float] = [0, -1, 0.5, 3, 1e-38, 1e38, .nan, .infinity]
private let hostileExtents = [0, 1, 2, 3, 4, 7, 16, 1 << 20, 1 << 31, 1 << 40, .max]

struct HostileTests {
  @Test func `every code of the opset has an example, and a name of its own`() {
    let codes = Set(Example.all.map { $0.op.code })
    #expect(Set(Example.all.map { $0.op.name }).count == codes.count)
    // A session runs these: they have bodies.
    let control = [Branch.code, Loop.code]
    for code in -1..<300 where !control.contains(code) {
      // Attributes are missing, so a known code throws and an unknown one is nil.
      let isKnown: Bool
      do { isKnown = try Operator(code: code, attributes: []) != nil } catch { isKnown = true }
      #expect(isKnown == codes.contains(code), "code \(code)")
    }
  }

  @Test(arguments: Example.all)
  func `examples run, and their attributes come back from a bundle`(example: Example) throws {
    expectRoundTrip(example.op)
    for variant in Variant.all() {
      _ = try OperatorHarness(
        example.op, example.inputs, outputs: example.outputs, with: variant
      ).run()
    }
  }

  @Test(arguments: Example.all)
  func `an attribute of the wrong kind is refused`(example: Example) {
    let op = example.op
    for (i, value) in op.attributes.enumerated() {
      var attributes = op.attributes
      if case .integer(let n) = value {
        attributes[i] = .float(Float(n))
      } else {
        attributes[i] = .integer(1)
      }
      #expect(throws: AttributeError.self, "\(op.name) attribute \(i)") {
        try Operator(code: op.code, attributes: attributes)
      }
    }
  }

  @Test(arguments: Example.all)
  func `inputs and outputs are counted, values that must be known are asked for`(
    example: Example
  ) {
    let (op, inputs) = (example.op, example.inputs)
    let takesNothing = ["SequenceConstruct", "OptionalHasElement"].contains(op.name)
    if !takesNothing { expectRefusal(op, [], outputs: example.outputs) }
    expectRefusal(op, inputs, outputs: example.outputs + 2)
    expectRefusal(op, inputs, outputs: 0)
    if op.name != "OptionalHasElement" {
      expectRefusal(op, [nil] + inputs.dropFirst(), outputs: example.outputs)
    }
    if !["Concat", "SequenceConstruct"].contains(op.name) {
      expectRefusal(
        op, inputs + [inputs[0], inputs[0], inputs[0], inputs[0]], outputs: example.outputs)
    }
    // Nothing may be read before it is there.
    let harness = OperatorHarness(
      op, inputs, outputs: example.outputs, with: Variant(kernels: .scalar, pool: nil)
    ) { _ in false }
    do { try harness.prepare() } catch {}
  }

  /// Changed attributes and inputs: refused, or prepared and, where small, run inside their memory.
  @Test(arguments: Example.all)
  func `hostile attributes, shapes and values never trap`(example: Example) throws {
    var random = SeededRandom(state: UInt64(800 + example.op.code))
    let variant = Variant(kernels: .best, pool: try ThreadPool(threads: 2))
    for _ in 0..<1500 {
      var changed = example
      if random.bool() {
        guard let op = Self.changed(example.op, &random) else { continue }
        changed.op = op
      }
      for _ in 0..<random.int(0...2) where !changed.inputs.isEmpty {
        let i = random.int(0...(changed.inputs.count - 1))
        changed.inputs[i] = Self.changed(changed.inputs[i], &random)
      }
      let known = random.int(0...4) != 0
      let harness = OperatorHarness(
        changed.op, changed.inputs, outputs: changed.outputs, with: variant
      ) { known && changed.hasBytes($0) }
      guard let cost = try? harness.cost() else { continue }
      #expect(cost.scratchBytes >= 0 && cost.work >= 0)
      let isSmall =
        cost.scratchBytes <= 1 << 20 && cost.work <= 1 << 20
        && cost.outputBytes <= 1 << 20
      if isSmall, changed.inputs.indices.allSatisfy({ changed.hasBytes($0) }) {
        _ = try harness.run()
      }
    }
  }

  /// Some attributes replaced; nil where the operator refuses them.
  private static func changed(_ op: Operator, _ random: inout SeededRandom) -> Operator? {
    var attributes = op.attributes
    guard !attributes.isEmpty else { return op }
    for _ in 0..<random.int(1...2) {
      let i = random.int(0...(attributes.count - 1))
      if case .integer = attributes[i] {
        attributes[i] = .integer(random.pick(hostileIntegers))
      } else {
        attributes[i] = .float(random.pick(hostileFloats))
      }
    }
    return try? Operator(code: op.code, attributes: attributes)
  }

  /// Another shape, other values, another type, another encoding, or nothing.
  private static func changed(_ old: TestTensor?, _ random: inout SeededRandom) -> TestTensor? {
    guard var new = old else { return TestTensor(.f32, [1], [1]) }
    switch random.int(0...9) {
    case 0: return nil
    case 1: new.type = random.pick(ElementType.allCases)
    case 2:
      new.encoding = WeightEncoding(
        random.pick(QuantizationScheme.allCases), random.bool() ? .panels : .rowMajor)
    case 3 where new.shape.count < Shape.maximumRank: new.shape.append(random.pick(hostileExtents))
    case 4 where !new.shape.isEmpty: new.shape.removeLast()
    case 5: new.shape = (0..<random.int(0...8)).map { _ in random.pick(hostileExtents) }
    case 6,
      7 where !new.shape.isEmpty:
      if let i = new.shape.indices.randomElement(using: &random) {
        new.shape[i] = random.pick(hostileExtents)
      }
    default: break
    }
    guard let bytes = Example.byteCount(new) else { return new }
    // Values that shape rules stumble over.
    new.bytes = (0..<bytes).map { new.bytes.isEmpty ? 1 : new.bytes[$0 % new.bytes.count] }
    let size = new.type.byteCount
    if new.encoding == nil, bytes >= size, random.bool() {
      let at = random.int(0...(bytes / size - 1)) * size
      let value =
        new.type.isFloatingPoint
        ? TestTensor.raw(random.pick(hostileFloats)) : TestTensor.raw(random.pick(hostileIntegers))
      if new.type != .f64 { new.bytes.replaceSubrange(at..<(at + size), with: value.prefix(size)) }
    }
    return new
  }
}

extension Example {
  /// Bytes of a tensor small enough to have some.
  fileprivate static func byteCount(_ t: TestTensor) -> Int? {
    guard t.shape.count <= Shape.maximumRank, let n = Shape(t.shape).checkedElementCount,
      n <= 1 << 16,
      let bytes = t.encoding == nil
        ? n * t.type.byteCount : t.encoding!.byteCount(Shape(t.shape)), bytes <= 1 << 20
    else { return nil }
    return bytes
  }

  fileprivate func hasBytes(_ i: Int) -> Bool {
    guard let t = inputs[i] else { return true }
    guard let bytes = Example.byteCount(t) else { return false }
    return t.bytes.count == bytes
  }
}
