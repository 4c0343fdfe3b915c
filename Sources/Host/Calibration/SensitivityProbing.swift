// Measures sensitivities: each weight is quantized alone, at a few steps, and the model is run.
import Foundation
import Graphs
import Programs
import Tensors

/// What a long measurement tells, and whether it goes on.
public struct ProbingProgress: Sendable {
  public var doneRuns: Double
  public var totalRuns: Double
}

extension LossMeter {
  /// Steps of the probes relative to the weight's root mean square: about 3.5 and 2.6 bits. Where their
  /// slopes disagree, a third tells what finer steps cost.
  static let steps: [Double] = [0.35, 0.70]
  static let thirdStep = 0.175

  /// Weights worth measuring, in the order in which the program first reads them.
  public var probedWeights: [Int] {
    let first = firstUses()
    return model.sources.indices.filter { model.sources[$0].isQuantizable }
      .sorted { (first[$0] ?? Int.max, $0) < (first[$1] ?? Int.max, $1) }
  }

  /// Where in `runnableSteps` each weight is first read; none for those that only bodies read.
  private func firstUses() -> [Int: Int] {
    var first: [Int: Int] = [:]
    for (n, i) in session.runnableSteps.enumerated() {
      for t in model.program.steps[i].inputs
      where t >= 0 && !model.program.isSlot(t) && first[t] == nil {
        first[t] = n
      }
    }
    return first
  }

  /// Measures `weights` (all worth measuring by default), each alone.
  ///
  /// What runs before a weight is first read is not run again for it: a part of the program is run, its
  /// memory kept, and every probe starts from there.
  ///
  /// budgetBytes: memory for quantized weights at a time; they are measured in groups of that size.
  /// progress: told after every item; returns false to stop, and what is complete so far is returned.
  public func sensitivities(
    of weights: [Int]? = nil, budgetBytes: Int = 64 << 20,
    progress: (ProbingProgress) -> Bool = { _ in true }
  ) throws -> [Sensitivity] {
    let list = weights ?? probedWeights
    let first = firstUses()
    var groups: [[Int]] = []
    var held = 0
    for w in list {
      let bytes = bytes(of: w).count * (LossMeter.steps.count + 1)
      if groups.isEmpty || held + bytes > budgetBytes {
        groups.append([])
        held = 0
      }
      groups[groups.count - 1].append(w)
      held += bytes
    }
    var state = ProbingProgress(
      doneRuns: 0, totalRuns: Double(list.count * LossMeter.steps.count * items.count))
    var found: [Sensitivity] = []
    for group in groups {
      let probes = group.map { WeightProbe(self, $0, steps: LossMeter.steps) }
      guard
        try measure(
          probes, first,
          {
            state.doneRuns += $0
            return progress(state)
          })
      else {
        return found
      }
      var bent: [WeightProbe] = []
      for probe in probes where probe.sensitivity.bend > Sensitivity.acceptedBend {
        bent.append(WeightProbe(self, probe.weight, steps: [LossMeter.thirdStep]))
      }
      guard try measure(bent, first, { _ in progress(state) }) else { return found }
      for probe in probes {
        var sensitivity = probe.sensitivity
        for other in bent where other.weight == probe.weight {
          sensitivity.probes += other.sensitivity.probes
        }
        found.append(sensitivity)
      }
    }
    return found
  }

  /// Adds the losses of all probes over all items; false where `progress` said to stop.
  private func measure(
    _ probes: [WeightProbe], _ first: [Int: Int], _ progress: (Double) -> Bool
  ) throws -> Bool {
    guard !probes.isEmpty else { return true }
    guard session.canReplay else { return try measureWhole(probes, progress) }
    let end = session.runnableSteps.count
    var saved: [UInt8] = []
    for (i, item) in items.enumerated() {
      try item.fill(session)
      var at = 0
      if saved.count < session.savedByteCount {
        saved = [UInt8](repeating: 0, count: session.savedByteCount)
      }
      try saved.withUnsafeMutableBytes { saved in
        var isSaved = false
        for probe in probes {
          let start = first[probe.weight] ?? end
          precondition(start >= at)
          if start > at || !isSaved {
            session.run(steps: at..<start)
            at = start
            session.save(to: saved)
            isSaved = true
          }
          for v in probe.variants.indices {
            probe.apply(v, to: self)
            session.run(steps: at..<end)
            probe.losses[v] += try currentLoss(i) / Double(items.count)
            session.restore(from: saved)
          }
          probe.undo(self)
        }
      }
      let runs = probes.reduce(0) { $0 + $1.variants.count }
      guard progress(Double(runs)) else { return false }
    }
    return true
  }

  private func measureWhole(
    _ probes: [WeightProbe], _ progress: (Double) -> Bool
  ) throws -> Bool {
    for probe in probes {
      for v in probe.variants.indices {
        probe.apply(v, to: self)
        defer { probe.undo(self) }
        probe.losses[v] = try loss()
      }
      guard progress(Double(probe.variants.count * items.count)) else { return false }
    }
    return true
  }
}

/// One weight with its quantized variants, encoded as the session reads them.
final class WeightProbe {
  let weight: Int
  private let name: String
  private let count: Int
  private let scale: Double
  private let original: [UInt8]
  private(set) var variants: [[UInt8]] = []
  private var distortions: [Double] = []
  var losses: [Double]

  init(_ meter: LossMeter, _ w: Int, steps: [Double]) {
    weight = w
    name = meter.model.sources[w].name
    let constant = meter.model.sources[w].constant
    count = constant.shape.elementCount
    original = Array(meter.bytes(of: w))
    var squares = 0.0
    for i in 0..<count {
      let x = Double(constant.bytes.loadUnaligned(fromByteOffset: 4 * i, as: Float.self))
      if x.isFinite { squares += x * x }
    }
    scale = (squares / Double(max(count, 1))).squareRoot()
    losses = []
    guard scale > 0 else { return }
    for relative in steps {
      let step = Float(relative * scale)
      var distortion = 0.0
      let quantized = Constant(elementType: .f32, shape: constant.shape) { out in
        let y = out.bindMemory(to: Float.self)
        for i in 0..<count {
          let x = constant.bytes.loadUnaligned(fromByteOffset: 4 * i, as: Float.self)
          let q = x.isFinite ? (x / step).rounded(.toNearestOrEven) * step : x
          y[i] = q
          if x.isFinite { distortion += Double(q - x) * Double(q - x) }
        }
      }
      meter.set(w, to: quantized)
      variants.append(Array(meter.bytes(of: w)))
      distortions.append(distortion)
      losses.append(0)
    }
    undo(meter)
  }

  func apply(_ variant: Int, to meter: LossMeter) {
    meter.bytes(of: weight).copyBytes(from: variants[variant])
  }

  func undo(_ meter: LossMeter) { meter.bytes(of: weight).copyBytes(from: original) }

  var sensitivity: Sensitivity {
    Sensitivity(
      weight: weight, name: name, elementCount: count, scale: scale,
      probes: zip(distortions, losses).filter { $0.0 > 0 }.map {
        Sensitivity.Probe(distortion: $0.0, loss: $0.1)
      })
  }
}
