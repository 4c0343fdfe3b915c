// What the kernel counted while an inference ran.
import CPlatform

/// Counters that only grow, or their growth.
struct Interruptions: Equatable, Sendable {
  /// Page faults that had to read.
  var majorFaults: UInt64
  /// Times that a thread was taken off a core while it had work.
  var involuntarySwitches: UInt64

  /// Of the calling thread, or of all threads of the process.
  static func now(ofAllThreads: Bool) -> Interruptions {
    let counts = kp_interruptions_now(ofAllThreads ? 1 : 0)
    return Interruptions(majorFaults: counts.major_faults, involuntarySwitches: counts.switches)
  }

  func since(_ before: Interruptions) -> Interruptions {
    Interruptions(
      majorFaults: majorFaults &- before.majorFaults,
      involuntarySwitches: involuntarySwitches &- before.involuntarySwitches)
  }
}

/// What is known of why an inference was slow, in the 32 bits of a sample's detail.
struct SlowMark: Equatable {
  private static var wasLookedAt: UInt32 { 1 << 31 }
  private static var stepsTimed: UInt32 { 1 << 30 }
  private static var most: UInt32 { (1 << 15) - 1 }

  let bits: UInt32

  init(bits: UInt32) { self.bits = bits }

  /// counts: what happened while it ran; nil where nobody looked. Each is held to 32,767.
  init(wereStepsTimed: Bool, _ counts: Interruptions?) {
    var bits = wereStepsTimed ? Self.stepsTimed : 0
    if let counts {
      bits |= Self.wasLookedAt
      bits |= UInt32(min(counts.majorFaults, UInt64(Self.most)))
      bits |= UInt32(min(counts.involuntarySwitches, UInt64(Self.most))) << 15
    }
    self.bits = bits
  }

  var wereStepsTimed: Bool { bits & Self.stepsTimed != 0 }
  /// nil where nobody looked.
  var majorFaults: Int? { bits & Self.wasLookedAt == 0 ? nil : Int(bits & Self.most) }
  var involuntarySwitches: Int? {
    bits & Self.wasLookedAt == 0 ? nil : Int(bits >> 15 & Self.most)
  }
}
