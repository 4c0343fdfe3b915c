// What the elements of one tensor have in common.
import Lowering
import Quantization
import Tensors

/// Facts about the elements of an f32 tensor, found row by row of its matrix, a window at a time.
struct TensorFacts {
  /// All elements are one number.
  private(set) var isUniform = true
  /// The types of half the size hold every element exactly.
  private(set) var isHalf = true
  private(set) var isBrainFloat = true
  /// Different numbers; nil for more than 256.
  private(set) var distinctCount: Int?
  /// Every row is at most 255 multiples of a step of its own.
  private(set) var isGrid = true
  /// Rows whose elements are all zero, and rows whose elements are all one other number.
  private(set) var zeroRows: [Int] = []
  private(set) var uniformRows: [Int] = []
  let rows: Int
  let columns: Int

  /// Fewer elements to a row tell nothing about a grid.
  private static let leastGridColumns = 8

  init(_ source: WeightSource) {
    (rows, columns) = WeightEncoding.matrix(of: source.shape, source.layout)
    isGrid = columns >= TensorFacts.leastGridColumns
    let encoder = WeightEncoder(source, WeightEncoding(.f32, source.layout))
    var distinct = Set<UInt32>()
    var first: Float?
    for window in encoder.windows {
      let values = encoder.elements(window)
      let start = first ?? values[0]
      first = start
      values.withUnsafeBufferPointer { values in
        for r in 0..<window.count {
          let row = UnsafeBufferPointer(rebasing: values[r * columns..<(r + 1) * columns])
          look(at: row, window.lowerBound + r, start, &distinct)
        }
      }
    }
    distinctCount = distinct.count > 256 ? nil : distinct.count
  }

  private mutating func look(
    at row: UnsafeBufferPointer<Float>, _ number: Int, _ start: Float, _ distinct: inout Set<UInt32>
  ) {
    var isOne = true
    for x in row {
      if x != row[0] { isOne = false }
      if isHalf, Float(Float16(x)) != x { isHalf = false }
      if x.bitPattern & 0xFFFF != 0 { isBrainFloat = false }
      if distinct.count <= 256 { distinct.insert(x.bitPattern) }
    }
    if !isOne || row[0] != start { isUniform = false }
    if isOne {
      // Of a few elements it says little that they are alike.
      if row[0] == 0 { zeroRows.append(number) } else if columns >= 4 { uniformRows.append(number) }
    }
    if isGrid { isGrid = TensorFacts.isGrid(row) }
  }

  /// True where all elements are whole multiples, up to 127 of them, of one step.
  static func isGrid(_ row: UnsafeBufferPointer<Float>) -> Bool {
    var distinct = Set<Float>()
    for x in row {
      guard x.isFinite else { return false }
      distinct.insert(x)
      if distinct.count > 255 { return false }
    }
    let sorted = distinct.sorted()
    guard sorted.count > 1 || sorted.first == 0 else { return true }
    // Neighbours are at least a step apart, and zero is on every grid.
    var step = sorted.reduce(Float.infinity) { $1 == 0 ? $0 : min($0, $1.magnitude) }
    for (a, b) in zip(sorted, sorted.dropFirst()) { step = min(step, b - a) }
    guard step.isNormal else { return sorted.allSatisfy { $0 == 0 } }
    return sorted.allSatisfy { x in
      let place = x / step
      return place.magnitude < 127.5 && (place - place.rounded()).magnitude < 0.01
    }
  }
}

/// The smallest type of whole numbers that holds all elements of another; nil where none is smaller.
enum IntegerRange {
  static func smallestType(_ view: TensorView) -> ElementType? {
    let type = view.elementType
    let count = view.shape.elementCount
    guard !type.isFloatingPoint, type.isNumber, type != .bool, type.byteCount > 1, count > 0 else {
      return nil
    }
    var least = Int.max
    var most = Int.min
    for i in 0..<count {
      let x = view.integer(at: i)
      least = min(least, x)
      most = max(most, x)
    }
    let candidates: [(ElementType, ClosedRange<Int>)] = [
      (.i8, -128...127), (.u8, 0...255), (.i16, -32768...32767),
      (.i32, Int(Int32.min)...Int(Int32.max)),
    ]
    return candidates.first {
      $0.0.byteCount < type.byteCount && $0.1.contains(least) && $0.1.contains(most)
    }?.0
  }
}
