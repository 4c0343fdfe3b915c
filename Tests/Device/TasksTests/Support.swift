// The fixtures that the tests share.

import Foundation
import Tasks
import Tensors

/// A file that make_task_fixtures.py wrote.
func support(_ name: String) -> [UInt8] {
  let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Support")
  guard let data = try? Data(contentsOf: folder.appendingPathComponent("Tasks/\(name)")) else {
    fatalError("Tests/Support/Tasks/\(name) is missing")
  }
  return [UInt8](data)
}

/// Numbers that NumPy computed.
struct Expected: Decodable {
  struct Pooling: Decodable {
    var hidden: [Float]
    var mask: [Int64]
    var mean: [Double]
    var cls: [Double]
    var max: [Double]
    var meanUnit: [Double]
    var clsUnit: [Double]
    var maxUnit: [Double]
  }
  struct Softmax: Decodable {
    var logits: [Float]
    var probabilities: [Double]
  }
  var tensors: [String: [String]]
  var pooling: Pooling
  var softmax: [Softmax]
  var halfBits: [UInt16]
  var half: [String]

  static func load() throws -> Expected {
    try JSONDecoder().decode(Expected.self, from: Data(support("expected.json")))
  }
}

/// The numbers of little-endian elements, as NumPy prints them.
func texts(_ bytes: [UInt8], _ type: ElementType) -> [String] {
  bytes.withUnsafeBytes { raw in
    func all<T>(_: T.Type, _ text: (T) -> String) -> [String] {
      (0..<(raw.count / MemoryLayout<T>.size)).map {
        text(raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self))
      }
    }
    switch type {
    case .f64: return all(Double.self) { "\($0)" }
    case .f32: return all(Float.self) { "\(Double($0))" }
    case .f16: return all(Float16.self) { "\(Double($0))" }
    case .bf16: return all(UInt16.self) { "\(Float(bitPattern: UInt32($0) << 16))" }
    case .i64: return all(Int64.self) { "\($0)" }
    case .i32: return all(Int32.self) { "\($0)" }
    case .i16: return all(Int16.self) { "\($0)" }
    case .i8: return all(Int8.self) { "\($0)" }
    case .u64: return all(UInt64.self) { "\($0)" }
    case .u32: return all(UInt32.self) { "\($0)" }
    case .u16: return all(UInt16.self) { "\($0)" }
    case .u8: return all(UInt8.self) { "\($0)" }
    case .bool: return all(UInt8.self) { $0 == 0 ? "False" : "True" }
    case .i4, .i2: return all(Int8.self) { "\($0)" }
    default: return all(UInt8.self) { "\($0)" }
    }
  }
}

/// A safetensors file with this header.
func file(header: String, dataByteCount: Int) -> [UInt8] {
  var bytes: [UInt8] = []
  for i in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: header.utf8.count >> (i * 8))) }
  return bytes + Array(header.utf8) + [UInt8](repeating: 0, count: dataByteCount)
}

func read(_ bytes: [UInt8]) throws(SafetensorsError) -> Safetensors {
  let span = bytes.span
  return try Safetensors(span.bytes)
}
