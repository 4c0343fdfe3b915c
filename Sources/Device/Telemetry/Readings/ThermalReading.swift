// What the monitor says of heat: zones and their trips, what cools, clocks, throttling.

/// One thermal zone. A zone that does not answer has no temperature.
public struct ZoneReading: Equatable, Sendable {
  public var name: EscapedText
  public var celsius: Double?
  /// The highest of the run so far.
  public var maxCelsius: Double?
  /// From where on the kernel slows the machine down.
  public var passiveCelsius: Double?
  /// From where on it shuts the machine down.
  public var criticalCelsius: Double?

  public init(name: EscapedText) { self.name = name }

  /// Whether it is at or above its passive trip.
  public var isOverPassiveTrip: Bool {
    guard let celsius, let passiveCelsius else { return false }
    return celsius >= passiveCelsius
  }
}

/// A fan, or a limit that the kernel puts on a clock.
public struct CoolingReading: Equatable, Sendable {
  public var name: EscapedText
  /// 0 is off.
  public var state: UInt64
  public var maxState: UInt64

  public init(name: EscapedText, state: UInt64, maxState: UInt64) {
    self.name = name
    self.state = state
    self.maxState = maxState
  }
}

/// The clock of a core, in MHz.
public struct ClockReading: Equatable, Sendable {
  public var core: Int
  public var megahertz: Double?
  public var maxMegahertz: Double?

  public init(core: Int, megahertz: Double?, maxMegahertz: Double?) {
    self.core = core
    self.megahertz = megahertz
    self.maxMegahertz = maxMegahertz
  }
}

/// One stretch of the run in which the machine was held back.
public struct ThrottleEpisode: Equatable, Sendable {
  public var cause: EscapedText
  /// In seconds of the run.
  public var beginSeconds: Double
  /// Nil while it lasts.
  public var endSeconds: Double?
  /// The hottest zone in it.
  public var maxCelsius: Double?
  /// How much longer the median inference took than in the minute before, as a share: 0.24 is 24 %.
  /// Nil below 20 inferences on either side.
  public var slowdown: Double?

  public init(cause: EscapedText, beginSeconds: Double) {
    self.cause = cause
    self.beginSeconds = beginSeconds
  }
}

/// How long one cause has held the machine back.
public struct ThrottleCause: Equatable, Sendable {
  public var cause: EscapedText
  public var seconds: Double

  public init(cause: EscapedText, seconds: Double) {
    self.cause = cause
    self.seconds = seconds
  }
}

/// Whether the machine is held back, since when, and what that costs.
public struct ThrottleReading: Equatable, Sendable {
  /// Nil where nothing on this machine tells.
  public var isThrottled: Bool?
  /// The latest stretches, oldest first; the last one may still last.
  public var episodes: [ThrottleEpisode] = []
  /// How many there were.
  public var count = 0
  /// All of them together.
  public var totalSeconds = 0.0
  /// The same by cause, in the order they first came.
  public var causes: [ThrottleCause] = []
  /// What is watched, or why it is not known.
  public var reason = EscapedText("not measured yet")

  public init() {}

  /// Whether one of the stretches lasted in this time, in seconds of the run.
  func lasted(from begin: Double, to end: Double) -> Bool {
    episodes.contains { $0.beginSeconds <= end && $0.endSeconds ?? .infinity >= begin }
  }

  /// The stretch that lasts now.
  public var current: ThrottleEpisode? {
    guard let last = episodes.last, last.endSeconds == nil else { return nil }
    return last
  }
}

/// Temperatures and clocks; nil is unknown, and `reason` says why.
public struct ThermalReading: Equatable, Sendable {
  /// Of the hottest zone.
  public var celsius: Double?
  /// Which zone that is.
  public var zone = EscapedText("")
  public var passiveCelsius: Double?
  public var criticalCelsius: Double?
  /// Of the first core that tells.
  public var clockMegahertz: Double?
  public var maxClockMegahertz: Double?
  /// Why there is no temperature.
  public var reason = EscapedText("not measured yet")
  public var zones: [ZoneReading] = []
  public var cooling: [CoolingReading] = []
  public var clocks: [ClockReading] = []
  /// What holds the machine back at this moment; nil for nothing.
  public var throttleCause: EscapedText?
  /// What `throttleCause` is taken from; empty where nothing tells.
  public var throttleWatch = EscapedText("")

  public init() {}
}
