// Inputs that are texts themselves, and values typed on a command line.
import Bytes
import Platform
import Programs
import Runtime
import Tasks
import Tensors

/// A value typed for one input, `NAME=TEXT`.
public struct TypedValue: Equatable, Sendable {
  public var name: String
  public var text: String

  /// nil where there is no name in front of a `=`.
  public init?(_ argument: String) {
    let bytes = Array(argument.utf8)
    guard let split = bytes.firstIndex(of: UInt8(ascii: "=")), split > 0 else { return nil }
    name = String(decoding: bytes[..<split], as: UTF8.self)
    text = String(decoding: bytes[(split + 1)...], as: UTF8.self)
  }
}

extension ModelRunner {
  /// The one input that the caller fills, where that holds texts; nil for all other models.
  var textInput: Int? {
    let inputs = callerInputs
    guard inputs.count == 1, model.program.inputs[inputs[0]].elementType == .string else {
      return nil
    }
    return inputs[0]
  }

  /// One row: `count` in front where the axis is open, 1 at every other open axis.
  private func shape(ofInput i: Int, rows count: Int) -> Shape {
    let input = model.program.inputs[i]
    if input.isOpen { return Shape([count]) }
    var shape = Shape()
    for (axis, dimension) in input.dimensions.enumerated() {
      switch dimension {
      case .constant(let extent): shape.append(extent)
      case .symbol: shape.append(axis == 0 ? count : 1)
      }
    }
    return shape
  }

  /// Makes one text all that the model reads.
  func fill(text: String, input i: Int) throws(Failure) {
    try fill(values: [TypedValue(name: model.program.inputs[i].name, text: text)])
  }

  /// Fills every input from what was typed: a text for each element of a string input, numbers with
  /// commas between them for others. An input that is named several times has several rows; `@` and the
  /// path of a `.npy` file stand for all that is in the file.
  public func fill(values: [TypedValue]) throws(Failure) {
    var shapes = [Shape?](repeating: nil, count: model.program.inputs.count)
    var files = [TypedArray?](repeating: nil, count: shapes.count)
    for value in values where !callerInputs.contains(where: { name($0, is: value.name) }) {
      throw Failure(.usage, "\(model.name) has no input '\(value.name)'")
    }
    for i in callerInputs {
      var count = 0
      for value in values where name(i, is: value.name) {
        count += 1
        if let path = value.arrayPath { files[i] = try TypedArray(path: path) }
      }
      guard count > 0 else {
        throw Failure(.usage, "no value for input '\(model.program.inputs[i].name)'")
      }
      guard files[i] == nil || count == 1 else {
        throw Failure(.usage, "input '\(model.program.inputs[i].name)': a file and other values")
      }
      shapes[i] = files[i]?.npy.shape ?? shape(ofInput: i, rows: count)
    }
    try prepare(shapes)
    for i in callerInputs {
      let view = session.input(i)
      if let file = files[i] {
        guard file.fill(view, session.texts) else {
          throw Failure(
            .badData,
            "\(file.path): \(file.npy.elementType.name) cannot be used as \(view.elementType.name)")
        }
        continue
      }
      var at = 0
      for value in values where name(i, is: value.name) { at = try put(value, view, at) }
      guard at == view.shape.elementCount else {
        throw Failure(
          .usage,
          "input '\(model.program.inputs[i].name)': expected \(view.shape.elementCount) values, "
            + "found \(at)")
      }
    }
  }

  private func name(_ i: Int, is name: String) -> Bool {
    model.program.inputs[i].name.hasSameBytes(as: name)
  }

  /// Sets elements from `start` on; returns how many there are now.
  private func put(_ value: TypedValue, _ view: TensorView, _ start: Int) throws(Failure) -> Int {
    let count = view.shape.elementCount
    let bytes = Array(value.text.utf8)
    if view.elementType == .string {
      if start < count { view.texts[start] = session.texts.add(bytes) }
      return start + 1
    }
    var at = start
    for part in bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let text = String(decoding: part, as: UTF8.self)
      let isSet: Bool
      if view.elementType.isFloatingPoint {
        guard let number = NumberText.double(Array(part)) else { throw noNumber(text, value) }
        isSet = at >= count || TensorConversion.store(number, view, at)
      } else {
        guard let number = NumberText.integer(Array(part)) else { throw noNumber(text, value) }
        isSet = at >= count || TensorConversion.store(number, view, at)
      }
      guard isSet else { throw noNumber(text, value) }
      at += 1
    }
    return at
  }

  private func noNumber(_ text: String, _ value: TypedValue) -> Failure {
    Failure(.usage, "input '\(value.name)': '\(text)' is no number that it takes")
  }

  /// Fills a string input from bytes, a row of `width` for each text, zeros behind it.
  func fill(_ view: TensorView, rows bytes: UnsafeRawBufferPointer, width: Int) {
    let texts = view.texts
    for i in texts.indices {
      var end = (i + 1) * width
      while end > i * width, unsafe bytes[end - 1] == 0 { end -= 1 }
      let start = session.texts.end
      for at in i * width..<end { unsafe session.texts.append(bytes[at]) }
      texts[i] = session.texts.text(from: start)
    }
  }
}

extension TypedValue {
  init(name: String, text: String) {
    self.name = name
    self.text = text
  }

  /// The file that `@FILE.npy` names; nil for other values.
  fileprivate var arrayPath: String? {
    let (bytes, suffix) = (Array(text.utf8), Array(".npy".utf8))
    guard bytes.first == UInt8(ascii: "@"), bytes.suffix(4).elementsEqual(suffix) else {
      return nil
    }
    return String(decoding: bytes[1...], as: UTF8.self)
  }
}

/// A NumPy array in a file.
private struct TypedArray {
  let path: String
  let npy: Npy
  private let map: MappedFile

  init(path: String) throws(Failure) {
    self.path = path
    let file: MappedFile
    do throws(PlatformError) {
      file = try MappedFile(path: path)
    } catch {
      throw Failure(reading: error)
    }
    map = file
    let bytes = file.bytes
    do throws(NpyError) {
      npy = try Npy(bytes)
    } catch {
      throw Failure(.badData, "\(path): \(error)")
    }
  }

  /// False where the elements do not convert to the input's.
  func fill(_ view: TensorView, _ pool: TextPool) -> Bool {
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: map.buffer[npy.byteRange])
    guard let layout = npy.textLayout else {
      return unsafe TensorConversion.fill(view, from: bytes, npy.elementType)
    }
    guard view.elementType == .string else { return false }
    let texts = view.texts
    for i in texts.indices { unsafe texts[i] = pool.add(layout.text(i, in: bytes)) }
    return true
  }
}

extension TensorView {
  /// The texts of a string tensor as UTF-8 bytes, all as wide as the longest and at least one byte, zeros
  /// behind the others; nil beyond `limit` bytes.
  func paddedTexts(_ pool: TextPool, limit: Int) -> (bytes: [UInt8], width: Int)? {
    let list = texts
    var width = 1
    for i in list.indices { width = max(width, pool.range(list[i]).count) }
    guard list.count <= limit / width else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(width * list.count)
    for i in list.indices {
      let text = pool.range(list[i])
      bytes += pool.bytes[text]
      for _ in text.count..<width { bytes.append(0) }
    }
    return (bytes, width)
  }

  /// The first elements of a string tensor, at most `limit`; nil for other types.
  func texts(_ limit: Int, _ pool: TextPool) -> [[UInt8]]? {
    guard elementType == .string else { return nil }
    return (0..<min(limit, shape.elementCount)).map { pool.text(texts[$0]) }
  }
}
