// The first fit: the most precise scheme, one for all tensors, that the device has room for.
import Lowering
import Programs
import Tensors

/// One scheme tried against a budget.
public struct FitCandidate: Sendable {
  public var scheme: QuantizationScheme
  public var model: LoweredModel
  public var memory: MemoryEstimate
  /// Weights, program and assets, before compression.
  public var storageBytes: Int

  public init(
    scheme: QuantizationScheme, model: LoweredModel, memory: MemoryEstimate, storageBytes: Int
  ) {
    self.scheme = scheme
    self.model = model
    self.memory = memory
    self.storageBytes = storageBytes
  }

  /// How far the candidate is over each limit; nothing where it fits.
  public func excess(over budget: FitBudget) -> [FitExcess] {
    var list: [FitExcess] = []
    if memory.peakBytes > budget.ramBytes {
      list.append(
        FitExcess(limit: .ram, needBytes: memory.peakBytes, limitBytes: budget.ramBytes))
    }
    if storageBytes > budget.storageBytes {
      list.append(
        FitExcess(limit: .storage, needBytes: storageBytes, limitBytes: budget.storageBytes))
    }
    return list
  }
}

/// A limit that binds.
public struct FitExcess: Equatable, Sendable {
  public var limit: FitResource
  public var needBytes: Int
  public var limitBytes: Int

  public var shortfallBytes: Int { needBytes - limitBytes }
}

/// Nothing fits.
public struct FitError: Error, Sendable {
  public var target: String
  /// The candidate with the least shortfall, and what it is short of.
  public var nearest: FitCandidate
  public var excess: [FitExcess]

  /// Exit code of the tools for "does not fit this target".
  public static let exitCode: Int32 = 2
}

extension FitError: CustomStringConvertible {
  public var description: String {
    let lines = excess.map { e in
      "\(e.limit.name): needs \(bytesText(e.needBytes)), has \(bytesText(e.limitBytes)), "
        + "short by \(bytesText(e.shortfallBytes))"
    }
    return "does not fit \(target) even as \(nearest.scheme.name): "
      + lines.joined(separator: "; ")
  }
}

/// `12.3 MiB`.
func bytesText(_ bytes: Int) -> String {
  let mib = Double(bytes) / 1_048_576
  return "\((mib * 10).rounded() / 10) MiB"
}

/// Tries uniform schemes from the most precise down.
public enum UniformFit {
  /// Most precise first. bf16 is not in it: f16 has the same size and three more bits; nor iq4_nl: nl4
  /// has its size and less error; nor what few models bear without a search: 3 and 2 bits.
  public static let schemes: [QuantizationScheme] = [.f32, .f16, .int8, .nl6, .nl5, .nl4]

  /// The first candidate that fits; with `scheme`, that one or nothing.
  ///
  /// lower: makes a candidate of a scheme.
  public static func fit(
    _ budget: FitBudget, target: String, scheme: QuantizationScheme?,
    lower: (QuantizationScheme) throws -> FitCandidate
  ) throws -> FitCandidate {
    var nearest: FitCandidate?
    for scheme in scheme.map({ [$0] }) ?? schemes {
      let candidate = try lower(scheme)
      let excess = candidate.excess(over: budget)
      if excess.isEmpty { return candidate }
      nearest = candidate
    }
    guard let nearest else { preconditionFailure("no scheme to try") }
    throw FitError(target: target, nearest: nearest, excess: nearest.excess(over: budget))
  }
}
