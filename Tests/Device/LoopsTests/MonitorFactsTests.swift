// What the monitor tells of steps, out of a bundle's manifest: what is there, what is missing, what lies.
import BundleFormat
import Bytes
import Fitting
import Loops
import Packing
import Platform
import Telemetry
import Testing

struct MonitorFactsTests {
  private func packed(_ target: String) throws -> PackedModel {
    var request = PackRequest(model: Digits.folder, target: try DeviceProfile.named(target))
    request.scheme = .f32
    return try Packer.pack(request)
  }

  private func steps(_ packed: PackedModel, _ manifest: CBORValue) throws -> [StepFact] {
    let weights = try AnonymousMemory(count: packed.candidate.model.weightBytes)
    return MonitorFacts.steps(
      try LoadedModel(
        name: "digits", manifest: manifest, program: packed.program, memory: .anonymous(weights),
        tokenizerAsset: nil))
  }

  @Test func whatWasPackedIsTold() throws {
    let packed = try packed("raspberry-pi-5")
    let manifest = try CBOR.decode(CBOR.encode(Manifest.make(packed)))
    let facts = try steps(packed, manifest)
    let work = packed.candidate.model.work
    let latency = try #require(packed.latency)
    #expect(facts.count == work.count && facts.contains { $0.multiplyAccumulates ?? 0 > 0 })
    for (i, fact) in facts.enumerated() {
      #expect(
        fact.multiplyAccumulates
          == (work[i].time == .open ? nil : UInt64(work[i].multiplyAccumulates)))
      #expect(fact.bound?.name == latency.bounds[i]?.rawValue)
    }
    #expect(facts.contains { $0.bound != nil })
  }

  /// Bundles of an earlier version, and of somebody who writes what he likes.
  @Test func whatIsMissingOrImpossibleIsUnknown() throws {
    let packed = try packed("raspberry-pi-5")
    let count = packed.program.steps.count
    func list(_ value: CBORValue, _ count: Int) -> CBORValue {
      .array([CBORValue](repeating: value, count: count))
    }
    for (macs, bound) in [
      (CBORValue.null, CBORValue.null), (.integer(-1), .text("magic")),
      (.double(.nan), .integer(1)), (.text("12"), .text("")),
    ] {
      let manifest = CBORValue.map([
        "predicted": .map(["step_macs": list(macs, count), "step_bound": list(bound, count)])
      ])
      let facts = try steps(packed, manifest)
      #expect(facts.count == count)
      #expect(facts.allSatisfy { $0.multiplyAccumulates == nil && $0.bound == nil })
    }
    let short = CBORValue.map([
      "predicted": .map([
        "step_macs": list(.integer(7), count - 1), "step_bound": list(.text("memory"), count + 1),
      ])
    ])
    for manifest in [short, .map([CBORPair]()), .map(["predicted": .text("")])] {
      let facts = try steps(packed, manifest)
      #expect(facts.allSatisfy { $0.multiplyAccumulates == nil && $0.bound == nil })
    }
    let good = CBORValue.map([
      "predicted": .map([
        "step_macs": list(.integer(7), count), "step_bound": list(.text("memory"), count),
      ])
    ])
    let facts = try steps(packed, good)
    #expect(facts.allSatisfy { $0.multiplyAccumulates == 7 && $0.bound == .memory })
  }
}
