// Pictures on their way to a model: out of files and cameras, to the size that it takes.

/// Rows of pixels, one byte for each channel, channels side by side.
public struct Picture: Equatable, Sendable {
  public let width: Int
  public let height: Int
  /// 1 for grey, 3 for red, green and blue.
  public let channels: Int
  /// `height × width × channels`.
  public let bytes: [UInt8]

  /// Pixels in each direction, at most.
  public static let longestSide = 1 << 14

  /// nil where the bytes are not as many as the extents say.
  public init?(width: Int, height: Int, channels: Int, bytes: [UInt8]) {
    guard (1...Picture.longestSide).contains(width), (1...Picture.longestSide).contains(height),
      channels == 1 || channels == 3, bytes.count == width * height * channels
    else { return nil }
    self.width = width
    self.height = height
    self.channels = channels
    self.bytes = bytes
  }

  /// Pixels two by two, as cameras give them: brightness, blueness, brightness, redness, to RGB by
  /// ITU-R BT.601 for studio swing.
  public init?(yuyv: [UInt8], width: Int, height: Int) {
    guard width % 2 == 0, width > 0, height > 0, yuyv.count == width * height * 2 else {
      return nil
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(width * height * 3)
    for pair in 0..<width * height / 2 {
      let blue = Float(yuyv[pair * 4 + 1]) - 128
      let red = Float(yuyv[pair * 4 + 3]) - 128
      for k in [0, 2] {
        let light = 1.164_384 * (Float(yuyv[pair * 4 + k]) - 16)
        bytes.append(Picture.byte(light + 1.596_027 * red))
        bytes.append(Picture.byte(light - 0.391_762 * blue - 0.812_968 * red))
        bytes.append(Picture.byte(light + 2.017_232 * blue))
      }
    }
    self.init(width: width, height: height, channels: 3, bytes: bytes)
  }

  private static func byte(_ value: Float) -> UInt8 { UInt8(min(max(value.rounded(), 0), 255)) }

  // MARK: Files

  /// A binary PGM or PPM file (`P5`, `P6`) with values up to 255.
  public init(pnm file: Span<UInt8>) throws(PictureError) {
    var reader = PNMHeader(file)
    let channels = try reader.channels()
    let width = try reader.number("width", upTo: Picture.longestSide)
    let height = try reader.number("height", upTo: Picture.longestSide)
    let most = try reader.number("greatest value", upTo: 255)
    let start = try reader.end()
    let count = width * height * channels
    guard file.count - start >= count else {
      throw PictureError(at: file.count, expected: "\(count) bytes of pixels")
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for i in start..<start + count {
      bytes.append(most == 255 ? file[i] : UInt8(min(Int(file[i]), most) * 255 / most))
    }
    self.width = width
    self.height = height
    self.channels = channels
    self.bytes = bytes
  }

  // MARK: Size and colour

  /// The picture in one channel or three; brightness by ITU-R BT.601.
  public func converted(toChannels wanted: Int) -> Picture {
    guard wanted != channels, wanted == 1 || wanted == 3 else { return self }
    var result: [UInt8] = []
    result.reserveCapacity(width * height * wanted)
    for i in 0..<width * height {
      if wanted == 3 {
        for _ in 0..<3 { result.append(bytes[i]) }
      } else {
        let (r, g, b) = (Int(bytes[i * 3]), Int(bytes[i * 3 + 1]), Int(bytes[i * 3 + 2]))
        result.append(UInt8((299 * r + 587 * g + 114 * b + 500) / 1000))
      }
    }
    return Picture(width: width, height: height, channels: wanted, bytes: result) ?? self
  }

  /// The picture at another size: every pixel the mean of those it covers where it becomes smaller,
  /// between its neighbours where it becomes larger. The bytes are those of Pillow's `resize` with
  /// BILINEAR, which most models were trained behind: weights of 22 bits, and bytes between both passes.
  public func resized(width newWidth: Int, height newHeight: Int) -> Picture {
    guard newWidth != width || newHeight != height else { return self }
    let columns = Picture.weights(from: width, to: newWidth)
    let rows = Picture.weights(from: height, to: newHeight)
    // Across first: what is kept is as high as the old picture and as wide as the new one.
    var middle = [UInt8](repeating: 0, count: height * newWidth * channels)
    for y in 0..<height {
      for (x, column) in columns.enumerated() {
        for c in 0..<channels {
          var sum = Picture.half
          for (k, weight) in column.weights.enumerated() {
            sum += weight * Int32(bytes[(y * width + column.first + k) * channels + c])
          }
          middle[(y * newWidth + x) * channels + c] = Picture.byte(sum)
        }
      }
    }
    var result = [UInt8](repeating: 0, count: newHeight * newWidth * channels)
    let rowLength = newWidth * channels
    for (y, row) in rows.enumerated() {
      for i in 0..<rowLength {
        var sum = Picture.half
        for (k, weight) in row.weights.enumerated() {
          sum += weight * Int32(middle[(row.first + k) * rowLength + i])
        }
        result[y * rowLength + i] = Picture.byte(sum)
      }
    }
    return Picture(width: newWidth, height: newHeight, channels: channels, bytes: result) ?? self
  }

  private static let weightBits: Int32 = 22
  private static let half: Int32 = 1 << (weightBits - 1)

  private static func byte(_ sum: Int32) -> UInt8 { UInt8(clamping: sum >> weightBits) }

  /// The picture in the upper left corner of one of another size, as large as fits with its proportions
  /// kept, and the shares of width and height that it has there. `free`: the value of the pixels around it.
  public func letterboxed(
    width newWidth: Int, height newHeight: Int, free: UInt8
  ) -> (picture: Picture, width: Double, height: Double) {
    let scale = min(Double(newWidth) / Double(width), Double(newHeight) / Double(height))
    let ownWidth = min(max(1, Int(Double(width) * scale)), newWidth)
    let ownHeight = min(max(1, Int(Double(height) * scale)), newHeight)
    let own = resized(width: ownWidth, height: ownHeight)
    var bytes = [UInt8](repeating: free, count: newWidth * newHeight * channels)
    for y in 0..<ownHeight {
      for i in 0..<ownWidth * channels {
        bytes[y * newWidth * channels + i] = own.bytes[y * ownWidth * channels + i]
      }
    }
    let whole = Picture(width: newWidth, height: newHeight, channels: channels, bytes: bytes)
    return (
      whole ?? self, Double(ownWidth) / Double(newWidth), Double(ownHeight) / Double(newHeight)
    )
  }

  /// For each place of the new line the places of the old one that it is made of: a triangle as wide as
  /// two of the coarser line's steps, centres at half a step.
  private static func weights(
    from old: Int, to new: Int
  ) -> [(first: Int, weights: [Int32])] {
    let scale = Double(old) / Double(new)
    let reach = max(scale, 1)
    return (0..<new).map { place in
      let centre = (Double(place) + 0.5) * scale
      let first = max(0, Int(centre - reach + 0.5))
      let end = min(old, Int(centre + reach + 0.5))
      var shares: [Double] = []
      for at in first..<max(end, first) {
        shares.append(max(0, 1 - abs(Double(at) - centre + 0.5) * (1 / reach)))
      }
      let sum = shares.reduce(0, +)
      return (first, shares.map { Int32($0 / sum * Double(1 << weightBits) + 0.5) })
    }
  }
}

/// What is wrong with a picture's file.
public struct PictureError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The byte at which it showed.
  public var at: Int
  public var expected: String

  public var description: String { "byte \(at): expected \(expected)" }
}

/// The text at the head of a PGM or PPM file.
private struct PNMHeader: ~Escapable {
  private let file: Span<UInt8>
  private var at = 0

  @_lifetime(copy file)
  init(_ file: Span<UInt8>) { self.file = file }

  mutating func channels() throws(PictureError) -> Int {
    guard file.count > 2, file[0] == 0x50, file[1] == 0x35 || file[1] == 0x36 else {
      throw PictureError(at: 0, expected: "P5 or P6")
    }
    at = 2
    return file[1] == 0x35 ? 1 : 3
  }

  /// A number behind white space and comments, at least 1.
  mutating func number(_ name: String, upTo limit: Int) throws(PictureError) -> Int {
    while at < file.count, file[at] == 0x23 || PNMHeader.isSpace(file[at]) {
      if file[at] == 0x23 { while at < file.count, file[at] != 0x0A { at += 1 } } else { at += 1 }
    }
    let start = at
    var value = 0
    while at < file.count, file[at] >= 0x30, file[at] <= 0x39, value <= limit {
      value = value * 10 + Int(file[at] - 0x30)
      at += 1
    }
    guard at > start, value >= 1, value <= limit else {
      throw PictureError(at: start, expected: "the \(name), 1 to \(limit)")
    }
    return value
  }

  /// The first pixel: behind one white space.
  mutating func end() throws(PictureError) -> Int {
    guard at < file.count, PNMHeader.isSpace(file[at]) else {
      throw PictureError(at: at, expected: "white space")
    }
    return at + 1
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
  }
}
