// The fields of what is fixed once a bundle is loaded.

extension StepFact: Fields {
  static var blank: StepFact { StepFact(name: .blank, kind: .blank, scheme: .blank) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&name)
    try coder.code(&kind)
    try coder.code(&scheme)
    try coder.code(&weightBytes)
    try coder.code(&predictedNanoseconds)
    try coder.code(&multiplyAccumulates)
    try coder.code(&bound, among: StepBound.allCases)
  }
}

extension GenerationFacts: Fields {
  static var blank: GenerationFacts { GenerationFacts() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&contextTokens)
    try coder.code(&keyValueBytes)
  }
}

extension TensorFact: Fields {
  static var blank: TensorFact {
    TensorFact(name: .blank, shape: .blank, scheme: .blank, elementCount: 0, byteCount: 0)
  }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&name)
    try coder.code(&shape)
    try coder.code(&scheme)
    try coder.code(&elementCount)
    try coder.code(&byteCount)
    try coder.code(&storedBytes)
    try coder.code(&predictedLoss)
  }
}

extension SchemeShare: Fields {
  static var blank: SchemeShare {
    SchemeShare(scheme: .blank, letter: 0x3F, tensorCount: 0, byteCount: 0)
  }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&scheme)
    try coder.code(&letter)
    try coder.code(&tensorCount)
    try coder.code(&byteCount)
  }
}

extension EnergyFigures: Fields {
  static var blank: EnergyFigures { EnergyFigures(idleWatts: 0, wattsPerActiveCore: 0) }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&idleWatts)
    try coder.code(&wattsPerActiveCore)
    try coder.code(&bandPercent)
  }
}

/// Addresses of weights are left out: they mean nothing in another process.
extension RunFacts: Fields {
  static var blank: RunFacts { RunFacts() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&bundleName)
    try coder.code(&bundleVersion)
    try coder.code(&scheme)
    try coder.code(&device)
    try coder.code(&warmUpCount)
    try coder.code(&latencyBudgetNanoseconds)
    try coder.code(&memoryBudgetBytes)
    try coder.code(&weightBytes)
    try coder.code(&arenaBytes)
    try coder.code(&loadNanoseconds)
    try coder.code(&steps)
    try coder.code(&schemeShares)
    try coder.code(&schemeMap)
    try coder.code(&tensors)
    try coder.code(&predictedLoss)
    try coder.code(&bitsPerWeight)
    try coder.code(&predictedP50Nanoseconds)
    try coder.code(&predictedPeakBytes)
    try coder.code(&predictedJoulesPerInference)
    try coder.code(&predictionNotes)
    try coder.code(&energy)
    try coder.code(&generation)
  }
}
