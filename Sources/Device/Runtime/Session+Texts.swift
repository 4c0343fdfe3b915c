// The texts that string tensors refer to, from one run to the next.
import Operators
import Programs
import Tensors

extension Session {
  /// What string tensors refer to: an input's texts are added here, and its elements set to what that
  /// gives. Texts of outputs are there until the next run.
  public var texts: TextPool { compute.texts }

  /// Forgets the texts of the last run but for those that inputs, states and constants still refer to.
  func dropTexts() {
    let base = program.texts.count
    guard texts.end > base || texts.hasOverflowed else { return }
    keepTexts(behind: base)
    texts.endCompaction(behind: base)
  }

  private func keepTexts(behind base: Int) {
    for t in lastingTexts {
      preparation.tensors[t].changeTexts { texts.keep($0, behind: base) }
    }
    for body in bodies { body.keepTexts(behind: base) }
  }

  /// Finds the tensors whose texts outlive a run; once shapes are prepared.
  func findLastingTexts() {
    lastingTexts.removeAll()
    for input in program.inputs where !isBody && !input.elementType.isNumber {
      lastingTexts.append(input.tensor)
    }
    for (i, step) in program.steps.enumerated() where preparation.isStatic[i] {
      lastingTexts += step.outputs.filter { !preparation.tensors[$0].elementType.isNumber }
    }
  }
}
