// Weights of a safetensors file as constants that view it.
import Graphs
import Tasks
import Tensors

/// A mapped safetensors file.
public struct SafetensorsWeights: Sendable {
  public let file: ModelFile
  private let index: [String: SafetensorsEntry]
  private let asked = AskedNames()

  /// Names of the tensors that were asked for.
  private final class AskedNames: @unchecked Sendable {
    var names = Set<String>()
  }

  /// Reads the header of `file`.
  public init(_ file: ModelFile) throws(ImportError) {
    self.file = file
    let header: Safetensors
    do throws(SafetensorsError) {
      header = try Safetensors(file.bytes.bytes)
    } catch {
      throw ImportError(file: file.path, .unsupportedFormat("\(error)"))
    }
    // Names that differ only in how Unicode spells them count as one.
    index = Dictionary(header.entries.map { ($0.name, $0) }) { first, _ in first }
  }

  /// Names of all tensors, sorted.
  public var names: [String] { index.keys.sorted() }

  /// Tensors that nobody has asked for so far, by name.
  public var unused: [UnusedTensor] {
    index.values.filter { !asked.names.contains($0.name) }
      .map { UnusedTensor(name: $0.name, byteCount: $0.byteRange.count) }
      .sorted { $0.name < $1.name }
  }

  public func has(_ name: String) -> Bool { index[name] != nil }

  /// The shape of a tensor; nil where there is none of that name.
  public func shape(_ name: String) -> Shape? { index[name]?.shape }

  /// A tensor whose shape must be `shape`: a view of the file where it is f32 or holds integers, else
  /// the same numbers in f32.
  public func constant(_ name: String, _ shape: Shape) throws(ImportError) -> Constant {
    guard let entry = index[name] else {
      throw ImportError(file: file.path, .key(name, "expected this tensor, found nothing"))
    }
    guard entry.shape == shape else {
      throw ImportError(
        file: file.path, .key(name, "expected shape \(shape), found \(entry.shape)"))
    }
    // Eight bits are scaled by tensors of their own, which nobody here would apply.
    guard !entry.elementType.isFloatingPoint || entry.elementType.byteCount > 1 else {
      throw ImportError(
        file: file.path,
        .key(name, "expected f32, f16, bf16 or f64, found \(entry.elementType.name)"))
    }
    asked.names.insert(entry.name)
    let view = try file.view(entry.byteRange)
    return Constant(elementType: entry.elementType, shape: shape, viewing: view, owner: file)
      .withFloatsAsF32()
  }

  /// A tensor as it is stored: a view of the file. nil where there is none of that name.
  public func stored(_ name: String) throws(ImportError) -> Constant? {
    guard let entry = index[name] else { return nil }
    asked.names.insert(entry.name)
    return Constant(
      elementType: entry.elementType, shape: entry.shape,
      viewing: try file.view(entry.byteRange), owner: file)
  }
}
