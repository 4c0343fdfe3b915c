// Options from words, for the tool that has no argument-parsing library.
import CPlatform

extension RunOptions {
  /// The most that `--threads` and `--repeat` take.
  public static var maximumThreads: Int { 1024 }
  public static var maximumRepeats: Int { 1 << 30 }

  /// Options and the words that are none. An unknown option, a missing or a wrong value is a usage
  /// failure that names it.
  public static func parse(
    _ arguments: [String], name: String, repeatCount: Int
  ) throws(Failure) -> (RunOptions, [String]) {
    var options = RunOptions()
    options.name = name
    options.repeatCount = repeatCount
    var words: [String] = []
    var i = 0
    func value() throws(Failure) -> String {
      i += 1
      guard i < arguments.count else {
        throw Failure(.usage, "\(arguments[i - 1]) needs a value")
      }
      return arguments[i]
    }
    func count(upTo limit: Int) throws(Failure) -> Int {
      let option = arguments[i]
      let text = try value()
      guard let n = Int(text), n >= 1, n <= limit else {
        throw Failure(.usage, "\(option) takes a number from 1 to \(limit), not '\(text)'")
      }
      return n
    }
    var onlyWords = false
    while i < arguments.count {
      let argument = arguments[i]
      if onlyWords {
        words.append(argument)
      } else {
        switch argument {
        case "--": onlyWords = true
        case "--input": options.inputFile = try value()
        case "--output": options.outputFile = try value()
        case "--format":
          let text = try value()
          guard let format = OutputFormat(rawValue: text) else {
            throw Failure(.usage, "--format takes text, json or ndjson, not '\(text)'")
          }
          options.format = format
          options.isFormatGiven = true
        case "--threads": options.threads = try count(upTo: maximumThreads)
        case "--repeat": options.repeatCount = try count(upTo: maximumRepeats)
        case "--loop": options.loops = true
        case "--tui": options.usesDashboard = true
        case "--no-tui": options.usesDashboard = false
        default:
          let isOption = argument.utf8.count > 1 && argument.utf8.first == UInt8(ascii: "-")
          if isOption { throw Failure(.usage, "unknown option '\(argument)'") }
          words.append(argument)
        }
      }
      i += 1
    }
    return (options, words)
  }
}

/// Ends the process with a command's exit code.
public func endProcess(_ code: ExitCode) -> Never { exit(code.rawValue) }
