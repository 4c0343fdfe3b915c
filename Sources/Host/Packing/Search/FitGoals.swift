// What a person asks of a bundle, beyond that it fits the target.
import Fitting
import Tensors

/// Limits that the search for each weight's precision keeps. What is not asked does not bind.
public struct FitGoals: Equatable, Sendable {
  /// The largest loss of the outputs against the float model, in the metric of the task.
  public var loss: Double?
  /// Bytes of the bundle, peak memory of a run, seconds and joules of an inference.
  public var budgets: ResourceAmounts

  public init(loss: Double? = nil, budgets: ResourceAmounts = .unlimited) {
    self.loss = loss
    self.budgets = budgets
  }

  /// True where nothing is asked: the most precise scheme that fits, one for all, is chosen then.
  public var isEmpty: Bool { loss == nil && budgets == .unlimited }
}

/// Somebody's wish for some weights: the scheme of all whose names match, kept as it is.
public struct SchemePin: Equatable, Sendable {
  /// A name, with `*` for any run of characters.
  public var pattern: String
  public var scheme: QuantizationScheme

  public init(pattern: String, scheme: QuantizationScheme) {
    self.pattern = pattern
    self.scheme = scheme
  }

  public func matches(_ name: String) -> Bool {
    let parts = pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
    var rest = Array(name.utf8)[...]
    for (i, part) in parts.enumerated() {
      if i == 0 {
        guard rest.starts(with: part) else { return false }
        rest = rest.dropFirst(part.count)
        if parts.count == 1 { return rest.isEmpty }
      } else if i == parts.count - 1 {
        return rest.count >= part.count && rest.suffix(part.count).elementsEqual(part)
      } else {
        guard let start = rest.firstRange(of: part)?.lowerBound else { return false }
        rest = rest[(start + part.count)...]
      }
    }
    return true
  }
}

/// The search found no weights that keep the goals, and how near it came.
public struct GoalsNotReached: Error, CustomStringConvertible, Sendable {
  /// One limit and what the nearest choice takes of it.
  public struct Excess: Equatable, Sendable {
    public var name: String
    public var needs: String
    public var limit: String
    public var shortfall: String
    /// The smallest limit that would do while the others stay as they are; nil where none would.
    public var relaxed: String?
  }
  public var target: String
  public var binding: [Excess]
  /// Limits of which more would help as well, though they are kept.
  public var relaxations: [Excess] = []

  public var description: String {
    let lines = binding.map { e in
      "\(e.name): needs \(e.needs), has \(e.limit), short by \(e.shortfall)"
        + (e.relaxed.map { "; \($0) would do" } ?? "")
    }
    let others = relaxations.compactMap { e in e.relaxed.map { "or \(e.name) \($0)" } }
    return "does not fit \(target) with any choice of precisions: "
      + (lines + others).joined(separator: "; ") + "; --best-effort packs the nearest"
  }
}
