// Choices that are made once for all runs: variables of the environment, and settings files.
import Bytes
import Fitting
import Loops
import Monitor
import Platform
import Telemetry

/// What can be chosen once. The list of settings is here alone.
enum Setting: String, CaseIterable {
  case theme
  case threads
  case onHangup = "on_hangup"
  case powerFrom = "power_from"
  case gridIntensity = "grid_intensity"
  case report

  /// The variable that chooses it.
  var variable: String { "KNAPSACK_" + rawValue.uppercased() }

  /// The option of a command that does.
  var option: String {
    "--" + rawValue.replacing("_", with: "-")
  }

  var meaning: String {
    switch self {
    case .theme: "the monitor's colours"
    case .threads: "threads that compute"
    case .onHangup: "what a run does when its terminal is gone"
    case .powerFrom: "a bench meter: a file or pipe with watts per line"
    case .gridIntensity: "grams of CO2e per kWh of the grid"
    case .report: "whether runs that loop or take over 10 s leave a report"
    }
  }

  /// What it may be.
  var expectation: String {
    switch self {
    case .theme: "dark, light, high-contrast or mono"
    case .threads: "a number from 1 to \(RunOptions.maximumThreads)"
    case .onHangup: HangupAction.allCases.map(\.rawValue).joined(separator: " or ")
    case .powerFrom: "a path"
    case .gridIntensity: "a number from 0 to 5000"
    case .report: "true or false"
    }
  }

  /// What holds where nobody chose.
  var standard: String {
    switch self {
    case .theme: "that of the terminal"
    case .threads: "1"
    case .onHangup: HangupAction.stop.rawValue
    case .powerFrom: "none"
    case .gridIntensity: "475, the world's average"
    case .report: "true"
    }
  }

  func allows(_ text: String) -> Bool {
    switch self {
    case .theme: Theme(name: Array(text.utf8)) != nil
    case .threads: Int(text).map { (1...RunOptions.maximumThreads).contains($0) } ?? false
    case .onHangup: HangupAction(rawValue: text) != nil
    case .powerFrom: !text.isEmpty
    case .gridIntensity: PowerSettings.gridIntensity(text) != nil
    case .report: text == "true" || text == "false"
    }
  }
}

/// The settings of this user on this machine. An option goes before a variable, a variable before the
/// user's file, that before the machine's.
struct Settings {
  struct Choice {
    var text: String
    /// The variable or file that it comes from.
    var origin: String
  }

  private(set) var choices: [Setting: Choice] = [:]

  /// A settings file is small.
  private static let maximumBytes = 1 << 16

  /// Where settings files may be, the first the strongest (XDG Base Directory Specification 0.8; a relative
  /// value counts as none).
  static var files: [String] {
    func absolute(_ variable: String) -> String? {
      Environment.getNonEmpty(variable).flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    let user = absolute("XDG_CONFIG_HOME") ?? absolute("HOME").map { $0 + "/.config" }
    let machine = (Environment.getNonEmpty("KNAPSACK_SYSROOT") ?? "") + "/etc"
    return [user, machine].compactMap { $0.map { $0 + "/knapsack/config.json5" } }
  }

  /// Reads variables and files. Throws with exit code 78 where one cannot be understood.
  init() throws(Failure) {
    for path in Settings.files.reversed() { try read(path) }
    for setting in Setting.allCases {
      guard let text = Environment.getNonEmpty(setting.variable) else { continue }
      guard setting.allows(text) else {
        throw Failure(
          .configuration, "\(setting.variable): expected \(setting.expectation), not '\(text)'")
      }
      choices[setting] = Choice(text: text, origin: setting.variable)
    }
  }

  /// What was chosen; nil where nobody did.
  subscript(_ setting: Setting) -> String? { choices[setting]?.text }

  private mutating func read(_ path: String) throws(Failure) {
    let bytes: [UInt8]
    do throws(PlatformError) {
      guard try File.kind(of: path) != .nothing else { return }
      bytes = try File.read(path, limit: Settings.maximumBytes)
    } catch {
      throw Failure(.configuration, error.description)
    }
    func failure(_ offset: Int, _ message: String) -> Failure {
      let place = JSONError(at: offset, in: bytes, message: message)
      return Failure(.configuration, "\(path):\(place.line): \(message)")
    }
    let value: JSONValue
    do throws(JSONError) {
      value = try JSON.parse(bytes, dialect: .json5, maximumDepth: 4)
    } catch {
      throw failure(error.offset, error.message)
    }
    guard let members = value.objectValue else {
      throw failure(value.offset, "expected an object, found \(value.kind.name)")
    }
    for member in members {
      guard let setting = Setting(rawValue: member.key) else {
        let hint = suggestion(for: member.key, among: Setting.allCases.map(\.rawValue))
        throw failure(member.keyOffset, "unknown key '\(member.key)'\(hint)")
      }
      let text = Settings.text(member.value)
      guard let text, setting.allows(text) else {
        throw failure(
          member.value.offset, "\(member.key): expected \(setting.expectation)")
      }
      choices[setting] = Choice(text: text, origin: path)
    }
  }

  private static func text(_ value: JSONValue) -> String? {
    if let text = value.stringValue { return text }
    if let flag = value.boolValue { return flag ? "true" : "false" }
    if let whole = value.integerValue { return "\(whole)" }
    return value.numberValue.map { "\($0)" }
  }
}
