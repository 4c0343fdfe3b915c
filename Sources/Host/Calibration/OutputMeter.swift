// Which outputs of a program are compared, and how.
import Operators
import Programs
import Tasks
import Tensors

/// One compared output.
public struct OutputMeter: Equatable, Sendable {
  /// Its place among the program's outputs.
  public var output: Int
  public var metric: LossMetric

  public init(output: Int, metric: LossMetric) {
    self.output = output
    self.metric = metric
  }

  /// The outputs of real numbers, each with the metric that its task or the step that makes it calls
  /// for. Where the task names an output, only that one counts.
  public static func meters(_ program: Program, task: Task) -> [OutputMeter] {
    func named(_ name: String?) -> Int? {
      name.flatMap { name in program.outputs.firstIndex { $0.name == name } }
    }
    func all(_ choose: (Int) -> LossMetric) -> [OutputMeter] {
      program.outputs.indices.filter { program.isSlot(program.outputs[$0].tensor) }.map {
        OutputMeter(output: $0, metric: choose($0))
      }
    }
    switch task {
    case .sentenceEmbedding(let task):
      if let output = named(task.outputName) {
        let pools = task.outputName == SentenceEmbedding().outputName
        return [OutputMeter(output: output, metric: pools ? .pooled : .cosine)]
      }
      return all { _ in .cosine }
    case .textClassification, .imageClassification:
      let ranking = task.ranking
      let metric: LossMetric = ranking?.appliesSoftmax == true ? .logits : .probabilities
      let output = named(ranking?.outputName) ?? 0
      return [OutputMeter(output: output, metric: metric)]
    case .tensor, .objectDetection:
      return all { output in
        switch maker(of: program.outputs[output].tensor, in: program) {
        case .softmax(let op): op.isLogarithm ? .logits : .probabilities
        case .unary(let op) where op.kind == .sigmoid: .events
        default: .squares
        }
      }
    }
  }

  /// The operator that makes a tensor, views and element types apart.
  private static func maker(of tensor: Int, in program: Program) -> Operator? {
    var tensor = tensor
    for step in program.steps.reversed() where step.outputs.contains(tensor) {
      switch step.op {
      case .reshape, .cast: tensor = step.inputs[0]
      default: return step.op
      }
    }
    return nil
  }
}
