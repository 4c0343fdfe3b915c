// Makes the device profiles of Targets part of the tool, so that an installed one has them too.

import Foundation
import PackagePlugin

@main struct EmbedTargets: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    let root = context.package.directoryURL
    let script = root.appending(path: "scripts/embed-targets.sh")
    let profiles = try FileManager.default.contentsOfDirectory(
      at: root.appending(path: "Targets"), includingPropertiesForKeys: nil
    )
    .filter { $0.pathExtension == "json5" }
    .sorted { $0.lastPathComponent < $1.lastPathComponent }
    let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedTargets.swift")
    return [
      .buildCommand(
        displayName: "Embedding \(profiles.count) device profiles",
        executable: URL(filePath: "/bin/sh"),
        arguments: ([script, output] + profiles).map { $0.path(percentEncoded: false) },
        inputFiles: [script] + profiles, outputFiles: [output])
    ]
  }
}
