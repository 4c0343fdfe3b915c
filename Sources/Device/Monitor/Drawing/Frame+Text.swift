// A frame as text: for goldens, for bug reports, for whoever has no terminal.
import Bytes

extension Frame {
  /// The cells as lines of UTF-8 text, each with a line feed.
  public var textBytes: [UInt8] {
    var text = TextBuffer()
    for y in 0..<rows {
      for cell in cells[y * columns..<(y + 1) * columns] {
        if cell.scalar != 0 { text.put(scalar: cell.scalar) }
        if cell.mark != 0 { text.put(scalar: cell.mark) }
      }
      text.endLine()
    }
    return text.bytes
  }

  /// A letter for what each cell means, in lines.
  public var styleBytes: [UInt8] {
    var bytes: [UInt8] = []
    for y in 0..<rows {
      for cell in cells[y * columns..<(y + 1) * columns] { bytes.append(cell.style.letter) }
      bytes.append(0x0A)
    }
    return bytes
  }
}
