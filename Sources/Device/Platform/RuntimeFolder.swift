// Where running loops leave their sockets, for this user alone.

import CPlatform

/// `$XDG_RUNTIME_DIR/knapsack`, else `/tmp/knapsack-UID`; each only where it is a folder of this user
/// that nobody else can enter.
public enum RuntimeFolder {
  /// The folders that may hold sockets, the first choice first.
  public static var candidates: [String] {
    var paths: [String] = []
    // A relative value is to be ignored, says the specification.
    if let base = Environment.getNonEmpty("XDG_RUNTIME_DIR"), base.utf8.first == 0x2F {
      paths.append(base + "/knapsack")
    }
    paths.append("/tmp/knapsack-\(kp_user())")
    return paths
  }

  /// The first of them that can be used, made if it is not there.
  public static func make() throws(PlatformError) -> String {
    var refusal = PlatformError(operation: "create", path: "/tmp", errno: ENOENT)
    for path in candidates {
      let error = try withPath(path, "create") { unsafe kp_private_folder($0) }
      if error == 0 { return path }
      refusal = PlatformError(operation: "use", path: path, errno: error)
    }
    throw refusal
  }

  /// The socket of a process in a folder.
  public static func socket(_ folder: String, process: Int) -> String {
    "\(folder)/\(process).sock"
  }

  /// The sockets there are, with the processes that they belong to; some may have ended.
  public static func sockets() -> [(process: Int, path: String)] {
    var found: [(process: Int, path: String)] = []
    for folder in candidates {
      guard (try? File.kind(of: folder)) == .folder,
        (try? withPath(folder, "use", { unsafe kp_private_folder($0) })) == 0,
        let names = try? Folder.names(folder)
      else { continue }
      for name in names {
        guard let process = process(of: name) else { continue }
        found.append((process, "\(folder)/\(name)"))
      }
    }
    return found
  }

  /// Removes a socket at which nobody listens any more.
  public static func removeStale(_ path: String) {
    unsafe path.withCString { path in _ = unsafe unlink(path) }
  }

  /// The number in `NUMBER.sock`; nil for other names.
  private static func process(of name: String) -> Int? {
    let bytes = Array(name.utf8)
    guard bytes.count > 5, Array(bytes.suffix(5)) == Array(".sock".utf8),
      let number = Int32(String(decoding: bytes.dropLast(5), as: UTF8.self)), number > 0
    else { return nil }
    return Int(number)
  }

  /// This process's number.
  public static var ownProcess: Int { Int(kp_process()) }
}
