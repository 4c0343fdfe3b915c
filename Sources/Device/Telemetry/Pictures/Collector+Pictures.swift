// The picture that a viewer wants to see, on its way from the loop to the monitor.

/// The slot between both threads, and what the reading one saw last.
final class PictureExchange: @unchecked Sendable {
  let slot = LatestSlot<PictureReading>()

  // Reading thread only.
  private var latest = PictureReading.awaited
  private var isShown = false

  func setShown(_ isShown: Bool) {
    // What a viewer asked for and did not wait to see is old by now.
    if isShown, !self.isShown { _ = slot.take() }
    self.isShown = isShown
  }

  /// The newest picture; asks for the one after it.
  func look() -> PictureReading {
    guard isShown else {
      if latest.thumbnail != nil { latest = .awaited }
      return .awaited
    }
    if let newer = slot.take() { latest = newer }
    slot.want()
    return latest
  }
}

extension Collector {
  // MARK: Recording

  /// Whether the picture of the item that begins now is to be recorded: true once for each look that a
  /// viewer took at the one before.
  public func wantsPicture() -> Bool { pictures.slot.takeWish() }

  /// Records the picture that the last output line is about, or why there is none, and what the model
  /// says of it: any bytes will do. Unlike what is recorded of every inference it allocates: call it only
  /// where `wantsPicture` said so.
  public func recordPicture(_ reading: PictureReading, caption: [UInt8]) {
    var whole = reading
    whole.number = outputCount
    whole.caption = EscapedText(Array(caption.prefix(TextRing.longestText)))
    whole.boxes = Array(reading.boxes.prefix(PictureReading.boxLimit))
    pictures.slot.put(whole)
  }

  // MARK: Reading

  /// Says whether snapshots are to have pictures. The first comes with the item that begins after the next
  /// snapshot; after each that was looked at there is a newer one.
  public func setPictureShown(_ isShown: Bool) { pictures.setShown(isShown) }
}
