// The terminal that shows frames: taken raw, written without waiting, always given back.
import CPlatform
import Platform
import Telemetry

/// Why there is no screen to draw on.
public enum TerminalError: Error, Equatable, Sendable, CustomStringConvertible {
  /// There is no controlling terminal, or it cannot be made raw; an errno value.
  case unavailable(error: Int32)
  /// No terminfo entry that can move the cursor for this name, nor for a name like it.
  case unknownType(name: [UInt8])

  /// One line, without a full stop.
  public var description: String {
    switch self {
    case .unavailable(let error):
      return "no terminal to draw on: "
        + PlatformError(operation: "open", path: "/dev/tty", errno: error).reason
    case .unknownType(let name):
      guard !name.isEmpty else { return "TERM is not set" }
      return "TERM is \(EscapedText(name).string), which is not known or cannot show a full screen"
    }
  }
}

/// A terminal in full-screen use. One at a time in a process, used by one thread at a time.
///
/// Whatever ends the process, the terminal comes back: the guard in CPlatform sends the restore
/// bytes from exit handlers and signal handlers.
@safe final class Terminal: @unchecked Sendable {
  private let descriptor: Int32
  private let encoder: FrameEncoder
  private var pending: [UInt8] = []
  private var sent = 0
  private(set) var size = Size(columns: 0, rows: 0)
  var capabilities: Capabilities { encoder.capabilities }

  /// Takes the terminal. `type` is TERM's value.
  init(type: [UInt8], allowsColor: Bool) throws(TerminalError) {
    let descriptor = kp_terminal_open()
    guard descriptor >= 0 else { throw .unavailable(error: -descriptor) }
    let encoder: FrameEncoder
    do throws(TerminalError) {
      encoder = try FrameEncoder(type: type, allowsColor: allowsColor)
    } catch {
      close(descriptor)
      throw error
    }
    let restore = encoder.restoreBytes
    let failure = unsafe restore.withUnsafeBufferPointer {
      unsafe kp_terminal_begin(descriptor, $0.baseAddress, $0.count)
    }
    guard failure == 0 else {
      close(descriptor)
      throw .unavailable(error: failure)
    }
    self.descriptor = descriptor
    self.encoder = encoder
    refreshSize()
  }

  /// Gives the terminal back; what was on it before is there again.
  func restore() { kp_terminal_end() }

  deinit {
    kp_terminal_end()
    close(descriptor)
  }

  /// Asks for the size again.
  func refreshSize() {
    var rows: CInt = 0
    var columns: CInt = 0
    guard unsafe kp_terminal_size(descriptor, &rows, &columns) == 0 else { return }
    // Some consoles say 0 × 0 before they know.
    let limit = FrameEncoder.sizeLimit
    let now = Size(
      columns: columns > 0 ? min(Int(columns), limit.columns) : 80,
      rows: rows > 0 ? min(Int(rows), limit.rows) : 24)
    guard now != size else { return }
    size = now
    encoder.resize(now)
  }

  // MARK: Drawing

  /// Whether the last frame has been taken whole; while it has not, no other is drawn.
  var isReady: Bool { pending.isEmpty }

  /// Draws everything anew with the next frame.
  func repaint() { encoder.repaint() }

  /// Sends what differs from the frame before, in one write where the terminal takes it.
  /// False when the terminal is gone.
  func show(_ frame: Frame) -> Bool {
    guard isReady else { return sendPending() }
    return unsafe encoder.encode(frame) { bytes in
      guard bytes.count > 0 else { return true }
      let written = unsafe Int(kp_terminal_write(bytes.baseAddress, bytes.count))
      guard written >= 0 || written == -Int(EAGAIN) else { return false }
      if written < bytes.count {
        unsafe pending = Array(bytes[max(0, written)...])
        sent = 0
      }
      return true
    }
  }

  /// Goes on with a frame that was not taken whole. False when the terminal is gone.
  func sendPending() -> Bool {
    guard !pending.isEmpty else { return true }
    let written = unsafe pending.withUnsafeBytes {
      unsafe Int(kp_terminal_write($0.baseAddress! + sent, $0.count - sent))
    }
    guard written >= 0 else { return written == -Int(EAGAIN) }
    sent += written
    if sent == pending.count { pending = [] }
    return true
  }

  /// The palette.
  var theme: Theme {
    get { encoder.theme }
    set { encoder.theme = newValue }
  }

  /// Whether clicks and the wheel are told; off leaves them to the terminal, to select text with.
  /// Only while `isReady`: bytes of a frame must not be torn apart.
  var isMouseOn = false {
    didSet {
      guard isMouseOn != oldValue, isReady else { return }
      pending = isMouseOn ? FrameEncoder.mouseOn : FrameEncoder.mouseOff
      sent = 0
      _ = sendPending()
    }
  }

  // MARK: Keys, sleep, stop

  /// The bytes typed since the last call; nil when the terminal is gone.
  func typed() -> [UInt8]? {
    var bytes: InlineArray<256, UInt8> = .init(repeating: 0)
    var span = bytes.mutableSpan
    let count = unsafe span.withUnsafeMutableBufferPointer {
      unsafe kp_terminal_read($0.baseAddress, $0.count)
    }
    guard count >= 0 else { return nil }
    var out: [UInt8] = []
    for i in 0..<Int(count) { out.append(bytes[i]) }
    return out
  }

  /// Sleeps until there is something to do: a set of `KP_` bits.
  func wait(milliseconds: Int) -> Int32 {
    kp_terminal_wait(CInt(max(0, milliseconds)), isReady ? 0 : 1)
  }

  /// Stops the process as Ctrl-Z does; draws anew when it goes on.
  func suspend() {
    kp_terminal_suspend()
    reenter()
  }

  /// Takes the screen again after the process was stopped from outside.
  func resume() {
    kp_terminal_resume()
    reenter()
  }

  private func reenter() {
    pending = []
    // What is on was put off with the screen.
    isMouseOn = false
    encoder.reenter()
    refreshSize()
  }
}
