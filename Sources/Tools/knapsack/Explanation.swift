// knapsack inspect --explain: what became of a model's nodes, one line per change, grouped by what was done.
import Bytes
import Graphs

/// The events of a graph, printed.
struct Explanation {
  private let groups: [(what: String, events: [GraphEvent])]

  init(_ events: [GraphEvent]) {
    var groups: [(what: String, events: [GraphEvent])] = []
    var places: [String: Int] = [:]
    for event in events {
      if let place = places[event.what] {
        groups[place].events.append(event)
      } else {
        places[event.what] = groups.count
        groups.append((event.what, [event]))
      }
    }
    self.groups = groups
  }

  /// What the reader is told that a group is.
  private static func title(_ what: String) -> String {
    switch what {
    case "import": "import: nodes that came as others, or as constants"
    case "fold-constants":
      "fold-constants: values that are the same whatever runs through the model"
    case "drop-dead-nodes": "drop-dead-nodes: nodes whose outputs nothing reads"
    default: what
    }
  }

  func write(_ text: inout TextBuffer) {
    for group in groups {
      text.put("\n")
      text.put(untrusted: Array(Explanation.title(group.what).utf8))
      text.put(" (\(group.events.count))\n")
      for event in group.events {
        var line = "  " + event.before.joined(separator: " + ")
        if !event.after.isEmpty { line += " → " + event.after.joined(separator: ", ") }
        text.put(untrusted: Array(line.utf8))
        text.put("\n")
      }
    }
  }

  func write(_ json: inout JSONWriter) {
    json.key("events")
    json.beginArray()
    for event in groups.flatMap(\.events) {
      json.beginObject()
      json.field("what", event.what)
      for (key, names) in [("before", event.before), ("after", event.after)] {
        json.key(key)
        json.beginArray()
        for name in names { json.value(name) }
        json.endArray()
      }
      json.endObject()
    }
    json.endArray()
  }
}
