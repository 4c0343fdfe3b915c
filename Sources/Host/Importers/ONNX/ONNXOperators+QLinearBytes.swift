// Functions, sums and pools of quantized tensors, of com.microsoft; and weights of 4 and 8 bits.
import Foundation
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let qLinearBytes: [ONNXOperator] = [
    ONNXOperator("QLinearAdd", domain: microsoft) { b throws(ImportError) in
      try qLinearBinary(&b, .add)
    },
    ONNXOperator("QLinearMul", domain: microsoft) { b throws(ImportError) in
      try qLinearBinary(&b, .mul)
    },
    ONNXOperator("QLinearSigmoid", domain: microsoft) { b throws(ImportError) in
      try qLinearUnary(&b, Unary(.sigmoid))
    },
    ONNXOperator("QLinearLeakyRelu", domain: microsoft) { b throws(ImportError) in
      try qLinearUnary(&b, Unary(.leakyRelu, try b.float("alpha", 0.01)))
    },
    ONNXOperator("QLinearSoftmax", domain: microsoft, qLinearSoftmax),
    ONNXOperator("QLinearConcat", domain: microsoft) { b throws(ImportError) in
      let (scale, zero) = (try b.input(0), try b.input(1))
      guard b.inputCount >= 5, (b.inputCount - 2) % 3 == 0 else {
        throw b.fail("expected three inputs for each part")
      }
      let axis = try b.axis(try b.integer("axis", 1))
      var parts: [ValueID?] = []
      for i in stride(from: 2, to: b.inputCount, by: 3) {
        let x = try b.input(i)
        let (given, shift) = (try b.input(i + 1), try b.input(i + 2))
        let isSame = b.sameNumbers(scale, given) && b.sameNumbers(zero, shift)
        parts.append(
          isSame
            ? x
            : try b.mapped(x, given, shift, scale, zero) { $1 })
      }
      return [b.add(.concat(Concat(axis: axis)), parts)]
    },
    ONNXOperator("QLinearGlobalAveragePool", domain: microsoft) { b throws(ImportError) in
      try qLinearPool(&b, isGlobal: true)
    },
    ONNXOperator("QLinearAveragePool", domain: microsoft) { b throws(ImportError) in
      try qLinearPool(&b, isGlobal: false)
    },
    ONNXOperator("MatMulNBits", domain: microsoft, matMulNBits),
  ]

  /// (A, a scale, a zero, B, b scale, b zero, y scale, y zero).
  private static func qLinearBinary(
    _ b: inout ONNXGraphBuilder, _ kind: BinaryKind
  ) throws(ImportError) -> [ValueID] {
    let (x, z) = (try b.input(0), try b.input(3))
    let type = try b.integerType(x)
    guard let p = b.fixedFloats(try b.input(1)), let q = b.fixedFloats(try b.input(4)),
      let r = b.fixedFloats(try b.input(6)), p.count == 1, q.count == 1, r.count == 1,
      let a = try b.fixedZero(2), let c = try b.fixedZero(5), let y = try b.fixedZero(7)
    else {
      let real = b.add(
        .binary(Binary(kind)),
        [
          try b.dequantized(x, try b.input(1), try b.optional(2)),
          try b.dequantized(z, try b.input(4), try b.optional(5)),
        ])
      return [try b.quantized(real, try b.input(6), try b.optional(7), type)]
    }
    let range = IntegerEpilogue(type)
    let op =
      kind == .add
      ? IntegerBinary(
        .add, aScale: p[0] / r[0], bScale: q[0] / r[0], aZero: a, bZero: c, yZero: y,
        low: range.low, high: range.high)
      : IntegerBinary(
        .multiply, aScale: p[0] * q[0] / r[0], aZero: a, bZero: c, yZero: y, low: range.low,
        high: range.high)
    return [b.add(.integerBinary(op), [x, z])]
  }

  private static func qLinearUnary(
    _ b: inout ONNXGraphBuilder, _ op: Unary
  ) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let zero = try b.zero(2, like: x)
    let yZero = try b.zero(4, like: x)
    return [
      try b.mapped(x, try b.input(1), zero, try b.input(3), yZero) { b, v in
        b.add(.unary(op), [v])
      }
    ]
  }

  private static func qLinearSoftmax(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let type = try b.integerType(x)
    let rank = try b.rank(x)
    let axis = try b.integer("axis", -1)
    let isLast = axis == -1 || axis == rank - 1
    let isWhole = try b.integer("opset", 13) < 13 && !isLast
    guard let scale = b.fixedFloats(try b.input(1)), scale.count == 1,
      let yScale = b.fixedFloats(try b.input(3)), yScale.count == 1,
      let zero = try b.fixedZero(4), isLast
    else {
      guard !isWhole else { throw b.fail("a softmax over several axes is not supported") }
      let real = try b.dequantized(x, try b.input(1), try b.optional(2))
      let y = b.add(.softmax(Softmax(axis: try b.axis(axis))), [real])
      return [try b.quantized(y, try b.input(3), try b.optional(4), type)]
    }
    let table = (0..<256).map { Foundation.exp(-scale[0] * Float($0)) }
    let values = b.addConstant(Constant(floats: table, shape: Shape([256])))
    let op = IntegerSoftmax(scale: yScale[0], zeroPoint: zero)
    return [b.add(.integerSoftmax(op), [x, values])]
  }

  private static func qLinearPool(
    _ b: inout ONNXGraphBuilder, isGlobal: Bool
  ) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let type = try b.integerType(x)
    let rank = try b.rank(x)
    let isLast = try b.bool("channels_last", false)
    let includesPadding = try b.bool("count_include_pad", false)
    guard let scale = b.fixedFloats(try b.input(1)), scale.count == 1,
      let yScale = b.fixedFloats(try b.input(3)), yScale.count == 1,
      let zero = try b.fixedZero(2), let yZero = try b.fixedZero(4), rank == 3 || rank == 4,
      !includesPadding || isGlobal
    else { throw b.fail("a pool of this kind is not supported") }
    let kernel =
      isGlobal ? IntegerList() : try b.list(try b.integers("kernel_shape") ?? [], "kernel")
    guard isGlobal || kernel.count == rank - 2, kernel.array.allSatisfy({ 1...1 << 20 ~= $0 })
    else { throw b.fail("kernel \(kernel.array)") }
    let range = IntegerEpilogue(type)
    let op = IntegerPool(
      .scaledAverage, kernel: kernel, window: isGlobal ? Window() : try window(b),
      roundsUp: isGlobal ? false : try b.bool("ceil_mode", false), scale: scale[0] / yScale[0],
      xZero: zero, yZero: yZero, low: range.low, high: range.high)
    if isLast { return [b.add(.integerPool(op), [x])] }
    let last = Transpose(IntegerList(rank == 4 ? [0, 2, 3, 1] : [0, 2, 1]))
    let first = Transpose(IntegerList(rank == 4 ? [0, 3, 1, 2] : [0, 2, 1]))
    let y = b.add(.integerPool(op), [b.add(.transpose(last), [x])])
    return [b.add(.transpose(first), [y])]
  }

  /// A product with weights in blocks of 2, 4 or 8 bits, which become the numbers they stand for: the
  /// packer encodes them anew.
  private static func matMulNBits(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let (k, n) = (try b.integer("K", 0), try b.integer("N", 0))
    let (bits, block) = (try b.integer("bits", 4), try b.integer("block_size", 32))
    guard 1...1 << 24 ~= k, 1...1 << 24 ~= n, k * n <= 1 << 34, [2, 4, 8].contains(bits),
      16...1 << 16 ~= block, !b.has(4)
    else { throw b.fail("\(bits) bits in blocks of \(block), [\(k), \(n)], are not supported") }
    let blocks = (k + block - 1) / block
    let (blob, rowZeros) = (block * bits / 8, (blocks * bits + 7) / 8)
    guard let codes = b.graph[try b.input(1)].constant, codes.bytes.count == n * blocks * blob,
      let scales = b.graph[try b.input(2)].constant?.withFloatsAsF32(), scales.elementType == .f32,
      scales.shape.elementCount == n * blocks
    else { throw b.fail("codes or scales are no constants of the right size") }
    var zeros: Constant?
    if let value = try b.optional(3) {
      guard let constant = b.graph[value].constant,
        constant.elementType == .u8
          ? constant.bytes.count == n * rowZeros
          : constant.elementType.isFloatingPoint && constant.shape.elementCount == n * blocks
      else { throw b.fail("zero points are no constants of the right size") }
      zeros = constant.elementType == .u8 ? constant : constant.withFloatsAsF32()
    }
    func code(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ i: Int) -> Float {
      let bit = i * bits
      return Float(bytes[start + bit / 8] >> UInt8(bit % 8) & UInt8(1 << bits - 1))
    }
    func scale(_ constant: Constant, _ i: Int) -> Float {
      constant.bytes.loadUnaligned(fromByteOffset: 4 * i, as: Float.self)
    }
    let middle = Float(1 << (bits - 1))
    let weights = Constant(elementType: .f32, shape: Shape([n, k])) { out in
      for j in 0..<n {
        for g in 0..<blocks {
          let at = j * blocks + g
          var zero = middle
          if let zeros {
            zero =
              zeros.elementType == .u8 ? code(zeros.bytes, j * rowZeros, g) : scale(zeros, at)
          }
          let factor = scale(scales, at)
          for i in 0..<min(block, k - g * block) {
            let value = (code(codes.bytes, at * blob, i) - zero) * factor
            out.storeBytes(of: value, toByteOffset: 4 * (j * k + g * block + i), as: Float.self)
          }
        }
      }
    }
    b.note("MatMulNBits → product with decoded weights")
    var inputs: [ValueID?] = [try b.input(0), b.addConstant(weights)]
    if let bias = try b.optional(5) { inputs.append(bias) }
    return [b.add(.matMul(MatMul(transposeB: true)), inputs)]
  }
}

extension ONNXGraphBuilder {
  /// The one zero point of input `i`, 0 where it is left out; nil where it depends on the data.
  mutating func fixedZero(_ i: Int) throws(ImportError) -> Int? {
    guard let value = try optional(i) else { return 0 }
    guard let list = fixedIntegers(value), list.count == 1 else { return nil }
    return list[0]
  }

  func sameNumbers(_ a: ValueID, _ b: ValueID) -> Bool {
    if a == b { return true }
    if let p = fixedFloats(a), let q = fixedFloats(b) { return p == q }
    if let p = fixedIntegers(a), let q = fixedIntegers(b) { return p == q }
    return false
  }

  /// (x − zero) · scale, one scale for all.
  mutating func dequantized(
    _ x: ValueID, _ scale: ValueID, _ zero: ValueID?
  ) throws(ImportError) -> ValueID {
    var y = add(.cast(Cast(to: .f32)), [x])
    if let zero {
      let real = reshaped(add(.cast(Cast(to: .f32)), [zero]), [])
      y = add(.binary(Binary(.sub)), [y, real])
    }
    return add(.binary(Binary(.mul)), [y, reshaped(scale, [])])
  }

  /// x / scale rounded, plus zero, within the type's range; one scale for all.
  mutating func quantized(
    _ x: ValueID, _ scale: ValueID, _ zero: ValueID?, _ type: ElementType
  ) throws(ImportError) -> ValueID {
    let quotient = add(.binary(Binary(.div)), [x, reshaped(scale, [])])
    var y = add(.unary(Unary(.round)), [quotient])
    if let zero {
      y = add(.binary(Binary(.add)), [y, reshaped(add(.cast(Cast(to: .f32)), [zero]), [])])
    }
    let range = IntegerEpilogue(type)
    y = add(.unary(Unary(.clip, Float(range.low), Float(range.high))), [y])
    return add(.cast(Cast(to: type)), [y])
  }

  /// A function of x's bytes by its results for all 256 of them, which fold where the scales are
  /// known.
  mutating func mapped(
    _ x: ValueID, _ scale: ValueID, _ zero: ValueID, _ yScale: ValueID, _ yZero: ValueID,
    _ f: (inout ONNXGraphBuilder, ValueID) -> ValueID
  ) throws(ImportError) -> ValueID {
    let type = try integerType(x)
    let bytes = (0..<256).map { type == .i8 ? Int(Int8(truncatingIfNeeded: $0)) : $0 }
    let every = addConstant(Constant(type, bytes, Shape([256])))
    let real = f(&self, try dequantized(every, scale, zero))
    let table = try quantized(real, yScale, yZero, try integerType(yZero))
    return add(.byteTable(ByteTable()), [x, table])
  }
}
