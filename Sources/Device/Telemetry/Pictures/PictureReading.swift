// What the model was asked about last, where that is a picture: small, with what was found on it.

/// Something that was found on a picture.
public struct PictureBox: Equatable, Sendable {
  /// Its edges as shares of the picture's width and height, from the upper left corner: 0…1.
  public var left: Double
  public var top: Double
  public var right: Double
  public var bottom: Double
  public var label: EscapedText
  /// 0…1; nil where the model gives none.
  public var score: Double?

  public init(
    left: Double, top: Double, right: Double, bottom: Double, label: EscapedText,
    score: Double? = nil
  ) {
    self.left = left
    self.top = top
    self.right = right
    self.bottom = bottom
    self.label = label
    self.score = score
  }
}

/// The picture of an item that is done, or why there is none.
///
/// Only made when a viewer asks: whoever looks at nothing pays for nothing. Recordings leave it out.
public struct PictureReading: Equatable, Sendable {
  /// The boxes that are kept.
  public static var boxLimit: Int { 32 }

  public var thumbnail: Thumbnail?
  /// Why there is no thumbnail.
  public var reason: EscapedText
  /// Of the output line that belongs to it.
  public var number: UInt64 = 0
  /// What the model says of it, in a line.
  public var caption = EscapedText("")
  /// The surest first.
  public var boxes: [PictureBox] = []
  /// Whether it was made of the numbers that the model took, rather than of a picture.
  public var isModelInput = false

  /// Nothing to show, and why.
  public init(unknown reason: EscapedText) { self.reason = reason }

  /// A picture to be captioned.
  public init(_ thumbnail: Thumbnail) {
    self.thumbnail = thumbnail
    reason = EscapedText("")
  }

  /// Before the first one.
  public static var awaited: PictureReading {
    PictureReading(unknown: EscapedText("it comes with the next item"))
  }
}

extension PictureBox: Fields {
  static var blank: PictureBox {
    PictureBox(left: 0, top: 0, right: 0, bottom: 0, label: .blank)
  }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&left)
    try coder.code(&top)
    try coder.code(&right)
    try coder.code(&bottom)
    try coder.code(&label)
    try coder.code(&score)
  }
}

extension PictureReading: Fields {
  static var blank: PictureReading { .awaited }

  mutating func code(_ coder: inout FieldCoder) throws(RecordingError) {
    try coder.code(&thumbnail)
    try coder.code(&reason)
    try coder.code(&number)
    try coder.code(&caption)
    try coder.code(&boxes)
    try coder.code(&isModelInput)
    guard boxes.count <= Self.boxLimit || !coder.isReading else {
      throw RecordingError(offset: coder.offset, reason: .outOfRange(UInt64(boxes.count)))
    }
  }
}
