// One clear line and an exit code: how every command ends when it cannot do its job.
import BundleFormat
import Bytes
import CPlatform
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

  /// A file that cannot be read: it is not there, not ours, no file at all, or larger than anything
  /// that is read whole.
  public init(reading error: PlatformError) {
    let code: ExitCode =
      switch error.errno {
      case _ where error.isNotFound: .missingInput
      case _ where error.isNotPermitted: .notPermitted
      case EISDIR, EINVAL: .missingInput
      case EFBIG: .badData
      default: .failure
      }
    self.init(code, error.description)
  }

  /// A file that cannot be written.
  public init(writing error: PlatformError) {
    self.init(error.isNotPermitted ? .notPermitted : .cannotWrite, error.description)
  }

  /// A system call that failed, told by what it was to do.
  public init(_ error: PlatformError) {
    for word in ["write", "create", "sync", "rename"] where error.operation == word {
      self.init(writing: error)
      return
    }
    self.init(reading: error)
  }

  /// Refuses a model whose weights and working memory take more than a limit.
  public static func check(_ model: String, needs bytes: Int, limit: Int?) throws(Failure) {
    guard let limit, bytes > limit else { return }
    var text = TextBuffer()
    text.put("\(model): needs ")
    text.put(memoryBytes: bytes)
    text.put(" for weights and working memory, the limit is ")
    text.put(memoryBytes: limit)
    throw Failure(.doesNotFit, text.text)
  }

  /// Says on standard error why the tool `name` ends, in one line whatever names a file gave us.
  public func report(tool name: String) {
    var line = TextBuffer()
    line.put("\(name): ")
    line.put(untrusted: Array(message.utf8))
    Standard.error.say(line.text)
  }
}
