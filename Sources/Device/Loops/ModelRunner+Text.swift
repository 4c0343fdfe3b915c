// Texts on their way to a model: through its tokenizer, or as they are.
import Programs
import Runtime
import Tasks
import Tensors
import Tokenizers

extension ModelRunner {
  var textRefusal: Failure {
    Failure(.usage, "\(model.name) takes tensors, not text: give --input FILE.safetensors")
  }

  /// Fills the token inputs from a text. Throws where the bundle has no tokenizer.
  public func fill(text: String) throws(Failure) {
    hasNoTokens = false
    guard let inputs = model.task.textInputs, let tokenizer = model.tokenizer else {
      guard let textInput else { throw textRefusal }
      return try fill(text: text, input: textInput)
    }
    switch tokenizer {
    case .wordPiece(let tokenizer): try fill(text, tokenizer, inputs)
    case .fastText(let tokenizer): try fill(text, tokenizer, inputs)
    }
  }

  private func fill(
    _ text: String, _ tokenizer: WordPieceTokenizer, _ inputs: TextInputs
  ) throws(Failure) {
    let limited: WordPieceTokenizer
    do throws(WordPieceError) {
      limited = try tokenizer.limited(to: inputs.maximumTokens)
    } catch {
      throw Failure(.badData, "\(model.name): \(error)")
    }
    let sequence = limited.encode(text)
    var shapes = [Shape?](repeating: nil, count: model.program.inputs.count)
    for i in callerInputs { shapes[i] = Shape([1, sequence.count]) }
    try prepare(shapes)
    for i in callerInputs {
      let view = session.input(i)
      let name = model.program.inputs[i].name
      for t in 0..<sequence.count {
        let value: Int32
        if name == inputs.idsName {
          value = sequence.ids[t]
        } else if name == inputs.maskName {
          value = 1
        } else if name == inputs.typesName {
          value = Int32(sequence.typeID(at: t))
        } else {
          throw unexpected(name)
        }
        switch view.elementType {
        case .i64: view.elements(Int64.self)[t] = Int64(value)
        case .i32: view.elements(Int32.self)[t] = value
        default:
          throw Failure(
            .badData,
            "\(model.name): input '\(name)': expected i64, found \(view.elementType.name)")
        }
      }
    }
  }

  private func unexpected(_ name: String) -> Failure {
    Failure(.badData, "\(model.name): input '\(name)' is nothing that a text gives")
  }

  /// ids: i64 [rows]; the mask, for models of word vectors: f32 [words, rows], each word's row averages
  /// its rows. A text that asks for no row runs as one of row 0 and gives no answer.
  private func fill(
    _ text: String, _ tokenizer: FastTextTokenizer, _ inputs: TextInputs
  ) throws(Failure) {
    let sequence = tokenizer.limited(to: inputs.maximumTokens).encode(text)
    hasNoTokens = sequence.ids.isEmpty
    let count = max(sequence.ids.count, 1)
    let words = max(sequence.ends.count, 1)
    var shapes = [Shape?](repeating: nil, count: model.program.inputs.count)
    for i in callerInputs {
      let name = model.program.inputs[i].name
      if name == inputs.idsName {
        shapes[i] = Shape([count])
      } else if name == inputs.maskName {
        shapes[i] = Shape([words, count])
      } else {
        throw unexpected(name)
      }
    }
    try prepare(shapes)
    for i in callerInputs {
      let view = session.input(i)
      let isIDs = model.program.inputs[i].name == inputs.idsName
      guard view.elementType == (isIDs ? .i64 : .f32), view.shape == shapes[i] else {
        throw unexpected(model.program.inputs[i].name)
      }
      if isIDs {
        let ids = view.elements(Int64.self)
        for t in 0..<count { ids[t] = hasNoTokens ? 0 : Int64(sequence.ids[t]) }
        continue
      }
      let averages = view.floats
      averages.fill(0)
      var start = 0
      for (word, end) in sequence.ends.enumerated() {
        for t in start..<end { averages[word * count + t] = 1 / Float(end - start) }
        start = end
      }
    }
  }

  /// Whether texts can be put in.
  public var takesText: Bool {
    model.task.textInputs != nil && model.tokenizer != nil || textInput != nil
  }
}
