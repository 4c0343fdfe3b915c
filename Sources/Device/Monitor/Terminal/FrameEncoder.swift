// From frames to a terminal's bytes: ncurses draws into memory, and says only what changed.
import CPlatform
import CTerminal

/// Encodes frames for one type of terminal. ncurses keeps its state in globals: one encoder at a
/// time in a process, used by one thread at a time.
@safe public final class FrameEncoder: @unchecked Sendable {
  private static let mapBytes = 4 << 20
  /// The largest screen that is drawn on; a frame of it fits the memory file.
  static let sizeLimit = Size(columns: 512, rows: 256)

  private let memory: Int32
  private let map: UnsafeMutableRawPointer
  private let screen: OpaquePointer
  private var shown: Frame?
  private var runText: [UInt32] = []
  private var isInkPairMade: [Bool] = []
  /// The palette; a new one is drawn with the next frame.
  public var theme = Theme.standard {
    didSet {
      guard theme != oldValue else { return }
      setPairs()
      repaint()
    }
  }
  /// Colours used, 0 for none, and whether the process's locale speaks UTF-8.
  public let capabilities: Capabilities
  /// What leaves the full screen on this terminal.
  public let restoreBytes: [UInt8]

  /// An encoder for the terminal that TERM calls `type`. Throws `unknownType` when it is not
  /// described, or cannot show a full screen.
  public init(type: [UInt8], allowsColor: Bool) throws(TerminalError) {
    let isUnicode = kp_locale_is_utf8() != 0
    guard let name = Self.usableType(type) else { throw .unknownType(name: type) }
    var map: UnsafeMutableRawPointer? = nil
    let memory = unsafe kp_memory_file(Self.mapBytes, &map)
    guard memory >= 0, let map = unsafe map else {
      throw .unavailable(error: memory < 0 ? -memory : ENOMEM)
    }
    let copy = dup(memory)
    guard copy >= 0,
      let screen = unsafe name.withUnsafeBufferPointer({ letters in
        unsafe letters.withMemoryRebound(to: CChar.self) { unsafe kt_open($0.baseAddress, copy) }
      })
    else {
      unsafe munmap(map, Self.mapBytes)
      close(memory)
      throw .unknownType(name: type)
    }
    self.memory = memory
    unsafe self.map = map
    unsafe self.screen = screen
    let colors = allowsColor ? max(0, Int(kt_colors())) : 0
    capabilities = Capabilities(
      colors: colors < 8 ? 0 : colors, isUnicode: isUnicode,
      pairs: max(0, min(Int(kt_pairs()), Int(Int16.max))))
    restoreBytes = Self.readRestoreBytes()
    setPairs()
  }

  /// The pair of two inks; made when it is first used.
  private func pair(_ cell: Cell) -> CInt {
    guard cell.ink > 0 || cell.paper > 0 else { return CInt(cell.style.rawValue) + 1 }
    let place = Int(cell.ink) * (Inks.count + 1) + Int(cell.paper)
    let pair = Style.allCases.count + 1 + place
    if isInkPairMade.isEmpty {
      isInkPairMade = [Bool](repeating: false, count: Inks.pairCount)
    }
    if !isInkPairMade[place] {
      isInkPairMade[place] = true
      init_pair(
        Int16(pair), cell.ink > 0 ? Inks.terminalColor(cell.ink) : -1,
        cell.paper > 0 ? Inks.terminalColor(cell.paper) : -1)
    }
    return CInt(pair)
  }

  private func setPairs() {
    guard capabilities.colors > 0 else { return }
    for style in Style.allCases {
      let look = theme.look(style, colors: capabilities.colors)
      init_pair(Int16(style.rawValue) + 1, look.foreground, look.background)
    }
  }

  deinit {
    endwin()
    unsafe delscreen(screen)
    unsafe munmap(map, Self.mapBytes)
    close(memory)
  }

  // MARK: Terminal types

  /// The name to open ncurses with, ended by a zero; nil when there is no usable entry.
  ///
  /// Emulators that a plain system has no entry for speak xterm's language.
  private static func usableType(_ type: [UInt8]) -> [UInt8]? {
    let isUsable = { (name: [UInt8]) -> Bool in
      unsafe name.withUnsafeBufferPointer { letters in
        unsafe letters.withMemoryRebound(to: CChar.self) {
          unsafe kt_term_ok($0.baseAddress) != 0
        }
      }
    }
    guard !type.isEmpty, type.count < 64, !type.contains(0), !type.contains(0x2F) else {
      return nil
    }
    if isUsable(type + [0]) { return type + [0] }
    let known: [StaticString] = [
      "xterm", "foot", "alacritty", "kitty", "wezterm", "ghostty", "rio", "contour", "vte",
      "gnome", "konsole", "iterm", "tmux", "screen", "putty", "mintty", "st-",
    ]
    let looksKnown = known.contains { name in
      let letters = Panel.ascii(name)
      return type.count >= letters.count && Array(type[..<letters.count]) == letters
    }
    let fallback = Panel.ascii("xterm-256color") + [0]
    return looksKnown && isUsable(fallback) ? fallback : nil
  }

  /// What leaves the full screen, from the terminal's own description.
  private static func readRestoreBytes() -> [UInt8] {
    var bytes: [UInt8] = []
    var part: CInt = 0
    while let text = unsafe kt_restore_part(part) {
      part += 1
      var i = 0
      while true {
        let byte = unsafe UInt8(bitPattern: text[i])
        if byte == 0 { break }
        i += 1
        // Padding such as $<20/> is for terminals of glass.
        if byte == 0x24, unsafe text[i] == 0x3C {
          while unsafe text[i] != 0 && text[i] != 0x3E { i += 1 }
          if unsafe text[i] == 0x3E { i += 1 }
          continue
        }
        bytes.append(byte)
      }
    }
    return Array(bytes.prefix(512 - mouseOff.count)) + mouseOff
  }

  /// Clicks and the wheel, told in decimal numbers (xterm's modes 1000 and 1006).
  static let mouseOn = Array("\u{1B}[?1000h\u{1B}[?1006h".utf8)
  static let mouseOff = Array("\u{1B}[?1006l\u{1B}[?1000l".utf8)

  // MARK: Drawing

  /// The screen has another size from now on. At most 512 × 256 are drawn on.
  public func resize(_ size: Size) {
    resizeterm(CInt(max(1, size.rows)), CInt(max(1, size.columns)))
    shown = nil
  }

  /// Draws everything anew with the next frame.
  public func repaint() {
    kt_repaint()
    shown = nil
  }

  /// Enters the full screen again with the next frame, after something else was on the terminal.
  public func reenter() {
    endwin()
    lseek(memory, 0, SEEK_SET)
    repaint()
  }

  /// Hands the bytes that turn the last frame into this one to `body`; none when nothing changed.
  func encode<R>(_ frame: Frame, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    for y in 0..<frame.rows where !isSame(frame, row: y) { transfer(frame, row: y) }
    shown = frame
    unsafe wnoutrefresh(kt_stdscr())
    doupdate()
    var count = Int(lseek(memory, 0, SEEK_CUR))
    lseek(memory, 0, SEEK_SET)
    if count < 0 || count > Self.mapBytes {
      // More than is mapped: said again in whole the next time.
      repaint()
      count = 0
    }
    return unsafe body(UnsafeRawBufferPointer(start: map, count: count))
  }

  /// The bytes that turn the last frame into this one.
  public func encode(_ frame: Frame) -> [UInt8] {
    unsafe encode(frame) { bytes in unsafe Array(bytes) }
  }

  private func isSame(_ frame: Frame, row: Int) -> Bool {
    guard let shown, shown.size == frame.size else { return false }
    let start = row * frame.columns
    for i in start..<start + frame.columns where shown.cells[i] != frame.cells[i] { return false }
    return true
  }

  /// Hands one row to ncurses in runs of equal style and inks.
  private func transfer(_ frame: Frame, row: Int) {
    let start = row * frame.columns
    var x = 0
    while x < frame.columns {
      let cell = frame.cells[start + x]
      let first = x
      runText.removeAll(keepingCapacity: true)
      while x < frame.columns, frame.cells[start + x].looksLike(cell) {
        x += append(frame.cells[start + x], isLast: x + 1 >= frame.columns)
      }
      let look = theme.look(cell.style, colors: capabilities.colors)
      let attributes =
        (look.isBold ? kt_bold() : 0) | (look.isDim ? kt_dim() : 0)
        | (look.isReverse ? kt_reverse() : 0)
      let pair: CInt = capabilities.colors > 0 ? pair(cell) : 0
      unsafe runText.withUnsafeBufferPointer {
        unsafe kt_put(CInt(row), CInt(first), $0.baseAddress, CInt($0.count), attributes, pair)
      }
    }
  }

  /// Adds a cell to the run; returns the cells it takes. Where the C library's idea of a width
  /// differs from ours, placeholders keep every later cell in its place.
  private func append(_ cell: Cell, isLast: Bool) -> Int {
    let scalar = cell.scalar
    if cell.isRightHalf {
      runText.append(0x20)
      return 1
    }
    let width = CellWidth.of(scalar)
    guard kp_cell_width(scalar) == CInt(width), width == 1 || !isLast else {
      for _ in 0..<width { runText.append(0x3F) }
      return width
    }
    runText.append(scalar)
    if cell.mark != 0, kp_cell_width(cell.mark) == 0 { runText.append(cell.mark) }
    return width
  }
}
