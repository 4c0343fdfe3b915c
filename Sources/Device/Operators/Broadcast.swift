// Walks two operands that broadcast to one output, a run of equal stride at a time.
import Tensors

/// The output's axes merged as far as both operands allow.
struct Broadcast {
  private var extents = Shape()
  private var stridesA = Shape()
  private var stridesB = Shape()
  /// Length of the innermost run, and how far each operand moves in it: 0 or 1.
  private(set) var run = 1
  private(set) var stepA = 1
  private(set) var stepB = 1
  private var outer = 1

  init(_ a: Shape, _ b: Shape, to output: Shape) {
    let sa = Broadcast.strides(a, to: output)
    let sb = Broadcast.strides(b, to: output)
    // Innermost axis first: `extents[0]` is the run.
    var axis = output.rank - 1
    while axis >= 0 {
      let extent = output[axis]
      if extent != 1 {
        let last = extents.rank - 1
        if last >= 0, sa[axis] == stridesA[last] * extents[last],
          sb[axis] == stridesB[last] * extents[last]
        {
          extents[last] *= extent
        } else {
          extents.append(extent)
          stridesA.append(sa[axis])
          stridesB.append(sb[axis])
        }
      }
      axis -= 1
    }
    guard extents.rank > 0 else { return }
    if stridesA[0] > 1 || stridesB[0] > 1 {
      // A transposed look cannot happen: operands are row-major, so the inner stride is 0 or 1.
      preconditionFailure("operand is not row-major")
    }
    run = extents[0]
    stepA = stridesA[0]
    stepB = stridesB[0]
    outer = extents.elementCount(of: 1..<extents.rank)
  }

  private static func strides(_ shape: Shape, to output: Shape) -> Shape {
    var result = Shape(repeating: 0, count: output.rank)
    var step = 1
    var i = shape.rank - 1
    while i >= 0 {
      result[output.rank - shape.rank + i] = shape[i] == 1 ? 0 : step
      step *= shape[i]
      i -= 1
    }
    return result
  }

  /// Calls `body` with the first offset of each run in a, b and the output.
  func forEachRun(_ body: (Int, Int, Int) -> Void) {
    guard run > 0 else { return }
    var position = Shape(repeating: 0, count: extents.rank)
    var a = 0
    var b = 0
    for block in 0..<outer {
      body(a, b, block * run)
      var axis = 1
      while axis < extents.rank {
        position[axis] += 1
        a += stridesA[axis]
        b += stridesB[axis]
        if position[axis] < extents[axis] { break }
        a -= stridesA[axis] * extents[axis]
        b -= stridesB[axis] * extents[axis]
        position[axis] = 0
        axis += 1
      }
    }
  }
}
