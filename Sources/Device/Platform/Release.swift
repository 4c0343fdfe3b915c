// Which release of Knapsack this is.

/// The release that both tools and every file they write belong to.
public enum Release {
  /// Semantic version.
  public static var version: String { "0.1.0" }
}
