// From pixels to the numbers that a model takes.

import Bytes
import Tensors

/// The input of a model that takes a picture: u8 or real numbers, [pictures, channels, height, width] or
/// [pictures, height, width, channels].
///
/// A u8 tensor is a picture: each channel is scaled and shifted. A tensor of real numbers is what the
/// model takes already and only converted.
public struct PictureInputs: Equatable, Sendable {
  public enum Layout: UInt8, Sendable {
    /// Channel after channel: NCHW.
    case planar
    /// Pixel after pixel: NHWC.
    case interleaved
  }

  public var name = "image"
  public var layout = Layout.planar
  /// Each channel's value times `scale` plus `shift`; one element stands for all channels.
  public var scale: [Float] = [1]
  public var shift: [Float] = [0]
  /// Blue, green, red instead of red, green, blue. Tensors are in the model's order already.
  public var isBlueFirst = false
  /// The value of the pixels below or to the right of a picture that keeps its proportions; nil stretches
  /// it to the model's.
  public var letterbox: UInt8?

  public init() {}

  /// Makes the model's input of one picture.
  ///
  /// `bytes`: the elements of `shape` without the axis of pictures, [channels, height, width] or
  /// [height, width, channels] after `layout`, [height, width] for one channel.
  public func prepare(
    _ bytes: RawSpan, _ elementType: ElementType, _ shape: Shape,
    into result: inout MutableSpan<Float>
  ) throws(TaskError) {
    let count = result.count
    guard shape.checkedElementCount == count, bytes.byteCount / elementType.byteCount == count,
      bytes.byteCount % elementType.byteCount == 0
    else { throw .invalid(key: name, expected: "\(count) elements") }
    guard elementType == .u8 else {
      guard elementType.isFloatingPoint else {
        throw .invalid(key: name, expected: "u8 or real numbers")
      }
      for i in 0..<count { result[i] = realNumber(in: bytes, elementType, at: i) }
      return
    }
    var channels = 1
    if shape.rank >= 3 {
      channels = shape[layout == .planar ? shape.rank - 3 : shape.rank - 1]
    }
    guard scale.count == 1 || scale.count == channels, shift.count == 1 || shift.count == channels
    else {
      throw .invalid(key: name, expected: "\(max(scale.count, shift.count)) channels")
    }
    let plane = layout == .planar ? max(count / max(channels, 1), 1) : 1
    for i in 0..<count {
      let channel = i / plane % max(channels, 1)
      let value = Float(unsafe bytes.unsafeLoad(fromByteOffset: i, as: UInt8.self))
      result[i] =
        value * scale[scale.count == 1 ? 0 : channel] + shift[shift.count == 1 ? 0 : channel]
    }
  }

  /// The pixels of a picture of the model's size in the model's order.
  public func ordered(_ picture: Picture) -> [UInt8] {
    let channels = picture.channels
    guard channels > 1, layout == .planar || isBlueFirst else { return picture.bytes }
    let pixels = picture.width * picture.height
    var bytes = [UInt8](repeating: 0, count: picture.bytes.count)
    for channel in 0..<channels {
      let source = isBlueFirst ? channels - 1 - channel : channel
      for i in 0..<pixels {
        bytes[layout == .planar ? channel * pixels + i : i * channels + channel] =
          picture.bytes[i * channels + source]
      }
    }
    return bytes
  }
}

/// Element `i` of floating-point elements, to the nearest f32.
func realNumber(in bytes: RawSpan, _ elementType: ElementType, at i: Int) -> Float {
  switch elementType {
  case .f64:
    return Float(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: i * 8, as: Double.self))
  case .f32: return unsafe bytes.unsafeLoadUnaligned(fromByteOffset: i * 4, as: Float.self)
  case .bf16, .f16:
    return elementType.number(
      unsafe bytes.unsafeLoadUnaligned(fromByteOffset: i * 2, as: UInt16.self))
  default:
    return elementType.number(
      UInt16(unsafe bytes.unsafeLoad(fromByteOffset: i, as: UInt8.self)))
  }
}

extension PictureInputs {
  /// What only some models need is left out where it is not needed: their bundles keep their bytes.
  var fields: [CBORPair] {
    var fields = [
      CBORPair("input", .text(name)),
      CBORPair("layout", .text(layout == .planar ? "NCHW" : "NHWC")),
      CBORPair("scale", .array(scale.map { .double(Double($0)) })),
      CBORPair("shift", .array(shift.map { .double(Double($0)) })),
    ]
    if isBlueFirst { fields.append(CBORPair("order", .text("BGR"))) }
    if let letterbox { fields.append(CBORPair("letterbox", .integer(Int(letterbox)))) }
    return fields
  }

  init(_ reader: inout TaskReader) throws(TaskError) {
    name = try reader.text("input")
    scale = try reader.floats("scale", limit: 4096)
    shift = try reader.floats("shift", limit: 4096)
    layout = try reader.choice("layout", ["NCHW", "NHWC"]) == 0 ? .planar : .interleaved
    if reader.has("order") { isBlueFirst = try reader.choice("order", ["RGB", "BGR"]) == 1 }
    if reader.has("letterbox") {
      letterbox = UInt8(clamping: try reader.count("letterbox", in: 0...255))
    }
  }
}
