// Bytes from a terminal to keys: unknown sequences are swallowed whole, never typed as letters.

/// A decoder that takes bytes as they come, in any cutting.
public struct KeyDecoder: Sendable {
  private enum State: Equatable { case ground, escape, control, applicationKey, string }
  private var state = State.ground
  private var parameters: [UInt8] = []
  private var sawEscapeInString = false

  public init() {}

  /// Whether an escape has been seen that may be a key of its own: call `flush` when nothing
  /// follows for 25 ms.
  public var isPending: Bool { state == .escape }

  /// Ends a lone escape.
  public mutating func flush() -> Key? {
    guard state == .escape else { return nil }
    state = .ground
    return .escape
  }

  /// Takes one byte; a key when it completes one.
  public mutating func take(_ byte: UInt8) -> Key? {
    switch state {
    case .ground: return ground(byte)
    case .escape:
      switch byte {
      case 0x1B: return .escape
      case 0x5B: state = .control
      case 0x4F: state = .applicationKey
      case 0x50, 0x58, 0x5D, 0x5E, 0x5F: state = .string
      default:
        // Alt and a key: the key alone.
        state = .ground
        return ground(byte)
      }
      parameters = []
      sawEscapeInString = false
      return nil
    case .control:
      // Parameters and intermediates up to the final byte; a new escape starts over.
      if byte == 0x1B { state = .escape }
      if byte < 0x40 {
        if parameters.count < 16 { parameters.append(byte) }
        return nil
      }
      state = .ground
      return controlKey(byte)
    case .applicationKey:
      state = .ground
      return controlKey(byte)
    case .string:
      if byte == 0x07 || sawEscapeInString && byte == 0x5C { state = .ground }
      sawEscapeInString = byte == 0x1B
      return nil
    }
  }

  private mutating func ground(_ byte: UInt8) -> Key? {
    switch byte {
    case 0x03: return .controlC
    case 0x08, 0x7F: return .delete
    case 0x09: return .tab
    case 0x0A, 0x0D: return .enter
    case 0x0C: return .controlL
    case 0x1A: return .controlZ
    case 0x1B:
      state = .escape
      return nil
    case 0x20...0x7E: return .character(byte)
    default: return nil
    }
  }

  private func controlKey(_ final: UInt8) -> Key? {
    if parameters.first == 0x3C { return final == 0x4D ? mouseKey() : nil }
    return switch final {
    case 0x41: .up
    case 0x42: .down
    case 0x43: .right
    case 0x44: .left
    case 0x46: .end
    case 0x48: .home
    case 0x5A: .backTab
    case 0x7E:
      switch parameters.first {
      case 0x31, 0x37: .home
      case 0x34, 0x38: .end
      case 0x35: .pageUp
      case 0x36: .pageDown
      default: nil
      }
    default: nil
    }
  }

  /// What stands between `CSI <` and `M`: button, column, row, from 1 (xterm's mode 1006).
  private func mouseKey() -> Key? {
    var numbers = [0]
    for byte in parameters.dropFirst() {
      if byte == 0x3B {
        numbers.append(0)
      } else if byte >= 0x30, byte <= 0x39, numbers[numbers.count - 1] < 10_000 {
        numbers[numbers.count - 1] = numbers[numbers.count - 1] * 10 + Int(byte - 0x30)
      } else {
        return nil
      }
    }
    guard numbers.count == 3, numbers[1] > 0, numbers[2] > 0 else { return nil }
    return switch numbers[0] {
    case 0: .click(column: numbers[1] - 1, row: numbers[2] - 1)
    case 64: .wheel(-3)
    case 65: .wheel(3)
    default: nil
    }
  }
}
