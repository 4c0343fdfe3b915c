// Which sets there are, and how they are found.

import Kernels
import Testing

struct KernelSetTests {
  @Test func `the scalar set comes first and the best last`() {
    #expect(KernelSet.available.first?.name == "scalar")
    #expect(KernelSet.scalar.name == "scalar")
    #expect(KernelSet.available.last == KernelSet.best)
  }

  @Test func `every set is found by its name, and no other`() {
    for set in KernelSet.available { #expect(KernelSet.named(set.name) == set) }
    #expect(Set(KernelSet.available.map(\.name)).count == KernelSet.available.count)
    #expect(KernelSet.named("") == nil)
    #expect(KernelSet.named("scala") == nil)
  }
}
