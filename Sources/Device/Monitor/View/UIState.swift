// What the person at the terminal has chosen, and what the terminal can show.
import Telemetry

/// What a terminal can show.
public struct Capabilities: Equatable, Sendable {
  /// How many colours; 0 for none, also under NO_COLOR.
  public var colors: Int
  /// Whether it speaks UTF-8.
  public var isUnicode: Bool
  /// How many pairs of colours it keeps apart.
  public var pairs: Int

  public init(colors: Int, isUnicode: Bool, pairs: Int = 1 << 16) {
    self.colors = colors
    self.isUnicode = isUnicode
    self.pairs = pairs
  }

  /// What it can make of a picture under a theme.
  func pictureLook(_ theme: Theme) -> PictureLook {
    let hasInks = colors >= 256 && pairs > Inks.pairCount + Style.allCases.count
    return hasInks && isUnicode && theme != .mono ? .inks : .characters(onLight: theme == .light)
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

/// How far back figures look.
public enum ViewWindow: UInt8, Equatable, Sendable, CaseIterable {
  case tenSeconds, minute, tenMinutes, wholeRun

  /// nil is the whole run.
  public var seconds: Int? {
    switch self {
    case .tenSeconds: 10
    case .minute: 60
    case .tenMinutes: 600
    case .wholeRun: nil
    }
  }
}

/// What operators are listed by.
public enum OperatorOrder: UInt8, Equatable, Sendable, CaseIterable {
  case time, place, kind, drift, work

  var name: StaticString {
    switch self {
    case .time: "time"
    case .place: "place"
    case .kind: "kind"
    case .drift: "drift"
    case .work: "MACs"
    }
  }
}

/// What durations are shown in.
public enum DurationUnits: UInt8, Equatable, Sendable, CaseIterable {
  case fitting, microseconds, milliseconds, seconds
}

extension CaseIterable where Self: RawRepresentable, RawValue == UInt8 {
  /// The one after it, the first after the last.
  var following: Self {
    Self(rawValue: rawValue + 1) ?? Self.allCases.first ?? self
  }
}

/// What is chosen in the monitor.
public struct UIState: Equatable, Sendable {
  /// 0 is the overview; others are rows of `Panel.tabs`.
  public var tab = 0
  /// The panel of the overview that was chosen, in the order they are drawn; nil for none.
  public var focus: Int?
  /// Whether the chosen panel has the whole screen.
  public var isZoomed = false
  /// First row shown in a tab that is longer than the screen.
  public var scroll = 0
  /// The chosen operator, by its step: it stays chosen when rows change places.
  public var step: Int?
  /// The chosen tensor of the map.
  public var tensor = 0
  public var isDetailShown = false
  public var isExplained = false
  public var isHelpShown = false
  /// Whether the output is shown with the picture that it is about.
  public var isPictureShown = false
  /// How; set for each frame by what the terminal can show.
  var pictureLook = PictureLook.characters(onLight: false)
  /// First key shown in a help that is longer than the screen.
  public var helpScroll = 0
  /// Lower-case ASCII that shown rows hold; empty shows all.
  public var filter: [UInt8] = []
  /// Whether keys go into the filter.
  public var isFiltering = false
  public var window = ViewWindow.minute
  public var order = OperatorOrder.time
  public var units = DurationUnits.fitting
  public var isLogarithmic = false
  /// Alarms up to this second of the run were seen.
  public var acknowledgedSeconds = -1.0
  public var theme = Theme.standard
  public var isMouseOn = false
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

  /// Whether a row with these texts is to be shown.
  func shows(_ texts: [UInt8]...) -> Bool {
    filter.isEmpty || texts.contains { UIState.holds($0, filter) }
  }

  private static func holds(_ text: [UInt8], _ part: [UInt8]) -> Bool {
    guard text.count >= part.count else { return false }
    return (0...text.count - part.count).contains { start in
      part.indices.allSatisfy { lower(text[start + $0]) == part[$0] }
    }
  }

  private static func lower(_ byte: UInt8) -> UInt8 {
    byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
  }

  /// Takes a key into the filter: false for those that mean what they always do.
  public mutating func type(_ key: Key) -> Bool {
    switch key {
    case .delete:
      if filter.isEmpty { isFiltering = false } else { filter.removeLast() }
    case .character(let byte): if filter.count < 40 { filter.append(UIState.lower(byte)) }
    case .enter: isFiltering = false
    case .escape:
      isFiltering = false
      filter = []
    default: return false
    }
    scroll = 0
    return true
  }
}
