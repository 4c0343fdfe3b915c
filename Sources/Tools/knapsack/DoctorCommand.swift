// knapsack doctor: what this machine tells of itself, and what stands in the way.
import ArgumentParser
import Bytes
import Fitting
import Loops
import Platform
import Telemetry

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Say what this machine is and can measure, and what stands in the way.",
    discussion: """
      EXAMPLES:
        knapsack doctor
        knapsack doctor power --target raspberry-pi-5 --grid-intensity 56
      """,
    subcommands: [Power.self])

  func run() throws {
    try reportingFailures {
      var report = DoctorReport()
      try report.describe()
      try Standard.output.write(report.text.bytes)
    }
  }

  struct Power: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List every source of power figures, in the order a run tries them.",
      discussion: """
        Looks at each source, reads the one that a run would use for a second, and names what the
        model of last resort computes with.

        EXAMPLES:
          knapsack doctor power
          knapsack doctor power --power-from /tmp/meter.fifo
        """)

    @OptionGroup var power: PowerOptions

    @Option(help: ArgumentHelp("The profile whose figures the model takes.", valueName: "name"))
    var target: String = "host"

    func run() throws {
      try reportingFailures {
        let settings = power.settings(try Settings())
        let sampler = SystemSampler(settings: settings)
        var text = TextBuffer()
        PowerDoctor.list(sampler.everyPowerSource(), into: &text)
        PowerDoctor.measure(sampler, into: &text)
        PowerDoctor.explainModel(try DeviceProfile.named(target), into: &text)
        PowerDoctor.explainCarbon(settings, into: &text)
        try Standard.output.write(text.bytes)
      }
    }
  }
}

/// Choices about power, of every command that measures it.
struct PowerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A bench meter: a file or pipe with watts per line, a time in seconds before them or not.",
      valueName: "file"))
  var powerFrom: String?

  @Option(
    help: ArgumentHelp(
      "Grams of CO2e per kWh of the grid; 475, the world's average, where it is not given.",
      valueName: "g/kWh"))
  var gridIntensity: String?

  func validate() throws {
    if let gridIntensity, PowerSettings.gridIntensity(gridIntensity) == nil {
      throw ValidationError("--grid-intensity takes grams from 0 to 5000, not '\(gridIntensity)'")
    }
  }

  func settings(_ settings: Settings) -> PowerSettings {
    PowerSettings(
      meterPath: powerFrom ?? settings[.powerFrom],
      gridGramsPerKilowattHour: (gridIntensity ?? settings[.gridIntensity]).flatMap(
        PowerSettings.gridIntensity))
  }
}

/// The parts of the report.
private enum PowerDoctor {
  static func word(_ outcome: PowerAttempt.Outcome) -> String {
    switch outcome {
    case .works: "works"
    case .absent: "not there"
    case .notPermitted: "not permitted"
    case .noFigure: "no figure"
    }
  }

  /// A line per source in the order of trust, the remedy below it.
  static func list(_ tried: [PowerAttempt], into text: inout TextBuffer) {
    text.put("sources in the order a run tries them; the first that works is used\n")
    for (i, attempt) in tried.enumerated() {
      text.put(i + 1, width: 3)
      text.put("  ")
      text.put(bytes: attempt.name.utf8)
      text.pad(to: 20)
      text.put(word(attempt.outcome))
      text.pad(to: 35)
      text.put(bytes: attempt.detail.utf8)
      text.put("\n")
      guard !attempt.remedy.isEmpty else { continue }
      text.put("     to mend: ")
      text.put(bytes: attempt.remedy.utf8)
      text.put("\n")
    }
    text.put(tried.count + 1, width: 3)
    text.put("  model")
    text.pad(to: 20)
    text.put("last resort")
    text.pad(to: 35)
    text.put("grade D, an estimate; see below\n")
  }

  /// The meter over one second, rail by rail.
  static func measure(_ sampler: SystemSampler, into text: inout TextBuffer) {
    var sample = PowerSample()
    var joules = 0.0
    var seconds = 0.0
    for i in 0...10 {
      if i > 0 { Clock.sleep(milliseconds: 100) }
      sample = sampler.power(nowNanoseconds: Clock.monotonicNanoseconds)
      joules += sample.joules ?? 0
      seconds += Double(sample.joulesNanoseconds) / 1e9
    }
    text.put("\nnow      ")
    if sample.grade == .unknown || sample.watts == nil {
      text.put("-  ")
      text.put(bytes: sample.source.utf8)
    } else {
      text.put(significant: seconds > 0 ? joules / seconds : sample.watts ?? 0)
      text.put(" W  [")
      text.put(byte: sample.grade.letter)
      text.put("] ")
      text.put(bytes: sample.source.utf8)
      text.put(", mean of 1 s")
    }
    text.put("\n")
    for rail in sample.rails {
      text.put("  ")
      text.put(bytes: rail.name.utf8)
      text.pad(to: 24)
      if let watts = rail.watts {
        text.put(significant: watts)
        text.put(rail.isPart ? " W  part of the total" : " W")
      } else {
        text.put("-  ")
        text.put(rail.volts == nil ? "no answer" : "volts only, nobody measures its current")
      }
      text.put("\n")
    }
    let battery = sample.battery
    text.put("battery  ")
    if let hours = battery.wattHours {
      text.put(significant: hours)
      text.put(" Wh")
      if let left = battery.hoursLeft {
        text.put(", ")
        text.put(significant: left)
        text.put(" h left at this rate")
      }
      text.put(battery.reason.isEmpty ? "" : ", ")
    }
    text.put(bytes: battery.reason.utf8)
    text.put("\n")
  }

  /// Every input of the estimate.
  static func explainModel(_ profile: DeviceProfile, into text: inout TextBuffer) {
    text.put("\nmodel    watts = idle + busy cores x watts per busy core, +-")
    text.put(EnergyFigures(idleWatts: 0, wattsPerActiveCore: 0).bandPercent, places: 0)
    text.put(" %\n")
    let active = profile.cpu.clusters.compactMap(\.activeWattsPerCore).max()
    for (name, value) in [
      ("idle", profile.power?.idleWatts), ("per busy core", active),
    ] {
      text.put("  ")
      text.put(name)
      text.pad(to: 24)
      if let value {
        text.put(significant: value)
        text.put(" W  profile ")
      } else {
        text.put("-  not in profile ")
      }
      text.put(profile.name)
      text.put("\n")
    }
    text.put(
      "  busy cores            processor time over wall time, measured twice a second\n")
    if profile.power == nil || active == nil {
      text.put("  without both figures there is no estimate: power is then unknown, never 0\n")
    }
  }

  static func explainCarbon(_ settings: PowerSettings, into text: inout TextBuffer) {
    let carbon = CarbonReading(
      gridGramsPerKilowattHour: settings.gridGramsPerKilowattHour, watts: nil,
      joulesPerInference: nil)
    text.put("\nCO2e     kWh x ")
    text.put(significant: carbon.gridGramsPerKilowattHour)
    text.put(" g/kWh")
    text.put(carbon.isWorldAverage ? ", the world's average; --grid-intensity sets yours\n" : "\n")
  }
}
