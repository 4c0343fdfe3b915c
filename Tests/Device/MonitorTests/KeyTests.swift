// Keys from bytes, actions from keys.
import Monitor
import Randomness
import Testing

struct KeyTests {
  private func keys(_ text: String) -> [Key] {
    var decoder = KeyDecoder()
    return text.utf8.compactMap { decoder.take($0) }
  }

  @Test func sequences() {
    #expect(keys("q P") == [.character(0x71), .character(0x20), .character(0x50)])
    #expect(keys("\u{3}\t\r\u{1A}\u{C}") == [.controlC, .tab, .enter, .controlZ, .controlL])
    #expect(keys("\u{1B}[A\u{1B}[B\u{1B}OC\u{1B}[D") == [.up, .down, .right, .left])
    #expect(
      keys("\u{1B}[5~\u{1B}[6~\u{1B}[1~\u{1B}OF\u{1B}[Z") == [
        .pageUp, .pageDown, .home, .end, .backTab,
      ])
    #expect(keys("\u{1B}[1;5A") == [.up])
  }

  /// What a terminal answers, or a mouse sends, is never taken for typing.
  @Test func foreignSequencesAreSwallowed() {
    #expect(keys("\u{1B}[?2026;2$yq") == [.character(0x71)])
    #expect(keys("\u{1B}[<0;12;7mq") == [.character(0x71)])
    #expect(keys("\u{1B}[<35;12;7Mq") == [.character(0x71)])
    #expect(keys("\u{1B}[<0;;7Mq\u{1B}[<0;0;0Mq\u{1B}[<0;99999999999;1Mq").count == 3)
    #expect(keys("\u{1B}]11;rgb:1e1e/1e1e/1e1e\u{7}q") == [.character(0x71)])
    #expect(keys("\u{1B}P1$r0m\u{1B}\\q") == [.character(0x71)])
    #expect(keys("\u{1B}[200~") == [])
    #expect(keys("é\u{FFFD}q") == [.character(0x71)])
  }

  /// Buttons and the wheel as xterm's mode 1006 tells them, from 1.
  @Test func mouse() {
    #expect(keys("\u{1B}[<0;12;7M") == [.click(column: 11, row: 6)])
    #expect(keys("\u{1B}[<64;1;1M\u{1B}[<65;200;60M") == [.wheel(-3), .wheel(3)])
    #expect(Key.click(column: 11, row: 6).action == .click(column: 11, row: 6))
    #expect(Key.wheel(-3).action == .scroll(-3))
  }

  @Test func aLoneEscapeNeedsTime() {
    var decoder = KeyDecoder()
    #expect(decoder.take(0x1B) == nil)
    #expect(decoder.isPending)
    #expect(decoder.flush() == .escape)
    #expect(!decoder.isPending)
    #expect(decoder.flush() == nil)
    // Two escapes: the first one is a key.
    #expect(decoder.take(0x1B) == nil)
    #expect(decoder.take(0x1B) == .escape)
  }

  /// Whatever came before, `q` typed twice is seen at least once.
  @Test func quitIsAlwaysHeard() {
    var generator = SeededRandom(state: 20_261_121)
    for _ in 0..<3000 {
      var decoder = KeyDecoder()
      let noise = (0..<Int.random(in: 0..<12, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      for byte in noise { _ = decoder.take(byte) }
      // A string that the noise opened ends where every string ends.
      for byte in [0x1B, 0x5C] as [UInt8] { _ = decoder.take(byte) }
      let heard = [decoder.take(0x71), decoder.take(0x71)]
      #expect(heard.contains(.character(0x71)))
    }
  }

  @Test func actions() {
    #expect(Key.character(0x71).action == .quit(isInterrupt: false))
    #expect(Key.controlC.action == .quit(isInterrupt: true))
    #expect(Key.character(0x31).action == .showTab(0))
    #expect(Key.character(0x39).action == .showTab(8))
    #expect(Key.character(0x30).action == nil)
    #expect(Key.character(0x7A).action == .zoom)
    #expect(Key.character(0x79).action == nil)
    #expect(Key.tab.action == .nextPanel)
  }
}
