// What import and rewriting did to which nodes, for a person who asks where a node went.

/// One change of a graph: nodes that went, and what stands for them now.
public struct GraphEvent: Sendable, Equatable {
  /// A rule's name, `import` for a node that came as other than one node, `fold-constants`, …
  public var what: String
  /// The nodes that went, `NAME (OPERATOR)`.
  public var before: [String]
  /// The nodes that came; none where the nodes' values are constants now, or nothing reads them.
  public var after: [String]

  public init(_ what: String, before: [String], after: [String]) {
    self.what = what
    self.before = before
    self.after = after
  }
}

extension Node {
  /// What events call the node.
  public var label: String { "\(name) (\(op.name))" }
}
