// The support table is no promise but a finding: what it lists also runs.
import Graphs
import Importers
import Tensors
import Testing

@Suite struct OperatorSupportTests {
  /// Bytes that are small numbers in every element type: what fits a type is not this test's matter.
  private func data(_ type: ElementType, _ shape: Shape) -> Constant {
    Constant(elementType: type, shape: shape) { out in
      for i in 0..<shape.elementCount {
        switch type {
        case .f32: out.storeBytes(of: Float(i % 3), toByteOffset: i * 4, as: Float.self)
        case .f64: out.storeBytes(of: Double(i % 3), toByteOffset: i * 8, as: Double.self)
        default:
          for b in 0..<type.byteCount { out[i * type.byteCount + b] = b == 0 ? UInt8(i % 2) : 0 }
        }
      }
    }
  }

  @Test func everythingListedRuns() throws {
    let table = OperatorSupport.all()
    #expect(table.count > 100)
    var runs = 0
    for row in table {
      for type in row.elementTypes {
        for graph in row.graphs(type) {
          let inputs = graph.inputs.map { input -> (String, Constant) in
            let shape = Shape(
              input.dimensions.map { if case .constant(let n) = $0 { n } else { 1 } })
            return (graph[input.value].name, data(input.elementType, shape))
          }
          let outputs = try GraphRunner(graph).run(Dictionary(uniqueKeysWithValues: inputs))
          #expect(outputs.count == graph.outputs.count, "\(row.name) of \(type.name)")
          runs += 1
        }
      }
    }
    #expect(runs > 1000)
  }

  @Test func rowsAreUniqueAndSorted() {
    let names = OperatorSupport.all().map { "\($0.format.rawValue) \($0.domain) \($0.name)" }
    #expect(names == names.sorted())
    #expect(Set(names).count == names.count)
  }
}
