// One cell of a screen: a character and what it means.

/// What a piece of text means; the theme decides how that looks. Meaning is never in colour alone:
/// a sign or a word stands beside it.
public enum Style: UInt8, Sendable, CaseIterable {
  case normal
  /// Names, borders, units.
  case label
  /// A figure that matters most in its panel.
  case strong
  /// Stands beside `!`.
  case warning
  /// Stands beside `!!`.
  case critical
  /// Stands beside `~` or `[D]`.
  case estimate
  /// A `-`, its reason, and values that are old.
  case unknown
  /// The row or tab that is chosen.
  case selection
  /// Bars and lines.
  case series
  /// Frozen, paused: words in the header.
  case banner
  /// A part of a picture: its inks are its own.
  case picture

  /// A letter for text pictures of a frame's styles.
  public var letter: UInt8 {
    switch self {
    case .normal: 0x2E  // .
    case .label: 0x6C  // l
    case .strong: 0x73  // s
    case .warning: 0x21  // !
    case .critical: 0x43  // C
    case .estimate: 0x7E  // ~
    case .unknown: 0x2D  // -
    case .selection: 0x3E  // >
    case .series: 0x23  // #
    case .banner: 0x42  // B
    case .picture: 0x70  // p
    }
  }
}

/// One cell. The right half of a wide character is a cell of its own that holds no character.
public struct Cell: Equatable, Sendable {
  /// A Unicode scalar; 0 in the right half of a wide character.
  public var scalar: UInt32
  /// A combining mark on it; 0 for none. A second mark is dropped.
  public var mark: UInt32
  public var style: Style
  /// Colours of a picture's cell, see `Inks`; 0 leaves them to the style.
  package var ink: UInt8 = 0
  package var paper: UInt8 = 0

  public init(_ scalar: UInt32, _ style: Style = .normal, mark: UInt32 = 0) {
    self.scalar = scalar
    self.mark = mark
    self.style = style
  }

  /// Whether it is shown in the same colours and attributes.
  func looksLike(_ other: Cell) -> Bool {
    style == other.style && ink == other.ink && paper == other.paper
  }

  static let blank = Cell(0x20)
  var isRightHalf: Bool { scalar == 0 }
}
