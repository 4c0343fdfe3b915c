// A bundle cut anywhere or with any bit flipped is refused, or answers as it did.

import BundleFormat
import Loops
import Platform
import Randomness
import Testing

@Suite struct DamagedBundleTests {
  let good: [UInt8]
  let file = TemporaryFile(".knap")

  let answers: [Float]

  init() throws {
    good = try Digits.bundle(.int8)
    try file.write(good)
    answers = try Digits.answers(try LoadedModel.open(bundle: file.path))
    #expect(answers.count == 80)
  }

  /// Opens what the file holds; a refusal is one line with the file's name and exit code 65.
  private func opens(_ bytes: [UInt8], _ what: String) throws -> Bool {
    try file.write(bytes)
    let model: LoadedModel
    do throws(Failure) {
      model = try LoadedModel.open(bundle: file.path)
    } catch {
      #expect(error.code == .badData, "\(what): \(error.message)")
      #expect(error.message.hasPrefix(file.path + ": "), "\(what): \(error.message)")
      #expect(!error.message.contains("\n"), "\(what)")
      return false
    }
    #expect(try Digits.answers(model) == answers, "\(what): other answers")
    return true
  }

  @Test func cutAtEvery64thByte() throws {
    for count in stride(from: 0, to: good.count, by: 64) {
      #expect(try !opens(Array(good[..<count]), "cut to \(count) bytes"))
    }
    #expect(try !opens(Array(good.dropLast()), "without its last byte"))
    #expect(try opens(good, "whole"))
  }

  @Test func aBitInEachSection() throws {
    let reader = try BundleReader(bytes: good)
    #expect(reader.sections.map(\.name) == ["manifest", "program", "weights", "coding", "codes"])
    var random = SeededRandom(state: 3)
    var places = [0, 8, 20, 40, 70, BundleLayout.headerByteCount + 3]
    for section in reader.sections {
      places.append(section.chunkTableOffset + 5)
      places += [0, section.storedByteCount / 2, section.storedByteCount - 1]
        .map { section.offset + $0 }
      for _ in 0..<20 {
        places.append(section.offset + Int.random(in: 0..<section.storedByteCount, using: &random))
      }
    }
    for place in places {
      var bytes = good
      bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
      _ = try opens(bytes, "a bit of byte \(place)")
    }
  }
}
