// One clear line and an exit code: how every command ends when it cannot do its job.
import BundleFormat
import Platform

/// Exit codes of the tools; `knapsack --help` lists them.
public enum ExitCode: Int32, Sendable {
  case done = 0
  case failure = 1
  /// Does not fit the target.
  case doesNotFit = 2
  case usage = 64
  /// A bundle, model or input whose content is wrong.
  case badData = 65
  case missingInput = 66
  case unavailable = 69
  case internalError = 70
  case cannotWrite = 73
  case notPermitted = 77
  case configuration = 78
}

/// A command's refusal.
public struct Failure: Error, Sendable {
  public var code: ExitCode
  /// One line, without the tool's name and without a full stop.
  public var message: String

  public init(_ code: ExitCode, _ message: String) {
    self.code = code
    self.message = message
  }
}

extension Failure {
  public init(bundle error: BundleError) {
    self.init(error.isMissing ? .missingInput : .badData, error.description)
  }

  /// A file that cannot be read.
  public init(reading error: PlatformError) {
    let code: ExitCode =
      error.isNotFound ? .missingInput : error.isNotPermitted ? .notPermitted : .failure
    self.init(code, error.description)
  }

  /// A file that cannot be written.
  public init(writing error: PlatformError) {
    self.init(error.isNotPermitted ? .notPermitted : .cannotWrite, error.description)
  }
}
