// The weights of a program and of the bodies inside of it: each constant once for each of its roles.
import Graphs
import Programs
import Tensors

/// Gathers weights in the order in which they are asked for and gives them their places in the section.
final class WeightCollector {
  private(set) var sources: [WeightSource] = []
  private(set) var weights: [ProgramWeight] = []
  /// Bytes of the whole section so far.
  private(set) var byteCount = 0
  /// What the references of all weights lead to, equal texts once.
  let texts = TextPool()
  private var placeOf: [[UInt8]: TextReference] = [:]
  private var numbers: [Key: Int] = [:]
  private let scheme: (WeightSource) -> QuantizationScheme

  private struct Key: Hashable {
    var constant: ObjectIdentifier
    var role: Int
  }

  /// scheme: how each weight is to be stored.
  init(scheme: @escaping (WeightSource) -> QuantizationScheme) { self.scheme = scheme }

  /// The number of `constant` in this role, and a new one where it has none.
  func number(of constant: Constant, _ role: WeightRole, name: String) -> Int {
    let index =
      switch role {
      case .plain: 0
      case .kernel: 1
      case .table: 2
      case .matrix(let isTransposed): isTransposed ? 4 : 3
      }
    let key = Key(constant: ObjectIdentifier(constant), role: index)
    if let known = numbers[key] { return known }
    let source = WeightSource(name: name, constant: placed(constant), role: role)
    let weight = ProgramWeight(
      name: name, elementType: constant.elementType, encoding: source.encoding(scheme(source)),
      shape: source.shape, offset: byteCount)
    byteCount = (byteCount + (weight.byteCount ?? 0) + 63) & ~63
    sources.append(source)
    weights.append(weight)
    numbers[key] = sources.count - 1
    return sources.count - 1
  }

  /// The constant with its texts among those of the program.
  private func placed(_ constant: Constant) -> Constant {
    guard let old = constant.texts else { return constant }
    let copy = Constant(
      elementType: constant.elementType, shape: constant.shape, texts: texts
    ) { $0.copyMemory(from: constant.bytes) }
    copy.view.changeTexts { reference in
      let text = old.text(reference)
      if let known = placeOf[text] { return known }
      let place = text.isEmpty ? TextReference() : texts.add(text)
      placeOf[text] = place
      return place
    }
    return copy
  }

  /// Views of weights as preparing sees them: values of plain ones, shapes of the others.
  func views(_ list: [Int]) -> [TensorView] {
    list.map { i in
      guard weights[i].encoding == nil else {
        return TensorView(
          base: nil, byteCount: 0, elementType: .f32, shape: weights[i].shape,
          encoding: weights[i].encoding)
      }
      return sources[i].constant.view
    }
  }
}
