// The fields of what the machine says: memory, heat, accelerators.

extension GrowthReading: Fields {
  static var blank: GrowthReading { GrowthReading() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&kilobytesPerHour)
    try coder.code(&correlation)
    try coder.code(&overSeconds)
  }
}

extension PressureReading: Fields {
  static var blank: PressureReading { PressureReading() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&memorySome)
    try coder.code(&memoryFull)
    try coder.code(&cpuSome)
    try coder.code(&ioSome)
    try coder.code(&ioFull)
    try coder.code(&reason)
  }
}

extension LimitReading: Fields {
  static var blank: LimitReading { LimitReading() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&version)
    try coder.code(&memoryLimit)
    try coder.code(&memoryUsage)
    try coder.code(&cpuQuotaCores)
    try coder.code(&reason)
  }
}

extension MemoryReading: Fields {
  static var blank: MemoryReading { MemoryReading() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&weights)
    try coder.code(&weightsResident)
    try coder.code(&arena)
    try coder.code(&resident)
    try coder.code(&anonymous)
    try coder.code(&file)
    try coder.code(&peak)
    try coder.code(&budget)
    try coder.code(&majorFaultsPerSecond)
    try coder.code(&involuntarySwitchesPerSecond)
    try coder.code(&growth)
    try coder.code(&pressure)
    try coder.code(&limits)
  }
}

extension ZoneReading: Fields {
  static var blank: ZoneReading { ZoneReading(name: .blank) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&name)
    try coder.code(&celsius)
    try coder.code(&maxCelsius)
    try coder.code(&passiveCelsius)
    try coder.code(&criticalCelsius)
  }
}

extension CoolingReading: Fields {
  static var blank: CoolingReading { CoolingReading(name: .blank, state: 0, maxState: 0) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&name)
    try coder.code(&state)
    try coder.code(&maxState)
  }
}

extension ClockReading: Fields {
  static var blank: ClockReading { ClockReading(core: 0, megahertz: nil, maxMegahertz: nil) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&core)
    try coder.code(&megahertz)
    try coder.code(&maxMegahertz)
  }
}

extension ThermalReading: Fields {
  static var blank: ThermalReading { ThermalReading() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&celsius)
    try coder.code(&zone)
    try coder.code(&passiveCelsius)
    try coder.code(&criticalCelsius)
    try coder.code(&clockMegahertz)
    try coder.code(&maxClockMegahertz)
    try coder.code(&reason)
    try coder.code(&zones)
    try coder.code(&cooling)
    try coder.code(&clocks)
    try coder.code(&throttleCause)
    try coder.code(&throttleWatch)
  }
}

extension ThrottleEpisode: Fields {
  static var blank: ThrottleEpisode { ThrottleEpisode(cause: .blank, beginSeconds: 0) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&cause)
    try coder.code(&beginSeconds)
    try coder.code(&endSeconds)
    try coder.code(&maxCelsius)
    try coder.code(&slowdown)
  }
}

extension ThrottleCause: Fields {
  static var blank: ThrottleCause { ThrottleCause(cause: .blank, seconds: 0) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&cause)
    try coder.code(&seconds)
  }
}

extension ThrottleReading: Fields {
  static var blank: ThrottleReading { ThrottleReading() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&isThrottled)
    try coder.code(&episodes)
    try coder.code(&count)
    try coder.code(&totalSeconds)
    try coder.code(&causes)
    try coder.code(&reason)
  }
}

extension AcceleratorReading: Fields {
  static var blank: AcceleratorReading { AcceleratorReading(name: .blank) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&name)
    try coder.code(&loadPercent)
    try coder.code(&megahertz)
    try coder.code(&maxMegahertz)
  }
}

extension AcceleratorsReading: Fields {
  static var blank: AcceleratorsReading { AcceleratorsReading() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&list)
    try coder.code(&reason)
  }
}

extension SystemReading: Fields {
  static var blank: SystemReading { SystemReading() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&memory)
    try coder.code(&thermal)
    try coder.code(&accelerators)
    try coder.code(&cpuNanoseconds)
  }
}
