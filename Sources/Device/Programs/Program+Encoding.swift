// A program as deterministic CBOR, so that any CBOR tool can look into a bundle.
import Bytes
import Operators
import Tensors

extension Program {
  /// The program section's bytes.
  public func encoded() -> [UInt8] { CBOR.encode(value(isBody: false)) }

  /// A body's weights are numbers of the outermost program's; programs without bodies do not say so, nor
  /// do those without texts.
  private func value(isBody: Bool) -> CBORValue {
    var fields = [
      CBORPair(
        "symbols", .array(symbols.map { .array([.text($0.name), .integer($0.limit)]) })),
      CBORPair("inputs", .array(inputs.map(Program.encode))),
      CBORPair("outputs", .array(outputs.map { .array([.text($0.name), .integer($0.tensor)]) })),
      CBORPair("states", .array(states.map { .array([.integer($0.input), .integer($0.tensor)]) })),
      CBORPair(
        "weights", isBody ? .integers(sharedWeights) : .array(weights.map(Program.encode))),
      CBORPair("slots", .integer(slotCount)),
      CBORPair("steps", .array(steps.map(Program.encode))),
      CBORPair("plan", plan.encoded()),
    ]
    if !bodies.isEmpty {
      fields.append(CBORPair("bodies", .array(bodies.map { $0.value(isBody: true) })))
    }
    if !texts.isEmpty { fields.append(CBORPair("texts", .bytes(texts))) }
    return .map(fields)
  }

  private static func encode(_ input: ProgramInput) -> CBORValue {
    .array([
      .text(input.name), .integer(input.tensor), .integer(Int(input.elementType.rawValue)),
      // A symbol is the complement of its index: negative.
      input.isOpen
        ? .null
        : .array(
          input.dimensions.map { d in
            switch d {
            case .constant(let n): .integer(n)
            case .symbol(let s): .integer(-1 - s)
            }
          }),
    ])
  }

  private static func encode(_ w: ProgramWeight) -> CBORValue {
    .array([
      .text(w.name), .integer(Int(w.elementType.rawValue)),
      .integer(w.encoding.map { Int($0.scheme.rawValue) } ?? 0),
      .integer(w.encoding.map { Int($0.layout.rawValue) } ?? 0),
      .array(w.shape.dimensions.map { .integer($0) }), .integer(w.offset),
    ])
  }

  private static func encode(_ step: Step) -> CBORValue {
    .array([
      .text(step.name), .integer(step.op.code),
      .array(
        step.op.attributes.map { value in
          switch value {
          case .integer(let n): .integer(n)
          case .float(let f): .double(Double(f))
          }
        }),
      .integers(step.inputs), .integers(step.outputs),
    ])
  }
}

extension ArenaPlan {
  fileprivate func encoded() -> CBORValue {
    .map([
      "arena_bytes": .integer(arenaBytes),
      "lower_bound_bytes": .integer(lowerBoundBytes),
      "peak_step": .integer(peakStep),
      "offsets": .integers(offsets),
      "capacities": .integers(capacities),
      "roots": .integers(roots),
      "scratch_offsets": .integers(scratchOffsets),
      "scratch_capacities": .integers(scratchCapacities),
    ])
  }
}

extension CBORValue {
  fileprivate static func integers(_ list: [Int]) -> CBORValue { .array(list.map { .integer($0) }) }
}
