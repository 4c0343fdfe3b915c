// What the columns of weights are multiplied with: second moments over calibration inputs.
import Dispatch
import Operators
import Programs
import Quantization
import Runtime
import Tensors

extension LossMeter {
  /// Weights of products and convolutions that share what they are multiplied with, in the order in which
  /// the program first reads them. Weights of other operators, and those of more columns than are
  /// factored, are in none.
  public var momentGroups: [[Int]] {
    guard session.canReplay else { return [] }
    var groups: [(key: Int, weights: [Int])] = []
    for (n, i) in session.runnableSteps.enumerated() {
      let step = model.program.steps[i]
      guard step.inputs.count > 1, let w = multiplied(step), columns(w) > 1,
        columns(w) <= ErrorFeedback.maximumColumns,
        !groups.contains(where: { $0.weights.contains(w) })
      else { continue }
      // A tensor may lie where another one did: only neighbours are known to read the same.
      if let last = groups.last, last.key == step.inputs[0], case .matMul = step.op,
        columns(last.weights[0]) == columns(w), isSameInput(last.weights[0], n)
      {
        groups[groups.count - 1].weights.append(w)
      } else {
        groups.append((step.inputs[0], [w]))
      }
    }
    return groups.map(\.weights)
  }

  /// The weight of a product or convolution; nil for other steps.
  private func multiplied(_ step: Step) -> Int? {
    let w = step.inputs[1]
    guard w >= 0, !model.program.isSlot(w), step.inputs[0] >= 0,
      model.program.isSlot(step.inputs[0]), model.sources[w].isQuantizable
    else { return nil }
    switch step.op {
    case .matMul(let op): return op.transposeA || model.program.weights[w].shape.rank != 2 ? nil : w
    case .conv(let op): return op.groups == 1 ? w : nil
    default: return nil
    }
  }

  private func columns(_ w: Int) -> Int { model.sources[w].rowLength }

  /// Whether the step at place `n` reads what the first step with weight `w` read: nothing has written it
  /// since.
  private func isSameInput(_ w: Int, _ n: Int) -> Bool {
    let steps = session.runnableSteps.map { model.program.steps[$0] }
    guard let first = steps.firstIndex(where: { $0.inputs.contains(w) }) else { return false }
    let input = steps[n].inputs[0]
    return !steps[first..<n].contains { $0.outputs.contains(input) }
  }

  /// Moments of the inputs of some groups, by the group's first weight.
  public func moments(of groups: [[Int]]) throws -> [Int: InputMoments] {
    var samplers: [Int: MomentSampler] = [:]
    var places: [(place: Int, weight: Int)] = []
    for group in groups {
      let w = group[0]
      guard
        let n = session.runnableSteps.firstIndex(where: {
          model.program.steps[$0].inputs.count > 1 && model.program.steps[$0].inputs[1] == w
        })
      else { continue }
      samplers[w] = MomentSampler(columns: columns(w), itemCount: items.count)
      places.append((n, w))
    }
    places.sort { $0.place < $1.place }
    for item in items {
      try item.fill(session)
      var at = 0
      for (n, w) in places {
        session.run(steps: at..<n)
        at = n
        let step = model.program.steps[session.runnableSteps[n]]
        let x = session.tensor(step.inputs[0])
        guard x.elementType == .f32 else { continue }
        switch step.op {
        case .matMul: samplers[w]?.add(rows: x)
        case .conv(let op):
          let output = session.tensor(step.outputs[0]).shape
          samplers[w]?.add(patches: x, op.window, kernel: model.sources[w].shape, output)
        default: break
        }
      }
    }
    var moments: [Int: InputMoments] = [:]
    for w in Array(samplers.keys) { moments[w] = samplers.removeValue(forKey: w)?.moments() }
    return moments
  }
}

/// Adds outer products of sampled columns.
private struct MomentSampler {
  private let columns: Int
  private var sums: [Float]
  private var count = 0
  private let perItem: Int
  /// Samples that wait to be added, row after row, and how many.
  private var waiting: [Float]
  private var waitingCount = 0
  private static let mostWaiting = 32

  init(columns: Int, itemCount: Int) {
    self.columns = columns
    sums = [Float](repeating: 0, count: columns * columns)
    waiting = [Float](repeating: 0, count: columns * MomentSampler.mostWaiting)
    // A few times as many samples as columns say how columns go together.
    let wanted = min(max(4 * columns, 512), 4096)
    perItem = max(1, (wanted + itemCount - 1) / itemCount)
  }

  consuming func moments() -> InputMoments {
    addWaiting()
    let scale = 1 / Float(max(count, 1))
    var values = sums.map { $0 * scale }
    for i in 0..<columns { for j in 0..<i { values[i * columns + j] = values[j * columns + i] } }
    return InputMoments(columns: columns, values: values, sampleCount: count)
  }

  /// Takes a sample: what `element` says of each column.
  private mutating func take(_ element: (Int) -> Float) {
    let at = waitingCount * columns
    for j in 0..<columns {
      let x = element(j)
      waiting[at + j] = x.isFinite ? x : 0
    }
    waitingCount += 1
    if waitingCount == MomentSampler.mostWaiting { addWaiting() }
  }

  /// Adds the outer products of those that wait, of four at a time.
  private mutating func addWaiting() {
    let (k, n) = (columns, waitingCount)
    count += n
    waitingCount = 0
    for i in n * k..<(n + 3) / 4 * 4 * k { waiting[i] = 0 }
    sums.withUnsafeMutableBufferPointer { sums in
      waiting.withUnsafeBufferPointer { waiting in
        nonisolated(unsafe) let (sums, waiting) = (sums.baseAddress!, waiting.baseAddress!)
        let block = 16
        DispatchQueue.concurrentPerform(iterations: (k + block - 1) / block) { part in
          for r in stride(from: 0, to: n, by: 4) {
            let (a, b) = (waiting + r * k, waiting + (r + 1) * k)
            let (c, d) = (waiting + (r + 2) * k, waiting + (r + 3) * k)
            for i in part * block..<min((part + 1) * block, k) {
              let (w, x, y, z) = (a[i], b[i], c[i], d[i])
              let target = sums + i * k
              for j in i..<k { target[j] += (w * a[j] + x * b[j]) + (y * c[j] + z * d[j]) }
            }
          }
        }
      }
    }
  }

  mutating func add(rows x: TensorView) {
    let total = x.shape.elementCount / columns
    guard total > 0, x.shape.elementCount % columns == 0 else { return }
    let taken = min(total, perItem)
    let elements = x.pointer.assumingMemoryBound(to: Float.self)
    for n in 0..<taken {
      let start = n * total / taken * columns
      take { elements[start + $0] }
    }
  }

  /// x: [n, c, …]; kernel: [outputs, c, …]; output: of the convolution.
  mutating func add(patches x: TensorView, _ window: Window, kernel: Shape, _ output: Shape) {
    let axes = x.shape.rank - 2
    guard (1...2).contains(axes), kernel.rank == x.shape.rank else { return }
    let elements = x.pointer.assumingMemoryBound(to: Float.self)
    let channels = x.shape[1]
    // The first of two axes is 1 long where there is one.
    func axis(_ i: Int) -> (
      input: Int, kernel: Int, output: Int, stride: Int, dilation: Int, begin: Int
    ) {
      let a = i - (2 - axes)
      guard a >= 0 else { return (1, 1, 1, 1, 1, 0) }
      let stride = window.strides.count == 0 ? 1 : window.strides[a]
      let dilation = window.dilations.count == 0 ? 1 : window.dilations[a]
      let (input, taps, out) = (x.shape[2 + a], kernel[2 + a], output[2 + a])
      var begin = 0
      let total = max((out - 1) * stride + (taps - 1) * dilation + 1 - input, 0)
      switch window.autoPad {
      case .explicit: begin = window.pads.count == 0 ? 0 : window.pads[a]
      case .sameUpper: begin = total / 2
      case .sameLower: begin = total - total / 2
      case .valid: begin = 0
      }
      return (input, taps, out, stride, dilation, begin)
    }
    let (v, h) = (axis(0), axis(1))
    let total = x.shape[0] * v.output * h.output
    guard channels * v.kernel * h.kernel == columns, total > 0 else { return }
    let taken = min(total, perItem)
    for n in 0..<taken {
      // One of each so many, not always the same column of the picture.
      let first = n * total / taken
      let place = first + n * 7 % max((n + 1) * total / taken - first, 1)
      let (image, y, z) = (
        place / (v.output * h.output), place / h.output % v.output, place % h.output
      )
      take { column in
        let (c, ky, kx) = (
          column / (v.kernel * h.kernel), column / h.kernel % v.kernel, column % h.kernel
        )
        let iy = y * v.stride + ky * v.dilation - v.begin
        let ix = z * h.stride + kx * h.dilation - h.begin
        guard iy >= 0, iy < v.input, ix >= 0, ix < h.input else { return 0 }
        return elements[((image * channels + c) * v.input + iy) * h.input + ix]
      }
    }
  }
}
