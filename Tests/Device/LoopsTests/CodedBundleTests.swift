// Weights that are coded in a bundle: they load as what was encoded, on any number of threads, and
// damage that no digest shows is refused or gives other numbers.

import BundleFormat
import Bytes
import Loops
import Packing
import Platform
import Randomness
import Tensors
import Testing

@Suite struct CodedBundleTests {
  /// The bytes of every weight.
  private func weights(_ model: LoadedModel) -> [[UInt8]] {
    model.weights.map { view in
      unsafe Array(UnsafeRawBufferPointer(start: view.base, count: view.byteCount))
    }
  }

  private func bundle(_ scheme: QuantizationScheme, _ storage: WeightStorage) throws
    -> TemporaryFile
  {
    var packed = try Digits.pack(scheme)
    packed.request.storage = storage
    let file = TemporaryFile(".knap")
    _ = try Packer.write(packed, to: file.path)
    return file
  }

  @Test(arguments: QuantizationScheme.allCases)
  func loadsWhatWasEncoded(_ scheme: QuantizationScheme) throws {
    let mapped = try bundle(scheme, .mapped)
    let coded = try bundle(scheme, .smallest)
    let plain = try LoadedModel.open(bundle: mapped.path)
    #expect(try BundleReader(path: mapped.path).section(.codes) == nil)
    let reader = try BundleReader(path: coded.path)
    let program = try LoadedModel.open(bundle: coded.path).program
    // Blocks leave too little in so small a model.
    if scheme.block == nil {
      #expect(try !reader.codedWeights(of: program).entries.isEmpty)
    }
    #expect(try coded.bytes().count < mapped.bytes().count + (scheme.block == nil ? 0 : 64))
    for threads in [1, 2, 5] {
      let model = try LoadedModel.open(bundle: coded.path, threads: threads)
      #expect(weights(model) == weights(plain))
      #expect(try Digits.answers(model) == Digits.answers(plain))
    }
  }

  @Test func sameBytesEveryTime() throws {
    let packed = try Digits.pack(.int8)
    let (first, again) = (TemporaryFile(), TemporaryFile())
    _ = try Packer.write(packed, to: first.path)
    _ = try Packer.write(packed, to: again.path)
    #expect(try first.bytes() == again.bytes())
  }

  @Test func takesNoMoreMemoryThanAllowed() throws {
    let file = try bundle(.int8, .smallest)
    let reader = try BundleReader(path: file.path)
    let program = try LoadedModel.open(bundle: file.path).program
    let count = try reader.codedWeights(of: program).decodedByteCount
    let error = #expect(throws: BundleError.self) {
      try reader.loadWeights(of: program, threads: 2, limit: count - 1)
    }
    #expect(error?.fault?.reason == .tooLarge(limit: count - 1, found: count))
    #expect(try reader.loadWeights(of: program, threads: 2, limit: count).decodedCount == count)
  }

  /// A bundle of the same sections with one of them changed, every digest right.
  private func rewritten(
    _ good: BundleReader, _ kind: BundleSectionKind, _ bytes: [UInt8]
  ) throws -> [UInt8] {
    var writer = BundleWriter()
    for section in good.sections {
      guard let known = section.knownKind else { continue }
      let content = known == kind ? bytes : try good.sectionBytes(known)
      switch known {
      case .codes where content.isEmpty: continue
      case .codes: writer.add(.codes, content, storage: .uneven([content.count]))
      case .weights: writer.add(.weights, content, storage: .mappable)
      default: writer.add(known, content)
      }
    }
    return try writer.bytes()
  }

  @Test(arguments: [QuantizationScheme.f32, .int8])
  func damageBehindTheDigestsNeverCrashes(_ scheme: QuantizationScheme) throws {
    let file = try bundle(scheme, .smallest)
    let good = try BundleReader(bytes: try file.bytes())
    let answers = try Digits.answers(try LoadedModel.open(bundle: file.path)).count
    var random = SeededRandom(state: 31)
    var refused = 0
    for kind in [BundleSectionKind.coding, .codes] {
      let content = try good.sectionBytes(kind)
      for round in 0..<120 {
        let damaged =
          round < 20
          ? Array(content.prefix(content.count * round / 20)) : Damage.bytes(content, &random)
        try file.write(try rewritten(good, kind, damaged))
        do throws(Failure) {
          let model = try LoadedModel.open(bundle: file.path, threads: 2)
          #expect((try? Digits.answers(model, images: 1).count) ?? 0 > 0)
        } catch {
          #expect(error.code == .badData, "\(error.message)")
          #expect(error.message.hasPrefix(file.path + ": "), "\(error.message)")
          refused += 1
        }
      }
    }
    #expect(answers == 80)
    #expect(refused > 120, "\(refused) of 240")
  }
}
