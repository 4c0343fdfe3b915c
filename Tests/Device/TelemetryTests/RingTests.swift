// The rings: order, loss, and two threads at once.
import Foundation
import Telemetry
import Testing

struct RingTests {
  @Test func samplesKeepTheirOrderAndLossIsCounted() {
    let ring = SampleRing(capacity: 8)
    for i in 0..<11 {
      ring.push(Sample(startNanoseconds: UInt64(i), durationNanoseconds: 1, step: Int32(i)))
    }
    #expect(ring.lostCount == 3)
    for i in 0..<8 { #expect(ring.pop()?.step == Int32(i)) }
    #expect(ring.pop() == nil)
    ring.push(Sample(startNanoseconds: 99, durationNanoseconds: 5))
    #expect(ring.pop() == Sample(startNanoseconds: 99, durationNanoseconds: 5, step: -1))
  }

  /// One thread writes, one reads: what arrives is in order and nothing is made up.
  @Test func twoThreads() {
    let ring = SampleRing(capacity: 64)
    let total = 200_000
    let writer = DispatchQueue(label: "writer")
    let done = DispatchSemaphore(value: 0)
    writer.async {
      for i in 0..<total {
        ring.push(
          Sample(startNanoseconds: UInt64(i), durationNanoseconds: UInt64(i) &* 3, step: Int32(i)))
      }
      done.signal()
    }
    var seen = 0
    var last: Int32 = -1
    var isOver = false
    while true {
      guard let sample = ring.pop() else {
        if isOver { break }
        isOver = done.wait(timeout: .now()) == .success
        continue
      }
      seen += 1
      #expect(sample.step > last)
      #expect(sample.durationNanoseconds == sample.startNanoseconds &* 3)
      last = sample.step
    }
    #expect(seen + ring.lostCount == total)
    #expect(seen > 0)
  }

  @Test func textsKeepTheirTagsAndAreCutAtCharacters() {
    let ring = TextRing(byteCount: 4096)
    let short: [UInt8] = [0x61, 0x62]
    let none: [UInt8] = []
    ring.push(tag: 7, number: 0x0123_4567_89AB_CDEF, short.span)
    ring.push(tag: 8, none.span)
    let text = Array(("x" + String(repeating: "é", count: 700)).utf8)
    ring.push(tag: 9, text.span)
    var got = ring.pop()
    #expect(got?.tag == 7 && got?.number == 0x0123_4567_89AB_CDEF)
    #expect(got?.text == short)
    got = ring.pop()
    #expect(got?.tag == 8)
    #expect(got?.text == none)
    got = ring.pop()
    // 1 + 2 × 511: one byte more would be half a character.
    #expect(got?.text == Array(text.prefix(1023)))
    #expect(ring.pop() == nil)
  }

  @Test func fullTextRingDropsWholeTexts() {
    let ring = TextRing(byteCount: 4096)
    let text = [UInt8](repeating: 0x61, count: 500)
    for _ in 0..<20 { ring.push(tag: 1, text.span) }
    var count = 0
    while let got = ring.pop() {
      #expect(got.text == text)
      count += 1
    }
    #expect(count == 4096 / 511)
    #expect(ring.lostCount == 20 - count)
    // The ring goes round: texts that lie across its end are whole.
    for i in 0..<100 {
      ring.push(tag: UInt8(i), text.span)
      #expect(ring.pop()?.text == text)
    }
  }

  @Test func oldTextsAreDroppedUnread() {
    let ring = TextRing(byteCount: 4096)
    var number: UInt64 = 0
    // Often enough to go round several times.
    for round in 0..<40 {
      for length in 0..<20 {
        number += 1
        ring.push(tag: 1, number: number, [UInt8](repeating: 0x61, count: length * 7).span)
      }
      let kept = round % 23
      ring.dropOldest(keeping: kept)
      let first = number - UInt64(min(kept, 20)) + 1
      var expected = first
      while let got = ring.pop() {
        #expect(got.number == expected)
        #expect(got.text.count == Int(expected - 1) % 20 * 7)
        expected += 1
      }
      #expect(expected == number + 1)
    }
    #expect(ring.lostCount == 0)
    ring.dropOldest(keeping: 0)
    #expect(ring.pop() == nil)
  }

  /// As many as are asked for are left, whatever lies in the ring; what was lost is no text of it.
  @Test(arguments: [0, 1, 200, 256, 257, 700]) func asManyOldTextsAreLeftAsAsked(kept: Int) {
    let ring = TextRing(byteCount: 1 << 15)
    for round in 0..<30 {
      let count = [100, 900, 3000][round % 3]
      var pushed: [UInt64] = []
      for i in 0..<count {
        let lost = ring.lostCount
        ring.push(tag: 1, number: UInt64(i), [UInt8](repeating: 0x61, count: i % 11).span)
        if ring.lostCount == lost { pushed.append(UInt64(i)) }
      }
      ring.dropOldest(keeping: kept)
      var left: [UInt64] = []
      while let got = ring.pop() { left.append(got.number) }
      #expect(left == pushed.suffix(kept))
    }
  }
}
