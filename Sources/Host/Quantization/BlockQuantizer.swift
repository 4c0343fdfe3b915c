// Blocks of 32 weights to one scale, one table and codes: the search for those of least error.
import CKernels
import Tensors

/// Encodes the blocks of one scheme: x ≈ scale · value[code], the values those of the table that the low
/// bits of the f16 scale pick (`kn_block_value`).
public struct BlockQuantizer: Sendable {
  public let scheme: QuantizationScheme
  public let format: BlockFormat
  /// Bits of the scale that pick the table.
  private let tableBits: Int
  /// Table after table: what a weight over its scale becomes, and its code, for every half step from
  /// -reach to reach. The points where one code gives way to the next are multiples of 1/2.
  private let values: [Float]
  private let codes: [UInt8]
  /// The first and the last value of each table.
  private let ends: [(low: Float, high: Float)]
  /// Magnitudes over a table's end to which a block's largest may be mapped.
  private let starts: [Float]

  /// Half steps on either side: values are bytes, and their middles no further out.
  private static let reach = 256
  private static let placeCount = 2 * reach + 1
  private static let length = BlockFormat.length

  /// One for each scheme that has blocks: their tables take a while to make.
  public static let all: [QuantizationScheme: BlockQuantizer] = {
    var all: [QuantizationScheme: BlockQuantizer] = [:]
    for scheme in QuantizationScheme.allCases { all[scheme] = BlockQuantizer(scheme) }
    return all
  }()

  /// nil for schemes without blocks.
  public init?(_ scheme: QuantizationScheme) {
    guard let format = scheme.block else { return nil }
    self.scheme = scheme
    self.format = format
    tableBits = Int(kn_block_table_bits(Int32(scheme.rawValue)))
    let last = 1 << format.bits - 1
    var (values, codes): ([Float], [UInt8]) = ([], [])
    var ends: [(Float, Float)] = []
    for table in 0..<(1 << tableBits) {
      let list = (0...last).map {
        Int(kn_block_value(Int32(scheme.rawValue), UInt16(table), Int32($0)))
      }
      var code = 0
      for halves in -BlockQuantizer.reach...BlockQuantizer.reach {
        while code < last, halves > list[code] + list[code + 1] { code += 1 }
        values.append(Float(list[code]))
        codes.append(UInt8(code))
      }
      ends.append((Float(list[0]), Float(list[last])))
    }
    self.values = values
    self.codes = codes
    self.ends = ends
    // With more tables fewer come to as little error: within 1 % of what twice as many do.
    let count = [25, 20, 14, 9, 5][tableBits]
    // From about 0.6 to 1.15, with 1 among them.
    let step = 0.55 / Float(count - 1)
    starts = (0..<count).map { 1 + (Float($0) - (0.4 / step).rounded()) * step }
  }

  /// One block's scale, and what it leaves.
  public struct Block: Sendable {
    public var scale: UInt16
    public var codes: [UInt8]
    /// Σ importance · (x - x')².
    public var error: Float
  }

  /// The f16 scale and the 32 codes of least squared error. importances: what the square of each
  /// weight's error is worth, not negative; ones where there are none.
  public func encode(_ block: [Float], importances: [Float]? = nil) -> Block {
    precondition(block.count == 32 && importances.map { $0.count == 32 } ?? true)
    var codes = [UInt8](repeating: 0, count: 32)
    let importances = importances ?? [Float](repeating: 1, count: 32)
    let best = scale(block, importances)
    let error = quantize(block, importances, best, into: &codes)
    return Block(scale: best, codes: codes, error: error)
  }

  /// The scale of least error, which has its table's number in its low bits; 0 where none is better than
  /// zeros: for magnitudes below the smallest f16 or past the largest. Weights are finite.
  func scale(_ x: UnsafePointer<Float>, _ importances: UnsafePointer<Float>) -> UInt16 {
    var peak: Float = 0
    for i in 0..<BlockQuantizer.length where x[i].magnitude > peak.magnitude { peak = x[i] }
    guard peak != 0 else { return 0 }
    var power: Float = 0
    for i in 0..<BlockQuantizer.length { power += importances[i] * x[i] * x[i] }
    var best: (error: Float, scale: UInt16) = (power, 0)
    return values.withUnsafeBufferPointer { values in
      for table in ends.indices {
        let places =
          values.baseAddress! + (table * BlockQuantizer.placeCount + BlockQuantizer.reach)
        for end in [ends[table].high, ends[table].low] {
          for start in starts {
            guard let first = usable(peak / (start * end), table) else { continue }
            let plain = fit(x, importances, first.value, places)
            if plain.error < best.error { best = (plain.error, first.half) }
            // What starts far off does not come to be the best.
            guard plain.error < best.error * 1.5, let second = usable(plain.scale, table) else {
              continue
            }
            let refined = fit(x, importances, second.value, places)
            if refined.error < best.error { best = (refined.error, second.half) }
          }
        }
      }
      return best.scale
    }
  }

  /// Writes the codes of 32 weights over `scale`; what they leave.
  @discardableResult
  func quantize(
    _ x: UnsafePointer<Float>, _ importances: UnsafePointer<Float>, _ scale: UInt16,
    into out: UnsafeMutablePointer<UInt8>
  ) -> Float {
    let rounding = rounding(scale)
    var error: Float = 0
    for i in 0..<BlockQuantizer.length {
      let (code, value) = rounding.nearest(x[i])
      out[i] = code
      error += importances[i] * (x[i] - value) * (x[i] - value)
    }
    return error
  }

  /// The weights that one scale can stand for.
  struct Rounding {
    fileprivate let scale: Float
    fileprivate let inverse: Float
    fileprivate let first: Int
    fileprivate let values: [Float]
    fileprivate let codes: [UInt8]

    /// The code of the nearest, and that itself.
    func nearest(_ x: Float) -> (code: UInt8, value: Float) {
      let place = first + BlockQuantizer.place(x * inverse)
      return (codes[place], values[place] * scale)
    }
  }

  func rounding(_ scale: UInt16) -> Rounding {
    let value = kn_f16_to_f32(scale)
    let table = Int(scale) & (1 << tableBits - 1)
    return Rounding(
      scale: value, inverse: value == 0 ? 0 : 1 / value,
      first: table * BlockQuantizer.placeCount + BlockQuantizer.reach, values: values, codes: codes)
  }

  /// The nearest f16 that picks `table`.
  private func usable(_ scale: Float, _ table: Int) -> (half: UInt16, value: Float)? {
    let half = kn_f32_to_f16(scale)
    let size = 1 << tableBits
    var magnitude = Int(half & 0x7FFF)
    magnitude = (magnitude - table + size / 2) & ~(size - 1) + table
    // Below the smallest and from infinity on there is none.
    guard magnitude > 0, magnitude < 0x7C00 else { return nil }
    let bits = UInt16(magnitude) | half & 0x8000
    return (bits, kn_f16_to_f32(bits))
  }

  /// The error that `scale` leaves, and the scale that would leave the least with its codes.
  private func fit(
    _ x: UnsafePointer<Float>, _ importances: UnsafePointer<Float>, _ scale: Float,
    _ places: UnsafePointer<Float>
  ) -> (error: Float, scale: Float) {
    let inverse = 1 / scale
    var sum: Float = 0
    var above: Float = 0
    var below: Float = 0
    for i in 0..<BlockQuantizer.length {
      let value = places[BlockQuantizer.place(x[i] * inverse)]
      let d = x[i] - scale * value
      sum += importances[i] * d * d
      above += importances[i] * x[i] * value
      below += importances[i] * value * value
    }
    return (sum, below > 0 ? above / below : scale)
  }

  /// The half step of a weight over its scale, from -reach to reach.
  private static func place(_ target: Float) -> Int {
    // Rounded up, by a conversion that rounds what is positive down.
    let limit = Float(reach - 1)
    return reach - Int(Float(reach) - min(max(target * 2, -limit), limit))
  }
}
