// The coding section: which weights are coded, how, and the sizes of their pieces.
//
//   u64      bytes that all of them decode to, behind those of the weights section
//   varint   coded weights
//   each     varint weight, varint bytes of its head, the head, a varint for each piece: its bytes
//
// Pieces stand in the codes section in this order, one behind the other; each chunk there holds whole ones.

import Bytes
import Programs
import WeightCoding

/// One coded weight of a bundle.
public struct CodedWeightEntry: Sendable {
  /// Its number in the program.
  public let weight: Int
  public let coded: CodedWeight
  /// Where its bytes go, behind those of the weights section.
  public let target: Int
  /// Where its first piece begins in the codes section, and how long each is.
  public let offset: Int
  public let pieceByteCounts: [Int]
  /// Bytes of its head and pieces.
  public let byteCount: Int
}

/// What the coding section says, checked against the program.
public struct CodedWeightList: Sendable {
  /// Bytes that they decode to.
  public private(set) var decodedByteCount = 0
  /// In the order of the program's weights.
  public private(set) var entries: [CodedWeightEntry] = []

  /// What is wrong with the section.
  struct Problem: Error {
    var message: String

    init(_ message: String) { self.message = message }
    init(_ error: ByteError) { message = error.description }
  }

  /// No weight is coded.
  init() {}

  /// The first field alone: bytes that all coded weights decode to.
  static func decodedByteCount(_ bytes: [UInt8]) throws(Problem) -> Int {
    let span = bytes.span
    var reader = ByteReader(span)
    do throws(ByteError) { return try reader.count64() } catch { throw Problem(error) }
  }

  /// weightBytes: of the weights section. codesBytes: of the codes section.
  init(
    _ bytes: [UInt8], _ program: Program, weightBytes: Int, codesBytes: Int
  ) throws(Problem) {
    decodedByteCount = try CodedWeightList.decodedByteCount(bytes)
    let span = bytes.span
    var reader = ByteReader(span)
    do throws(ByteError) { try reader.skip(8) } catch { throw Problem(error) }
    let count = try CodedWeightList.count(&reader)
    var offset = 0
    var end = 0
    for _ in 0..<count {
      let entry = try CodedWeightList.entry(
        &reader, program, weightBytes: weightBytes, after: entries.last?.weight ?? -1, at: offset)
      // Weights share no bytes: threads decode them side by side.
      guard entry.target >= end, entry.coded.byteCount <= decodedByteCount - entry.target else {
        throw Problem("coded weight \(entry.weight) is out of its place")
      }
      end = entry.target + entry.coded.byteCount
      for piece in entry.pieceByteCounts {
        guard piece <= codesBytes - offset else {
          throw Problem("the pieces of weight \(entry.weight) are beyond the codes section")
        }
        offset += piece
      }
      entries.append(entry)
    }
    guard reader.isAtEnd, offset == codesBytes else {
      throw Problem("pieces of \(offset) bytes, expected \(codesBytes)")
    }
    // No memory for bytes that no piece fills, but for what aligns the next weight.
    guard decodedByteCount - end < BundleLayout.alignment else {
      throw Problem("weights decode to \(end) bytes, expected \(decodedByteCount)")
    }
  }

  private static func count(_ reader: inout ByteReader) throws(Problem) -> Int {
    do throws(ByteError) { return Int(clamping: try reader.varint()) } catch {
      throw Problem(error)
    }
  }

  private static func entry(
    _ reader: inout ByteReader, _ program: Program, weightBytes: Int, after previous: Int,
    at offset: Int
  ) throws(Problem) -> CodedWeightEntry {
    let start = reader.offset
    let number = try count(&reader)
    guard number > previous, number < program.weights.count else {
      throw Problem("byte \(start): weight \(number) is none, or not behind the one before")
    }
    let weight = program.weights[number]
    guard let byteCount = weight.byteCount, weight.offset >= weightBytes else {
      throw Problem("byte \(start): weight \(number) is coded and stored")
    }
    let headByteCount = try count(&reader)
    let head: RawSpan
    do throws(ByteError) { head = try reader.span(headByteCount) } catch { throw Problem(error) }
    let coded: CodedWeight
    do throws(WeightCodingError) {
      coded = try CodedWeight(
        head: head, encoding: weight.encoding, shape: weight.shape, byteCount: byteCount)
    } catch {
      throw Problem("the head of weight \(number): \(error)")
    }
    // Every size takes a byte.
    guard coded.pieceCount <= reader.remaining else {
      throw Problem("byte \(reader.offset): \(coded.pieceCount) pieces of weight \(number)")
    }
    var sizes: [Int] = []
    var total = headByteCount
    for _ in 0..<coded.pieceCount {
      let size = try count(&reader)
      guard let sum = Checked.sum(total, size) else {
        throw Problem("byte \(reader.offset): the pieces of weight \(number) are too large")
      }
      sizes.append(size)
      total = sum
    }
    return CodedWeightEntry(
      weight: number, coded: coded, target: weight.offset - weightBytes, offset: offset,
      pieceByteCounts: sizes, byteCount: total)
  }
}
