// Where reports, snapshots and traces go that nobody gave a name: the user's state folder.
import CPlatform
import Platform

/// Files below `$XDG_STATE_HOME/knapsack`, by default `~/.local/state/knapsack` (XDG Base Directory
/// Specification 0.8: a relative value counts as none).
public enum StateFolder {
  /// What is kept there.
  public enum Kind: String, Sendable {
    case runs, snapshots, traces
  }

  /// A path for a new file of this kind, named for the moment; its folder is there then. Throws where
  /// there can be no folder.
  public static func newPath(_ kind: Kind, ending: String) throws(PlatformError) -> String {
    guard let path else {
      throw PlatformError(operation: "create", path: "~/.local/state/knapsack", errno: ENOENT)
    }
    let folder = "\(path)/\(kind.rawValue)"
    try Folder.create(folder)
    let stamp = Timestamp(unixSeconds: Clock.unixSeconds).compact
    let plain = "\(folder)/\(stamp)\(ending)"
    guard try File.kind(of: plain) != .nothing else { return plain }
    // Another one of the same second.
    var count = 1
    while true {
      let path = "\(folder)/\(stamp)-\(getpid())-\(count)\(ending)"
      if try File.kind(of: path) == .nothing { return path }
      count += 1
    }
  }

  /// The folder; nil where the environment names no home.
  public static var path: String? {
    let base = absolute("XDG_STATE_HOME") ?? absolute("HOME").map { $0 + "/.local/state" }
    return base.map { $0 + "/knapsack" }
  }

  private static func absolute(_ variable: String) -> String? {
    guard let value = Environment.getNonEmpty(variable), value.utf8.first == UInt8(ascii: "/")
    else { return nil }
    return value
  }
}
