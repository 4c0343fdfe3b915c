// Which option every tensor gets: the multiple-choice knapsack over four budgets, as it is asked.

/// One way to store and run a tensor.
public struct AllocationOption: Equatable, Sendable {
  /// What it adds to the model's predicted loss; finite.
  public var loss: Double
  /// What it takes; finite and not negative.
  public var costs: ResourceAmounts

  public init(loss: Double, costs: ResourceAmounts) {
    self.loss = loss
    self.costs = costs
  }
}

/// A tensor, or tensors that are stored once and so must agree, with the options there are.
public struct AllocationItem: Equatable, Sendable {
  public var name: String
  /// Never empty.
  public var options: [AllocationOption]
  /// The option it must get, where somebody said so.
  public var pinned: Int?

  public init(name: String, options: [AllocationOption], pinned: Int? = nil) {
    precondition(!options.isEmpty, "an item needs an option")
    precondition(pinned.map(options.indices.contains) ?? true, "a pin is one of the options")
    self.name = name
    self.options = options
    self.pinned = pinned
  }

  /// Tensors that must all get the same option, as one item: losses and costs are summed option by
  /// option, and a pin of one pins all. The items have equally many options and no two different pins.
  public init(tied items: [AllocationItem]) {
    precondition(!items.isEmpty, "nothing to tie")
    var options = items[0].options
    var pinned = items[0].pinned
    for item in items.dropFirst() {
      precondition(item.options.count == options.count, "tied items have the same options")
      precondition(pinned == nil || item.pinned == nil || pinned == item.pinned, "pins differ")
      pinned = pinned ?? item.pinned
      for (i, option) in item.options.enumerated() {
        options[i].loss += option.loss
        options[i].costs = options[i].costs + option.costs
      }
    }
    self.init(name: items[0].name, options: options, pinned: pinned)
  }
}

/// Choose one option per item so that the sum of losses is least and no budget is exceeded.
public struct AllocationProblem: Sendable {
  public var items: [AllocationItem]
  /// What there is; infinite where nothing was asked.
  public var budgets: ResourceAmounts
  /// What is spent whatever is chosen: runtime, arena, program.
  public var fixedCosts: ResourceAmounts

  public init(
    items: [AllocationItem], budgets: ResourceAmounts, fixedCosts: ResourceAmounts = .zero
  ) {
    self.items = items
    self.budgets = budgets
    self.fixedCosts = fixedCosts
  }

  /// Loss and costs of a choice, fixed costs included.
  public func totals(of choice: [Int]) -> (loss: Double, costs: ResourceAmounts) {
    precondition(choice.count == items.count, "one option per item")
    var loss = 0.0
    var costs = fixedCosts.lanes
    for (item, option) in zip(items, choice) {
      loss += item.options[option].loss
      costs += item.options[option].costs.lanes
    }
    return (loss, ResourceAmounts(costs))
  }

  func checkFigures() {
    for item in items {
      for option in item.options {
        let costs = option.costs.lanes
        precondition(option.loss.isFinite, "the loss of \(item.name) is no number")
        precondition(
          all(costs .>= 0) && all(costs .< .infinity), "a cost of \(item.name) is no amount")
      }
    }
    precondition(all(fixedCosts.lanes .>= 0) && all(fixedCosts.lanes .< .infinity))
    precondition(all(budgets.lanes .>= 0), "a budget is no amount")
  }
}

/// A choice, and how good it is known to be.
public struct Allocation: Equatable, Sendable {
  /// The option of every item.
  public var choice: [Int]
  /// The sum of the options' losses.
  public var loss: Double
  /// With the fixed costs.
  public var costs: ResourceAmounts
  /// No choice within the budgets loses less than this.
  public var lowerBound: Double
  /// Loss saved per unit of each resource at the bound: what a little more of it is worth. Start the
  /// next, similar problem from them.
  public var multipliers: ResourceAmounts

  /// How far above the best possible loss the choice may be, as a fraction of its own loss; 0 where it
  /// is proven to be the best.
  public var optimalityGap: Double {
    let difference = loss - lowerBound
    guard difference > 0 else { return 0 }
    return difference / max(abs(loss), .leastNormalMagnitude)
  }
}

/// No choice keeps all budgets.
public struct AllocationInfeasible: Error, Equatable, Sendable {
  /// A budget that the nearest choice exceeds.
  public struct Excess: Equatable, Sendable {
    public var resource: FitResource
    public var needed: Double
    public var budget: Double
    public var shortfall: Double { needed - budget }

    public init(resource: FitResource, needed: Double, budget: Double) {
      self.resource = resource
      self.needed = needed
      self.budget = budget
    }
  }

  /// The choice whose excesses, as fractions of their budgets, have the smallest sum; of those, one
  /// with the least loss.
  public var nearest: Allocation
  /// What the nearest choice exceeds.
  public var binding: [Excess]
  /// Per resource with a budget: the smallest budget of it that makes the problem feasible when the
  /// others stay as they are; nil where no amount of that one alone is enough.
  public var relaxations: [FitResource: Double?]
  /// False where the search ended before it was sure that there is no choice.
  public var isProven: Bool
}
