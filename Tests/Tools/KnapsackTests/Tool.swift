// The built tools as a person uses them: child processes with a time limit, in folders of their own.

import Foundation
import Testing

/// How a child ended and what it said.
struct Outcome {
  /// Negative where a signal ended it: minus its number.
  var status: Int32
  var output: Data
  var error: String
  /// Seconds from start to end.
  var seconds: Double
  /// The most memory that was seen in use, the system's own count of it (VmHWM).
  var peakBytes: Int

  var text: String { String(decoding: output, as: UTF8.self) }
  var errorLines: [Substring] { error.split(separator: "\n") }

  /// The output as one JSON object.
  func object() throws -> [String: Any] {
    let value = try JSONSerialization.jsonObject(with: output)
    return try #require(value as? [String: Any])
  }
}

/// One of the executables, built beside the tests.
struct Tool {
  var path: String
  var name: String

  static let knapsack = Tool("knapsack")
  static let knapsackRun = Tool("knapsack-run")

  private init(_ name: String) {
    self.name = name
    path = Tool.folder + "/" + name
  }

  /// Where the test product lies.
  private static let folder: String = {
    let executable = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    return URL(filePath: executable ?? CommandLine.arguments[0]).deletingLastPathComponent().path
  }()

  /// Whether both tools are there: a test product alone may have been built.
  static let areBuilt = [knapsack, knapsackRun].allSatisfy {
    FileManager.default.isExecutableFile(atPath: $0.path)
  }

  /// Runs the tool to its end.
  ///
  /// output: a path to write standard output to, in place of keeping it.
  /// limit: what `ulimit` sets before, such as `-v 1000000`.
  /// directory: where it runs; here where none is given.
  /// onStart: called with the process id at once.
  func run(
    _ arguments: [String], input: String = "/dev/null", output: String? = nil,
    environment: [String: String] = [:], limit: String? = nil, directory: String? = nil,
    seconds: Double = 60, onStart: (pid_t) -> Void = { _ in }
  ) throws -> Outcome {
    let folder = try Folder()
    let (out, err) = (output ?? folder.path("out"), folder.path("err"))
    var words = [path] + arguments
    if let limit {
      words = ["/bin/sh", "-c", "ulimit \(limit) && exec \"$@\"", "sh"] + words
    }
    if let directory {
      words = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", directory] + words
    }
    var variables = ProcessInfo.processInfo.environment
    for name in ["KNAPSACK_TARGETS", "NO_COLOR", "CI"] { variables[name] = nil }
    // What runs leave in the state folder is not for the home of who tests.
    variables["XDG_STATE_HOME"] = folder.path("state")
    variables["XDG_CONFIG_HOME"] = folder.path("config")
    variables.merge(environment) { $1 }
    let begin = Date()
    let child = try spawn(words, variables.map { "\($0)=\($1)" }, input, out, err)
    onStart(child)
    var status: Int32 = 0
    var peak = 0
    while waitpid(child, &status, WNOHANG) == 0 {
      peak = max(peak, peakBytes(of: child))
      if Date().timeIntervalSince(begin) > seconds {
        kill(child, SIGKILL)
        waitpid(child, &status, 0)
        Issue.record("\(words) still ran after \(seconds) s")
        break
      }
      usleep(1000)
    }
    let signal = status & 0x7F
    return Outcome(
      status: signal != 0 ? -signal : status >> 8 & 0xFF,
      output: output == nil ? try Data(contentsOf: URL(filePath: out)) : Data(),
      error: String(decoding: try Data(contentsOf: URL(filePath: err)), as: UTF8.self),
      seconds: Date().timeIntervalSince(begin), peakBytes: peak)
  }

  /// The largest resident size that a process had so far; 0 where it has ended.
  private func peakBytes(of child: pid_t) -> Int {
    guard let file = FileHandle(forReadingAtPath: "/proc/\(child)/status"),
      let data = try? file.read(upToCount: 4096)
    else { return 0 }
    let line = String(decoding: data, as: UTF8.self).split(separator: "\n")
      .first { $0.hasPrefix("VmHWM:") }
    return (line?.split(separator: " ").compactMap { Int($0) }.first ?? 0) * 1024
  }

  /// Paths of the files that a process has open.
  static func openFiles(of child: pid_t) -> [String] {
    let files = FileManager.default
    let folder = "/proc/\(child)/fd"
    return ((try? files.contentsOfDirectory(atPath: folder)) ?? []).compactMap {
      try? files.destinationOfSymbolicLink(atPath: folder + "/" + $0)
    }
  }

  /// Runs the tool and expects it to refuse: this code, one line with the tool's name, no output.
  @discardableResult
  func refusal(
    _ code: Int32, _ arguments: [String], input: String = "/dev/null",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String {
    let outcome = try run(arguments, input: input)
    #expect(
      outcome.status == code, "\(arguments): \(outcome.error)", sourceLocation: sourceLocation)
    #expect(
      outcome.errorLines.count == 1 && outcome.error.hasPrefix(name + ": "),
      "\(arguments): \(outcome.error)", sourceLocation: sourceLocation)
    #expect(outcome.output.isEmpty, "\(arguments)", sourceLocation: sourceLocation)
    return outcome.error
  }

  private func spawn(
    _ words: [String], _ environment: [String], _ input: String, _ output: String, _ error: String
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o644)
    posix_spawn_file_actions_addopen(&actions, 2, error, O_WRONLY | O_CREAT, 0o644)
    return try Tool.spawn(words, environment, &actions)
  }
}

/// A folder that is removed with its last user.
final class Folder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "knapsack-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appending(path: name).path }

  /// Writes a file into the folder.
  @discardableResult
  func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
    try Data(bytes).write(to: url.appending(path: name))
    return path(name)
  }

  /// Everything in the folder, hidden files too.
  var names: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: url.path))?.sorted() ?? []
  }
}

/// Files of the repository that this test was built from.
enum Repository {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  static let digits = root.appending(path: "Bundles/digits").path
  static let digitsModel = digits + "/digits.onnx"
  static let digitsData = digits + "/test.safetensors"

  static func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path)))
  }
}

/// The digits bundle of one scheme, packed once.
enum DigitsBundle {
  private static let folder = Result { try Folder() }
  private static let f32 = Result {
    // Nothing ends the life of a static.
    atexit { DigitsBundle.removeFolder() }
    return try pack("f32")
  }

  private static func removeFolder() {
    if let url = try? folder.get().url { try? FileManager.default.removeItem(at: url) }
  }

  static func path() throws -> String { try f32.get() }

  static func pack(_ scheme: String) throws -> String {
    let path = try folder.get().path(scheme + ".knap")
    let outcome = try Tool.knapsack.run(
      ["pack", Repository.digits, "--scheme", scheme, "--output", path])
    try #require(outcome.status == 0, "\(outcome.error)")
    return path
  }
}

/// Tensors of a safetensors file, read without any code of ours.
struct TensorTable {
  struct Entry {
    var type: String
    var shape: [Int]
    var bytes: Data
  }
  var entries: [String: Entry] = [:]

  init(path: String) throws {
    let data = try Data(contentsOf: URL(filePath: path))
    let length = (0..<8).reduce(0) { $0 | Int(data[$1]) << (8 * $1) }
    let header = try #require(
      JSONSerialization.jsonObject(with: data[8..<8 + length]) as? [String: Any])
    for (name, value) in header where name != "__metadata__" {
      let fields = try #require(value as? [String: Any])
      let range = try #require(fields["data_offsets"] as? [Int])
      entries[name] = Entry(
        type: try #require(fields["dtype"] as? String),
        shape: try #require(fields["shape"] as? [Int]),
        bytes: Data(data[8 + length + range[0]..<8 + length + range[1]]))
    }
  }

  /// An f32 tensor's numbers.
  func floats(_ name: String) throws -> [Float] {
    let entry = try #require(entries[name], "no tensor \(name)")
    try #require(entry.type == "F32")
    return entry.bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }
  }

  /// The bytes of a safetensors file of these tensors.
  static func bytes(_ tensors: [(name: String, type: String, shape: [Int], bytes: [UInt8])])
    -> [UInt8]
  {
    var body: [UInt8] = []
    var fields: [String] = []
    for tensor in tensors {
      let end = body.count + tensor.bytes.count
      fields.append(
        "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type)\",\"shape\":\(tensor.shape),"
          + "\"data_offsets\":[\(body.count),\(end)]}")
      body += tensor.bytes
    }
    let header = Array("{\(fields.joined(separator: ","))}".utf8)
    return (0..<8).map { UInt8(header.count >> (8 * $0) & 0xFF) } + header + body
  }
}
