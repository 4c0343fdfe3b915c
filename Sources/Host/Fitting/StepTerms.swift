// What a step of a kind does, counted from its extents: the sum that its time is fitted with.
import Foundation
import Lowering

/// What a step does, each entry in a unit of its own: multiply-accumulates, bytes moved, calls made. Its
/// time is their sum, each at a price that a table's points tell.
///
/// The most telling come first: a table of few points is fitted with as many of them only.
struct StepTerms {
  var counts: [Double]

  /// kind, extents, amount: as `StepWork` has them.
  init(kind: String, extents: [Int], amount: Int) {
    let e = extents.map { Double(max($0, 0)) }
    let all = Double(max(amount, 0))
    let words = kind.split(separator: " ")
    func has(_ word: Substring) -> Bool { words.dropFirst().contains(word) }
    switch (words.first ?? "", e.count) {
    case ("MatMul", 3) where has("row"):
      // A row reads each weight once; it is quantized, and its results are stored.
      counts = [all, 1, e[2], e[1]]
    case ("MatMul", 3):
      // Tiles of 12 rows read a panel again; rows are read for every pair of panels and may be
      // quantized first; results are stored.
      let products = all / max(e[0], 1) * StepTerms.ceiling(e[0], 12) * 12
      let matrices = all / max(e[0] * StepTerms.ceiling(e[1], 16) * 16 * e[2], 1)
      counts = [all, 1, products, matrices * e[0] * e[2], matrices * e[0] * e[1]]
    case ("Conv", 4) where has("depthwise"):
      // A vector for every tap; rows are copied with zeros around them, and planes set up.
      let (taps, width, rows) = (e[0], e[1], e[2])
      let reach = max(taps.squareRoot().rounded() - 1, 0)
      counts = [
        rows * taps * StepTerms.ceiling(width, 16), e[3],
        rows * StepTerms.ceiling(width + reach, 16), rows, 1,
      ]
    case ("Conv", 5):
      // Outputs, places, length of a weight row, places in a row of the picture, taps. Places are
      // gathered in runs within rows of the picture, into panels of 16; which runs, is found for
      // every tap and 32 channels. Tiles take 12 outputs and 32 places.
      let (outputs, places, k, run, taps) = (e[0], e[1], e[2], max(e[3], 1), max(e[4], 1))
      let panels = StepTerms.ceiling(places, 16)
      let searches = panels * taps * StepTerms.ceiling(k / taps, 32)
      let tiles = StepTerms.ceiling(outputs, 12) * StepTerms.ceiling(places, 32)
      counts = [
        all, 1, k * panels * 16, k * places / run, outputs * places, searches, tiles * k,
        outputs * k,
      ]
    case ("IntegerConv", 4):
      // Outputs, places, length of a weight row, channels. A place's bytes are copied tap by tap unless
      // the picture serves as it is; every output is brought to its scale, a vector at a time.
      let copies = has("direct") ? 0 : e[1] * e[2]
      counts = [
        all, e[1], 1, copies / max(e[3], 1), StepTerms.ceiling(e[0], 16) * e[1], copies,
      ]
    case ("IntegerDepthwise", 3):
      // Vectors of channels; weights that every run turns into real numbers.
      counts = [
        StepTerms.ceiling(e[0], 16) * e[1] * e[2], 1, e[0] * e[2],
        StepTerms.ceiling(e[0], 16) * e[1],
      ]
    case ("IntegerProduct", 3):
      counts = [all, 1, e[0], e[0] * StepTerms.ceiling(e[1], 16), e[1], e[0] * e[2]]
    case ("Pool", 3):
      // Rows under the window are folded into one, then its columns, a vector at a time.
      let (side, rows) = (e[1].squareRoot(), all / max(e[1] * e[2], 1))
      let vectors = rows * StepTerms.ceiling(e[2], 16)
      counts = [vectors * side, 1, rows, rows * side, vectors]
    case ("Attention", 3):
      // Products, and an exponential for each score.
      counts = [all, 1, all / max(e[2], 1)]
    case ("Recurrent", 3):
      counts = [all, e[2], e[2] * e[1]]
    case ("Trees", 3):
      // Levels gone down, and trees entered. The deeper a tree, the less of the next one is begun while its
      // loads are waited for.
      let entered = max(e[0] * e[1], 1)
      counts = [all, all * all / entered, 1, entered]
    case (_, 2):
      // Elements, and what a row of them takes anyway.
      counts = [all, 1, all / max(e[1], 1)]
    case (_, 3):
      // Elements, what a run takes anyway, and an innermost loop over runs.
      counts = [all, 1, all / max(e[1], 1), all / max(e[1] * e[2], 1)]
    default: counts = [all, 1]
    }
  }

  private static func ceiling(_ count: Double, _ unit: Double) -> Double {
    (count / unit).rounded(.up)
  }
}
