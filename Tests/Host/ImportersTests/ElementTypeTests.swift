// Models keep the element types they declare, and narrow ones mean what they should.
import Foundation
import Graphs
import Importers
import Tensors
import Testing

@Suite struct ElementTypeTests {
  private func run(
    _ build: (inout ONNXModelSketch) -> Void, _ inputs: [String: Constant]
  ) throws -> (graph: Graph, outputs: [String: Constant]) {
    var model = ONNXModelSketch(opset: 25)
    build(&model)
    let graph = try ONNXImporter.importGraph(model.file)
    return (graph, try GraphRunner(graph).run(inputs))
  }

  private func halves(_ values: [Float]) -> [UInt8] {
    values.map { Float16($0).bitPattern }.withUnsafeBytes { [UInt8]($0) }
  }

  private func constant(_ type: ElementType, _ shape: [Int], _ bytes: [UInt8]) -> Constant {
    Constant(elementType: type, shape: Shape(shape)) { $0.copyBytes(from: bytes) }
  }

  @Test func halfInHalfOut() throws {
    let x: [Float] = [1, -2.5, 0.125, 100]
    let result = try run(
      { m in
        m.input("x", ["n"], type: 10)
        m.constant(ONNXTensorSketch("w", type: 10, [1]) { $0.put(9, halves([0.5])) })
        m.node("Mul", ["x", "w"], ["scaled"])
        // A value as given and one that was computed meet.
        m.node("Concat", ["x", "scaled"], ["y"], ["axis": .integer(0)])
        m.output("y", ["m"], type: 10)
      }, ["x": constant(.f16, [4], halves(x))])
    #expect(result.graph.inputs[0].elementType == .f16)
    let y = try #require(result.outputs["y"])
    #expect(y.elementType == .f16 && y.shape == Shape([8]))
    #expect(Array(y.bytes) == halves(x + x.map { $0 / 2 }))
  }

  @Test func doublesReachFurtherThanFloats() throws {
    func bytes(_ list: [Double]) -> [UInt8] { list.withUnsafeBytes { [UInt8]($0) } }
    let result = try run(
      { m in
        m.input("x", [3], type: 11)
        m.constant(ONNXTensorSketch("w", type: 11, [1]) { $0.put(9, bytes([1e200])) })
        m.node("Mul", ["x", "w"], ["y"])
        m.output("y", [3], type: 11)
        m.node("Greater", ["y", "x"], ["z"])
        m.output("z", [3], type: 9)
      }, ["x": constant(.f64, [3], bytes([2, -3, 0]))])
    #expect(Array(try #require(result.outputs["y"]).bytes) == bytes([2e200, -3e200, 0]))
    #expect(try #require(result.outputs["z"]).integers == [1, 0, 0])
  }

  /// [−8, 7, −1, 3, 5] in nibbles, the first in the low half; the last half-byte is padding.
  @Test(arguments: [true, false]) func nibblesAreUnpacked(isRaw: Bool) throws {
    let packed: [UInt8] = [0x78, 0x3F, 0x05]
    let y = try run(
      { m in
        m.input("x", [5])
        m.constant(
          ONNXTensorSketch("w", type: 22, [5]) { t in
            if isRaw {
              t.put(9, packed)
            } else {
              for byte in packed { t.put(5, Int(byte)) }
            }
          })
        m.node("Cast", ["w"], ["wide"], ["to": .integer(1)])
        m.node("Add", ["x", "wide"], ["y"])
        m.output("y", [5], type: 1)
      }, ["x": Constant(floats: [0, 0, 0, 0, 1], shape: Shape([5]))]
    ).outputs["y"]
    #expect(try #require(y).floats == [-8, 7, -1, 3, 6])
  }

  @Test(arguments: [[UInt8]([0x78, 0x3F]), [0x78, 0x3F, 0x05, 0x00]])
  func wrongCountsOfPackedBytesAreRefused(bytes: [UInt8]) throws {
    var model = ONNXModelSketch(opset: 25)
    model.input("x", [5])
    model.constant(ONNXTensorSketch("w", type: 22, [5]) { $0.put(9, bytes) })
    model.node("Cast", ["w"], ["y"], ["to": .integer(1)])
    model.output("y")
    let file = model.file
    #expect {
      try ONNXImporter.importGraph(file)
    } throws: {
      "\($0)".contains("tensor 'w': [5] of i4 takes 3 bytes, found \(bytes.count)")
    }
  }

  @Test func integersOfEveryWidthWrap() throws {
    let types: [(Int, ElementType)] = [(3, .i8), (2, .u8), (5, .i16), (4, .u16), (12, .u32)]
    for (number, type) in types {
      let y = try run(
        { m in
          m.input("x", [2], type: number)
          m.node("Mul", ["x", "x"], ["y"])
          m.output("y", [2], type: number)
        },
        [
          "x": Constant(elementType: type, shape: Shape([2])) { out in
            out.initializeMemory(as: UInt8.self, repeating: 0)
            out[0] = 3
            // −1, or the largest number of the type.
            for i in type.byteCount..<(2 * type.byteCount) { out[i] = 0xFF }
          }
        ]
      ).outputs["y"]
      #expect(try #require(y).elementType == type)
      #expect(try #require(y).integers == [9, 1], "\(type)")
    }
  }
}
