// What the person at the terminal has chosen, and what the terminal can show.

/// What a terminal can show.
public struct Capabilities: Equatable, Sendable {
  /// How many colours; 0 for none, also under NO_COLOR.
  public var colors: Int
  /// Whether it speaks UTF-8.
  public var isUnicode: Bool

  public init(colors: Int, isUnicode: Bool) {
    self.colors = colors
    self.isUnicode = isUnicode
  }
}

/// A view held still while the run goes on.
public struct FrozenView: Equatable, Sendable {
  /// Seconds of the run at which it was frozen.
  public var elapsedSeconds: Double
  /// The rate now, beside the frozen one.
  public var livePerSecond: Double?

  public init(elapsedSeconds: Double, livePerSecond: Double?) {
    self.elapsedSeconds = elapsedSeconds
    self.livePerSecond = livePerSecond
  }
}

/// What is chosen in the monitor.
public struct UIState: Equatable, Sendable {
  /// 0 is the overview; others are rows of `Panel.tabs`.
  public var tab = 0
  /// First row shown in a tab that is longer than the screen.
  public var scroll = 0
  public var isHelpShown = false
  public var frozen: FrozenView?
  /// Redraws per second.
  public var redrawHertz = 4
  /// Local time of day in seconds; nil leaves the clock out.
  public var secondOfDay: Int?
  /// Whether the terminal takes output slower than it is made.
  public var isLinkSlow = false
  /// Whether leaving was asked for and the run has not ended yet.
  public var isLeaving = false

  public init() {}
}

extension UIState {
  /// Goes to another tab or row. Other actions change nothing.
  mutating func navigate(_ action: Action, pageRows: Int) {
    let tabCount = Panel.tabs.count + 1
    switch action {
    case .showTab(let tab): show(tab)
    case .nextTab: show((tab + 1) % tabCount)
    case .previousTab: show((tab + tabCount - 1) % tabCount)
    case .back:
      if isHelpShown {
        isHelpShown = false
      } else {
        show(0)
      }
    case .help: isHelpShown.toggle()
    case .scroll(let rows): move(to: scroll + rows)
    case .scrollPage(let pages): move(to: scroll + pages * pageRows)
    case .scrollToStart: scroll = 0
    case .scrollToEnd: scroll = Self.scrollLimit
    default: break
    }
  }

  /// More rows than any list has.
  private static var scrollLimit: Int { 100_000 }

  private mutating func show(_ newTab: Int) {
    tab = newTab
    scroll = 0
    isHelpShown = false
  }

  private mutating func move(to row: Int) { scroll = min(max(row, 0), Self.scrollLimit) }
}
