// What a float model gives for some items, and how far another session is from that.
import Foundation
import Graphs
import Programs
import Runtime
import Tensors

/// Why a model cannot be calibrated.
public enum CalibrationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nothing to run on.
  case noItems
  /// No output holds real numbers whose change could be measured.
  case noOutputs
  /// An item runs differently each time: its outputs have other shapes.
  case unstable(item: Int, output: String)
  /// The float model itself gives no numbers for an item: there is nothing to compare with.
  case notANumber(item: Int, output: String)

  public var description: String {
    switch self {
    case .noItems: "there are no calibration inputs"
    case .noOutputs: "no output holds real numbers to compare"
    case .unstable(let item, let output):
      "output '\(output)' of calibration input \(item) changes its shape with the weights"
    case .notANumber(let item, let output):
      "output '\(output)' of calibration input \(item) is not a number: the model cannot be measured on it"
    }
  }
}

/// Calibration items with the float model's outputs for them; it outlives the float model.
public final class LossReference {
  public let items: [CalibrationItem]
  public let meters: [OutputMeter]
  private let names: [String]
  /// What the model as it came gives: by item, then by meter.
  private var outputs: [[[Float]]] = []
  private var widths: [[Int]] = []
  /// What divides the sum of squares: the variance of each meter's reference over all items.
  private var variances: [Double] = []

  /// Runs the float model over all items.
  init(_ session: Session, meters: [OutputMeter], items: [CalibrationItem]) throws {
    guard !items.isEmpty else { throw CalibrationError.noItems }
    self.items = items
    names = session.program.outputs.map(\.name)
    // The first run tells which outputs hold real numbers.
    try items[0].fill(session)
    try session.run()
    self.meters = meters.filter { session.output($0.output).elementType == .f32 }
    guard !self.meters.isEmpty else { throw CalibrationError.noOutputs }
    session.resetStates()
    for (i, item) in items.enumerated() {
      try item.fill(session)
      try session.run()
      for meter in self.meters where LossReference.floats(meter, session).contains(where: \.isNaN) {
        throw CalibrationError.notANumber(item: i, output: names[meter.output])
      }
      outputs.append(self.meters.map { Array(LossReference.floats($0, session)) })
      widths.append(self.meters.map { LossReference.width($0, session) })
    }
    variances = self.meters.indices.map { m in
      var (count, sum, squares) = (0.0, 0.0, 0.0)
      for list in outputs {
        for x in list[m] where x.isFinite {
          count += 1
          sum += Double(x)
          squares += Double(x) * Double(x)
        }
      }
      guard count > 0 else { return 1 }
      let variance = squares / count - (sum / count) * (sum / count)
      return variance > 0 ? variance : 1
    }
  }

  private static func floats(
    _ meter: OutputMeter, _ session: Session
  ) -> UnsafeBufferPointer<Float> {
    let view = session.output(meter.output)
    let count = view.shape.elementCount
    guard count > 0 else { return UnsafeBufferPointer(start: nil, count: 0) }
    return UnsafeBufferPointer(
      start: view.pointer.assumingMemoryBound(to: Float.self), count: count)
  }

  private static func width(_ meter: OutputMeter, _ session: Session) -> Int {
    let shape = session.output(meter.output).shape
    return shape.rank > 0 ? max(shape[shape.rank - 1], 1) : 1
  }

  /// Bytes of the outputs.
  public var byteCount: Int { outputs.reduce(0) { $0 + $1.reduce(0) { $0 + 4 * $1.count } } }

  /// What outputs lose that are no numbers, or further off than this: all that there is to lose, and finite,
  /// so that choices can still be compared.
  public static let ruin = 1e6

  /// The loss of what the session's outputs hold now, for one item: the sum over meters of each one's
  /// mean.
  func currentLoss(_ item: Int, of session: Session) throws(CalibrationError) -> Double {
    var total = 0.0
    for (m, meter) in meters.enumerated() {
      let found = LossReference.floats(meter, session)
      guard found.count == outputs[item][m].count else {
        throw .unstable(item: item, output: names[meter.output])
      }
      if found.contains(where: \.isNaN) { return LossReference.ruin }
      let (sum, count) = outputs[item][m].withUnsafeBufferPointer {
        meter.metric.sum(found, $0, width: widths[item][m])
      }
      guard count > 0 else { continue }
      total += sum / Double(count) / (meter.metric == .squares ? variances[m] : 1)
    }
    return total < LossReference.ruin ? total : LossReference.ruin
  }

  /// Mean loss over the first items of a session of the same model, its weights stored otherwise; all
  /// items where no number is given.
  public func loss(of session: Session, itemCount: Int? = nil) throws -> Double {
    let count = min(itemCount ?? items.count, items.count)
    session.resetStates()
    var sum = 0.0
    for i in 0..<count {
      try items[i].fill(session)
      try session.run()
      sum += try currentLoss(i, of: session)
    }
    return sum / Double(max(count, 1))
  }
}
