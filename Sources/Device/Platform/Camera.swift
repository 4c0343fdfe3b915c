// A camera through the kernel's interface.
import CPlatform

/// A V4L2 camera that is running. One thread at a time.
@safe public final class Camera {
  /// How the bytes of a frame are pixels.
  public enum Format: Sendable {
    case grey, rgb
    /// Two pixels in four bytes: brightness, blueness, brightness, redness.
    case yuyv
  }

  /// What one look gave.
  public enum Look: Sendable {
    case frame(Frame)
    /// Nothing in time.
    case nothing
  }

  /// One picture as it came.
  public struct Frame: Sendable {
    public var width: Int
    public var height: Int
    public var format: Format
    /// Rows one behind the other, without gaps.
    public var bytes: [UInt8]
    /// Counts what the camera took, seen or not.
    public var sequence: UInt32
  }

  public let path: String
  private let camera: OpaquePointer

  /// Opens and starts a camera near a size in pixels. `ENOTTY` where the path is no camera, `ENOTSUP`
  /// where it has none of our formats.
  public init(path: String, width: Int, height: Int) throws(PlatformError) {
    var error: CInt = 0
    let opened = try withPath(path, "open") { name in
      unsafe kp_camera_open(
        name, UInt32(clamping: width), UInt32(clamping: height), &error)
    }
    guard let opened = unsafe opened else {
      throw PlatformError(operation: "open", path: path, errno: error)
    }
    self.path = path
    unsafe camera = opened
  }

  deinit { unsafe kp_camera_close(camera) }

  /// The newest frame, waiting for one up to so long.
  public func next(milliseconds: Int) throws(PlatformError) -> Look {
    var frame = unsafe kp_frame()
    let result = unsafe kp_camera_next(camera, CInt(clamping: milliseconds), &frame)
    if result < 0 { throw PlatformError(operation: "read", path: path, errno: -result) }
    guard result > 0, let base = unsafe frame.bytes else { return .nothing }
    let width = unsafe Int(frame.width)
    let height = unsafe Int(frame.height)
    let format: Format =
      switch unsafe Int(frame.format) {
      case KP_GREY: .grey
      case KP_RGB: .rgb
      default: .yuyv
      }
    let row = width * (format == .rgb ? 3 : format == .yuyv ? 2 : 1)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(row * height)
    for y in 0..<height {
      unsafe bytes.append(
        contentsOf: UnsafeBufferPointer(start: base + y * Int(frame.stride), count: row))
    }
    return unsafe .frame(
      Frame(
        width: width, height: height, format: format, bytes: bytes, sequence: frame.sequence))
  }
}
