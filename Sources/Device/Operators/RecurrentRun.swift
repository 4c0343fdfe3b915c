// The arithmetic of a recurrent layer: one product and a few passes over the gates per time step.
import CKernels
import Tensors

/// One run over borrowed memory; the hidden state and the cell live in the outputs.
@unsafe struct RecurrentRun {
  typealias Floats = UnsafeMutablePointer<Float>

  private let op: Recurrent
  private let step: StepContext
  private let layout: RecurrentLayout
  private let kernels: UnsafePointer<kn_kernels>
  private let hidden: Int
  private let gateWidth: Int
  private let gates: Floats
  private let extra: Floats
  private let state: Floats
  private let cell: Floats?
  private let bias: Floats?
  private let peepholes: Floats?

  init(_ op: Recurrent, _ step: StepContext, _ layout: RecurrentLayout) {
    unsafe self.op = op
    unsafe self.step = step
    unsafe self.layout = layout
    unsafe kernels = unsafe step.compute.kernels
    let x = step.input(0).shape
    unsafe hidden = step.input(1).shape[0]
    unsafe gateWidth = x[2]
    unsafe gates = step.scratch(Float.self, count: x[1] * x[2], at: layout.gates).pointer()
    unsafe extra =
      step.scratch(Float.self, count: x[1] * layout.extraWidth, at: layout.extra).pointer()
    unsafe state = step.output(1).floats.pointer()
    unsafe cell = op.kind == .lstm ? step.output(2).floats.pointer() : nil
    unsafe bias = step.has(3) ? step.input(3).floats.pointer() : nil
    unsafe peepholes = step.has(7) ? step.input(7).floats.pointer() : nil
  }

  func run(time: Int, batch: Int) {
    unsafe start(5, state, batch)
    if let cell = unsafe cell { unsafe start(6, cell, batch) }
    let x = unsafe step.input(0).floats
    let y = unsafe step.output(0).floats
    let width = unsafe gateWidth
    let size = unsafe hidden
    y.fill(0)
    for s in 0..<time {
      for b in 0..<batch {
        let t = unsafe place(s, b, time)
        let row = unsafe gates + b * width
        if t >= 0 {
          unsafe row.update(from: x.pointer((t * batch + b) * width, count: width), count: width)
        } else {
          unsafe row.update(repeating: 0, count: width)
        }
      }
      unsafe products(batch)
      for b in 0..<batch {
        let t = unsafe place(s, b, time)
        guard t >= 0 else { continue }
        unsafe finish(b)
        unsafe y.pointer((t * batch + b) * size, count: size).update(
          from: state + b * size, count: size)
      }
    }
  }

  /// The time step that row `b` takes at step `s` of the run; -1 past the end of its sequence.
  private func place(_ s: Int, _ b: Int, _ time: Int) -> Int {
    var length = time
    if unsafe step.has(4) {
      length = unsafe min(max(Int(step.input(4).elements(Int32.self)[b]), 0), time)
    }
    guard s < length else { return -1 }
    return unsafe op.isReverse ? length - 1 - s : s
  }

  /// The initial state of input `i`, zeros where it is left out.
  private func start(_ i: Int, _ to: Floats, _ batch: Int) {
    let count = unsafe batch * hidden
    if unsafe step.has(i) {
      unsafe to.update(from: step.input(i).floats.pointer(0, count: count), count: count)
    } else {
      unsafe to.update(repeating: 0, count: count)
    }
  }

  /// What the hidden states add to the gates of all rows.
  private func products(_ batch: Int) {
    let weight = unsafe step.input(1)
    if unsafe op.kind == .gruResetAfter {
      unsafe layout.main.multiply(
        state, rows: batch, weight, into: extra, ldc: layout.extraWidth, accumulates: false, step)
      return
    }
    unsafe layout.main.multiply(
      state, rows: batch, weight, into: gates, ldc: gateWidth, accumulates: true, step)
    guard let candidate = unsafe layout.candidate else { return }
    for b in 0..<batch {
      let row = unsafe gates + b * gateWidth
      unsafe activate(op.f, row, 2 * hidden)
      unsafe combine(KN_B_MUL, row + hidden, state + b * hidden, extra + b * hidden)
    }
    unsafe candidate.multiply(
      extra, rows: batch, step.input(2), into: gates + 2 * hidden, ldc: gateWidth,
      accumulates: true, step)
  }

  /// The new state of row `b` from its gates.
  private func finish(_ b: Int) {
    let row = unsafe gates + b * gateWidth
    let h = unsafe state + b * hidden
    switch unsafe op.kind {
    case .rnn:
      unsafe activate(op.f, row, hidden)
      unsafe h.update(from: row, count: hidden)
    case .gru:
      unsafe activate(op.g, row + 2 * hidden, hidden)
      unsafe blend(row, row + 2 * hidden, h)
    case .gruResetAfter:
      let product = unsafe extra + b * layout.extraWidth
      let n = unsafe row + 2 * hidden
      unsafe combine(KN_B_ADD, row, product, row, count: 2 * hidden)
      unsafe activate(op.f, row, 2 * hidden)
      let after = unsafe product + 2 * hidden
      if let bias = unsafe bias { unsafe combine(KN_B_ADD, after, bias, after) }
      unsafe combine(KN_B_MUL, after, row + hidden, after)
      unsafe combine(KN_B_ADD, n, after, n)
      unsafe activate(op.g, n, hidden)
      unsafe blend(row, n, h)
    case .lstm: unsafe finishLSTM(b, row, h)
    }
  }

  /// h = n + z (h − n).
  private func blend(_ z: Floats, _ n: Floats, _ h: Floats) {
    unsafe combine(KN_B_SUB, h, n, h)
    unsafe combine(KN_B_MUL, h, z, h)
    unsafe combine(KN_B_ADD, h, n, h)
  }

  private func finishLSTM(_ b: Int, _ row: Floats, _ h: Floats) {
    guard let base = unsafe cell else { return }
    let c = unsafe base + b * hidden
    let o = unsafe row + hidden
    let forget = unsafe row + 2 * hidden
    let candidate = unsafe row + 3 * hidden
    let spare = unsafe extra + b * hidden
    if let p = unsafe peepholes {
      unsafe peep(p, c, row, spare)
      unsafe peep(p + 2 * hidden, c, forget, spare)
      unsafe activate(op.f, row, hidden)
      unsafe activate(op.f, forget, hidden)
    } else {
      unsafe activate(op.f, row, 3 * hidden)
    }
    unsafe activate(op.g, candidate, hidden)
    if unsafe op.couplesForget {
      unsafe kernels.pointee.unary_f32(
        Int32(KN_U_AFFINE.rawValue), row, forget, hidden, -1, 1)
    }
    unsafe combine(KN_B_MUL, c, forget, c)
    unsafe combine(KN_B_MUL, candidate, row, candidate)
    unsafe combine(KN_B_ADD, c, candidate, c)
    if unsafe op.cellClip > 0 {
      unsafe kernels.pointee.unary_f32(
        Int32(KN_U_CLIP.rawValue), c, c, hidden, -op.cellClip, op.cellClip)
    }
    if let p = unsafe peepholes {
      unsafe peep(p + hidden, c, o, spare)
      unsafe activate(op.f, o, hidden)
    }
    unsafe h.update(from: c, count: hidden)
    // ONNX Runtime clips gates only, and models are made for what it does.
    unsafe op.h.apply(h, hidden, kernels)
    unsafe combine(KN_B_MUL, h, o, h)
  }

  /// gate += p ⊙ c.
  private func peep(_ p: Floats, _ c: Floats, _ gate: Floats, _ spare: Floats) {
    unsafe combine(KN_B_MUL, p, c, spare)
    unsafe combine(KN_B_ADD, gate, spare, gate)
  }

  private func activate(_ function: RecurrentActivation, _ x: Floats, _ count: Int) {
    if unsafe op.clip > 0 {
      unsafe kernels.pointee.unary_f32(
        Int32(KN_U_CLIP.rawValue), x, x, count, -op.clip, op.clip)
    }
    unsafe function.apply(x, count, kernels)
  }

  /// y = a op b, for one state's width or `count` numbers; y may be a or b.
  private func combine(
    _ operation: kn_binary, _ a: Floats, _ b: Floats, _ y: Floats, count: Int? = nil
  ) {
    unsafe kernels.pointee.binary_f32(
      Int32(operation.rawValue), Int32(KN_BOTH.rawValue), a, b, y, count ?? hidden)
  }
}
