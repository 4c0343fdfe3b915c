// A compiled regular expression, run over texts in time proportional to their length.
import Tensors

/// What one instruction of a regular expression does. Raw values are part of the bundle format.
public enum RegexCode: Int32, Sendable {
  /// The expression ends here.
  case match = 0
  /// Goes on at both a and b.
  case split
  /// Goes on at a.
  case jump
  /// Takes a scalar that is in one of the b ranges from range a on.
  case scalar
  /// Goes on where the place between two scalars is what a says, a `RegexPlace`.
  case place
}

/// What a place between two scalars may be asked to be. Raw values are part of the bundle format.
public enum RegexPlace: Int32, Sendable, CaseIterable {
  case textStart = 0
  case textEnd
  case lineStart
  case lineEnd
  case wordBoundary
  case noWordBoundary
}

/// A program of an expression, i32 [words]: the number of instructions; three words for each, code, a and
/// b; then the ranges of scalars, first and last, each list of one instruction in rising order.
///
/// All threads of an expression move together, scalar by scalar (Thompson's construction): each
/// instruction is looked at once per scalar, so nothing a text holds makes a match take longer than
/// instructions times scalars.
struct RegexMachine {
  private let words: Elements<Int32>
  let count: Int
  private let pool: TextPool
  /// Instructions where threads stand, and since which byte each has been running.
  private let lists: (Elements<Int32>, Elements<Int32>)
  private let starts: (Elements<Int32>, Elements<Int32>)
  /// When an instruction was last put into a list.
  private let marks: Elements<Int32>
  private let stack: Elements<Int32>

  /// Bytes of scratch for a program.
  static func scratchBytes(_ program: TensorView) -> Int { listBytes(program) * 7 }

  private static func listBytes(_ program: TensorView) -> Int {
    (Int(program.elements(Int32.self)[0]) * 4 + 63) & ~63
  }

  /// Refuses programs that lead outside of themselves.
  static func check(_ step: StepContext, _ i: Int) throws(ShapeError) {
    try step.require(i, is: .i32)
    try step.requirePlain(i)
    try step.requireKnown(i)
    let wrong = ShapeError("is no program of a regular expression", input: i)
    guard step.input(i).shape.rank == 1, step.input(i).shape[0] >= 4 else { throw wrong }
    let words = step.input(i).elements(Int32.self)
    let count = Int(words[0])
    guard count > 0, count <= RegexMatch.maximumInstructions, 3 * count <= words.count - 1 else {
      throw wrong
    }
    let rangeCount = (words.count - 1 - 3 * count) / 2
    for pc in 0..<count {
      let (a, b) = (Int(words[3 * pc + 2]), Int(words[3 * pc + 3]))
      let isSound =
        switch RegexCode(rawValue: words[3 * pc + 1]) {
        case .match: true
        case .jump: a >= 0 && a < count
        case .split: a >= 0 && a < count && b >= 0 && b < count
        case .scalar: a >= 0 && b >= 0 && a <= rangeCount && b <= rangeCount - a && pc + 1 < count
        case .place: RegexPlace(rawValue: words[3 * pc + 2]) != nil && pc + 1 < count
        case nil: false
        }
      guard isSound else { throw wrong }
    }
  }

  /// The program in input `i`, which was checked, with the step's scratch from `offset` on.
  init(_ step: StepContext, _ i: Int, at offset: Int = 0) {
    let program = step.input(i)
    words = program.elements(Int32.self)
    let count = Int(words[0])
    self.count = count
    pool = step.compute.texts
    let bytes = RegexMachine.listBytes(program)
    func list(_ n: Int) -> Elements<Int32> {
      step.scratch(Int32.self, count: count, at: offset + n * bytes)
    }
    lists = (list(0), list(1))
    starts = (list(2), list(3))
    marks = list(4)
    stack = step.scratch(Int32.self, count: 2 * bytes / 4, at: offset + 5 * bytes)
  }

  /// True where the whole of a text is what the expression describes.
  func matches(_ text: TextReference) -> Bool {
    let range = pool.range(text)
    return run(range, from: range.lowerBound, isAnchored: true)?.upperBound == range.upperBound
  }

  /// The first place in `range`, from `start` on, that the expression describes; of several that start
  /// there the longest.
  func first(in range: Range<Int>, from start: Int) -> Range<Int>? {
    run(range, from: start, isAnchored: false)
  }

  /// With `isAnchored` threads start at the start only, and only a match that ends where the text does
  /// counts.
  private func run(_ text: Range<Int>, from start: Int, isAnchored: Bool) -> Range<Int>? {
    marks.fill(-1)
    var (current, next) = (lists.0, lists.1)
    var (since, nextSince) = (starts.0, starts.1)
    var size = 0
    var at = start
    var best: Range<Int>?
    var previous: UInt32? = nil
    if at > text.lowerBound {
      var before = at - 1
      while before > text.lowerBound, pool.bytes[before] & 0xC0 == 0x80, at - before < 4 {
        before -= 1
      }
      previous = pool.nextScalar(&before, before: at)
    }
    var step: Int32 = 0
    while true {
      var behind = at
      let scalar = at < text.upperBound ? pool.nextScalar(&behind, before: text.upperBound) : nil
      // A thread that starts here is the youngest: older ones stand in the list already.
      if best == nil, !isAnchored || at == start {
        size = add(
          0, Int32(at - text.lowerBound), to: current, since, size, step, previous, scalar)
      }
      var nextSize = 0
      let following = scalar.flatMap { _ in peek(behind, text.upperBound) }
      for n in 0..<size {
        let pc = Int(current[n])
        let first = text.lowerBound + Int(since[n])
        switch RegexCode(rawValue: words[3 * pc + 1]) {
        case .match:
          guard !isAnchored || at == text.upperBound else { continue }
          if let known = best, known.lowerBound < first { continue }
          best = first..<at
        case .scalar:
          guard let scalar, takes(pc, scalar) else { continue }
          if let known = best, known.lowerBound < first { continue }
          nextSize = add(
            Int32(pc + 1), since[n], to: next, nextSince, nextSize, step + 1, scalar, following)
        default: continue
        }
      }
      guard scalar != nil, nextSize > 0 || (best == nil && !isAnchored) else { return best }
      swap(&current, &next)
      swap(&since, &nextSince)
      size = nextSize
      previous = scalar
      at = behind
      step += 1
      // Marks are compared with the step: before it overflows they start anew.
      if step == .max - 1 {
        step = 0
        marks.fill(-1)
        for n in 0..<size { marks[Int(current[n])] = 0 }
      }
    }
  }

  private func peek(_ at: Int, _ end: Int) -> UInt32? {
    var at = at
    return at < end ? pool.nextScalar(&at, before: end) : nil
  }

  /// Puts `pc` and what it leads to without a scalar into a list; returns the list's new size.
  private func add(
    _ pc: Int32, _ start: Int32, to list: Elements<Int32>, _ since: Elements<Int32>, _ size: Int,
    _ step: Int32, _ previous: UInt32?, _ following: UInt32?
  ) -> Int {
    var size = size
    var depth = 0
    stack[0] = pc
    while depth >= 0 {
      let pc = Int(stack[depth])
      depth -= 1
      guard marks[pc] != step else { continue }
      marks[pc] = step
      switch RegexCode(rawValue: words[3 * pc + 1]) {
      case .jump:
        depth += 1
        stack[depth] = words[3 * pc + 2]
      case .split:
        depth += 2
        stack[depth - 1] = words[3 * pc + 3]
        stack[depth] = words[3 * pc + 2]
      case .place:
        guard holds(RegexPlace(rawValue: words[3 * pc + 2]), previous, following) else { continue }
        depth += 1
        stack[depth] = Int32(pc + 1)
      default:
        list[size] = Int32(pc)
        since[size] = start
        size += 1
      }
    }
    return size
  }

  private func holds(_ place: RegexPlace?, _ previous: UInt32?, _ following: UInt32?) -> Bool {
    switch place {
    case .textStart: previous == nil
    case .textEnd: following == nil
    case .lineStart: previous == nil || previous == 0x0A
    case .lineEnd: following == nil || following == 0x0A
    case .wordBoundary: RegexMachine.isWord(previous) != RegexMachine.isWord(following)
    case .noWordBoundary: RegexMachine.isWord(previous) == RegexMachine.isWord(following)
    case nil: false
    }
  }

  private static func isWord(_ scalar: UInt32?) -> Bool {
    guard let scalar else { return false }
    switch scalar {
    case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: return true
    default: return false
    }
  }

  private func takes(_ pc: Int, _ scalar: UInt32) -> Bool {
    let ranges = 1 + 3 * count + 2 * Int(words[3 * pc + 2])
    var low = 0
    var high = Int(words[3 * pc + 3])
    while low < high {
      let middle = (low + high) / 2
      if scalar < UInt32(bitPattern: words[ranges + 2 * middle]) {
        high = middle
      } else if scalar > UInt32(bitPattern: words[ranges + 2 * middle + 1]) {
        low = middle + 1
      } else {
        return true
      }
    }
    return false
  }
}
