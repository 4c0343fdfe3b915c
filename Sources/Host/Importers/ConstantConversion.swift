// Constants whose real numbers are stored in another type become f32: activations are f32 here.
import Graphs
import Platform
import Tensors

extension Constant {
  /// This constant, or where it holds real numbers of another type the same numbers in f32.
  ///
  /// Large ones go to a scratch file, whose pages can be given back as those of the model's file can.
  func withFloatsAsF32() -> Constant {
    let source = bytes
    let shape = shape
    func converted<Bits: BitwiseCopyable>(_: Bits.Type, _ f: (Bits) -> Float) -> Constant {
      func convert(_ range: Range<Int>, _ out: UnsafeMutableRawBufferPointer) {
        let width = MemoryLayout<Bits>.size
        for (i, at) in range.enumerated() {
          let value = f(source.loadUnaligned(fromByteOffset: at * width, as: Bits.self))
          out.storeBytes(of: value, toByteOffset: i * 4, as: Float.self)
        }
        releasePages(
          of: UnsafeRawBufferPointer(
            rebasing: source[range.lowerBound * width..<range.upperBound * width]))
      }
      let count = shape.elementCount
      if count >= ScratchConstant.leastElementCount,
        let constant = try? ScratchConstant.f32(shape, of: elementType, convert)
      {
        return constant
      }
      return Constant(elementType: .f32, shape: shape, storedAs: elementType) {
        convert(0..<count, $0)
      }
    }
    return switch elementType {
    case .f16: converted(UInt16.self) { Float(Float16(bitPattern: $0)) }
    case .bf16: converted(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
    case .f64: converted(Double.self) { Float($0) }
    case .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1:
      converted(UInt8.self) { elementType.number(UInt16($0)) }
    default: self
    }
  }
}

/// Elements that were made here and are too many to stay in memory.
private final class ScratchConstant: PageOwner {
  /// Fewer stay in memory.
  static let leastElementCount = 1 << 18
  private static let partLength = 1 << 18

  private let file: MappedFile

  private init(_ file: MappedFile) { self.file = file }

  /// An f32 constant whose elements `fill` gives, range by range.
  static func f32(
    _ shape: Shape, of storedType: ElementType,
    _ fill: (Range<Int>, UnsafeMutableRawBufferPointer) -> Void
  ) throws -> Constant {
    let scratch = try ScratchFile(beside: ScratchFile.temporaryPath)
    var part = [Float](repeating: 0, count: partLength)
    for start in stride(from: 0, to: shape.elementCount, by: partLength) {
      let range = start..<min(start + partLength, shape.elementCount)
      try part.withUnsafeMutableBytes { bytes in
        let out = UnsafeMutableRawBufferPointer(rebasing: bytes[..<(range.count * 4)])
        fill(range, out)
        try scratch.write(UnsafeRawBufferPointer(out), at: start * 4)
      }
    }
    let file = try scratch.mapped()
    return Constant(
      elementType: .f32, shape: shape, viewing: file.buffer, owner: ScratchConstant(file),
      storedAs: storedType)
  }

  func releasePages(of bytes: UnsafeRawBufferPointer) { file.releasePages(of: bytes) }
}
