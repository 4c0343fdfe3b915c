// Boxes of an SSD decoded from anchors and thinned out by non-maximum suppression.
import CKernels
import Tensors

/// TFLite's `TFLite_Detection_PostProcess`, batch 1.
///
/// inputs: box encodings f32 [1, n, 4] (y, x, h, w); class scores f32 [1, n, classes], or one more for
/// the background in front; anchors f32 [n, 4] (y, x, h, w) → outputs: boxes f32 [1, d, 4] (top, left,
/// bottom, right), classes f32 [1, d], scores f32 [1, d], their count f32 [1], d = detections · classes
/// per detection; what is past the count is 0.
public struct DetectionPostProcess: OperatorDefinition {
  public static var code: Int { 111 }
  public static var name: StaticString { "DetectionPostProcess" }

  public var detections: Int
  public var classesPerDetection: Int
  /// Regular suppression, class by class: detections kept of one class.
  public var detectionsPerClass: Int
  public var isRegular: Bool
  public var classes: Int
  public var scoreThreshold: Float
  public var overlapThreshold: Float
  /// What encodings are divided by: y, x, h, w.
  public var scales: (y: Float, x: Float, h: Float, w: Float)

  public init(
    detections: Int, classesPerDetection: Int, detectionsPerClass: Int, isRegular: Bool,
    classes: Int, scoreThreshold: Float, overlapThreshold: Float,
    scales: (y: Float, x: Float, h: Float, w: Float)
  ) {
    self.detections = detections
    self.classesPerDetection = classesPerDetection
    self.detectionsPerClass = detectionsPerClass
    self.isRegular = isRegular
    self.classes = classes
    self.scoreThreshold = scoreThreshold
    self.overlapThreshold = overlapThreshold
    self.scales = scales
  }

  public init(from attributes: inout AttributeReader) throws(AttributeError) {
    let limit = 1...(1 << 16)
    detections = try attributes.integer(in: limit)
    classesPerDetection = try attributes.integer(in: limit)
    detectionsPerClass = try attributes.integer(in: limit)
    isRegular = try attributes.bool()
    classes = try attributes.integer(in: limit)
    scoreThreshold = try attributes.float()
    overlapThreshold = try attributes.float()
    scales = (
      try attributes.float(), try attributes.float(), try attributes.float(),
      try attributes.float()
    )
  }

  public func encode(into attributes: inout AttributeWriter) {
    attributes.put(detections)
    attributes.put(classesPerDetection)
    attributes.put(detectionsPerClass)
    attributes.put(isRegular)
    attributes.put(classes)
    attributes.put(scoreThreshold)
    attributes.put(overlapThreshold)
    attributes.put(scales.y)
    attributes.put(scales.x)
    attributes.put(scales.h)
    attributes.put(scales.w)
  }

  public static func == (a: DetectionPostProcess, b: DetectionPostProcess) -> Bool {
    var (p, q) = (AttributeWriter(), AttributeWriter())
    a.encode(into: &p)
    b.encode(into: &q)
    return p.values == q.values
  }

  private var outputCount: Int { detections * (isRegular ? 1 : classesPerDetection) }

  public func prepare(_ step: StepContext) throws(ShapeError) {
    try step.require(inputs: 3...3, outputs: 4)
    for i in 0..<3 {
      try step.requirePlain(i)
      try step.require(i, is: .f32)
    }
    let (boxes, scores, anchors) = (step.input(0).shape, step.input(1).shape, step.input(2).shape)
    guard boxes.rank == 3, boxes[0] == 1, boxes[2] >= 4 else {
      throw ShapeError("expected boxes of one picture", input: 0)
    }
    guard scores.rank == 3, scores[0] == 1, scores[1] == boxes[1],
      scores[2] == classes || scores[2] == classes + 1
    else { throw ShapeError("is not one score per box and class", input: 1, expected: classes) }
    guard anchors.rank == 2, anchors[0] == boxes[1], anchors[1] >= 4 else {
      throw ShapeError("is not one anchor per box", input: 2, expected: boxes[1])
    }
    guard boxes[1] <= 1 << 16, classes <= 1 << 16, outputCount <= 1 << 24 else {
      throw ShapeError("too many boxes", input: 0)
    }
    step.setOutput(0, .f32, Shape([1, outputCount, 4]))
    step.setOutput(1, .f32, Shape([1, outputCount]))
    step.setOutput(2, .f32, Shape([1, outputCount]))
    step.setOutput(3, .f32, Shape([1]))
  }

  /// Parts of the scratch, in bytes from its start.
  private struct Layout {
    var boxes = 0
    var scores = 0
    var order = 0
    var keptBox = 0
    var keptClass = 0
    var keptScore = 0
    var total = 0
  }

  private func layout(_ step: StepContext) -> Layout {
    let n = step.input(0).shape[1]
    let kept = isRegular ? detections + min(detectionsPerClass, n) : detections
    var l = Layout()
    func take(_ count: Int) -> Int {
      let at = l.total
      l.total += (count * 4 + 63) & ~63
      return at
    }
    l.boxes = take(n * 4)
    l.scores = take(n)
    l.order = take(n)
    l.keptBox = take(kept)
    l.keptClass = take(kept)
    l.keptScore = take(kept)
    return l
  }

  public func scratchBytes(_ step: StepContext) -> Int { layout(step).total }

  public func multiplyAccumulates(_ step: StepContext) -> Int {
    step.input(1).shape.elementCount.saturatingProduct(detections)
  }

  public func run(_ step: StepContext) {
    let n = step.input(0).shape[1]
    let l = layout(step)
    var state = State(
      boxes: step.scratch(Float.self, count: n * 4, at: l.boxes),
      scores: step.scratch(Float.self, count: n, at: l.scores),
      order: step.scratch(Int32.self, count: n, at: l.order),
      overlapThreshold: overlapThreshold)
    decode(step, state.boxes)
    for i in 0..<4 { step.output(i).floats.fill(0) }
    let given = step.input(1).floats
    let width = step.input(1).shape[2]
    let background = width - classes
    if isRegular {
      regular(step, &state, given, width, background, l)
    } else {
      fast(step, &state, given, width, background)
    }
  }

  private func decode(_ step: StepContext, _ boxes: Elements<Float>) {
    let encodings = step.input(0).floats
    let anchors = step.input(2).floats
    let (p, q) = (step.input(0).shape[2], step.input(2).shape[1])
    for i in 0..<step.input(0).shape[1] {
      let (e, a) = (i * p, i * q)
      let (anchorH, anchorW) = (anchors[a + 2], anchors[a + 3])
      let y = encodings[e] / scales.y * anchorH + anchors[a]
      let x = encodings[e + 1] / scales.x * anchorW + anchors[a + 1]
      let h = 0.5 * kn_exp(encodings[e + 2] / scales.h) * anchorH
      let w = 0.5 * kn_exp(encodings[e + 3] / scales.w) * anchorW
      boxes[4 * i] = y - h
      boxes[4 * i + 1] = x - w
      boxes[4 * i + 2] = y + h
      boxes[4 * i + 3] = x + w
    }
  }

  private func put(
    _ step: StepContext, _ at: Int, _ box: Int, _ boxes: Elements<Float>, _ label: Int,
    _ score: Float
  ) {
    for i in 0..<4 { step.output(0).floats[4 * at + i] = boxes[4 * box + i] }
    step.output(1).floats[at] = Float(label)
    step.output(2).floats[at] = score
  }

  /// Suppresses by each box's best score, whatever the class, then lists its best classes.
  private func fast(
    _ step: StepContext, _ state: inout State, _ given: Elements<Float>, _ width: Int,
    _ background: Int
  ) {
    for i in 0..<state.scores.count {
      var best = -Float.infinity
      for c in 0..<classes { best = max(best, given[i * width + background + c]) }
      state.scores[i] = best
    }
    let kept = state.select(threshold: scoreThreshold, limit: detections)
    let perBox = min(classesPerDetection, classes)
    var count = 0
    for k in 0..<kept {
      let box = Int(state.order[k])
      var last: (score: Float, label: Int) = (.infinity, -1)
      for _ in 0..<perBox {
        // The best of those after the last one: lower, or equal and further behind.
        var best: (score: Float, label: Int) = (-.infinity, -1)
        for c in 0..<classes {
          let score = given[box * width + background + c]
          let isLater = score < last.score || score == last.score && c > last.label
          if isLater, score > best.score || best.label < 0 { best = (score, c) }
        }
        guard best.label >= 0 else { break }
        put(step, count, box, state.boxes, best.label, best.score)
        last = best
        count += 1
      }
    }
    step.output(3).floats[0] = Float(count)
  }

  /// Suppresses class by class and keeps the best of all.
  private func regular(
    _ step: StepContext, _ state: inout State, _ given: Elements<Float>, _ width: Int,
    _ background: Int, _ l: Layout
  ) {
    let n = state.scores.count
    let room = detections + min(detectionsPerClass, n)
    let boxes = step.scratch(Int32.self, count: room, at: l.keptBox)
    let labels = step.scratch(Int32.self, count: room, at: l.keptClass)
    let scores = step.scratch(Float.self, count: room, at: l.keptScore)
    var count = 0
    for c in 0..<classes {
      for i in 0..<n { state.scores[i] = given[i * width + background + c] }
      let kept = state.select(
        threshold: scoreThreshold, limit: min(detectionsPerClass, detections, n))
      for k in 0..<kept {
        let box = state.order[k]
        let score = given[Int(box) * width + background + c]
        // Insertion: behind all that are as good.
        var at = min(count, room - 1)
        if count == room, scores[at] >= score { continue }
        while at > 0, scores[at - 1] < score {
          boxes[at] = boxes[at - 1]
          labels[at] = labels[at - 1]
          scores[at] = scores[at - 1]
          at -= 1
        }
        boxes[at] = box
        labels[at] = Int32(c)
        scores[at] = score
        count = min(count + 1, room)
      }
      count = min(count, detections)
    }
    for k in 0..<count { put(step, k, Int(boxes[k]), state.boxes, Int(labels[k]), scores[k]) }
    step.output(3).floats[0] = Float(count)
  }

  /// Boxes, what they are ranked by, and those chosen.
  private struct State {
    var boxes: Elements<Float>
    var scores: Elements<Float>
    var order: Elements<Int32>
    var overlapThreshold: Float

    /// The best box again and again that no chosen one covers, into `order`; scores of what is done
    /// become NaN. Returns how many.
    mutating func select(threshold: Float, limit: Int) -> Int {
      var kept = 0
      while kept < min(limit, scores.count) {
        var best = -1
        for i in 0..<scores.count where scores[i] >= threshold {
          if best < 0 || scores[i] > scores[best] { best = i }
        }
        guard best >= 0 else { break }
        scores[best] = .nan
        var isCovered = false
        for k in 0..<kept where overlap(Int(order[k]), best) > overlapThreshold {
          isCovered = true
          break
        }
        if isCovered { continue }
        order[kept] = Int32(best)
        kept += 1
      }
      return kept
    }

    /// Intersection over union.
    func overlap(_ i: Int, _ j: Int) -> Float {
      func area(_ i: Int) -> Float {
        (boxes[4 * i + 2] - boxes[4 * i]) * (boxes[4 * i + 3] - boxes[4 * i + 1])
      }
      let (a, b) = (area(i), area(j))
      if a <= 0 || b <= 0 { return 0 }
      let top = max(boxes[4 * i], boxes[4 * j])
      let left = max(boxes[4 * i + 1], boxes[4 * j + 1])
      let bottom = min(boxes[4 * i + 2], boxes[4 * j + 2])
      let right = min(boxes[4 * i + 3], boxes[4 * j + 3])
      let shared = max(bottom - top, 0) * max(right - left, 0)
      return shared / (a + b - shared)
    }
  }
}
