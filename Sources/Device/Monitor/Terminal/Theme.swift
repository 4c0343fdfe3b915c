// How a style looks: by how many colours the terminal has.

/// Attributes and colours of a style. Colours are palette numbers; -1 is the terminal's own.
struct Look: Equatable, Sendable {
  var foreground: Int16 = -1
  var background: Int16 = -1
  var isBold = false
  var isDim = false
  var isReverse = false
}

enum Theme {
  /// The look of a style. The background is the terminal's own wherever a sign can carry the
  /// meaning; red and green are never a pair.
  static func look(_ style: Style, colors: Int) -> Look {
    colors >= 256 ? rich(style) : colors >= 8 ? eight(style) : mono(style)
  }

  private static func rich(_ style: Style) -> Look {
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
    }
  }

  private static func eight(_ style: Style) -> Look {
    switch style {
    case .normal, .estimate: Look()
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

  private static func mono(_ style: Style) -> Look {
    switch style {
    case .strong, .warning: Look(isBold: true)
    case .critical: Look(isBold: true, isReverse: true)
    case .selection, .banner: Look(isReverse: true)
    default: Look()
    }
  }
}
