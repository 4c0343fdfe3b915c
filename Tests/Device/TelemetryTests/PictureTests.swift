// Pictures on their way to a viewer: averages against a naive reference, the slot between two threads,
// what comes over a socket.
import Randomness
import Synchronization
import Telemetry
import Testing

struct PictureTests {
  private static func noise(
    _ width: Int, _ height: Int, _ channels: Int, _ random: inout SeededRandom
  ) -> [UInt8] {
    (0..<width * height * channels).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  /// The mean of every pixel's area by real numbers, each overlap found anew.
  private static func reference(
    _ bytes: [UInt8], _ width: Int, _ height: Int, _ newWidth: Int, _ newHeight: Int
  ) -> [Double] {
    func overlap(_ i: Int, _ from: Double, _ to: Double) -> Double {
      max(0, min(to, Double(i + 1)) - max(from, Double(i)))
    }
    var result: [Double] = []
    let (sx, sy) = (Double(width) / Double(newWidth), Double(height) / Double(newHeight))
    for y in 0..<newHeight {
      for x in 0..<newWidth {
        for c in 0..<3 {
          var sum = 0.0
          for v in 0..<height {
            let down = overlap(v, Double(y) * sy, Double(y + 1) * sy)
            if down == 0 { continue }
            for u in 0..<width {
              let share = down * overlap(u, Double(x) * sx, Double(x + 1) * sx)
              if share > 0 { sum += share * Double(bytes[(v * width + u) * 3 + c]) }
            }
          }
          result.append(sum / (sx * sy))
        }
      }
    }
    return result
  }

  @Test func averagesByHand() throws {
    // 3 × 1 to 2 × 1: each half of the line covers one pixel and a half.
    let grey = try #require(Thumbnail(shrinking: [0, 90, 240], width: 3, height: 1, channels: 1))
    #expect(grey.pixels == [0, 0, 0, 90, 90, 90, 240, 240, 240])
    #expect(grey.scaled(width: 2, height: 1) == [30, 30, 30, 190, 190, 190])
    #expect(grey.scaled(width: 1, height: 1) == [110, 110, 110])
    // Larger: pixels stay what they are, and where one covers two it is their mean.
    #expect(grey.scaled(width: 6, height: 2).count == 36)
    #expect(Array(grey.scaled(width: 6, height: 1)[..<9]) == [0, 0, 0, 0, 0, 0, 90, 90, 90])
    // 0.5 is rounded up.
    let pair = try #require(Thumbnail(shrinking: [1, 2], width: 2, height: 1, channels: 1))
    #expect(pair.scaled(width: 1, height: 1) == [2, 2, 2])
  }

  @Test func averagesAsTheReferenceDoes() throws {
    var random = SeededRandom(state: 11)
    for _ in 0..<120 {
      let (width, height) = (
        Int.random(in: 1...60, using: &random), Int.random(in: 1...60, using: &random)
      )
      let (newWidth, newHeight) = (
        Int.random(in: 1...90, using: &random), Int.random(in: 1...90, using: &random)
      )
      let bytes = Self.noise(width, height, 3, &random)
      let thumbnail = try #require(
        Thumbnail(shrinking: bytes, width: width, height: height, channels: 3))
      #expect(thumbnail.pixels == bytes, "what fits stays")
      let ours = thumbnail.scaled(width: newWidth, height: newHeight)
      let known = Self.reference(bytes, width, height, newWidth, newHeight)
      #expect(ours.count == known.count)
      let isNear = zip(ours, known).allSatisfy { abs(Double($0) - $1) <= 0.5 + 1e-6 }
      #expect(isNear, "\(width)x\(height) to \(newWidth)x\(newHeight)")
    }
  }

  @Test func largePicturesShrinkInTheirShape() throws {
    var random = SeededRandom(state: 3)
    for (width, height, small) in [
      (640, 480, (128, 96)), (1000, 100, (160, 16)), (97, 300, (31, 96)), (321, 192, (160, 96)),
      (16_384, 1, (160, 1)), (1, 16_384, (1, 96)), (160, 96, (160, 96)), (161, 96, (160, 95)),
    ] as [(Int, Int, (Int, Int))] {
      let bytes = Self.noise(width, height, 3, &random)
      let thumbnail = try #require(
        Thumbnail(shrinking: bytes, width: width, height: height, channels: 3))
      #expect((thumbnail.width, thumbnail.height) == small)
      #expect((thumbnail.sourceWidth, thumbnail.sourceHeight) == (width, height))
      guard width * height < 40_000 else { continue }
      let known = Self.reference(bytes, width, height, small.0, small.1)
      let isNear = zip(thumbnail.pixels, known).allSatisfy { abs(Double($0) - $1) <= 0.5 + 1e-6 }
      #expect(isNear && thumbnail.pixels.count == known.count, "\(width)x\(height)")
    }
  }

  @Test func extentsThatAreNotTrueAreRefused() {
    for (width, height, channels, count) in [
      (0, 1, 3, 0), (1, 0, 1, 0), (-1, 1, 1, 0), (2, 2, 3, 11), (2, 2, 3, 13), (2, 2, 2, 8),
      (16_385, 1, 1, 16_385), (Int.max, Int.max, 3, 3), (1, 1, 0, 0),
    ] {
      let bytes = [UInt8](repeating: 7, count: count)
      #expect(
        Thumbnail(shrinking: bytes, width: width, height: height, channels: channels) == nil)
    }
  }

  // MARK: Between threads

  private static func reading(_ value: UInt8) -> PictureReading {
    let pixels = [UInt8](repeating: value, count: 40 * 30 * 3)
    return PictureReading(
      Thumbnail(shrinking: pixels, width: 40, height: 30, channels: 3) ?? Self.pixel)
  }

  private static let pixel = Thumbnail(shrinking: [0], width: 1, height: 1, channels: 1)!

  @Test func theNewestOneWins() {
    let slot = LatestSlot<Int>()
    #expect(slot.take() == nil && !slot.takeWish())
    slot.want()
    #expect(slot.takeWish() && !slot.takeWish())
    slot.put(1)
    slot.put(2)
    #expect(slot.take() == 2)
    #expect(slot.take() == nil)
    slot.put(3)
  }

  /// What was left is given back, taken or not.
  @Test func nothingIsLeftBehind() {
    final class Counted: Sendable {
      static let alive = Atomic<Int>(0)
      init() { Self.alive.wrappingAdd(1, ordering: .relaxed) }
      deinit { Self.alive.wrappingSubtract(1, ordering: .relaxed) }
    }
    do {
      let slot = LatestSlot<Counted>()
      for i in 0..<101 {
        slot.put(Counted())
        if i % 3 == 0 { _ = slot.take() }
      }
      withExtendedLifetime(slot) {
        #expect(Counted.alive.load(ordering: .relaxed) == 1)
      }
    }
    #expect(Counted.alive.load(ordering: .relaxed) == 0)
  }

  /// Values come whole, and never an older one after a newer one.
  @Test func twoThreads() async {
    let slot = LatestSlot<[Int]>()
    let count = 20_000
    let writer = Task.detached {
      for i in 1...count { slot.put([i, i, i]) }
    }
    var last = 0
    var isWhole = true
    while last < count {
      guard let value = slot.take() else {
        await Task.yield()
        continue
      }
      isWhole = isWhole && value.count == 3 && value.allSatisfy { $0 == value[0] }
      #expect(value[0] > last)
      last = value[0]
    }
    await writer.value
    #expect(isWhole && slot.take() == nil)
  }

  // MARK: Through the collector

  private func collector() -> Collector {
    Collector(
      facts: RunFacts(), nowNanoseconds: 0, sampler: SystemSampler(root: "/nonexistent"))
  }

  /// One picture for each look, none while nobody looks.
  @Test func picturesAreMadeWhenAskedFor() {
    let collector = collector()
    collector.setState(.running)
    _ = collector.snapshot(nowNanoseconds: 1)
    #expect(!collector.wantsPicture())
    collector.setPictureShown(true)
    let first = collector.snapshot(nowNanoseconds: 2).picture
    #expect(first.thumbnail == nil && !first.reason.isEmpty)
    #expect(collector.wantsPicture())
    #expect(!collector.wantsPicture(), "one for each look")
    collector.recordOutput(Array("tabby cat".utf8))
    collector.recordOutput(Array("tiger cat".utf8))
    collector.recordPicture(Self.reading(9), caption: Array("tiger\u{1B} cat".utf8))
    let second = collector.snapshot(nowNanoseconds: 3).picture
    #expect(second.thumbnail == Self.reading(9).thumbnail)
    #expect(second.number == 2 && second.caption == EscapedText("tiger\\x1b cat"))
    // It stays until there is another one.
    #expect(collector.snapshot(nowNanoseconds: 4).picture == second)
    #expect(collector.wantsPicture())
    collector.setPictureShown(false)
    #expect(collector.snapshot(nowNanoseconds: 5).picture.thumbnail == nil)
    _ = collector.wantsPicture()
    _ = collector.snapshot(nowNanoseconds: 6)
    #expect(!collector.wantsPicture())
  }

  /// What was asked for by a viewer who has gone is not shown to the next one.
  @Test func nobodySeesAnOldPicture() {
    let collector = collector()
    collector.setPictureShown(true)
    _ = collector.snapshot(nowNanoseconds: 1)
    collector.setPictureShown(false)
    collector.recordPicture(Self.reading(1), caption: [])
    collector.setPictureShown(true)
    #expect(collector.snapshot(nowNanoseconds: 2).picture.thumbnail == nil)
  }

  @Test func boxesAndCaptionsAreBounded() {
    let collector = collector()
    collector.setPictureShown(true)
    var reading = Self.reading(1)
    reading.boxes = (0..<100).map {
      PictureBox(
        left: 0, top: 0, right: 1, bottom: 1, label: EscapedText(Array("\($0)".utf8)), score: 1)
    }
    collector.recordPicture(reading, caption: [UInt8](repeating: 0x61, count: 100_000))
    let seen = collector.snapshot(nowNanoseconds: 1).picture
    #expect(seen.boxes.count == PictureReading.boxLimit && seen.boxes[0].label.utf8 == [0x30])
    #expect(seen.caption.utf8.count == 1024)
  }

  // MARK: Recordings and sockets

  /// A recording holds none, and whoever looks is told so.
  @Test func recordingsLeaveThemOut() throws {
    func record(pictures: Bool) throws -> [UInt8] {
      let collector = collector()
      let recorder = Recorder()
      collector.record(into: recorder, secondOfDay: 0)
      collector.setPictureShown(pictures)
      for i in 1...5 {
        collector.recordOutput(Array("line".utf8))
        if pictures { collector.recordPicture(Self.reading(5), caption: [0x61]) }
        _ = collector.snapshot(nowNanoseconds: UInt64(i) * 1_000_000)
      }
      recorder.flush()
      return recorder.bytes
    }
    let bytes = try record(pictures: true)
    // Figures of the machine differ from one to the other by some bytes, a picture has 3,600.
    #expect(abs(try record(pictures: false).count - bytes.count) < 200 && bytes.count < 3600)
    let run = try RecordedRun(bytes: bytes)
    try run.advance(toSeconds: .infinity)
    let picture = run.snapshot().picture
    #expect(picture.thumbnail == nil)
    #expect(picture.reason == EscapedText("recordings hold no pictures"))
  }

  private func message(_ picture: PictureReading) throws -> [UInt8] {
    var snapshot = Snapshot()
    snapshot.picture = picture
    return try #require(RunMessage.snapshot(snapshot).bytes)
  }

  private func picture(_ bytes: [UInt8]) throws -> PictureReading? {
    var buffer = MessageBuffer()
    buffer.append(bytes)
    guard case .snapshot(let snapshot)? = try buffer.next() else { return nil }
    return snapshot.picture
  }

  @Test func theyTravelWhole() throws {
    var random = SeededRandom(state: 8)
    let largest = try #require(
      Thumbnail(
        shrinking: Self.noise(320, 192, 3, &random), width: 320, height: 192, channels: 3))
    var reading = PictureReading(largest)
    reading.number = 77
    reading.caption = EscapedText("two of them")
    reading.isModelInput = true
    reading.boxes = [
      PictureBox(left: 0.25, top: 0, right: 0.5, bottom: 1, label: EscapedText("a"), score: 0.5),
      PictureBox(left: 0, top: 0, right: 0, bottom: 0, label: EscapedText("")),
    ]
    let bytes = try message(reading)
    #expect(bytes.count < 48 * 1024)
    #expect(try picture(bytes) == reading)
  }

  /// Damaged in the part that holds the picture: an error, or a picture that is whole in itself.
  @Test func damagedPicturesHarmNobody() throws {
    var random = SeededRandom(state: 21)
    var reading = Self.reading(3)
    reading.boxes = [
      PictureBox(left: 0.1, top: 0.1, right: 0.9, bottom: 0.9, label: EscapedText("box"), score: 1)
    ]
    let good = try message(reading)
    let bare = try message(.awaited).count
    var refused = 0
    for _ in 0..<2000 {
      var bytes = good
      // The head of the picture, where its extents and counts are, or its end.
      let at =
        Bool.random(using: &random)
        ? Int.random(in: bare - 40..<bare, using: &random)
        : Int.random(in: bytes.count - 60..<bytes.count, using: &random)
      bytes[at] = UInt8.random(in: 0...255, using: &random)
      do {
        guard let seen = try picture(bytes), let thumbnail = seen.thumbnail else { continue }
        #expect(thumbnail.pixels.count == thumbnail.width * thumbnail.height * 3)
        #expect((1...160).contains(thumbnail.width) && (1...96).contains(thumbnail.height))
        #expect(seen.boxes.count <= PictureReading.boxLimit)
        #expect(thumbnail.scaled(width: 7, height: 5).count == 105)
      } catch {
        refused += 1
      }
    }
    #expect(refused > 100)
  }
}
