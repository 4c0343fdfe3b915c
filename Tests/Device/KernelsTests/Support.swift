// What the kernel tests share: a fixed random stream, memory with a margin, sizes, comparisons.

import CKernels
import Kernels
import Randomness
import Testing

extension SeededRandom {
  mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> Memory<Float> {
    Memory((0..<count).map { _ in Float.random(in: range, using: &self) })
  }

  mutating func codes(_ count: Int) -> Memory<Int8> {
    Memory((0..<count).map { _ in Int8.random(in: -127...127, using: &self) })
  }
}

/// `count` elements for C, followed by a margin that must stay as it is.
final class Memory<Element: BitwiseCopyable & Equatable & ExpressibleByIntegerLiteral> {
  static var margin: Int { 64 }
  let base: UnsafeMutablePointer<Element>
  let count: Int

  init(_ values: [Element]) {
    count = values.count
    base = .allocate(capacity: count + Self.margin)
    base.initialize(repeating: 77, count: count + Self.margin)
    for i in 0..<count { base[i] = values[i] }
  }

  convenience init(count: Int, of value: Element = 77) {
    self.init([Element](repeating: value, count: count))
  }

  deinit { base.deallocate() }

  subscript(i: Int) -> Element {
    get { base[i] }
    set { base[i] = newValue }
  }

  var values: [Element] { (0..<count).map { base[$0] } }
  var marginIsIntact: Bool { (count..<count + Self.margin).allSatisfy { base[$0] == 77 } }
}

/// Sizes around a tile: none, one, one off, several and three more.
func sizes(around tile: Int) -> [Int] {
  [0, 1, tile - 1, tile, tile + 1, 3 * tile + 3]
}

/// The panels of a [k, n] matrix, written from their definition.
func panels(_ matrix: [Float], k: Int, n: Int) -> [Float] {
  var out = [Float](repeating: 0, count: (n + 15) / 16 * 16 * k)
  for p in 0..<k {
    for j in 0..<n { out[((j / 16) * k + p) * 16 + j % 16] = matrix[p * n + j] }
  }
  return out
}

/// Where `found` is not within `relative` of `wanted` or `absolute`; nil when it is everywhere.
func mismatch(
  _ found: [Float], _ wanted: [Double], relative: Double, absolute: Double = 0
) -> String? {
  guard found.count == wanted.count else { return "\(found.count) instead of \(wanted.count)" }
  for i in 0..<found.count {
    let f = Double(found[i])
    let w = Double(Float(wanted[i]))
    if f == w || (f.isNaN && w.isNaN) { continue }
    let error = abs(f - wanted[i])
    if !(error <= max(absolute, relative * abs(wanted[i]))) {
      return "[\(i)] is \(found[i]) instead of \(wanted[i])"
    }
  }
  return nil
}

/// Lets test names say which set they ran.
extension KernelSet: CustomTestStringConvertible {
  public var testDescription: String { name }
}
