// The Raspberry Pi's firmware, asked for its own sensors the way vcgencmd asks it.

import CPlatform

/// A message to the firmware's property channel that carries a command as text, and its answer.
public struct FirmwareMessage {
  /// Carries a command line there and its answer back.
  private static var commandTag: UInt32 { 0x0003_0080 }
  private static var textBytes: Int { 1024 }
  private static var headWords: Int { 6 }
  private static var answered: UInt32 { 0x8000_0000 }

  /// The message, one buffer for both directions: length in bytes, state, tag, bytes for the text,
  /// bytes of the request, error, the text, an end tag.
  package var words: [UInt32]

  /// A question. Commands of 1023 bytes and more are cut.
  public init(command: String) {
    words = [UInt32](repeating: 0, count: Self.headWords + Self.textBytes / 4 + 1)
    words[0] = UInt32(words.count * 4)
    words[2] = Self.commandTag
    words[3] = UInt32(Self.textBytes)
    for (i, byte) in command.utf8.prefix(Self.textBytes - 1).enumerated() {
      words[Self.headWords + i / 4] |= UInt32(byte) << UInt32(i % 4 * 8)
    }
  }

  /// The text of the answer; nil where the firmware did not answer, or answered with an error.
  public var answer: [UInt8]? {
    guard words.count == Self.headWords + Self.textBytes / 4 + 1, words[1] == Self.answered,
      words[2] == Self.commandTag, words[5] == 0
    else { return nil }
    var text: [UInt8] = []
    for word in words[Self.headWords..<words.count - 1] {
      var rest = word
      for _ in 0..<4 {
        let byte = UInt8(truncatingIfNeeded: rest)
        if byte == 0 { return text }
        text.append(byte)
        rest >>= 8
      }
    }
    return text
  }
}

/// The way to the firmware, kept open. One thread at a time.
///
/// In a recorded tree the device is a folder that has an answer in a file per command.
public final class FirmwareChannel {
  private let path: String
  private let descriptor: Int32?

  /// Opens `/dev/vcio` or the folder in its place. Throws what the system says where there is none,
  /// or where this user may not.
  public init(path: String) throws(PlatformError) {
    self.path = path
    if try File.kind(of: path) == .folder {
      descriptor = nil
      return
    }
    let opened = try withPath(path, "open") { unsafe kp_open_polled($0) }
    guard opened >= 0 else { throw .last("open", path) }
    descriptor = opened
  }

  deinit { if let descriptor { close(descriptor) } }

  /// What the firmware answers to a command; nil for no answer.
  public func ask(_ command: String) -> [UInt8]? {
    guard let descriptor else { return try? File.read("\(path)/\(command)", limit: 4096) }
    var message = FirmwareMessage(command: command)
    let result = unsafe message.words.withUnsafeMutableBufferPointer {
      unsafe kp_firmware_property(descriptor, $0.baseAddress)
    }
    return result == 0 ? message.answer : nil
  }
}
