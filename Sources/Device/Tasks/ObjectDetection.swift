// Things on a picture: where they are, what they are, how sure the model is.

import Bytes
import Tensors

/// Something that was found.
public struct Detection: Equatable, Sendable {
  /// Edges as shares of the model's picture, from the upper left corner: 0…1.
  public var left: Float
  public var top: Float
  public var right: Float
  public var bottom: Float
  /// From 0.
  public var classIndex: Int
  /// 0…1.
  public var score: Float

  public init(
    left: Float, top: Float, right: Float, bottom: Float, classIndex: Int, score: Float
  ) {
    (self.left, self.top, self.right, self.bottom) = (left, top, right, bottom)
    self.classIndex = classIndex
    self.score = score
  }

  /// The area that both share as part of what they cover together; 0 where they share none.
  public func overlap(_ other: Detection) -> Float {
    let width = min(right, other.right) - max(left, other.left)
    let height = min(bottom, other.bottom) - max(top, other.top)
    guard width > 0, height > 0 else { return 0 }
    let shared = width * height
    return shared / (area + other.area - shared)
  }

  private var area: Float { (right - left) * (bottom - top) }
}

/// Picture in, boxes with labels out.
public struct ObjectDetection: Equatable, Sendable {
  /// What the model's outputs hold.
  public enum Head: UInt8, Sendable {
    /// Boxes [1, n, 4] as top, left, bottom, right in shares of the picture; classes [1, n]; scores
    /// [1, n]; how many they are [1]: those of TFLite's detection operator, best first, overlaps gone.
    case ranked
    /// Boxes [1, n, 4] as left, top, right, bottom in shares of the picture; scores [1, n, classes].
    case scored
    /// Rows [1, n, 5 + classes] for each place of grids whose steps are `strides` pixels, row by row:
    /// the middle from the place's corner and the logarithm of the size, in steps; whether there is
    /// anything; what it is (YOLOX: Ge et al., arXiv 2107.08430, as its ONNX export gives them).
    case grid
  }

  public static let headNames = ["ranked", "scored", "grid"]
  public static let resultLimit = 1000

  public var picture = PictureInputs()
  /// By class; fewer than classes where the model names none.
  public var labels: [String] = []
  public var head = Head.ranked
  /// In the order of the head; empty for the model's own order.
  public var outputNames: [String] = []
  /// What is less sure is left out.
  public var threshold: Float = 0.3
  /// Of two of a class that overlap by more the less sure one is left out; the head `ranked` did that.
  public var overlap: Float = 0.45
  /// The most that are given.
  public var limit = 100
  /// Class 0 of the scores is nothing, and no class.
  public var hasBackground = false
  /// Of the head `grid`, in pixels.
  public var strides = [8, 16, 32]

  public init() {}

  /// The name of a class: its label, or its number.
  public func label(_ index: Int) -> String {
    labels.indices.contains(index) ? labels[index] : "\(index)"
  }

  /// How many outputs the head has.
  public var outputCount: Int {
    switch head {
    case .ranked: 4
    case .scored: 2
    case .grid: 1
    }
  }

  /// Throws where outputs of these shapes cannot be the head's. width, height: of the model's picture.
  public func check(_ shapes: [Shape], width: Int, height: Int) throws(TaskError) {
    func wrong(_ expected: String) -> TaskError { .invalid(key: "head", expected: expected) }
    guard shapes.count == outputCount else { throw wrong("\(outputCount) outputs") }
    let boxes = shapes[0]
    guard boxes.rank == 3, boxes[0] == 1 else { throw wrong("boxes of one picture") }
    let n = boxes[1]
    switch head {
    case .ranked:
      guard boxes[2] == 4, shapes[1].elementCount == n, shapes[2].elementCount == n,
        shapes[3].elementCount == 1
      else { throw wrong("boxes [1, n, 4], classes [1, n], scores [1, n] and a count") }
    case .scored:
      let scores = shapes[1]
      guard boxes[2] == 4, scores.rank == 3, scores[0] == 1, scores[1] == n,
        scores[2] > (hasBackground ? 1 : 0)
      else { throw wrong("boxes [1, n, 4] and scores [1, n, classes]") }
    case .grid:
      var places = 0
      for stride in strides { places += (width / stride) * (height / stride) }
      guard boxes[2] > 5, n == places else { throw wrong("[1, \(places), 5 + classes]") }
    }
  }

  /// What was found, the surest first. values: of the outputs in the order of the head, of shapes that
  /// `check` has seen.
  public func detections(_ values: [[Float]], width: Int, height: Int) -> [Detection] {
    switch head {
    case .ranked: ranked(values)
    case .scored: apart(scored(values))
    case .grid: apart(grid(values[0], width, height))
    }
  }

  private func ranked(_ values: [[Float]]) -> [Detection] {
    let (boxes, classes, scores) = (values[0], values[1], values[2])
    guard let count = values[3].first else { return [] }
    // Comparisons with what is no number are false.
    let said = count > 0 ? Int(min(count, Float(1 << 20))) : 0
    var found: [Detection] = []
    for i in 0..<min(said, scores.count, classes.count, boxes.count / 4)
    where scores[i] >= threshold && found.count < limit {
      let number = classes[i] > 0 ? Int(min(classes[i], Float(1 << 20))) : 0
      add(
        Detection(
          left: boxes[4 * i + 1], top: boxes[4 * i], right: boxes[4 * i + 3],
          bottom: boxes[4 * i + 2], classIndex: number, score: scores[i]), to: &found)
    }
    return found
  }

  private func scored(_ values: [[Float]]) -> [Detection] {
    let (boxes, scores) = (values[0], values[1])
    let n = boxes.count / 4
    let classes = n > 0 ? scores.count / n : 0
    let first = hasBackground ? 1 : 0
    var found: [Detection] = []
    for i in 0..<n {
      for c in first..<max(first, classes) where scores[i * classes + c] >= threshold {
        add(
          Detection(
            left: boxes[4 * i], top: boxes[4 * i + 1], right: boxes[4 * i + 2],
            bottom: boxes[4 * i + 3], classIndex: c - first, score: scores[i * classes + c]),
          to: &found)
      }
    }
    return found
  }

  private func grid(_ rows: [Float], _ width: Int, _ height: Int) -> [Detection] {
    var places = 0
    for stride in strides { places += (width / stride) * (height / stride) }
    let columns = places > 0 ? rows.count / places : 0
    guard columns > 5 else { return [] }
    var found: [Detection] = []
    var row = 0
    for stride in strides {
      for y in 0..<height / stride {
        for x in 0..<width / stride {
          let at = row * columns
          row += 1
          // A product of two shares is no larger than either.
          guard rows[at + 4] >= threshold else { continue }
          let step = Float(stride)
          let (middleX, middleY) = (
            (rows[at] + Float(x)) * step, (rows[at + 1] + Float(y)) * step
          )
          let halfWidth = ObjectDetection.power(rows[at + 2]) * step / 2
          let halfHeight = ObjectDetection.power(rows[at + 3]) * step / 2
          for c in 0..<columns - 5 where rows[at + 4] * rows[at + 5 + c] >= threshold {
            add(
              Detection(
                left: (middleX - halfWidth) / Float(width),
                top: (middleY - halfHeight) / Float(height),
                right: (middleX + halfWidth) / Float(width),
                bottom: (middleY + halfHeight) / Float(height), classIndex: c,
                score: rows[at + 4] * rows[at + 5 + c]),
              to: &found)
          }
        }
      }
    }
    return found
  }

  /// eˣ; of what is no number 0, and no more than e³⁰.
  private static func power(_ x: Float) -> Float {
    guard x > 0 else { return x.isNaN ? 0 : Float(exponential(Double(x))) }
    return Float(1 / exponential(-Double(min(x, 30))))
  }

  /// Cut to the picture; nothing is added that has no area there.
  private func add(_ detection: Detection, to found: inout [Detection]) {
    func share(_ x: Float) -> Float { x > 0 ? min(x, 1) : 0 }
    var cut = detection
    cut.left = share(cut.left)
    cut.top = share(cut.top)
    cut.right = share(cut.right)
    cut.bottom = share(cut.bottom)
    if cut.right > cut.left, cut.bottom > cut.top { found.append(cut) }
  }

  /// The surest ones of each class that do not overlap surer ones; of equal ones the first.
  private func apart(_ candidates: [Detection]) -> [Detection] {
    let order = candidates.indices.sorted {
      let (a, b) = (candidates[$0].score, candidates[$1].score)
      return a != b ? a > b : $0 < $1
    }
    var kept: [Detection] = []
    for i in order where kept.count < limit {
      let candidate = candidates[i]
      let isHidden = kept.contains {
        $0.classIndex == candidate.classIndex && $0.overlap(candidate) > overlap
      }
      if !isHidden { kept.append(candidate) }
    }
    return kept
  }
}

extension ObjectDetection {
  var fields: [CBORPair] {
    picture.fields + [
      CBORPair("labels", .array(labels.map { .text($0) })),
      CBORPair("head", .text(ObjectDetection.headNames[Int(head.rawValue)])),
      CBORPair("outputs", .array(outputNames.map { .text($0) })),
      CBORPair("threshold", .double(Double(threshold))),
      CBORPair("overlap", .double(Double(overlap))),
      CBORPair("limit", .integer(limit)),
      CBORPair("background", .bool(hasBackground)),
      CBORPair("strides", .array(strides.map { .integer($0) })),
    ]
  }

  init(_ reader: inout TaskReader) throws(TaskError) {
    picture = try PictureInputs(&reader)
    labels = try reader.texts("labels", limit: LabelRanking.maximumLabelCount)
    let number = try reader.choice("head", ObjectDetection.headNames)
    head = Head(rawValue: UInt8(number)) ?? .ranked
    outputNames = try reader.texts("outputs", limit: 4)
    guard outputNames.isEmpty || outputNames.count == outputCount else {
      throw .invalid(key: "outputs", expected: "\(outputCount) names, or none")
    }
    threshold = try reader.share("threshold")
    overlap = try reader.share("overlap")
    limit = try reader.count("limit", in: 1...ObjectDetection.resultLimit)
    hasBackground = try reader.bool("background")
    strides = []
    for stride in try reader.floats("strides", limit: 16) {
      guard stride >= 1, stride <= 4096, stride == stride.rounded() else {
        throw .invalid(key: "strides", expected: "whole numbers from 1 to 4096")
      }
      strides.append(Int(stride))
    }
  }
}
