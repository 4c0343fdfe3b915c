// Constants whose real numbers are stored in another type become f32: activations are f32 here.
import Graphs
import Tensors

extension Constant {
  /// This constant, or where it holds real numbers of another type the same numbers in f32.
  func withFloatsAsF32() -> Constant {
    let source = bytes
    func converted<Bits: BitwiseCopyable>(_: Bits.Type, _ f: (Bits) -> Float) -> Constant {
      Constant(elementType: .f32, shape: shape) { out in
        for i in 0..<shape.elementCount {
          let value = f(
            source.loadUnaligned(fromByteOffset: i * MemoryLayout<Bits>.size, as: Bits.self))
          out.storeBytes(of: value, toByteOffset: i * 4, as: Float.self)
        }
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
