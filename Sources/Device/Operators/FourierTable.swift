// What Fourier transforms of one length need to know: worked out once, when a program is prepared.
import CKernels
import Tensors

/// The table for transforms along one axis, as `kn_fourier_table` makes it.
///
/// inputs: x, any type, of which only the shape matters; the transform's length, optional, and the
/// axis, optional: integers → output f32 [numbers]. Without a length it is
/// the axis' extent, or with `isMirrored` 2 (extent − 1).
public struct FourierTable: OperatorDefinition {
  public static var code: Int { 131 }
  public static var name: StaticString { "FourierTable" }

  /// One side of the transform is real.
  public var isReal: Bool
  /// The input holds half of its numbers: the others are their conjugates.
  public var isMirrored: Bool
  public var axis: Int

  public init(isReal: Bool, isMirrored: Bool = false, axis: Int = -2) {
    self.isReal = isReal
    self.isMirrored = isMirrored
    self.axis = axis
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    isReal = try attributes.bool()
    isMirrored = try attributes.bool()
    axis = try attributes.integer(in: -8...7)
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(isReal)
    attributes.put(isMirrored)
    attributes.put(axis)
  }

  public var dependsOnShapesOnly: Bool { true }
  public func readsValue(ofInput i: Int) -> Bool { i > 0 }

  /// The longest transform: its table is two or three times as many floats.
  static var maximumLength: Int { 1 << 30 }

  /// The axis and the length of the transform, from inputs `lengthInput` and the one behind it.
  static func resolve(
    _ step: StepContext, axis: Int, isMirrored: Bool, lengthInput: Int
  ) throws(ShapeError) -> (axis: Int, length: Int) {
    let x = step.input(0).shape
    var axis = axis
    if step.has(lengthInput + 1) { axis = try integer(step, lengthInput + 1) }
    guard let a = x.normalized(axis: axis) else {
      throw ShapeError("axis is out of range", input: 0, expected: x.rank, found: axis)
    }
    var length = isMirrored ? 2 * (x[a] - 1) : x[a]
    if step.has(lengthInput) { length = try integer(step, lengthInput) }
    guard (1...maximumLength).contains(length) else {
      throw ShapeError("length is out of range", input: 0, expected: 1, found: length)
    }
    return (a, length)
  }

  static func integer(_ step: StepContext, _ i: Int) throws(ShapeError) -> Int {
    let list = try step.integers(i)
    guard list.count == 1 else {
      throw ShapeError("is not one integer", input: i, expected: 1, found: list.count)
    }
    return list[0]
  }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...3)
    let (_, length) = try FourierTable.resolve(
      step, axis: axis, isMirrored: isMirrored, lengthInput: 1)
    step.setOutput(0, .f32, Shape([kn_fourier_table_count(length, isReal ? 1 : 0)]))
  }

  private func length(_ step: StepContext) -> Int {
    let found = try? FourierTable.resolve(
      step, axis: axis, isMirrored: isMirrored, lengthInput: 1)
    return found?.length ?? 1
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    kn_fourier_scratch(length(step), isReal ? 1 : 0) * 4
  }

  public func run(_ step: StepContext) {
    let length = length(step)
    let isReal: Int32 = isReal ? 1 : 0
    let count = kn_fourier_table_count(length, isReal)
    let scratch = step.scratch(Float.self, count: kn_fourier_scratch(length, isReal))
    unsafe kn_fourier_table(
      length, isReal, step.output().floats.pointer(0, count: count), scratch.pointer())
  }
}
