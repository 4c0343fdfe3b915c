// The weights of a program as a bundle stores them: as they are used, or coded.
import BundleFormat
import Bytes
import Dispatch
import Lowering
import Platform
import Programs
import Quantization
import WeightCoding

/// Which weights a bundle stores coded.
public enum WeightStorage: String, Sendable, CaseIterable {
  /// None: all are used where they are mapped.
  case mapped
  /// Those that every inference reads whole, where that saves enough. Tables of which an inference looks
  /// up some rows stay mapped: decoded they would take memory as a whole.
  case coded
  /// Tables too.
  case smallest
}

/// A program whose weights have their places, and the bytes of all of them.
public struct PackedWeights: Sendable {
  /// With the weights' places: first those that are stored as they are, then those that are coded.
  public private(set) var program: Program
  /// The codings, by weight; nil where the weight is stored as it is.
  public let codings: [CodedTensor?]
  /// Bytes of the weights section, and of what is decoded behind it.
  public private(set) var mappedByteCount = 0
  public private(set) var decodedByteCount = 0
  private let memory: AnonymousMemory
  /// Where each weight is in `memory`.
  private let sources: [Int]

  /// What is stored as it is may be so much of the smallest coding: 5 % are worth decoding.
  static let share = 0.95
  /// Bytes of codes after which a chunk ends.
  private static let chunkByteCount = 64 << 10

  /// Encodes the weights of `model` and codes those that `storage` lets.
  public init(_ model: LoweredModel, _ storage: WeightStorage) throws {
    let memory = try AnonymousMemory(count: max(model.weightBytes, 1))
    Packer.encodeWeights(model, into: memory.buffer)
    var codings = [CodedTensor?](repeating: nil, count: model.program.weights.count)
    if storage != .mapped {
      var failure: (any Error)?
      let weights = model.program.weights
      codings.withUnsafeMutableBufferPointer { codings in
        nonisolated(unsafe) let codings = codings
        var failures = [(any Error)?](repeating: nil, count: weights.count)
        failures.withUnsafeMutableBufferPointer { failures in
          nonisolated(unsafe) let failures = failures
          DispatchQueue.concurrentPerform(iterations: weights.count) { i in
            if storage == .coded, model.lookups[i] != nil { return }
            do { codings[i] = try PackedWeights.coding(of: weights[i], memory) } catch {
              failures[i] = error
            }
          }
        }
        failure = failures.lazy.compactMap { $0 }.first
      }
      if let failure { throw failure }
    }
    // Two sections more take a few hundred bytes: nothing is coded for less than a percent in all.
    var saved = 0
    for (coded, weight) in zip(codings, model.program.weights) {
      if let coded { saved += (weight.byteCount ?? 0) - coded.byteCount }
    }
    if saved < max(1024, model.weightBytes / 100) {
      codings = [CodedTensor?](repeating: nil, count: codings.count)
    }
    self.memory = memory
    self.codings = codings
    program = model.program
    sources = program.weights.map(\.offset)
    place()
  }

  private static func coding(
    of weight: ProgramWeight, _ memory: AnonymousMemory
  ) throws -> CodedTensor? {
    let count = weight.byteCount ?? 0
    // Small tensors would save less than their place in the tables takes.
    guard count >= 1024 else { return nil }
    let bytes = UnsafeRawBufferPointer(
      rebasing: memory.buffer[weight.offset..<weight.offset + count])
    return try LosslessCoder().code(
      bytes, weight.encoding, weight.shape, elementByteCount: weight.elementType.byteCount,
      share: share)
  }

  /// Gives every weight its place: first those that are stored as they are, then the coded ones.
  private mutating func place() {
    var end = 0
    for isCoded in [false, true] {
      for i in program.weights.indices where (codings[i] != nil) == isCoded {
        program.weights[i].offset = end
        end = (end + (program.weights[i].byteCount ?? 0) + 63) & ~63
      }
      if isCoded { decodedByteCount = end - mappedByteCount } else { mappedByteCount = end }
    }
    let places = program.weights.map(\.offset)
    for i in program.bodies.indices { PackedWeights.move(&program.bodies[i], to: places) }
  }

  private static func move(_ body: inout Program, to places: [Int]) {
    for (i, shared) in body.sharedWeights.enumerated() { body.weights[i].offset = places[shared] }
    for i in body.bodies.indices { move(&body.bodies[i], to: places) }
  }

  /// Bytes that a coded weight takes in the bundle; nil where it is stored as it is.
  public func codedByteCount(_ weight: Int) -> Int? { codings[weight]?.byteCount }

  /// Bytes that all weights take in the bundle, but for digests.
  public var storedByteCount: Int {
    codings.reduce(mappedByteCount) { $0 + ($1?.byteCount ?? 0) }
  }

  /// Adds the sections.
  func add(to writer: inout BundleWriter) {
    let program = program
    let blocks = program.weights.indices.filter { codings[$0] == nil }.map { i in
      WeightBlock(offset: program.weights[i].offset, byteCount: program.weights[i].byteCount ?? 0) {
        [memory, sources] in
        Array(memory.buffer[sources[i]..<sources[i] + (program.weights[i].byteCount ?? 0)])
      }
    }
    writer.add(weights: blocks, byteCount: mappedByteCount, storage: .mappable)
    guard codings.contains(where: { $0 != nil }) else { return }
    var list = ByteWriter()
    list.put(UInt64(decodedByteCount))
    list.put(varint: UInt64(codings.reduce(0) { $0 + ($1 == nil ? 0 : 1) }))
    var pieces: [[UInt8]] = []
    for (i, coded) in codings.enumerated() {
      guard let coded else { continue }
      list.put(varint: UInt64(i))
      list.put(varint: UInt64(coded.head.count))
      list.put(coded.head)
      for piece in coded.pieces { list.put(varint: UInt64(piece.count)) }
      pieces += coded.pieces
    }
    writer.add(.coding, list.bytes)
    var chunks: [[UInt8]] = []
    for piece in pieces where !piece.isEmpty {
      if let last = chunks.last, last.count < PackedWeights.chunkByteCount {
        chunks[chunks.count - 1] += piece
      } else {
        chunks.append(piece)
      }
    }
    writer.add(chunks: chunks, .codes)
  }
}
