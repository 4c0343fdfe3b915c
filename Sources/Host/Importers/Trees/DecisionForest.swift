// A forest as the sources of tree models describe it, before it is packed for the device.
import Operators

/// What a source says about its trees that cannot be.
struct DecisionForestError: Error {
  var tree: Int
  var node: Int
  var message: String
}

/// Trees, their sets of categories and what becomes of their values.
struct DecisionForest {
  /// What sends a row to the left child.
  enum Comparison {
    case lessOrEqual(Double)
    case equal(Double)
    /// An index into `sets`.
    case member(Int)

    /// x < bound, for f32 x and bound.
    static func less(_ bound: Float) -> Comparison {
      .lessOrEqual(bound == -.infinity ? .nan : Double(bound.nextDown))
    }

    /// x < bound, for f64 x.
    static func less(_ bound: Double) -> Comparison {
      .lessOrEqual(bound == -.infinity ? .nan : bound.nextDown)
    }
  }

  struct Split {
    var feature: Int
    var comparison: Comparison
    /// Children, as indices into the tree's nodes.
    var left: Int
    var right: Int
    /// Where NaN goes.
    var missingGoesLeft = false
    /// Zeros go where NaN goes.
    var zeroIsMissing = false

    /// The same rows under the opposite test.
    var swapped: Split {
      var other = self
      (other.left, other.right) = (right, left)
      other.missingGoesLeft.toggle()
      return other
    }
  }

  enum Node {
    case split(Split)
    case leaf(Double)
    /// A row of `leaves`.
    case row(Int)
  }

  struct Tree {
    var nodes: [Node]
    var root = 0
    /// Which output the leaves add to, where they are numbers.
    var target = 0
  }

  /// Values that a test looks for; NaN is in none of them.
  enum Members {
    /// Whole numbers as bits; a value is cut towards zero first.
    case categories([UInt32], takesFractionsBelowZero: Bool)
    case numbers([Double])
  }

  var trees: [Tree] = []
  var sets: [Members] = []
  /// Rows of one number per target.
  var leaves: [Double] = []
  var targets = 1
  var aggregate = TreesAggregate.sum
  var divisor = 1
  /// Added to the outputs, one per target; empty for none.
  var base: [Double] = []

  /// The words of a set of categories.
  static func words(of categories: [Int]) -> [UInt32] {
    var words = [UInt32](repeating: 0, count: ((categories.max() ?? -1) + 32) / 32)
    for c in categories { words[c / 32] |= 1 << UInt32(c % 32) }
    return words
  }
}
