// Integer weights in the panels that products of bytes read.
import Tensors

/// The right-hand side of an integer product in panels of 16 columns, as `kernels.h` defines them, and
/// the sum of each column.
///
/// input: w i8 or u8 [matrices, n, k], or [matrices, k, n] with `isTransposed` → outputs: i8 [matrices,
/// ⌈n / 16⌉, ⌈k / 4⌉, 64], unsigned bytes 128 lower; i32 [matrices, n], sums of those.
public struct PackRows: OperatorDefinition {
  public static var code: Int { 100 }
  public static var name: StaticString { "PackRows" }

  public var isTransposed: Bool

  public init(isTransposed: Bool = false) { self.isTransposed = isTransposed }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    isTransposed = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(isTransposed) }

  /// The longest sum that 32 bits hold.
  static var maximumLength: Int { 65536 }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 1...1, outputs: 2)
    try step.requirePlain(0)
    try step.require(0, is: .i8, .u8)
    let w = step.input(0).shape
    guard w.rank == 3 else { throw ShapeError("wrong rank", input: 0, expected: 3, found: w.rank) }
    let (n, k) = isTransposed ? (w[2], w[1]) : (w[1], w[2])
    guard k <= PackRows.maximumLength else {
      throw ShapeError("sums are too long", input: 0, expected: PackRows.maximumLength, found: k)
    }
    step.setOutput(0, .i8, Shape([w[0], (n + 15) / 16, (k + 3) / 4, 64]))
    step.setOutput(1, .i32, Shape([w[0], n]))
  }

  public func run(_ step: StepContext) {
    let w = step.input(0).shape
    let flip: UInt8 = step.input(0).elementType == .u8 ? 0x80 : 0
    let source = step.input(0).elements(UInt8.self)
    let panels = step.output(0).elements(UInt8.self)
    let sums = step.output(1).elements(Int32.self)
    let (n, k) = isTransposed ? (w[2], w[1]) : (w[1], w[2])
    let (rowStep, columnStep) = isTransposed ? (1, n) : (k, 1)
    let panelBytes = (k + 3) / 4 * 64
    panels.fill(0)
    for m in 0..<w[0] {
      for j in 0..<n {
        var sum: Int32 = 0
        let from = m * n * k + j * rowStep
        let to = (m * ((n + 15) / 16) + j / 16) * panelBytes + j % 16 * 4
        for p in 0..<k {
          let byte = source[from + p * columnStep] ^ flip
          panels[to + p / 4 * 64 + p % 4] = byte
          sum &+= Int32(Int8(bitPattern: byte))
        }
        sums[m * n + j] = sum
      }
    }
  }
}
