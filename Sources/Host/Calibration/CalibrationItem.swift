// One input of a model, kept to be run again and again.
import Graphs
import Runtime
import Tensors

/// The values of all inputs for one inference, in the program's order.
public struct CalibrationItem: Sendable {
  public var inputs: [Constant]

  public init(inputs: [Constant]) { self.inputs = inputs }

  /// What the session's inputs hold now.
  public init(copying session: Session) {
    inputs = session.program.inputs.indices.map {
      Constant(copying: session.input($0), texts: session.texts)
    }
  }

  /// Bytes of all inputs.
  public var byteCount: Int { inputs.reduce(0) { $0 + $1.bytes.count } }

  /// Fills a session's inputs; those that carry state keep what they hold.
  func fill(_ session: Session) throws(SessionError) {
    let program = session.program
    var shapes: [Shape?] = inputs.map(\.shape)
    for state in program.states { shapes[state.input] = nil }
    try session.prepare(shapes: shapes)
    for (i, input) in inputs.enumerated() where shapes[i] != nil {
      let target = session.input(i)
      precondition(
        target.elementType == input.elementType && target.plainByteCount == input.bytes.count)
      if input.texts != nil {
        let placed = input.moved(to: session.texts)
        withExtendedLifetime(placed) { target.copyElements(of: placed.view) }
        continue
      }
      guard let base = input.bytes.baseAddress, input.bytes.count > 0 else { continue }
      target.pointer.copyMemory(from: base, byteCount: input.bytes.count)
    }
  }
}
