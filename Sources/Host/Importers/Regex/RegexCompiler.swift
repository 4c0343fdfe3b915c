// Regular expressions as programs for the device's machine.
import Graphs
import Operators
import Tensors

/// Writes the instructions of an expression.
struct RegexCompiler {
  /// Steps taken to write a program; a short pattern of nested repetitions asks for any number.
  private static let maximumWork = 1 << 20

  private var code: [Int32] = []
  private var ranges: [Int32] = []
  private var placeOf: [ScalarSet: Int32] = [:]
  private var work = 0

  /// The program of `pattern`, i32 [words].
  static func compile(_ pattern: String) throws(RegexError) -> Constant {
    let node = try RegexParser.parse(pattern)
    var compiler = RegexCompiler()
    try compiler.emit(node)
    try compiler.add(.match)
    let words = [Int32(compiler.code.count / 3)] + compiler.code + compiler.ranges
    return Constant(elementType: .i32, shape: Shape([words.count])) { out in
      words.withUnsafeBytes { out.copyMemory(from: $0) }
    }
  }

  private var end: Int32 { Int32(code.count / 3) }

  private mutating func add(
    _ op: RegexCode, _ a: Int32 = 0, _ b: Int32 = 0
  ) throws(RegexError) {
    guard Int(end) < RegexMatch.maximumInstructions else { throw RegexCompiler.tooLarge }
    code += [op.rawValue, a, b]
  }

  private static var tooLarge: RegexError {
    RegexError(byte: 0, message: "its repetitions make it too large")
  }

  /// Sets where the instruction at `place` goes to.
  private mutating func link(_ place: Int32, first: Int32? = nil, second: Int32? = nil) {
    if let first { code[3 * Int(place) + 1] = first }
    if let second { code[3 * Int(place) + 2] = second }
  }

  private mutating func emit(_ node: RegexNode) throws(RegexError) {
    work += 1
    guard work <= RegexCompiler.maximumWork else { throw RegexCompiler.tooLarge }
    switch node {
    case .scalars(let set): try add(.scalar, place(of: set), Int32(set.ranges.count))
    case .place(let place): try add(.place, place.rawValue)
    case .sequence(let list): for part in list { try emit(part) }
    case .choice(let list):
      var jumps: [Int32] = []
      for (i, branch) in list.enumerated() {
        guard i < list.count - 1 else {
          try emit(branch)
          break
        }
        let split = end
        try add(.split, split + 1)
        try emit(branch)
        jumps.append(end)
        try add(.jump)
        link(split, second: end)
      }
      for jump in jumps { link(jump, first: end) }
    case .repeated(let part, let minimum, let maximum):
      for _ in 0..<minimum { try emit(part) }
      guard let maximum else {
        let split = end
        try add(.split, split + 1)
        try emit(part)
        try add(.jump, split)
        link(split, second: end)
        return
      }
      var splits: [Int32] = []
      for _ in minimum..<maximum {
        splits.append(end)
        try add(.split, end + 1)
        try emit(part)
      }
      for split in splits { link(split, second: end) }
    }
  }

  /// Where the set's ranges begin; equal sets share theirs.
  private mutating func place(of set: ScalarSet) -> Int32 {
    if let known = placeOf[set] { return known }
    let place = Int32(ranges.count / 2)
    for range in set.ranges {
      ranges += [Int32(range.lowerBound), Int32(range.upperBound)]
    }
    placeOf[set] = place
    return place
  }
}
