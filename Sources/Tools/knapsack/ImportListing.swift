// knapsack inspect --nodes: a model as its importer hands it over, before anything is rewritten.
import Bytes
import Graphs
import Importers
import Platform

/// An imported graph and what importing it took.
struct ImportListing {
  let model: ImportedModel
  let nanoseconds: UInt64
  /// Memory that importing left in use, the mapped file not counted.
  let memoryBytes: Int

  init(_ path: String) throws {
    let before = ProcessMemory.current?.anonymousBytes ?? 0
    let begin = Clock.monotonicNanoseconds
    model = try Importer.importModel(path)
    nanoseconds = Clock.monotonicNanoseconds &- begin
    memoryBytes = max((ProcessMemory.current?.anonymousBytes ?? 0) - before, 0)
  }

  private var graph: Graph { model.graph }

  private func name(_ value: ValueID?) -> String { value.map { graph[$0].name } ?? "" }

  private func dimensions(_ input: GraphInput) -> String {
    let parts = input.dimensions.map { d -> String in
      switch d {
      case .constant(let n): "\(n)"
      case .symbol(let name): name
      }
    }
    return "[" + parts.joined(separator: ", ") + "]"
  }

  var text: [UInt8] {
    var text = TextBuffer()
    text.put("\(model.format.rawValue): \(graph.nodes.count) nodes in ")
    text.put(durationNanoseconds: nanoseconds)
    text.put(" and ")
    text.put(memoryBytes: memoryBytes)
    text.put(" beside the file\n")
    func line(_ text: inout TextBuffer, _ line: String) {
      text.put(untrusted: Array(line.utf8))
      text.put("\n")
    }
    for input in graph.inputs {
      line(&text, "input   \(name(input.value)) \(input.elementType.name)\(dimensions(input))")
    }
    for output in graph.outputs { line(&text, "output  \(output.name)") }
    for node in graph.nodes {
      let inputs = node.inputs.map { $0 == nil ? "-" : name($0) }.joined(separator: ", ")
      let outputs = node.outputs.map { name($0) }.joined(separator: ", ")
      line(&text, "\(node.op.name)  \(node.name): \(inputs) → \(outputs)")
    }
    return text.bytes
  }

  var json: [UInt8] {
    var json = JSONWriter(isPretty: true)
    json.beginObject()
    json.field("schema", "knapsack.import")
    json.field("version", 1)
    json.field("model_format", model.format.rawValue)
    json.field("import_us", Int(nanoseconds / 1000))
    json.field("memory_bytes", memoryBytes)
    json.key("nodes")
    json.beginArray()
    for node in graph.nodes {
      json.beginObject()
      json.field("name", node.name)
      json.field("operator", node.op.name)
      for (key, values) in [("inputs", node.inputs), ("outputs", node.outputs.map { $0 })] {
        json.key(key)
        json.beginArray()
        for value in values { json.value(name(value)) }
        json.endArray()
      }
      json.endObject()
    }
    json.endArray()
    json.endObject()
    json.endDocument()
    return json.bytes
  }
}
