// Who watches a search: told how far it is, asked whether it should end.

/// The stages of a search, in their order.
public enum SearchStage: String, Sendable, CaseIterable {
  /// Bits and errors of every weight at every step.
  case options = "options"
  /// What errors in each weight cost the outputs.
  case sensitivities = "sensitivities"
  /// Choices quantized, coded and measured.
  case trials = "trials"
}

/// The connection between a search and the person who waits for it.
public struct SearchWatch: Sendable {
  /// Told the stage and how much of it is done, from 0 to 1.
  public var progress: @Sendable (SearchStage, Double) -> Void
  /// Asked often: true ends the search with the best there is.
  public var isStopped: @Sendable () -> Bool
  /// Folder for what a search has measured, so that the next one need not; nil keeps nothing.
  public var checkpoints: String?

  public init(
    checkpoints: String? = nil, isStopped: @escaping @Sendable () -> Bool = { false },
    progress: @escaping @Sendable (SearchStage, Double) -> Void = { _, _ in }
  ) {
    self.checkpoints = checkpoints
    self.isStopped = isStopped
    self.progress = progress
  }
}
