// Why a model was refused, in one line that names the file and the place in it.

/// An operator that no importer function takes.
public struct UnsupportedOperator: Hashable, Sendable, CustomStringConvertible {
  /// Empty for the standard ONNX operators.
  public var domain: String
  public var name: String
  /// The opset of `domain` that the model asks for.
  public var opset: Int
  /// Names of the nodes that use it, in graph order.
  public var nodes: [String]

  public init(domain: String, name: String, opset: Int, nodes: [String]) {
    self.domain = domain
    self.name = name
    self.opset = opset
    self.nodes = nodes
  }

  /// `LSTM (opset 11; nodes 'a', 'b', 'c' and 4 more)`.
  public var description: String {
    let title = domain.isEmpty ? name : "\(domain)::\(name)"
    let shown = nodes.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
    let rest = nodes.count > 3 ? " and \(nodes.count - 3) more" : ""
    return "\(title) (opset \(opset); node\(nodes.count == 1 ? "" : "s") \(shown)\(rest))"
  }
}

/// A model file that cannot be imported.
public struct ImportError: Error, Equatable, Sendable {
  /// What is wrong.
  public enum Reason: Equatable, Sendable {
    /// The file or folder is not there or cannot be read.
    case unreadable(String)
    /// The bytes at `offset` are not what the format asks for.
    case malformed(offset: Int, String)
    /// A node that cannot be what it says.
    case node(name: String, operator: String, String)
    /// A key of a configuration or a tensor of a weights file.
    case key(String, String)
    /// All operators that are not supported, before any work was done.
    case unsupportedOperators([UnsupportedOperator])
    /// What the file looks like, where that is nothing we import.
    case unsupportedFormat(String)
  }

  /// The file, or the folder, as the caller named it.
  public var file: String
  public var reason: Reason

  public init(file: String, _ reason: Reason) {
    self.file = file
    self.reason = reason
  }

  /// True where the input is missing rather than bad: tools exit with 66 then and 65 otherwise.
  public var isMissingInput: Bool {
    if case .unreadable = reason { true } else { false }
  }
}

extension ImportError: CustomStringConvertible {
  /// One line without a full stop. Names come from the file, so control characters are replaced.
  public var description: String {
    let text =
      switch reason {
      case .unreadable(let why): why
      case .malformed(let offset, let what): "byte \(offset): \(what)"
      case .node(let name, let op, let what): "node '\(name)' (\(op)): \(what)"
      case .key(let key, let what): "'\(key)': \(what)"
      case .unsupportedOperators(let list):
        "\(list.count) operator\(list.count == 1 ? " is" : "s are") not supported: "
          + list.prefix(64).map(\.description).joined(separator: "; ")
          + (list.count > 64 ? "; and more" : "")
      case .unsupportedFormat(let what): what
      }
    var line = ""
    for scalar in "\(file): \(text)".unicodeScalars {
      let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
      line.unicodeScalars.append(isControl ? "?" : scalar)
    }
    return line
  }
}
