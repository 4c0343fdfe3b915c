// Why a device profile cannot be used, and where in it.

/// A device profile that is missing, unreadable or wrong. Tools exit with `exitCode`.
public struct ProfileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// sysexits' EX_CONFIG.
  public static let exitCode: Int32 = 78

  public enum Reason: Equatable, Sendable {
    /// No such profile by name; the nearest name there is.
    case unknownProfile(nearest: String?)
    /// The file could not be read, with the system's reason.
    case unreadable(String)
    case tooLarge(bytes: Int, limit: Int)
    /// Not JSON5; what was expected.
    case syntax(String)
    /// A key that profiles do not have; the nearest one that this object may have.
    case unknownKey(nearest: String?)
    case missingKey
    case wrongType(expected: String, found: String)
    /// A name that is none of those allowed; the nearest of them.
    case unknownName(String, nearest: String?)
    /// A figure or text outside of what is possible, and what that is.
    case outOfRange(expected: String)
  }

  /// The file, or the name that was looked for.
  public var source: String
  /// As `cpu.clusters[0].cores`; empty for the whole file.
  public var keyPath: String
  /// Bytes from the start of the file, where there is such a place.
  public var offset: Int?
  public var reason: Reason

  /// One line, without a full stop.
  public var description: String {
    var text = source
    if let offset { text += ": byte \(offset)" }
    if !keyPath.isEmpty { text += ": \(keyPath)" }
    return text + ": " + detail
  }

  private var detail: String {
    func suggestion(_ nearest: String?) -> String {
      nearest.map { "; did you mean '\($0)'?" } ?? ""
    }
    return switch reason {
    case .unknownProfile(let nearest): "no such device profile" + suggestion(nearest)
    case .unreadable(let why): "cannot be read: \(why)"
    case .tooLarge(let bytes, let limit): "\(bytes) bytes, a profile has at most \(limit)"
    case .syntax(let message): "not JSON5: \(message)"
    case .unknownKey(let nearest): "unknown key" + suggestion(nearest)
    case .missingKey: "missing key"
    case .wrongType(let expected, let found): "expected \(expected), found \(found)"
    case .unknownName(let name, let nearest): "unknown name '\(name)'" + suggestion(nearest)
    case .outOfRange(let expected): "expected \(expected)"
    }
  }
}
