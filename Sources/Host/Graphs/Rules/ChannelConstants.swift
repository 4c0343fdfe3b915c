// Constants per output channel that a product or a convolution can hold: biases, scales, BatchNorm.
import Operators
import Tensors

extension RewriteRule {
  /// Adding one constant per channel after MatMul or Conv is its bias.
  public static let fuseBias = RewriteRule("fuse-bias") { index, i in
    for (kind, sign) in [(BinaryKind.add, Float(1)), (.sub, -1)] {
      guard let (a, b) = index.operands(i, kind) else { continue }
      for (x, c) in kind == .add ? [(a, b), (b, a)] : [(a, b)] {
        guard let product = Product(index, readBy: i, through: x),
          let shift = index.perChannel(index.constant(c), x, axis: product.channelAxis)
        else { continue }
        return product.edit(scale: nil, shift: shift.map { Double(sign * $0) })
      }
    }
    return nil
  }

  /// Multiplying by one constant per channel after MatMul or Conv scales its weight.
  public static let fuseScale = RewriteRule("fuse-scale") { index, i in
    for kind in [BinaryKind.mul, .div] {
      guard let (a, b) = index.operands(i, kind) else { continue }
      for (x, c) in kind == .mul ? [(a, b), (b, a)] : [(a, b)] {
        guard let product = Product(index, readBy: i, through: x),
          let values = index.perChannel(index.constant(c), x, axis: product.channelAxis),
          kind == .mul || !values.contains(0)
        else { continue }
        return product.edit(
          scale: values.map { kind == .mul ? Double($0) : 1 / Double($0) }, shift: nil)
      }
    }
    return nil
  }

  /// BatchNorm with constant statistics after MatMul or Conv goes into its weight and bias.
  public static let fuseBatchNorm = RewriteRule("fuse-batch-norm") { index, i in
    let node = index.graph.nodes[i]
    guard case .batchNorm(let op) = node.op, node.inputs.count == 5, let x = node.inputs[0],
      let product = Product(index, readBy: i, through: x), product.channelAxis == 1
    else { return nil }
    let constants = node.inputs[1...].compactMap { index.constant($0)?.floats }
    guard constants.count == 4, constants.allSatisfy({ $0.count == product.channels }) else {
      return nil
    }
    let (gamma, beta, mean, variance) = (constants[0], constants[1], constants[2], constants[3])
    let scale = gamma.indices.map {
      Double(gamma[$0]) / (Double(variance[$0]) + Double(op.epsilon)).squareRoot()
    }
    guard scale.allSatisfy(\.isFinite) else { return nil }
    let shift = scale.indices.map { Double(beta[$0]) - Double(mean[$0]) * scale[$0] }
    return product.edit(scale: scale, shift: shift)
  }
}

/// A MatMul or Conv without activation whose output only one node reads, with constants to change.
private struct Product {
  let index: GraphIndex
  let reader: Int
  let node: Int
  let channelAxis: Int
  let channels: Int
  let bias: [Float]?

  /// The producer of `x`, which node `reader` reads and whose shape the reader's output has.
  init?(_ index: GraphIndex, readBy reader: Int, through x: ValueID) {
    guard let p = index.soleProducer(x), let rank = index.rank(x),
      index.haveSameShape(x, index.graph.nodes[reader].outputs[0])
    else { return nil }
    let node = index.graph.nodes[p]
    switch node.op {
    case .matMul(let op):
      // The columns are the last axis unless b is a vector.
      guard op.activation.kind == .linear, let b = node.inputs[1],
        let rankB = index.rank(b), rankB >= 2, rank >= 1
      else { return nil }
      channelAxis = rank - 1
    case .conv(let op):
      guard op.activation.kind == .linear, rank >= 3 else { return nil }
      channelAxis = 1
    default: return nil
    }
    guard let channels = index.fixedExtent(x, channelAxis) else { return nil }
    if node.inputs.count > 2, let b = node.inputs[2] {
      guard let floats = index.constant(b)?.floats, floats.count == channels else { return nil }
      bias = floats
    } else {
      bias = nil
    }
    self.index = index
    self.reader = reader
    self.node = p
    self.channels = channels
  }

  /// The product with (y · scale + shift) in place of y, channel by channel.
  func edit(scale: [Double]?, shift: [Double]?) -> GraphEdit? {
    let old = index.graph.nodes[node]
    var edit = index.replacing([node, reader], with: old.op, old.inputs, named: old.name)
    if let scale {
      if case .matMul(var op) = old.op, scale.allSatisfy({ $0 == scale[0] }) {
        op.alpha = Float(Double(op.alpha) * scale[0])
        edit.added[0].op = .matMul(op)
      } else {
        guard let weight = scaledWeight(scale), let id = old.inputs[1] else { return nil }
        edit.added[0].inputs[1] = edit.addConstant(index.graph[id].name, weight)
      }
    }
    guard bias != nil || shift != nil else { return edit }
    let values = (0..<channels).map { c -> Float in
      let held = Double(bias?[c] ?? 0)
      let factor: Double = scale?[c] ?? 1
      let added: Double = shift?[c] ?? 0
      return Float(held * factor + added)
    }
    let id = edit.addConstant(
      old.name + ".bias", Constant(floats: values, shape: Shape([channels])))
    edit.added[0].inputs = Array(edit.added[0].inputs.prefix(2)) + [id]
    return edit
  }

  /// The weight with each output channel scaled; nil where it is no constant of this node alone.
  private func scaledWeight(_ scale: [Double]) -> Constant? {
    let old = index.graph.nodes[node]
    guard let id = old.inputs[1], let weight = index.constant(id), weight.elementType == .f32,
      index.readers(id).count == 1
    else { return nil }
    /// Elements of one channel in a row, and channels.
    let run: Int
    switch old.op {
    case .matMul(let op):
      guard weight.shape.rank == 2 else { return nil }
      run = op.transposeB ? weight.shape[1] : 1
    default: run = weight.shape.elementCount / max(channels, 1)
    }
    guard run > 0 else { return nil }
    return Constant(elementType: .f32, shape: weight.shape) { out in
      for e in 0..<weight.shape.elementCount {
        let w = weight.bytes.loadUnaligned(fromByteOffset: e * 4, as: Float.self)
        let scaled = Float(Double(w) * scale[e / run % channels])
        out.storeBytes(of: scaled, toByteOffset: e * 4, as: Float.self)
      }
    }
  }
}
