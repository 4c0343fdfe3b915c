// A microphone through the kernel's interface.
import CPlatform

/// An ALSA capture device that is running. One thread at a time.
@safe public final class Microphone {
  public let path: String
  /// Samples per second that the device gives.
  public let rate: Int
  private let channels: Int
  private let microphone: OpaquePointer
  private var buffer: [Int16]
  private var lost: UInt32 = 0

  /// How often sound was lost because nobody read it in time.
  public var overruns: Int { Int(lost) }

  /// Opens and starts a device near a rate in samples per second. `ENOTTY` where the path is none.
  public init(path: String, rate: Int) throws(PlatformError) {
    var error: CInt = 0
    var given = UInt32(clamping: rate)
    var channels: UInt32 = 0
    let opened = try withPath(path, "open") { name in
      unsafe kp_microphone_open(name, &given, &channels, &error)
    }
    guard let opened = unsafe opened else {
      throw PlatformError(operation: "open", path: path, errno: error)
    }
    self.path = path
    self.rate = Int(given)
    self.channels = Int(channels)
    buffer = [Int16](repeating: 0, count: 1024 * Int(channels))
    unsafe microphone = opened
  }

  deinit { unsafe kp_microphone_close(microphone) }

  /// What came since the last call, at most 1,024 samples of one channel, -1…1: the mean of two
  /// channels. Empty where nothing came in time.
  public func read(milliseconds: Int) throws(PlatformError) -> [Float] {
    let frames = buffer.count / channels
    let got = unsafe buffer.withUnsafeMutableBufferPointer {
      unsafe kp_microphone_read(
        microphone, $0.baseAddress, frames, CInt(clamping: milliseconds), &lost)
    }
    if got < 0 {
      throw PlatformError(
        operation: "read", path: path, errno: Int32(truncatingIfNeeded: -got))
    }
    return (0..<Int(got)).map { i in
      var sum: Float = 0
      for c in 0..<channels { sum += Float(buffer[i * channels + c]) }
      return sum / Float(32768 * channels)
    }
  }
}
