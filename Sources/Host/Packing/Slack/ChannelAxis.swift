// Where the output channels of weights of bytes are.
import Lowering
import Operators
import Programs

/// The output channels of a tensor of bytes: `count` of them, `stride` apart, or rows of `length` bytes.
struct ChannelAxis {
  var count: Int
  /// Bytes of a channel.
  var length: Int
  /// True where a channel's bytes stand one behind the other.
  var isContiguous: Bool

  /// Channels whose bytes are all zero, and those whose bytes are all one other number.
  func uniformChannels(_ bytes: UnsafeRawBufferPointer) -> (zero: [Int], other: [Int]) {
    var zero: [Int] = []
    var other: [Int] = []
    for c in 0..<count {
      let first = bytes[isContiguous ? c * length : c]
      let isUniform = (0..<length).allSatisfy {
        bytes[isContiguous ? c * length + $0 : $0 * count + c] == first
      }
      guard isUniform else { continue }
      // Of a few elements it says little that they are alike.
      if first == 0 { zero.append(c) } else if length >= 4 { other.append(c) }
    }
    return (zero, other)
  }
}

/// The channels of weights that integer operators read, by weight.
struct ChannelAxes {
  private var axes: [Int: ChannelAxis] = [:]

  init(_ model: LoweredModel) { collect(model.program, model) }

  subscript(weight: Int) -> ChannelAxis? { axes[weight] }

  private mutating func collect(_ program: Program, _ model: LoweredModel) {
    for step in program.steps {
      switch step.op {
      case .packRows(let op): add(step.inputs.first, op.isTransposed, program)
      case .integerDepthwise: add(step.inputs.dropFirst().first, true, program)
      default: break
      }
    }
  }

  private mutating func add(_ input: Int?, _ isLast: Bool, _ program: Program) {
    guard let input, program.weights.indices.contains(input) else { return }
    let shape = program.weights[input].shape
    guard shape.rank >= 2 else { return }
    let last = shape[shape.rank - 1]
    let others = shape.elementCount / max(last, 1)
    guard last > 0, others > 0 else { return }
    if isLast {
      // Of several matrices the channels repeat; one is looked at as a whole.
      let rows = shape[shape.rank - 2]
      guard others == rows else { return }
      axes[input] = ChannelAxis(count: last, length: others, isContiguous: false)
    } else {
      axes[input] = ChannelAxis(count: others, length: last, isContiguous: true)
    }
  }
}
