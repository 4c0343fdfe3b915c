// Slack: a model with one of each kind of it, to the byte.

import Fitting
import Foundation
import Packing
import Testing

/// A little of ONNX's protobuf, enough for a chain of operators over initializers.
private struct TinyONNX {
  private var graph: [UInt8] = []

  static func varint(_ value: Int) -> [UInt8] {
    var (value, bytes) = (value, [UInt8]())
    repeat {
      bytes.append(UInt8(value & 0x7F) | (value > 0x7F ? 0x80 : 0))
      value >>= 7
    } while value > 0
    return bytes
  }

  static func number(_ field: Int, _ value: Int) -> [UInt8] { varint(field << 3) + varint(value) }

  static func bytes(_ field: Int, _ value: some Collection<UInt8>) -> [UInt8] {
    varint(field << 3 | 2) + varint(value.count) + value
  }

  mutating func node(_ type: String, _ inputs: [String], _ output: String, axis: Int? = nil) {
    var node = inputs.flatMap { Self.bytes(1, $0.utf8) } + Self.bytes(2, output.utf8)
    node += Self.bytes(3, "\(type) \(output)".utf8) + Self.bytes(4, type.utf8)
    if let axis {
      node += Self.bytes(
        5, Self.bytes(1, "axis".utf8) + Self.number(3, axis) + Self.number(20, 2))
    }
    graph += Self.bytes(1, node)
  }

  /// type: 1 for f32, 7 for i64.
  mutating func initializer<T>(_ name: String, _ type: Int, _ shape: [Int], _ values: [T]) {
    let tensor =
      shape.flatMap { Self.number(1, $0) } + Self.number(2, type) + Self.bytes(8, name.utf8)
      + Self.bytes(9, values.withUnsafeBytes { Array($0) })
    graph += Self.bytes(5, tensor)
  }

  mutating func value(_ field: Int, _ name: String, _ shape: [Int]) {
    let dimensions = shape.flatMap { Self.bytes(1, Self.number(1, $0)) }
    let type = Self.bytes(1, Self.number(1, 1) + Self.bytes(2, dimensions))
    graph += Self.bytes(field, Self.bytes(1, name.utf8) + Self.bytes(2, type))
  }

  var file: [UInt8] {
    Self.number(1, 8) + Self.bytes(8, Self.number(2, 17))
      + Self.bytes(7, graph + Self.bytes(2, "slack".utf8))
  }
}

@Suite struct SlackTests {
  /// One tensor with each fault; every other one without any.
  private func model() -> [UInt8] {
    var state: UInt64 = 5
    func random() -> Float {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int64(bitPattern: state) >> 40) / Float(1 << 23)
    }
    func floats(_ count: Int) -> [Float] { (0..<count).map { _ in random() } }
    var onnx = TinyONNX()
    var dead = floats(16 * 64)
    for k in 0..<16 {
      dead[k * 64 + 3] = 0
      dead[k * 64 + 61] = 0
    }
    let square = floats(64 * 64)
    let turned: [Float] = (0..<64 * 64).map { square[$0 % 64 * 64 + $0 / 64] }
    // Each column has a step of its own.
    let steps: [Float] = floats(32).map { 0.01 + $0.magnitude }
    let grid: [Float] = (0..<64 * 32).map { i in
      let multiple = Int(random() * 127)
      return steps[i % 32] * Float(multiple)
    }
    let half: [Float] = floats(32 * 64).map { Float(Float16($0)) }
    let brain: [Float] = floats(64 * 64).map { x in
      let bits = x.bitPattern & 0xFFFF_0000
      return Float(bitPattern: bits) * 0x1p-40
    }
    let values: [Float] = [0.1, 0.25, 0.7]
    let few: [Float] = (0..<64 * 64).map { values[$0 * 7 % 3] }
    let places: [Int64] = (0..<128).map { Int64($0 * 5 % 64) }
    onnx.initializer("dead", 1, [16, 64], dead)
    onnx.initializer("square", 1, [64, 64], square)
    onnx.initializer("turned", 1, [64, 64], turned)
    onnx.initializer("again", 1, [64, 64], square)
    onnx.initializer("grid", 1, [64, 32], grid)
    onnx.initializer("half", 1, [32, 64], half)
    onnx.initializer("brain", 1, [64, 64], brain)
    onnx.initializer("few", 1, [64, 64], few)
    onnx.initializer("places", 7, [128], places)
    onnx.initializer("spare", 1, [10], floats(10))
    onnx.initializer("sound", 1, [128, 8], floats(128 * 8))
    var last = "x"
    for name in ["dead", "square", "turned", "again", "grid", "half", "brain", "few"] {
      onnx.node("MatMul", [last, name], "after_\(name)")
      last = "after_\(name)"
    }
    onnx.node("Gather", [last, "places"], "gathered", axis: 1)
    onnx.node("MatMul", ["gathered", "sound"], "y")
    onnx.value(11, "x", [1, 16])
    onnx.value(12, "y", [1, 8])
    return onnx.file
  }

  private func report(_ target: String = "raspberry-pi-5") throws -> SlackReport {
    let path = NSTemporaryDirectory() + "knapsack-slack-\(UUID().uuidString).onnx"
    try Data(model()).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try SlackFinder.report(PackRequest(model: path, target: try .named(target)))
  }

  @Test func findsOneOfEachKind() throws {
    let report = try report()
    func one(_ kind: SlackFinding.Kind, _ name: String, _ bytes: Int, _ words: String) {
      let found = report[kind].filter { $0.name == name }
      #expect(found.count == 1 && found.first?.byteCount == bytes, "\(name): \(report.findings)")
      #expect(found.first?.detail.contains(words) == true, "\(found)")
    }
    one(.deadChannels, "dead", 2 * 16 * 4, "2 of 64 (2 all zero): 3, 61")
    one(.duplicate, "turned", 64 * 64 * 4, "square with rows and columns exchanged")
    one(.duplicate, "again", 64 * 64 * 4, "the same as square")
    one(.quantized, "grid", 64 * 32 * 4 - 64 * 32 - 32 * 4, "int8 holds them exactly")
    one(.quantized, "few", 64 * 64 * 4 - 64 * 64 / 2 - 3 * 4, "3 different numbers")
    one(.elementType, "half", 32 * 64 * 2, "f16")
    one(.elementType, "brain", 64 * 64 * 2, "bf16")
    one(.elementType, "places", 128 * 7, "i64 whose values fit i8")
    one(.unused, "spare", 40, "nothing")
    #expect(!report.findings.contains { $0.name == "sound" && $0.kind != .noGain })
    #expect(report.findings.filter { $0.kind != .noGain }.count == 9)
    #expect(
      report.totalByteCount == report.findings.reduce(0) { $0 + $1.byteCount },
      "no tensor has two findings")
    let elements = 16 * 64 + 5 * 64 * 64 + 2 * 64 * 32 + 128 * 2 + 10 + 128 * 8
    #expect(report.tensorByteCount == elements * 4)
    #expect(report.zstdSavedByteCount > 64 * 64 * 3)
    #expect(report.zstdSavedByteCount < report.tensorByteCount)
  }

  /// A machine that is no faster in bytes gains nothing; where no speed is known, that is said.
  @Test func saysWhichStepsGainNothing() throws {
    let path = NSTemporaryDirectory() + "knapsack-slack-\(UUID().uuidString).onnx"
    try Data(model()).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    var request = PackRequest(model: path, target: try .named("raspberry-pi-5"))
    request.target.measured = nil
    request.target.memory.bandwidthBytesPerSecond = nil
    for i in request.target.cpu.clusters.indices {
      request.target.cpu.clusters[i].f32OperationsPerSecondPerCore = 1e9
      request.target.cpu.clusters[i].int8OperationsPerSecondPerCore = 1e9
    }
    let report = try SlackFinder.report(request)
    #expect(report.speedNote == nil)
    let steps = report[.noGain]
    // Nine products, and none of the step that only moves elements.
    #expect(steps.count == 9)
    for step in steps {
      #expect(step.byteCount == 0)
      #expect(step.detail.contains("MatMul f32 row ~") && step.detail.contains("MatMul int8 row ~"))
    }
    // Two microseconds to start, and 2 · 64 · 64 operations.
    #expect(
      steps.contains { $0.detail.contains("MatMul f32 row ~10.2 µs, MatMul int8 row ~10.2 µs") },
      "\(steps)"
    )
    for i in request.target.cpu.clusters.indices {
      request.target.cpu.clusters[i].int8OperationsPerSecondPerCore = 4e9
    }
    #expect(try SlackFinder.report(request)[.noGain].isEmpty)
    for i in request.target.cpu.clusters.indices {
      request.target.cpu.clusters[i].f32OperationsPerSecondPerCore = nil
    }
    let silent = try SlackFinder.report(request)
    #expect(silent.speedNote != nil && silent[.noGain].isEmpty)
    #expect(silent.totalByteCount == report.totalByteCount)
  }
}
