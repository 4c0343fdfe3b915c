// Labels: classes' names, numbers for categories, and columns for them.
import Graphs
import Operators
import Tensors

/// What the classes of a classifier are called.
struct ONNXClassLabels {
  private enum Names {
    case numbers([Int])
    case texts([[UInt8]])
  }

  private var names: Names

  init(_ numbers: [Int]) { names = .numbers(numbers) }
  init(_ texts: [String]) { names = .texts(texts.map { Array($0.utf8) }) }

  /// The numbers of two classes, for scores that decide between them without names.
  static let numbersOfTwo = ONNXClassLabels([0, 1])

  var count: Int {
    switch names {
    case .numbers(let list): list.count
    case .texts(let list): list.count
    }
  }

  /// The labels as a vector; nil where they are the classes' own numbers.
  var constant: Constant? {
    switch names {
    case .numbers(let list):
      list == Array(list.indices) ? nil : Constant(integers: list, shape: Shape([list.count]))
    case .texts(let list): Constant(texts: list, shape: Shape([list.count]))
    }
  }
}

extension ONNXOperator {
  private static let ml = "ai.onnx.ml"

  static let labels: [ONNXOperator] = [
    ONNXOperator("OneHotEncoder", domain: ml, oneHotEncoder),
    ONNXOperator("LabelEncoder", 1, domain: ml) { b throws(ImportError) in
      let names = try b.strings("classes_strings") ?? []
      return [try categories(&b, Array(names.indices), names)]
    },
    ONNXOperator("LabelEncoder", 2, domain: ml, labelEncoder),
    ONNXOperator("CategoryMapper", domain: ml) { b throws(ImportError) in
      [
        try categories(
          &b, try b.integers("cats_int64s") ?? [], try b.strings("cats_strings") ?? [])
      ]
    },
  ]

  /// A column per category: 1 where x is that category.
  private static func oneHotEncoder(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    b.note("OneHotEncoder → comparison, cast")
    if let categories = try b.strings("cats_strings"), !categories.isEmpty {
      let x = b.unsqueeze(try b.raw(0), [-1])
      let isCategory = b.add(
        .stringEqual(StringEqual()), [x, b.texts(categories.map { Array($0.utf8) })])
      return [b.cast(isCategory, to: .f32)]
    }
    guard let categories = try b.integers("cats_int64s"), !categories.isEmpty else {
      throw b.fail("has no categories")
    }
    let x = b.unsqueeze(b.cast(try b.input(0), to: .i64), [-1])
    return [b.cast(b.binary(.equal, x, b.constant(categories)), to: .f32)]
  }

  // MARK: Encoders

  /// Numbers for texts, or texts for numbers, by the type of x.
  private static func categories(
    _ b: inout ONNXGraphBuilder, _ numbers: [Int], _ texts: [String]
  ) throws(ImportError) -> ValueID {
    guard numbers.count == texts.count, !texts.isEmpty else {
      throw b.fail("\(numbers.count) numbers for \(texts.count) texts")
    }
    let shape = Shape([texts.count])
    let names = Constant(texts: texts.map { Array($0.utf8) }, shape: shape)
    let keys = Constant(integers: numbers, shape: shape)
    let x = try b.raw(0)
    if b.elementType(x) == .string {
      let missing = Constant(integers: [try b.integer("default_int64", -1)], shape: Shape())
      return try lookUp(&b, x, names, keys, missing)
    }
    let missing = Constant(
      texts: [Array(try b.string("default_string", "_Unused").utf8)], shape: Shape())
    return try lookUp(&b, x, keys, names, missing)
  }

  /// The keys or values of an encoder.
  private static func table(
    _ b: inout ONNXGraphBuilder, _ role: String
  ) throws(ImportError) -> Constant {
    if let list = try b.integers(role + "_int64s"), !list.isEmpty {
      return Constant(integers: list, shape: Shape([list.count]))
    }
    if let list = try b.floats(role + "_floats"), !list.isEmpty {
      return Constant(floats: list, shape: Shape([list.count]))
    }
    if let list = try b.strings(role + "_strings"), !list.isEmpty {
      return Constant(texts: list.map { Array($0.utf8) }, shape: Shape([list.count]))
    }
    if let tensor = try b.tensor(role + "_tensor") {
      return tensor.withFloatsAsF32().reshaped(Shape([tensor.shape.elementCount]))
    }
    throw b.fail("has no \(role)")
  }

  /// The value of the key that x is, else the default.
  private static func labelEncoder(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let keys = try table(&b, "keys")
    let values = try table(&b, "values")
    guard keys.shape == values.shape, keys.shape.elementCount > 0 else {
      throw b.fail("\(keys.shape) keys for \(values.shape) values")
    }
    let missing: Constant
    if let tensor = try b.tensor("default_tensor")?.withFloatsAsF32(),
      tensor.shape.elementCount == 1, tensor.elementType == values.elementType
    {
      missing = tensor.reshaped(Shape())
    } else {
      switch values.elementType {
      case .string:
        missing = Constant(
          texts: [Array(try b.string("default_string", "_Unused").utf8)], shape: Shape())
      case .f32: missing = Constant(floats: [try b.float("default_float", -0.0)], shape: Shape())
      default:
        missing = Constant(integers: [try b.integer("default_int64", -1)], shape: Shape())
      }
    }
    return [try lookUp(&b, try b.input(0), keys, values, missing)]
  }

  /// For each element of x the value of the first key that it is, else `missing`, a scalar.
  private static func lookUp(
    _ b: inout ONNXGraphBuilder, _ input: ValueID, _ keys: Constant, _ values: Constant,
    _ missing: Constant
  ) throws(ImportError) -> ValueID {
    let (list, other) = (
      b.addConstant(values), b.cast(b.addConstant(missing), to: values.elementType)
    )
    if let texts = keys.textBytes {
      guard b.elementType(input) == .string else { throw b.fail("input 0 is no text") }
      b.note("\(b.node.type) → lookup, gather")
      let known = SortedTexts(texts)
      var first = [Int](repeating: -1, count: known.texts.count)
      for (i, place) in known.places.enumerated() where first[place] < 0 { first[place] = i }
      let place = b.add(.stringLookup(StringLookup()), [input, b.texts(known.texts)])
      // Behind the values stands what texts get that are no key.
      let row = b.add(.gather(Gather(axis: 0)), [b.constant(first + [texts.count]), place])
      let all = b.concat([list, b.reshape(other, [1])], axis: 0)
      return b.add(.gather(Gather(axis: 0)), [all, row])
    }
    b.note("\(b.node.type) → comparison, maximum, gather, select")
    guard b.elementType(input) != .string else { throw b.fail("input 0 is text, its keys are not") }
    let type: ElementType = keys.elementType == .f32 ? .f32 : .i64
    let x = b.unsqueeze(b.cast(input, to: type), [-1])
    var isKey = b.binary(.equal, x, b.cast(b.addConstant(keys), to: type))
    if let floats = keys.floats, floats.contains(where: { $0.isNaN }) {
      let isNaN = Constant(elementType: .bool, shape: keys.shape) { out in
        for (i, key) in floats.enumerated() { out[i] = key.isNaN ? 1 : 0 }
      }
      isKey = b.binary(.or, isKey, b.binary(.and, b.unary(.isNaN, x), b.addConstant(isNaN)))
    }
    let hits = b.add(.cast(Cast(to: .f32)), [isKey])
    let place = b.add(.argReduce(ArgReduce(axis: -1, keepsAxis: false)), [hits])
    let best = b.reduce(.max, hits, [-1], keepsAxes: false)
    let isFound = b.binary(.greater, best, b.scalar(0))
    return b.select(isFound, b.add(.gather(Gather(axis: 0)), [list, place]), other)
  }
}
