// How a style looks: by how many colours the terminal has, and which theme was chosen.

/// Attributes and colours of a style. Colours are palette numbers; -1 is the terminal's own.
struct Look: Equatable, Sendable {
  var foreground: Int16 = -1
  var background: Int16 = -1
  var isBold = false
  var isDim = false
  var isReverse = false
}

/// A palette. The background is the terminal's own wherever a sign can carry the meaning; red and
/// green are never a pair.
public enum Theme: UInt8, Equatable, Sendable, CaseIterable {
  case dark, light, highContrast, mono

  /// For a terminal of which nothing is known.
  public static let standard = Theme.dark

  /// As `--theme` and the status line write it.
  public var name: StaticString {
    switch self {
    case .dark: "dark"
    case .light: "light"
    case .highContrast: "high-contrast"
    case .mono: "mono"
    }
  }

  /// The theme of that name.
  public init?(name: [UInt8]) {
    guard let theme = Theme.allCases.first(where: { Panel.ascii($0.name) == name }) else {
      return nil
    }
    self = theme
  }

  /// What COLORFGBG, which some terminals set to `foreground;background`, tells of the background.
  public init(colorsOfTerminal text: [UInt8]) {
    let background = text.split(separator: 0x3B).last.map { Array($0) } ?? []
    self = background == [0x37] || background == [0x31, 0x35] ? .light : .standard
  }

  /// The look of a style on a terminal with so many colours.
  func look(_ style: Style, colors: Int) -> Look {
    guard colors >= 8, self != .mono else { return Theme.plain(style) }
    if self == .highContrast { return Theme.strong(style) }
    guard colors >= 256 else { return Theme.eight(style) }
    return self == .light ? Theme.onLight(style) : Theme.onDark(style)
  }

  private static func onDark(_ style: Style) -> Look {
    switch style {
    case .normal: Look()
    case .label: Look(foreground: 67)
    case .strong: Look(isBold: true)
    case .warning: Look(foreground: 214)
    case .critical: Look(foreground: 231, background: 160)
    case .estimate: Look(foreground: 244)
    case .unknown: Look(foreground: 240)
    case .selection: Look(isReverse: true)
    case .series: Look(foreground: 75)
    case .banner: Look(foreground: 16, background: 214)
    case .picture: Look()
    }
  }

  private static func onLight(_ style: Style) -> Look {
    switch style {
    case .normal: Look()
    case .label: Look(foreground: 24)
    case .strong: Look(isBold: true)
    case .warning: Look(foreground: 130, isBold: true)
    case .critical: Look(foreground: 231, background: 160)
    case .estimate: Look(foreground: 240)
    case .unknown: Look(foreground: 244)
    case .selection: Look(isReverse: true)
    case .series: Look(foreground: 25)
    case .banner: Look(foreground: 16, background: 214)
    case .picture: Look()
    }
  }

  /// The terminal's own colours at full strength; nothing is grey or dim.
  private static func strong(_ style: Style) -> Look {
    switch style {
    case .warning: Look(isBold: true, isReverse: true)
    case .critical: Look(foreground: 7, background: 1, isBold: true)
    case .label, .normal, .estimate, .unknown, .picture: Look()
    case .strong, .series: Look(isBold: true)
    case .selection, .banner: Look(isBold: true, isReverse: true)
    }
  }

  private static func eight(_ style: Style) -> Look {
    switch style {
    case .normal, .estimate, .picture: Look()
    case .label: Look(foreground: 6)
    case .strong: Look(isBold: true)
    case .warning: Look(foreground: 3, isBold: true)
    case .critical: Look(foreground: 7, background: 1, isBold: true)
    case .unknown: Look(isDim: true)
    case .selection: Look(isReverse: true)
    case .series: Look(foreground: 4)
    case .banner: Look(foreground: 0, background: 3)
    }
  }

  private static func plain(_ style: Style) -> Look {
    switch style {
    case .strong, .warning: Look(isBold: true)
    case .critical: Look(isBold: true, isReverse: true)
    case .selection, .banner: Look(isReverse: true)
    default: Look()
    }
  }
}
