// Programs of Debian that tests ask: installed, or unpacked by scripts/setup.sh.
import Foundation

package enum Debian {
  /// The repository.
  package static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The path of a program of the package `prometheus`; nil where it is not there.
  package static func program(_ name: String) -> String? {
    ["/usr/bin/" + name, root.appending(path: ".cache/prometheus/usr/bin/\(name)").path]
      .first(where: FileManager.default.isExecutableFile)
  }

  /// What promtool says against a page of metrics; empty where it is well. Throws where it is not there.
  package static func promtool(_ page: Data) throws -> String {
    guard let path = program("promtool") else { throw CocoaError(.fileNoSuchFile) }
    let process = Process()
    process.executableURL = URL(filePath: path)
    process.arguments = ["check", "metrics"]
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    input.fileHandleForWriting.write(page)
    try input.fileHandleForWriting.close()
    let said = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return String(decoding: said, as: UTF8.self) + (process.terminationStatus == 0 ? "" : "failed")
  }
}
