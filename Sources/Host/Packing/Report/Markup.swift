// Markup that is HTML and XML at once, every text of it escaped.
import Foundation

/// Elements put together; what is not markup goes through `escaped`.
struct Markup {
  private(set) var text = ""

  /// Text as it may stand between tags and in quoted attributes: no tags, no entities, no characters that
  /// XML does not have.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t", "\r": result += " "
      default:
        // Control characters, and those that turn the direction of what stands around them.
        let isRefused =
          scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
          || (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
          || scalar.value & 0xFFFE == 0xFFFE
        result.unicodeScalars.append(isRefused ? "\u{FFFD}" : scalar)
      }
    }
    return result
  }

  /// An element with text inside.
  mutating func put(_ tag: String, _ content: String) { put(tag, [:]) { $0.put(text: content) } }

  /// The same with attributes.
  mutating func put(
    _ tag: String, _ attributes: KeyValuePairs<String, String>, _ content: String
  ) {
    put(tag, attributes) { $0.put(text: content) }
  }

  /// An element with others inside.
  mutating func put(
    _ tag: String, _ attributes: KeyValuePairs<String, String> = [:],
    _ content: (inout Markup) -> Void = { _ in }
  ) {
    text += "<\(tag)"
    for (name, value) in attributes { text += " \(name)=\"\(Markup.escaped(value))\"" }
    text += ">"
    content(&self)
    text += "</\(tag)>"
  }

  mutating func put(text content: String) { text += Markup.escaped(content) }

  /// Markup made before.
  mutating func append(_ other: Markup) { text += other.text }

  /// Markup that is written here and nowhere else.
  mutating func put(raw content: StaticString) { text += content.description }
}
