// Rows picked by index: table look-ups, embeddings.
import CKernels
import Tensors

/// y = x taken at `indices` along `axis`; negative indices count from the end.
///
/// inputs: x, plain or a quantized row-major weight (then `axis` 0 and f32 out); indices, i64 or i32 →
/// output: x's shape with the axis replaced by the shape of the indices. An index out of range reads
/// the nearest valid one: data cannot make a step fail.
public struct Gather: OperatorDefinition {
  public static var code: Int { 20 }
  public static var name: StaticString { "Gather" }

  public var axis: Int

  public init(axis: Int) { self.axis = axis }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    axis = try attributes.integer(in: -8...7)
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(axis) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...2)
    let x = step.input(0)
    let indices = step.input(1)
    try step.require(1, is: .i64, .i32)
    try step.requirePlain(1)
    guard let axis = x.shape.normalized(axis: axis) else {
      throw ShapeError("axis is out of range", input: 0, expected: x.shape.rank, found: self.axis)
    }
    if let encoding = x.encoding {
      guard axis == 0, encoding.layout == .rowMajor, x.shape.rank >= 2 else {
        throw ShapeError("a quantized table is looked up by its first axis only", input: 0)
      }
    }
    guard x.shape[axis] > 0 || indices.shape.elementCount == 0 else {
      throw ShapeError("nothing to pick from", input: 0)
    }
    guard x.shape.rank - 1 + indices.shape.rank <= Shape.maximumRank else {
      throw ShapeError("output has too many axes")
    }
    var shape = Shape()
    for a in 0..<axis { shape.append(x.shape[a]) }
    for a in 0..<indices.shape.rank { shape.append(indices.shape[a]) }
    for a in (axis + 1)..<max(axis + 1, x.shape.rank) { shape.append(x.shape[a]) }
    guard shape.checkedElementCount != nil else { throw ShapeError("output is too large") }
    step.setOutput(0, x.elementType, shape)
  }

  public func run(_ step: StepContext) {
    let x = step.input(0)
    let y = step.output()
    let indices = step.input(1)
    let axis = x.shape.normalized(axis: axis) ?? 0
    let rows = x.shape[axis]
    let count = indices.shape.elementCount
    let width = x.shape.elementCount(of: (axis + 1)..<x.shape.rank)
    if let encoding = x.encoding {
      let floats = y.floats
      for i in 0..<count {
        let row = Gather.clamp(indices.integer(at: i), rows)
        decode(x, encoding, row, width, floats, i * width, step.compute)
      }
      return
    }
    let bytes = width * x.elementType.byteCount
    let source = unsafe x.pointer
    let target = unsafe y.pointer
    for o in 0..<x.shape.elementCount(of: 0..<axis) {
      for i in 0..<count {
        let row = Gather.clamp(indices.integer(at: i), rows)
        unsafe (target + (o * count + i) * bytes).copyMemory(
          from: source + (o * rows + row) * bytes, byteCount: bytes)
      }
    }
  }

  private static func clamp(_ index: Int, _ rows: Int) -> Int {
    min(max(index < 0 ? index + rows : index, 0), rows - 1)
  }

  private func decode(
    _ x: TensorView, _ encoding: WeightEncoding, _ row: Int, _ width: Int, _ y: Elements<Float>,
    _ at: Int, _ compute: Compute
  ) {
    let base = unsafe x.pointer
    let out = unsafe y.pointer(at, count: width)
    let kernels = unsafe compute.kernels
    switch encoding.scheme {
    case .f32:
      unsafe out.update(
        from: (base + row * width * 4).assumingMemoryBound(to: Float.self), count: width)
    case .f16:
      unsafe kernels.pointee.decode_f16(
        (base + row * width * 2).assumingMemoryBound(to: UInt16.self), out, width)
    case .bf16:
      unsafe kernels.pointee.decode_bf16(
        (base + row * width * 2).assumingMemoryBound(to: UInt16.self), out, width)
    case .int8:
      let scale = unsafe (base + encoding.scaleOffset(x.shape) + row * 4)
        .loadUnaligned(as: Float.self)
      unsafe kernels.pointee.decode_i8(
        (base + row * WeightEncoding.int8RowBytes(width)).assumingMemoryBound(to: Int8.self),
        scale, out, width)
    default:
      unsafe kernels.pointee.decode_blocks(
        Int32(encoding.scheme.rawValue),
        base + row * (encoding.scheme.block?.rowBytes(width) ?? 0), out, width)
    }
  }
}
