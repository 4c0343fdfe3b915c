// Finds a device profile by name or path.

import Foundation
import Kernels

extension DeviceProfile {
  /// What `--target` calls the machine it runs on.
  public static let hostName = "host"

  /// The profiles that come with the tool, by name. `host` is not among them.
  public static func all() throws(ProfileError) -> [DeviceProfile] {
    var profiles: [DeviceProfile] = []
    for (name, text) in embeddedTargets {
      profiles.append(try DeviceProfile(json5: Array(text.utf8), source: "\(name).json5"))
    }
    return profiles
  }

  /// The profile that `target` means: `host`; a path (it holds a slash or ends in `.json5`); a file
  /// `TARGET.json5` in the folder that `KNAPSACK_TARGETS` names; one that comes with the tool.
  public static func named(
    _ target: String, folder: String? = ProcessInfo.processInfo.environment["KNAPSACK_TARGETS"]
  ) throws(ProfileError) -> DeviceProfile {
    if target == hostName { return try probedHost() }
    if target.contains("/") || target.hasSuffix(".json5") { return try readCurrent(target) }
    if let folder, !folder.isEmpty {
      let path = "\(folder)/\(target).json5"
      if FileManager.default.fileExists(atPath: path) { return try readCurrent(path) }
    }
    if let (name, text) = embeddedTargets.first(where: { $0.name == target }) {
      return try DeviceProfile(json5: Array(text.utf8), source: "\(name).json5")
    }
    let nearest = nearestName(to: target, among: [hostName] + embeddedTargets.map(\.name))
    throw ProfileError(
      source: target, keyPath: "", offset: nil, reason: .unknownProfile(nearest: nearest))
  }

  /// Where `probe` keeps what it measured of this machine: in `KNAPSACK_CACHE`, or the user's cache.
  public static var hostFile: String {
    let environment = ProcessInfo.processInfo.environment
    let cache =
      environment["KNAPSACK_CACHE"].flatMap { $0.isEmpty ? nil : $0 }
      ?? (environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
        ?? NSHomeDirectory() + "/.cache") + "/knapsack"
    return cache + "/host.json5"
  }

  /// This machine, with what a probe measured of it where that is still true: the same processor and
  /// the same kernels. Free memory and storage are those of now.
  package static func probedHost(_ file: String = hostFile) throws(ProfileError) -> DeviceProfile {
    var host = try host()
    // A cache: what cannot be read, or is of another version, counts as nothing.
    guard let probed = try? read(file) else { return host }
    let isSame =
      probed.cpu.clusters.map(\.core) == host.cpu.clusters.map(\.core)
      && probed.measured?.isOf(KernelSet.best.name) == true
    guard isSame else { return host }
    host.measured = probed.measured
    host.power = probed.power
    return host
  }

  /// The profile in the file at `path`, to predict with: steps that another version measured are not
  /// today's.
  private static func readCurrent(_ path: String) throws(ProfileError) -> DeviceProfile {
    let profile = try read(path)
    let current = MeasuredSpeeds.currentVersion
    guard let version = profile.measured?.version, version != current else { return profile }
    throw ProfileError(
      source: path, keyPath: "measured.version", offset: nil,
      reason: .outOfRange(expected: "\(current), found \(version): probe that machine again"))
  }

  /// The profile in the file at `path`.
  public static func read(_ path: String) throws(ProfileError) -> DeviceProfile {
    try DeviceProfile(json5: fileBytes(path), source: path)
  }

  /// At most one byte more than a profile may have: enough to refuse it.
  private static func fileBytes(_ path: String) throws(ProfileError) -> [UInt8] {
    do {
      let attributes = try FileManager.default.attributesOfItem(
        atPath: URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false))
      guard attributes[.type] as? FileAttributeType == .typeRegular else {
        throw CocoaError(.fileReadUnknown)
      }
      let file = try FileHandle(forReadingFrom: URL(filePath: path))
      defer { try? file.close() }
      return [UInt8](try file.read(upToCount: maximumFileBytes + 1) ?? Data())
    } catch {
      let why =
        switch (error as? CocoaError)?.code {
        case .fileNoSuchFile, .fileReadNoSuchFile: "no such file"
        case .fileReadNoPermission: "no permission"
        default: "not a readable file"
        }
      throw ProfileError(source: path, keyPath: "", offset: nil, reason: .unreadable(why))
    }
  }
}
