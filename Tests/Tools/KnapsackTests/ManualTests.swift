// What the tool says of itself: help whose examples work, man pages, completions.
import Foundation
import Testing

@Suite(.enabled(if: Tool.areBuilt, "the tools are not built: run swift build first"))
struct ManualTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  /// A command as the tool describes it, and its path.
  private struct Command {
    var path: [String]
    var fields: [String: Any]
    var arguments: [[String: Any]] { fields["arguments"] as? [[String: Any]] ?? [] }
    var discussion: String { fields["discussion"] as? String ?? "" }
  }

  private func commands() throws -> [Command] {
    let outcome = try Tool.knapsack.run(["--experimental-dump-help"])
    let root = try #require(try outcome.object()["command"] as? [String: Any])
    var found: [Command] = []
    func add(_ fields: [String: Any], _ path: [String]) {
      found.append(Command(path: path, fields: fields))
      for child in fields["subcommands"] as? [[String: Any]] ?? [] {
        if let name = child["commandName"] as? String, name != "help" { add(child, path + [name]) }
      }
    }
    add(root, [])
    return found
  }

  /// Words of a line as a shell takes them; examples quote with " only.
  private func words(_ line: String) -> [String] {
    var words: [String] = []
    for (i, part) in line.split(separator: "\"", omittingEmptySubsequences: false).enumerated() {
      if i % 2 == 1 {
        words.append(String(part))
      } else {
        words += part.split(separator: " ").map(String.init)
      }
    }
    return words
  }

  @Test func everythingIsDescribed() throws {
    let commands = try commands()
    #expect(commands.count > 8)
    for command in commands {
      #expect(command.fields["abstract"] as? String != nil, "\(command.path)")
      for argument in command.arguments {
        #expect(
          (argument["abstract"] as? String)?.isEmpty == false,
          "\(command.path) \(argument["valueName"] ?? "")")
      }
    }
  }

  /// Every example is a line that its command takes: it may miss a file here, but never be misused.
  @Test func examplesAreUnderstood() throws {
    var count = 0
    for command in try commands() {
      let lines = command.discussion.split(separator: "\n").map {
        $0.trimmingCharacters(in: .whitespaces)
      }.filter { $0.hasPrefix("knapsack ") }
      // What only groups others has no examples of its own.
      if !command.arguments.allSatisfy({ $0["kind"] as? String == "flag" }), command.path.count == 1
      {
        #expect(!lines.isEmpty, "\(command.path)")
      }
      for line in lines {
        count += 1
        // What goes on by then was understood.
        var end: DispatchWorkItem?
        let outcome = try Tool.knapsack.run(
          Array(words(line).dropFirst()), environment: ["KNAPSACK_CACHE": folder.path("cache")],
          directory: folder.url.path
        ) { child in
          let item = DispatchWorkItem { kill(child, SIGKILL) }
          DispatchQueue.global().asyncAfter(deadline: .now() + 5, execute: item)
          end = item
        }
        end?.cancel()
        #expect(outcome.status != 64, "\(line): \(outcome.error)")
      }
    }
    #expect(count >= 15)
  }

  private func installed(_ program: String) -> String? {
    ["/usr/bin/", "/bin/"].map { $0 + program }.first(where: FileManager.default.isExecutableFile)
  }

  private func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, said: String)
  {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let said = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: said, as: UTF8.self))
  }

  @Test func pagesAndCompletions() throws {
    let share = folder.path("share")
    let made = try run(
      "/usr/bin/env",
      [
        "python3", Repository.root.appending(path: "scripts/manual.py").path, Tool.knapsack.path,
        share,
      ])
    try #require(made.status == 0, "\(made.said)")
    let pages = try FileManager.default.contentsOfDirectory(atPath: share + "/man/man1").sorted()
    #expect(pages.contains("knapsack.1") && pages.contains("knapsack-pack.1"))
    for page in pages {
      let path = share + "/man/man1/" + page
      let text = String(decoding: try Repository.bytes(path), as: UTF8.self)
      #expect(text.contains("\n.Sh SYNOPSIS\n"))
      guard let groff = installed("groff") else { continue }
      let checked = try run(groff, ["-mdoc", "-Tutf8", "-ww", "-z", path])
      #expect(checked.status == 0 && checked.said.isEmpty, "\(checked.said)")
    }
    let bash = try #require(installed("bash"))
    let script = share + "/bash-completion/completions/knapsack"
    let loaded = try run(bash, ["-c", "source \"$1\" && complete -p knapsack", "bash", script])
    #expect(loaded.status == 0 && loaded.said.contains("-F"), "\(loaded.said)")
    for (shell, file) in [
      ("zsh", "/zsh/site-functions/_knapsack"),
      ("fish", "/fish/vendor_completions.d/knapsack.fish"),
    ] {
      #expect(FileManager.default.fileExists(atPath: share + file))
      guard let shell = installed(shell) else { continue }
      let parsed = try run(shell, ["-n", share + file])
      #expect(parsed.status == 0, "\(parsed.said)")
    }
  }
}
