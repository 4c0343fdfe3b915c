// An evaluation data set: items of input tensors with the right answer for each.

import Bytes
import Tensors

/// One input tensor of all items, batched on axis 0.
public struct LabelledInput: Equatable, Sendable {
  /// The name of the model's input.
  public var name: String
  public var elementType: ElementType
  /// Of one item: axis 0 is 1.
  public var itemShape: Shape
  /// Where the elements of all items are in the file.
  public var byteRange: Range<Int>

  /// Where the elements of item `i` are.
  public func byteRange(ofItem i: Int) -> Range<Int> {
    let count = itemShape.elementCount * elementType.byteCount
    let start = byteRange.lowerBound + i * count
    precondition(i >= 0 && start + count <= byteRange.upperBound)
    return start..<(start + count)
  }
}

/// Labelled items in a safetensors file: `input.NAME` or `NAME` for each input of a model, with the
/// items on axis 0, and `labels` (i64 or u8), one class per item. Other tensors are ignored.
public struct LabelledData: Sendable {
  public let inputs: [LabelledInput]
  public let itemCount: Int
  /// Nil where the file has no labels.
  public let labels: SafetensorsEntry?

  /// Finds the tensors for the inputs called `inputNames`.
  public init(
    _ file: Safetensors, inputNames: [String], labelsName: String = "labels"
  ) throws(LabelledDataError) {
    var inputs: [LabelledInput] = []
    var count: Int?
    for name in inputNames {
      guard let entry = file.tensor("input", name) else { throw .missingTensor(name) }
      guard entry.shape.rank >= 1 else { throw .noItems(entry.name) }
      if let count, count != entry.shape[0] {
        throw .itemCount(name: entry.name, expected: count, found: entry.shape[0])
      }
      count = entry.shape[0]
      var shape = entry.shape
      shape[0] = 1
      inputs.append(
        LabelledInput(
          name: name, elementType: entry.elementType, itemShape: shape,
          byteRange: entry.byteRange))
    }
    guard let count else { throw .missingTensor("input") }
    let labels = file[labelsName]
    if let labels {
      guard labels.elementType == .i64 || labels.elementType == .u8 else {
        throw .labelType(labels.elementType)
      }
      guard labels.shape.rank == 1, labels.shape[0] == count else {
        throw .itemCount(
          name: labels.name, expected: count, found: labels.shape.elementCount)
      }
    }
    self.inputs = inputs
    itemCount = count
    self.labels = labels
  }

  /// The class of item `i`; nil without labels. `file` is the file that was read.
  public func label(ofItem i: Int, in file: RawSpan) -> Int? {
    guard let labels else { return nil }
    precondition(i >= 0 && i < itemCount)
    let start = labels.byteRange.lowerBound
    if labels.elementType == .u8 {
      return Int(unsafe file.unsafeLoad(fromByteOffset: start + i, as: UInt8.self))
    }
    return Int(
      truncatingIfNeeded: unsafe file.unsafeLoadUnaligned(
        fromByteOffset: start + i * 8, as: Int64.self))
  }
}

/// What a file lacks to be a data set.
public enum LabelledDataError: Error, Equatable, Sendable, CustomStringConvertible {
  case missingTensor(String)
  /// A scalar, which has no axis of items.
  case noItems(String)
  case itemCount(name: String, expected: Int, found: Int)
  case labelType(ElementType)

  public var description: String {
    switch self {
    case .missingTensor(let name): "the data has no tensor input.\(name) or \(name)"
    case .noItems(let name): "the tensor \(name) has no axis of items"
    case .itemCount(let name, let expected, let found):
      "the tensor \(name) has \(found) items, expected \(expected)"
    case .labelType(let type): "labels must be i64 or u8, found " + type.name
    }
  }
}
