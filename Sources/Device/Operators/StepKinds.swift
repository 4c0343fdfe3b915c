// When each step of a program is done: ahead of the run, in planned memory, or with shapes found there.

/// When a step is done.
public enum StepKind: Sendable, Equatable {
  /// While preparing: its outputs follow from constants and shapes.
  case ahead
  /// In a run, in memory that was planned: its shapes follow from those of the inputs.
  case planned
  /// In a run, and only there are its shapes known: they follow from data.
  case dynamic
}

/// What is known of tensors before a run, found from the operators alone: the same at all extents.
public struct StepKinds {
  /// Tensors whose values are there once preparing is done.
  public private(set) var isKnown: [Bool]
  /// Tensors whose shape only a run finds.
  public private(set) var isOpen: [Bool]

  /// Nothing is known and no shape is open.
  public init(tensorCount: Int) {
    isKnown = [Bool](repeating: false, count: tensorCount)
    isOpen = [Bool](repeating: false, count: tensorCount)
  }

  /// Tensor `t` is a constant.
  public mutating func setKnown(_ t: Int) { isKnown[t] = true }

  /// Tensor `t` is an input of any shape.
  public mutating func setOpen(_ t: Int) { isOpen[t] = true }

  /// Takes the next step in running order. Inputs that are left out are negative.
  public mutating func add(_ op: Operator, inputs: [Int], outputs: [Int]) -> StepKind {
    var allKnown = true
    var anyOpen = false
    var waits = false
    for (i, t) in inputs.enumerated() where t >= 0 {
      if isOpen[t] { anyOpen = true }
      guard !isKnown[t] else { continue }
      allKnown = false
      if op.readsValue(ofInput: i) { waits = true }
    }
    let runsBodies = op.bodies.count > 0
    if !runsBodies, !anyOpen, !waits, allKnown || op.dependsOnShapesOnly {
      for t in outputs { isKnown[t] = true }
      return .ahead
    }
    guard anyOpen || runsBodies || waits else { return .planned }
    for t in outputs { isOpen[t] = true }
    return .dynamic
  }
}
