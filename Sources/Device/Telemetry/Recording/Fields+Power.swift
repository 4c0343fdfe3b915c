// The fields of what is said of power.

extension PowerGrade {
  /// In the order of the format.
  static var coded: [PowerGrade] { [.unknown, .meter, .partialMeter, .battery, .model] }
}

extension PowerRail: Fields {
  static var blank: PowerRail { PowerRail(name: .blank, watts: nil) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&name)
    try coder.code(&watts)
    try coder.code(&volts)
    try coder.code(&isTotal)
    try coder.code(&isPart)
  }
}

extension BatteryReading: Fields {
  static var blank: BatteryReading { BatteryReading() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&wattHours)
    try coder.code(&percent)
    try coder.code(&watts)
    try coder.code(&isDischarging)
    try coder.code(&hoursLeft)
    try coder.code(&reason)
  }
}

extension PowerAttempt: Fields {
  static var blank: PowerAttempt {
    PowerAttempt(name: .blank, outcome: .absent, detail: .blank)
  }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&name)
    try coder.code(&outcome, among: [.works, .absent, .notPermitted, .noFigure])
    try coder.code(&detail)
    try coder.code(&remedy)
  }
}

extension PowerSample: Fields {
  static var blank: PowerSample { PowerSample() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&source)
    try coder.code(&grade, among: PowerGrade.coded)
    try coder.code(&watts)
    try coder.code(&joules)
    try coder.code(&joulesNanoseconds)
    try coder.code(&rails)
    try coder.code(&battery)
  }
}

extension CarbonReading: Fields {
  static var blank: CarbonReading {
    CarbonReading(gridGramsPerKilowattHour: nil, watts: nil, joulesPerInference: nil)
  }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&gridGramsPerKilowattHour)
    try coder.code(&isWorldAverage)
    try coder.code(&gramsPerHour)
    try coder.code(&gramsPerThousandInferences)
  }
}

extension PowerReading: Fields {
  static var blank: PowerReading { PowerReading(unknown: .blank) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&watts)
    try coder.code(&idleWatts)
    try coder.code(&idleMeasuredSeconds)
    try coder.code(&grade, among: PowerGrade.coded)
    try coder.code(&bandPercent)
    try coder.code(&source)
    try coder.code(&joulesPerInference)
    try coder.code(&joulesPerInferenceAboveIdle)
    try coder.code(&totalJoules)
    try coder.code(&totalGrade, among: PowerGrade.coded)
    try coder.code(&totalSource)
    try coder.code(&rails)
    try coder.code(&tried)
    try coder.code(&battery)
    try coder.code(&carbon)
    try coder.code(&history)
  }
}
