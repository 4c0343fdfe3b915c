// What the monitor says of power: figures with their grade, the rails behind them, the battery.

/// How far a power figure can be trusted.
public enum PowerGrade: Equatable, Sendable {
  /// A meter sees the whole device.
  case meter
  /// A meter sees a part of it.
  case partialMeter
  /// The battery's own gauge.
  case battery
  /// A model, from processor time and the device profile.
  case model
  /// Nothing to tell from.
  case unknown

  /// `A`, `B`, `C`, `D`, or `-`.
  public var letter: UInt8 {
    switch self {
    case .meter: 0x41
    case .partialMeter: 0x42
    case .battery: 0x43
    case .model: 0x44
    case .unknown: 0x2D
    }
  }
}

/// One line that a meter measures.
public struct PowerRail: Equatable, Sendable {
  public var name: EscapedText
  /// Nil where the rail does not answer, or only its voltage is measured.
  public var watts: Double?
  /// Nil where the meter does not tell.
  public var volts: Double?
  /// Whether this rail carries all that the others do: the total is this rail then, not their sum.
  public var isTotal: Bool
  /// Whether another rail listed here carries this one too.
  public var isPart: Bool

  public init(
    name: EscapedText, watts: Double?, volts: Double? = nil, isTotal: Bool = false,
    isPart: Bool = false
  ) {
    self.name = name
    self.watts = watts
    self.volts = volts
    self.isTotal = isTotal
    self.isPart = isPart
  }
}

/// What the battery's gauge says.
public struct BatteryReading: Equatable, Sendable {
  /// Charge left.
  public var wattHours: Double?
  /// Of a full battery, 0…100.
  public var percent: Double?
  /// What it gives now; nil while it does not discharge.
  public var watts: Double?
  public var isDischarging: Bool?
  /// Until it is empty at this rate; nil while it does not discharge.
  public var hoursLeft: Double?
  /// Why a figure is missing.
  public var reason = EscapedText("not looked for yet")

  public init() {}
}

/// How it went with one source of power figures.
public struct PowerAttempt: Equatable, Sendable {
  public enum Outcome: Equatable, Sendable {
    /// It measures.
    case works
    /// This machine has none.
    case absent
    /// There is one, and this user may not read it.
    case notPermitted
    /// There is one, and it gives no figure.
    case noFigure
  }
  /// Such as `INA3221`.
  public var name: EscapedText
  public var outcome: Outcome
  /// What it said, or where it was looked for.
  public var detail: EscapedText
  /// What a person can do about it; empty where there is nothing.
  public var remedy: EscapedText

  public init(
    name: EscapedText, outcome: Outcome, detail: EscapedText, remedy: EscapedText = EscapedText("")
  ) {
    self.name = name
    self.outcome = outcome
    self.detail = detail
    self.remedy = remedy
  }
}

/// What one look at the meter gave.
public struct PowerSample: Equatable, Sendable {
  /// Which meter; why there is no figure where it has none.
  public var source = EscapedText("not measured yet")
  /// `.unknown` without a meter.
  public var grade = PowerGrade.unknown
  /// Over all rails.
  public var watts: Double?
  /// Joules since the sample before; nil for the first, and where there is no figure.
  public var joules: Double?
  /// The time those joules took, in nanoseconds.
  public var joulesNanoseconds: UInt64 = 0
  public var rails: [PowerRail] = []
  public var battery = BatteryReading()

  public init() {}
}

/// Grams of carbon dioxide, with the factor that makes them out of kilowatt hours.
public struct CarbonReading: Equatable, Sendable {
  /// The world's mix, in grams per kilowatt hour.
  public static let worldAverage = 475.0

  /// Grams per kilowatt hour of the grid: a setting.
  public var gridGramsPerKilowattHour: Double
  /// Whether nobody chose that factor.
  public var isWorldAverage: Bool
  /// At the power shown.
  public var gramsPerHour: Double?
  /// At the joules per inference shown, idle included.
  public var gramsPerThousandInferences: Double?

  /// The grams of a power and of joules per inference; nil for what is not known.
  public init(
    gridGramsPerKilowattHour: Double?, watts: Double?, joulesPerInference: Double?
  ) {
    let factor = gridGramsPerKilowattHour ?? Self.worldAverage
    self.gridGramsPerKilowattHour = factor
    isWorldAverage = gridGramsPerKilowattHour == nil
    gramsPerHour = watts.map { $0 / 1000 * factor }
    gramsPerThousandInferences = joulesPerInference.map { $0 * 1000 / 3.6e6 * factor }
  }
}

/// A power figure with where it comes from. An unknown one has no watts and says why.
public struct PowerReading: Equatable, Sendable {
  /// Mean of the last second of a meter; of the window for the model.
  public var watts: Double?
  /// Watts when idle, where known.
  public var idleWatts: Double?
  /// When that was measured, in seconds of the run; nil where it is the profile's.
  public var idleMeasuredSeconds: Double?
  public var grade: PowerGrade
  /// How far off it may be, in percent; 0 where it is not an estimate.
  public var bandPercent: Double
  /// Which meter or model, or why there is no figure.
  public var source: EscapedText
  /// Joules of the whole device per inference; nil below 10 s or 10 inferences.
  public var joulesPerInference: Double?
  /// The same above idle; nil where the idle power is not known.
  public var joulesPerInferenceAboveIdle: Double?
  /// Joules since the first counted inference; nil when unknown.
  public var totalJoules: Double?
  /// The least sure grade that is in them.
  public var totalGrade = PowerGrade.unknown
  /// What measured or made out the part of that grade.
  public var totalSource = EscapedText("")
  /// What the meter measures, one by one.
  public var rails: [PowerRail] = []
  /// Every source in the order it was tried, up to the one that is used.
  public var tried: [PowerAttempt] = []
  public var battery = BatteryReading()
  public var carbon = CarbonReading(
    gridGramsPerKilowattHour: nil, watts: nil, joulesPerInference: nil)
  /// Mean milliwatts of each half second, oldest first.
  public var history: [UInt64] = []

  /// No figure, for a reason.
  public init(unknown reason: EscapedText) {
    grade = .unknown
    bandPercent = 0
    source = reason
  }
}
