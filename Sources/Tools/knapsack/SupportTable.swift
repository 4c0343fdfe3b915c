// knapsack inspect --support: every operator that imports take, as a table of Markdown or as JSON.
import Bytes
import Importers
import Tensors

/// The operators of every format, printed.
struct SupportTable {
  private let rows = OperatorSupport.all()

  /// The names of types, where a whole family is taken the family's. Those of 8 bits and fewer that
  /// are converted like all others would say nothing here.
  static func describe(_ types: [ElementType]) -> String {
    let families: [(name: String, types: [ElementType])] = [
      ("reals", [.f32, .f16, .bf16, .f64]),
      ("integers", [.i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64]),
      ("bool", [.bool]), ("strings", [.string]),
    ]
    var parts: [String] = []
    for family in families {
      let found = family.types.filter { types.contains($0) }
      if found == family.types {
        parts.append(family.name)
      } else {
        parts += found.map(\.name)
      }
    }
    return parts.isEmpty ? "–" : parts.joined(separator: ", ")
  }

  var text: [UInt8] {
    var text = TextBuffer()
    text.put("| operator | format | element types |\n|---|---|---|\n")
    for row in rows {
      let domain = row.domain == "ai.onnx" || row.domain.isEmpty ? "" : row.domain + "."
      text.put("| \(domain)\(row.name) | \(row.format.rawValue) | ")
      text.put("\(SupportTable.describe(row.elementTypes)) |\n")
    }
    return text.bytes
  }

  var json: [UInt8] {
    var json = JSONWriter(isPretty: true)
    json.beginObject()
    json.field("schema", "knapsack.support")
    json.field("version", 1)
    json.key("operators")
    json.beginArray()
    for row in rows {
      json.beginObject()
      json.field("format", row.format.rawValue)
      json.field("domain", row.domain)
      json.field("name", row.name)
      json.key("element_types")
      json.beginArray()
      for type in row.elementTypes { json.value(type.name) }
      json.endArray()
      json.endObject()
    }
    json.endArray()
    json.endObject()
    json.endDocument()
    return json.bytes
  }
}
