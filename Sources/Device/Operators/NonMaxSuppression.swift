// The best of boxes that overlap.
import Tensors

/// For each picture and class, the boxes of the highest scores that overlap no better one by more than
/// a threshold (ONNX NonMaxSuppression): of equal scores the one in front is better; boxes without area
/// overlap nothing.
///
/// inputs: boxes f32 [pictures, boxes, 4]: two corners y, x, y, x in any order, or with `isCentered`
/// the middle and the size x, y, w, h; scores f32 [pictures, classes, boxes]; the most boxes per class,
/// i64, 0 where left out; the largest overlap, f32, 0 where left out; the score that a box must exceed,
/// f32, optional → output: i64 [found, 3]: picture, class, box.
public struct NonMaxSuppression: OperatorDefinition {
  public static var code: Int { 63 }
  public static var name: StaticString { "NonMaxSuppression" }

  public var isCentered: Bool

  public init(isCentered: Bool = false) { self.isCentered = isCentered }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    isCentered = try attributes.bool()
  }

  public func encode(into attributes: inout AttributeWriter) { attributes.put(isCentered) }

  public func readsValue(ofInput i: Int) -> Bool { true }

  public func outputType(_ i: Int, _ inputs: [ElementType?]) -> ElementType? { .i64 }

  private func limit(_ step: StepContext, _ boxes: Int) throws(ShapeError) -> Int {
    guard step.has(2) else { return 0 }
    let list = try step.integers(2)
    guard list.count == 1 else { throw ShapeError("is not one number", input: 2) }
    return min(max(list[0], 0), boxes)
  }

  /// Sets the shape for as many as there can be; `run` says how many there are.
  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 2...5)
    for i in 0..<step.inputCount where i != 2 && step.has(i) {
      try step.requirePlain(i)
      try step.require(i, is: .f32)
      guard i < 2 || step.input(i).shape.elementCount == 1 else {
        throw ShapeError("is not one number", input: i)
      }
    }
    let (boxes, scores) = (step.input(0).shape, step.input(1).shape)
    guard boxes.rank == 3, boxes[2] == 4 else {
      throw ShapeError("is not [pictures, boxes, 4]", input: 0)
    }
    guard scores.rank == 3, scores[0] == boxes[0], scores[2] == boxes[1] else {
      throw ShapeError("is not [pictures, classes, boxes]", input: 1)
    }
    let most = try limit(step, boxes[1])
    step.setOutput(0, .i64, Shape([scores[0] * scores[1] * most, 3]))
  }

  public func scratchBytes(_ step: StepContext) -> Int {
    step.input(0).shape[1] * MemoryLayout<Int>.size
  }

  public func run(_ step: StepContext) {
    let shape = step.input(1).shape
    let (classes, count) = (shape[1], shape[2])
    guard let most = try? limit(step, count) else { return }
    let boxes = step.input(0).floats
    let scores = step.input(1).floats
    let overlap = step.has(3) ? step.input(3).floats[0] : 0
    let threshold = step.has(4) ? step.input(4).floats[0] : -Float.infinity
    let y = step.output().elements(Int64.self)
    let all = step.scratch(Int.self, count: count)
    var found = 0
    for row in 0..<(shape[0] * classes) where most > 0 {
      let picture = row / classes
      let base = row * count
      var candidates = 0
      for i in 0..<count where !step.has(4) || scores[base + i] > threshold {
        all[candidates] = i
        candidates += 1
      }
      let order = unsafe Elements(
        base: all.pointer(0, count: candidates), count: candidates)
      order.heapSort { i, j in
        let (a, b) = (scores[base + i], scores[base + j])
        return a != b ? a > b : i < j
      }
      let first = found
      for r in 0..<candidates where found - first < most {
        let box = Box(boxes, picture * count + order[r], isCentered)
        var isFree = true
        for k in first..<found where isFree {
          let kept = Box(boxes, picture * count + Int(y[3 * k + 2]), isCentered)
          isFree = box.overlap(kept) <= overlap
        }
        guard isFree else { continue }
        y[3 * found] = Int64(picture)
        y[3 * found + 1] = Int64(row % classes)
        y[3 * found + 2] = Int64(order[r])
        found += 1
      }
    }
    step.setOutput(0, .i64, Shape([found, 3]))
  }

  private struct Box {
    var top: Float
    var left: Float
    var bottom: Float
    var right: Float

    init(_ boxes: Elements<Float>, _ i: Int, _ isCentered: Bool) {
      let (a, b, c, d) = (boxes[4 * i], boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3])
      if isCentered {
        (left, right) = (a - c / 2, a + c / 2)
        (top, bottom) = (b - d / 2, b + d / 2)
      } else {
        (top, bottom) = (min(a, c), max(a, c))
        (left, right) = (min(b, d), max(b, d))
      }
    }

    /// The area that both share as part of what they cover together; 0 where they share none.
    func overlap(_ other: Box) -> Float {
      let height = min(bottom, other.bottom) - max(top, other.top)
      let width = min(right, other.right) - max(left, other.left)
      guard height > 0, width > 0 else { return 0 }
      let mine = (bottom - top) * (right - left)
      let theirs = (other.bottom - other.top) * (other.right - other.left)
      guard mine > 0, theirs > 0 else { return 0 }
      return height * width / (mine + theirs - height * width)
    }
  }
}
