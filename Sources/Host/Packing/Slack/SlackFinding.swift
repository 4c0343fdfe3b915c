// What a model carries along without need.

/// One thing that takes bytes, or is quantized, for nothing.
public struct SlackFinding: Equatable, Sendable {
  /// What is wrong. Raw values are what `inspect --slack --format json` prints.
  public enum Kind: String, Sendable, CaseIterable {
    /// Output channels that are zero, or one number, whatever comes in.
    case deadChannels = "dead_channels"
    /// The same elements as another tensor has, maybe turned.
    case duplicate
    /// Elements that a smaller type holds exactly.
    case elementType = "element_type"
    /// Real numbers that were quantized once and are stored as if they had not been.
    case quantized
    /// Nothing reads it.
    case unused
    /// A step that int8 does not make faster.
    case noGain = "no_gain"

    /// A heading for people.
    public var title: String {
      switch self {
      case .deadChannels: "dead output channels"
      case .duplicate: "duplicate tensors"
      case .elementType: "element types wider than the elements"
      case .quantized: "float tensors that are quantized already"
      case .unused: "tensors that nothing reads"
      case .noGain: "operators that gain no time from int8"
      }
    }
  }

  public var kind: Kind
  /// The tensor's name, or the step's.
  public var name: String
  /// Bytes of the model's file that could go.
  public var byteCount: Int
  /// In words, with the figures.
  public var detail: String

  public init(_ kind: Kind, _ name: String, byteCount: Int, _ detail: String) {
    self.kind = kind
    self.name = name
    self.byteCount = byteCount
    self.detail = detail
  }
}

/// Everything that was found in one model.
public struct SlackReport: Sendable {
  /// By kind, the most bytes first.
  public var findings: [SlackFinding]
  /// Bytes of the model's tensors as its file holds them.
  public var tensorByteCount: Int
  /// Bytes that could go, each tensor counted once, with its largest finding.
  public var totalByteCount: Int
  /// Bytes that zstd alone would save of all tensors as they are.
  public var zstdSavedByteCount: Int
  /// Why nothing is said about speed; nil where it is.
  public var speedNote: String?

  /// Findings of one kind.
  public subscript(kind: SlackFinding.Kind) -> [SlackFinding] {
    findings.filter { $0.kind == kind }
  }
}
