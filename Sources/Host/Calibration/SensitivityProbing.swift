// Measures sensitivities: each weight is quantized alone, at a few steps, and the model is run.
import Foundation
import Graphs
import Programs

/// What a long measurement tells, and whether it goes on.
public struct ProbingProgress: Sendable {
  public var doneRuns: Double
  public var totalRuns: Double
}

extension LossMeter {
  /// Steps of the probes relative to the weight's root mean square: about 3.5 and 2.6 bits. Where their
  /// slopes disagree, a third tells what finer steps cost.
  public static let probeSteps: [Double] = [0.35, 0.70]
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
  /// onGroup: told what is complete after each group.
  /// progress: told after every item; returns false to stop, and what is complete so far is returned.
  public func sensitivities(
    of weights: [Int]? = nil, budgetBytes: Int = 64 << 20,
    onGroup: ([Sensitivity]) throws -> Void = { _ in },
    progress: (ProbingProgress) -> Bool = { _ in true }
  ) throws -> [Sensitivity] {
    let list = weights ?? probedWeights
    let first = firstUses()
    var groups: [[Int]] = []
    var held = 0
    for w in list {
      let bytes = byteCount(of: w) * (LossMeter.probeSteps.count + 1)
      if groups.isEmpty || held + bytes > budgetBytes {
        groups.append([])
        held = 0
      }
      groups[groups.count - 1].append(w)
      held += bytes
    }
    var state = ProbingProgress(
      doneRuns: 0, totalRuns: Double(list.count * LossMeter.probeSteps.count * items.count))
    var found: [Sensitivity] = []
    for group in groups {
      // One that is too large for the budget is quantized in its place, again for every run.
      let holds = byteCount(of: group[0]) * (LossMeter.probeSteps.count + 1) <= budgetBytes
      let probes = group.map { WeightProbe(self, $0, steps: LossMeter.probeSteps, holds: holds) }
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
        bent.append(WeightProbe(self, probe.weight, steps: [LossMeter.thirdStep], holds: holds))
      }
      guard try measure(bent, first, { _ in progress(state) }) else { return found }
      for probe in probes {
        var sensitivity = probe.sensitivity
        for other in bent where other.weight == probe.weight {
          sensitivity.probes += other.sensitivity.probes
        }
        found.append(sensitivity)
      }
      try onGroup(found)
    }
    return found
  }

  private func byteCount(of w: Int) -> Int { parts(of: w).reduce(0) { $0 + $1.count } }

  /// Adds the losses of all probes over all items; false where `progress` said to stop.
  private func measure(
    _ probes: [WeightProbe], _ first: [Int: Int], _ progress: (Double) -> Bool
  ) throws -> Bool {
    guard !probes.isEmpty else { return true }
    guard session.canReplay, probes.allSatisfy(\.holds) else {
      return try measureWhole(probes, progress)
    }
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
          for v in 0..<probe.variantCount {
            probe.apply(v, to: self)
            session.run(steps: at..<end)
            probe.losses[v] += try reference.currentLoss(i, of: session) / Double(items.count)
            session.restore(from: saved)
          }
          probe.undo(self)
        }
      }
      let runs = probes.reduce(0) { $0 + $1.variantCount }
      guard progress(Double(runs)) else { return false }
    }
    return true
  }

  private func measureWhole(
    _ probes: [WeightProbe], _ progress: (Double) -> Bool
  ) throws -> Bool {
    for probe in probes {
      for v in 0..<probe.variantCount {
        probe.apply(v, to: self)
        defer { probe.undo(self) }
        probe.losses[v] = try loss()
      }
      guard progress(Double(probe.variantCount * items.count)) else { return false }
    }
    return true
  }
}

/// One weight with its quantized variants, encoded as the session reads them.
final class WeightProbe {
  let weight: Int
  /// Whether the bytes of all variants are kept; else they are made each time they are asked for.
  let holds: Bool
  private let name: String
  private let count: Int
  private let scale: Double
  private let steps: [Float]
  private var original: [UInt8] = []
  private var variants: [[UInt8]] = []
  private var distortions: [Double] = []
  var losses: [Double]

  init(_ meter: LossMeter, _ w: Int, steps: [Double], holds: Bool) {
    weight = w
    self.holds = holds
    name = meter.model.sources[w].name
    count = meter.model.sources[w].constant.shape.elementCount
    let parts = meter.parts(of: w)
    // Elements of which nothing is read are as those that are: the whole weight is what is measured.
    let source = meter.model.sources[w].constant
    let (squares, used) = parts.reduce((0.0, 0)) { sum, part in
      let elements = part.bindMemory(to: Float.self)
      return (
        elements.reduce(sum.0) { $1.isFinite ? $0 + Double($1) * Double($1) : $0 },
        sum.1 + elements.count
      )
    }
    let isPart = used < count
    let all = isPart ? WeightProbe.squares(source) : squares
    if isPart { source.releasePages() }
    let scale = (all / Double(max(count, 1))).squareRoot()
    self.scale = scale
    self.steps = scale > 0 ? steps.map { Float($0 * scale) } : []
    losses = [Double](repeating: 0, count: self.steps.count)
    if holds { original = WeightProbe.bytes(parts) }
    for v in self.steps.indices {
      let distortion = parts.reduce(0) { $0 + WeightProbe.round($1, to: self.steps[v]) }
      distortions.append(isPart ? distortion * Double(count) / Double(max(used, 1)) : distortion)
      if holds { variants.append(WeightProbe.bytes(parts)) }
      undo(meter)
    }
  }

  private static func squares(_ constant: Constant) -> Double {
    var squares = 0.0
    for i in 0..<constant.shape.elementCount {
      let x = constant.bytes.loadUnaligned(fromByteOffset: 4 * i, as: Float.self)
      if x.isFinite { squares += Double(x) * Double(x) }
    }
    return squares
  }

  private static func bytes(_ parts: [UnsafeMutableRawBufferPointer]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(parts.reduce(0) { $0 + $1.count })
    for part in parts { bytes += part }
    return bytes
  }

  var variantCount: Int { steps.count }

  /// Rounds the elements to multiples of `step`; the sum of squared errors.
  private static func round(_ bytes: UnsafeMutableRawBufferPointer, to step: Float) -> Double {
    let elements = bytes.bindMemory(to: Float.self)
    var distortion = 0.0
    for i in elements.indices where elements[i].isFinite {
      let q = (elements[i] / step).rounded(.toNearestOrEven) * step
      distortion += Double(q - elements[i]) * Double(q - elements[i])
      elements[i] = q
    }
    return distortion
  }

  func apply(_ variant: Int, to meter: LossMeter) {
    if holds { return put(variants[variant], meter) }
    undo(meter)
    for part in meter.parts(of: weight) { _ = WeightProbe.round(part, to: steps[variant]) }
  }

  func undo(_ meter: LossMeter) {
    if holds { put(original, meter) } else { meter.reset(weight) }
  }

  private func put(_ bytes: [UInt8], _ meter: LossMeter) {
    var at = 0
    for part in meter.parts(of: weight) {
      part.copyBytes(from: bytes[at..<at + part.count])
      at += part.count
    }
  }

  var sensitivity: Sensitivity {
    Sensitivity(
      weight: weight, name: name, elementCount: count, scale: scale,
      probes: zip(distortions, losses).filter { $0.0 > 0 }.map {
        Sensitivity.Probe(distortion: $0.0, loss: $0.1)
      })
  }
}
