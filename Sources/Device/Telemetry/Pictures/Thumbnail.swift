// A picture made so small that a terminal can show it and a viewer can be sent it.

/// Rows of pixels of three bytes each: red, green, blue.
public struct Thumbnail: Equatable, Sendable {
  /// Pixels in each direction, at most: what half blocks make of 160 × 48 cells.
  public static var widthLimit: Int { 160 }
  public static var heightLimit: Int { 96 }
  /// Of the picture it is made of, in each direction.
  public static var sourceLimit: Int { 1 << 14 }

  public private(set) var width: Int
  public private(set) var height: Int
  /// The extents of the picture that it was made of.
  public private(set) var sourceWidth: Int
  public private(set) var sourceHeight: Int
  /// `height × width × 3`.
  public private(set) var pixels: [UInt8]

  /// Shrinks a picture until it fits, its shape kept as well as whole pixels can; one that fits stays as
  /// it is. nil where the bytes are not as many as the extents say.
  ///
  /// bytes: `height × width × channels`, one channel for grey, three for red, green and blue.
  public init?(shrinking bytes: [UInt8], width: Int, height: Int, channels: Int) {
    guard (1...Self.sourceLimit).contains(width), (1...Self.sourceLimit).contains(height),
      channels == 1 || channels == 3, bytes.count == width * height * channels
    else { return nil }
    sourceWidth = width
    sourceHeight = height
    (self.width, self.height) = Self.fitted(width, height, Self.widthLimit, Self.heightLimit)
    let small = AreaAverage.scaled(
      bytes.span, width: width, height: height, channels: channels, toWidth: self.width,
      toHeight: self.height)
    if channels == 3 {
      pixels = small
    } else {
      pixels = []
      pixels.reserveCapacity(small.count * 3)
      for value in small { for _ in 0..<3 { pixels.append(value) } }
    }
  }

  /// One black pixel.
  init() {
    (width, height, sourceWidth, sourceHeight) = (1, 1, 1, 1)
    pixels = [0, 0, 0]
  }

  /// The largest extents of the shape `width × height` within a limit, no larger than it is.
  private static func fitted(
    _ width: Int, _ height: Int, _ widthLimit: Int, _ heightLimit: Int
  ) -> (Int, Int) {
    if width <= widthLimit, height <= heightLimit { return (width, height) }
    if width * heightLimit >= height * widthLimit {
      return (widthLimit, max(1, (height * widthLimit + width / 2) / width))
    }
    return (max(1, (width * heightLimit + height / 2) / height), heightLimit)
  }

  /// The pixels at another size, larger or smaller. Extents: 1…1024.
  public func scaled(width newWidth: Int, height newHeight: Int) -> [UInt8] {
    AreaAverage.scaled(
      pixels.span, width: width, height: height, channels: 3,
      toWidth: min(max(newWidth, 1), 1024), toHeight: min(max(newHeight, 1), 1024))
  }
}

extension Thumbnail: Fields {
  static var blank: Thumbnail { Thumbnail() }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&width, limit: Self.widthLimit)
    try coder.code(&height, limit: Self.heightLimit)
    try coder.code(&sourceWidth, limit: Self.sourceLimit)
    try coder.code(&sourceHeight, limit: Self.sourceLimit)
    try coder.code(&pixels)
    guard coder.isReading else { return }
    guard width > 0, height > 0, sourceWidth > 0, sourceHeight > 0,
      pixels.count == width * height * 3
    else {
      throw RecordingError(offset: coder.offset, reason: .outOfRange(UInt64(pixels.count)))
    }
  }
}
