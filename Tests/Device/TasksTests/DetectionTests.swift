// Boxes out of the outputs of detectors, against boxes worked out by hand.

import Randomness
import Tasks
import Tensors
import Testing

struct DetectionTests {
  private func near(_ found: [Detection], _ expected: [Detection]) -> Bool {
    guard found.count == expected.count else { return false }
    return zip(found, expected).allSatisfy { a, b in
      let edges = [a.left - b.left, a.top - b.top, a.right - b.right, a.bottom - b.bottom]
      return a.classIndex == b.classIndex && abs(a.score - b.score) < 1e-6
        && edges.allSatisfy { abs($0) < 1e-6 }
    }
  }

  private func box(
    _ left: Float, _ top: Float, _ right: Float, _ bottom: Float, _ index: Int, _ score: Float
  ) -> Detection {
    Detection(
      left: left, top: top, right: right, bottom: bottom, classIndex: index, score: score)
  }

  @Test func ranked() {
    var task = ObjectDetection()
    // Top, left, bottom, right; the second reaches over the picture, the fourth is not counted.
    let boxes: [Float] = [
      0.1, 0.2, 0.5, 0.6, -0.5, 0.9, 0.25, 1.5, 0, 0, 1, 1, 0.1, 0.1, 0.2, 0.2,
    ]
    let values: [[Float]] = [boxes, [17, 0, 2, 3], [0.9, 0.5, 0.2, 0.8], [3]]
    #expect(
      near(
        task.detections(values, width: 300, height: 300),
        [box(0.2, 0.1, 0.6, 0.5, 17, 0.9), box(0.9, 0, 1, 0.25, 0, 0.5)]))
    task.limit = 1
    #expect(task.detections(values, width: 300, height: 300).count == 1)
    task.threshold = 0.95
    #expect(task.detections(values, width: 300, height: 300).isEmpty)
  }

  @Test func scoredBoxesOfAClassDoNotOverlap() {
    var task = ObjectDetection()
    task.head = .scored
    task.hasBackground = true
    // The second overlaps the first by 0.8, the third by a third.
    let boxes: [Float] = [
      0, 0, 0.5, 0.5, 0, 0, 0.4, 0.5, 0.25, 0, 0.75, 0.5,
    ]
    let scores: [Float] = [0.1, 0.8, 0.1, 0, 0.9, 0.4, 0.9, 0.5, 0.35]
    let found = task.detections([boxes, scores], width: 10, height: 10)
    #expect(
      near(
        found,
        [
          box(0, 0, 0.4, 0.5, 0, 0.9), box(0.25, 0, 0.75, 0.5, 0, 0.5),
          box(0, 0, 0.4, 0.5, 1, 0.4), box(0.25, 0, 0.75, 0.5, 1, 0.35),
        ]))
    task.overlap = 0.1
    #expect(task.detections([boxes, scores], width: 10, height: 10).map(\.score) == [0.9, 0.4])
  }

  @Test func gridRowsAreInSteps() {
    var task = ObjectDetection()
    task.head = .grid
    task.strides = [8, 16]
    // 2x4 places of 8 and 1x2 of 16 on 32x16 pixels.
    var rows = [Float](repeating: 0, count: 10 * 7)
    func set(_ row: Int, _ values: [Float]) { for i in 0..<7 { rows[row * 7 + i] = values[i] } }
    // Place (1, 2): 16 to 24 across, 8 to 16 down.
    set(6, [0.5, 0.5, 0, 0, 1, 0.25, 0.75])
    // The right one of the large ones, half as large and at its upper left corner.
    set(9, [0, 0, -0.693147, -0.693147, 0.5, 0.9, 0])
    let found = task.detections([rows], width: 32, height: 16)
    #expect(
      near(found, [box(0.5, 0.5, 0.75, 1, 1, 0.75), box(0.375, 0, 0.625, 0.25, 0, 0.45)]))
    task.threshold = 0.2
    #expect(task.detections([rows], width: 32, height: 16).count == 3)
  }

  /// Whatever the outputs hold: boxes lie on the picture, the surest comes first, none of a class overlap.
  @Test(arguments: [ObjectDetection.Head.ranked, .scored, .grid])
  func anyNumbersAtAll(head: ObjectDetection.Head) {
    var random = SeededRandom(state: UInt64(head.rawValue) + 7)
    let odd: [Float] = [
      .nan, .infinity, -.infinity, 1e38, -1e38, .leastNonzeroMagnitude, -0.0, 3, 0.99,
    ]
    func number() -> Float {
      Int.random(in: 0..<4, using: &random) == 0
        ? odd[Int.random(in: 0..<odd.count, using: &random)]
        : Float.random(in: -0.5...1.5, using: &random)
    }
    for _ in 0..<200 {
      var task = ObjectDetection()
      task.head = head
      task.threshold = 0.2
      task.limit = 50
      task.strides = [8]
      let n = 12
      let counts = [[4 * n, n, n, 1], [4 * n, 3 * n], [8 * n]][Int(head.rawValue)]
      let values = counts.map { count in (0..<count).map { _ in number() } }
      let found = task.detections(values, width: 32, height: 24)
      #expect(found.count <= 50)
      for (i, a) in found.enumerated() {
        #expect(a.left >= 0 && a.left < a.right && a.right <= 1)
        #expect(a.top >= 0 && a.top < a.bottom && a.bottom <= 1)
        #expect(a.classIndex >= 0 && a.score >= 0.2)
        guard head != .ranked else { continue }
        for b in found[..<i] {
          #expect(a.score <= b.score)
          #expect(a.classIndex != b.classIndex || a.overlap(b) <= task.overlap)
        }
      }
    }
  }

  /// Outputs of fewer numbers than belong together, which shapes that follow from data may give.
  @Test func outputsThatDoNotBelongTogether() {
    var task = ObjectDetection()
    let boxes: [Float] = [0.1, 0.1, 0.2, 0.2]
    #expect(task.detections([boxes, [1], [0.9], []], width: 9, height: 9).isEmpty)
    #expect(task.detections([boxes, [1, 2], [0.9, 0.9], [2]], width: 9, height: 9).count == 1)
    #expect(task.detections([boxes, [], [0.9], [1]], width: 9, height: 9).isEmpty)
    task.head = .scored
    #expect(task.detections([[], [0.9]], width: 9, height: 9).isEmpty)
    task.head = .grid
    #expect(task.detections([[0.9]], width: 8, height: 8).isEmpty)
  }

  @Test func shapesAreChecked() throws {
    var task = ObjectDetection()
    let good = [[1, 10, 4], [1, 10], [1, 10], [1]].map { Shape($0) }
    try task.check(good, width: 300, height: 300)
    for at in 0..<4 {
      var bad = good
      bad[at] = Shape([1, 9, 3])
      #expect(throws: TaskError.self) { try task.check(bad, width: 300, height: 300) }
    }
    #expect(throws: TaskError.self) { try task.check([good[0]], width: 300, height: 300) }
    task.head = .scored
    try task.check([Shape([1, 10, 4]), Shape([1, 10, 1])], width: 9, height: 9)
    task.hasBackground = true
    #expect(throws: TaskError.self) {
      try task.check([Shape([1, 10, 4]), Shape([1, 10, 1])], width: 9, height: 9)
    }
    task.head = .grid
    try task.check([Shape([1, 3549, 85])], width: 416, height: 416)
    #expect(throws: TaskError.invalid(key: "head", expected: "[1, 2100, 5 + classes]")) {
      try task.check([Shape([1, 3549, 85])], width: 320, height: 320)
    }
  }

  // MARK: Pictures

  @Test func coloursComeInTheModelsOrder() throws {
    var inputs = PictureInputs()
    let picture = try #require(
      Picture(width: 2, height: 1, channels: 3, bytes: [1, 2, 3, 4, 5, 6]))
    #expect(inputs.ordered(picture) == [1, 4, 2, 5, 3, 6])
    inputs.isBlueFirst = true
    #expect(inputs.ordered(picture) == [3, 6, 2, 5, 1, 4])
    inputs.layout = .interleaved
    #expect(inputs.ordered(picture) == [3, 2, 1, 6, 5, 4])
    inputs.isBlueFirst = false
    #expect(inputs.ordered(picture) == picture.bytes)
  }

  /// Sides that fit, with the rest below or to the right.
  @Test(arguments: [(20, 10, 8, 4), (10, 20, 4, 8), (3, 3, 8, 8), (1000, 1, 8, 1)])
  func letterboxKeepsProportions(width: Int, height: Int, ownWidth: Int, ownHeight: Int) throws {
    let picture = try #require(
      Picture(
        width: width, height: height, channels: 1,
        bytes: [UInt8](repeating: 200, count: width * height)))
    let (whole, across, down) = picture.letterboxed(width: 8, height: 8, free: 9)
    #expect(across == Double(ownWidth) / 8 && down == Double(ownHeight) / 8)
    for y in 0..<8 {
      for x in 0..<8 {
        #expect(whole.bytes[y * 8 + x] == (x < ownWidth && y < ownHeight ? 200 : 9))
      }
    }
  }
}
