// Layers that carry a state along a sequence without being recurrent networks, and signal windows.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let states: [ONNXOperator] = [
    ONNXOperator("LinearAttention", 27, linearAttention),
    ONNXOperator("CausalConvWithState", 27, causalConv),
    ONNXOperator("Det", 11) { b throws(ImportError) in
      [b.add(.determinant(Determinant()), [try b.input(0)])]
    },
    window("HannWindow", [0.5, -0.5]),
    window("HammingWindow", [25 / 46, -21 / 46]),
    window("BlackmanWindow", [0.42, -0.5, 0.08]),
  ]

  /// Σ cₖ cos(2 π k n / N) for n below the size; N is the size, or one less for a symmetric window.
  private static func window(_ name: String, _ coefficients: [Float]) -> ONNXOperator {
    ONNXOperator(name, 17) { b throws(ImportError) in
      let size = b.cast(try b.input(0), to: .i64)
      let number = try b.integer("output_datatype", 1)
      guard let type = ONNXTensor.elementType(Int64(number)) else {
        throw b.fail("element type \(number) is not supported")
      }
      b.note("\(name) → cosines")
      let count = b.cast(b.add(.reshape(Reshape(.target, IntegerList())), [size]), to: .f32)
      let period = try b.bool("periodic", true) ? count : b.affine(count, 1, -1)
      let turn = b.binary(.div, b.indices(upTo: size, as: .f32), period)
      var y: ValueID?
      for (k, coefficient) in coefficients.enumerated().dropFirst() {
        let wave = b.affine(b.unary(.cos, b.affine(turn, 2 * .pi * Float(k))), coefficient)
        y = y.map { b.binary(.add, $0, wave) } ?? wave
      }
      return [b.cast(b.affine(y!, 1, coefficients[0]), to: type)]
    }
  }

  private static func linearAttention(
    _ b: inout ONNXGraphBuilder
  ) throws(ImportError) -> [ValueID] {
    let rule = try b.string("update_rule", "gated_delta")
    guard ["linear", "gated", "delta", "gated_delta"].contains(rule) else {
      throw b.fail("update_rule '\(rule)' is not supported")
    }
    let (queries, keys) = (try b.integer("q_num_heads", 0), try b.integer("kv_num_heads", 0))
    guard (1...1 << 16).contains(queries), (1...1 << 16).contains(keys), queries % keys == 0
    else { throw b.fail("\(queries) heads are no multiple of \(keys)") }
    let decay = try b.optional(4)
    let beta = try b.optional(5)
    guard (decay != nil) == rule.hasPrefix("gated"), (beta != nil) == rule.hasSuffix("delta") else {
      throw b.fail("update_rule '\(rule)' does not go with its inputs")
    }
    let op = LinearAttention(
      queryHeads: queries, keyHeads: keys, scale: try b.float("scale", 0))
    let inputs = [
      try b.input(0), try b.input(1), try b.input(2), try b.optional(3), decay, beta,
    ]
    return b.add(.linearAttention(op), inputs, outputs: 2)
  }

  /// A convolution per channel over what came before, the end of which is the next state.
  private static func causalConv(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let x = try b.input(0)
    let weight = try b.input(1)
    let taps = try b.fixedExtent(weight, 2, "the extent of the kernel")
    let channels = try b.fixedExtent(weight, 0, "the number of channels")
    guard (1...1 << 20).contains(taps), (1...1 << 24).contains(channels) else {
      throw b.fail("kernel of \(taps) is out of range")
    }
    let activation = try b.string("activation", "none")
    guard ["none", "silu", "swish"].contains(activation) else {
      throw b.fail("activation '\(activation)' is not supported")
    }
    b.note("CausalConvWithState → join, convolution")
    var all = x
    if taps > 1 {
      if let past = try b.optional(3) {
        all = b.concat([past, x], axis: 2)
      } else {
        all = b.add(
          .pad(Pad(.constant, pads: IntegerList([0, 0, taps - 1, 0, 0, 0]))), [x])
      }
    }
    let bias = try b.optional(2)
    var y = b.add(.conv(Conv(groups: channels)), [all, weight] + (bias.map { [$0] } ?? []))
    if activation != "none" { y = b.unary(.silu, y) }
    let last = 1 << 40
    let next = b.slice(all, axis: 2, from: taps > 1 ? 1 - taps : last, to: last)
    return [y, next]
  }
}
