// What the monitor shows of an item: the picture it came with, or the model's input seen as one.
import Programs
import Runtime
import Tasks
import Telemetry
import Tensors

extension ModelRunner {
  /// Keeps a picture, made small, where somebody wants to see it.
  func note(_ picture: Picture) {
    guard keepsPicture else { return }
    thumbnail = Thumbnail(
      shrinking: picture.bytes, width: picture.width, height: picture.height,
      channels: picture.channels)
  }

  /// What is to be shown of the item that the inputs were just filled with; nil where nobody wants to see
  /// it. An inference may use the inputs' memory: to be called before it.
  func takePicture() -> PictureReading? {
    guard keepsPicture else { return nil }
    keepsPicture = false
    defer { thumbnail = nil }
    if let thumbnail { return PictureReading(thumbnail) }
    guard let place = pictureInput else {
      return PictureReading(unknown: EscapedText("the model takes no pictures"))
    }
    guard let seen = thumbnail(ofInput: place) else {
      return PictureReading(
        unknown: EscapedText("nothing says how the model's numbers become a picture"))
    }
    var reading = PictureReading(seen)
    reading.isModelInput = true
    return reading
  }

  /// The input's numbers brought back to pixels, as the bundle's task made them of pixels.
  private func thumbnail(ofInput place: PictureInput) -> Thumbnail? {
    let view = session.input(place.input)
    let plane = place.width * place.height
    guard view.shape.elementCount == plane * place.channels else { return nil }
    var bytes = [UInt8](repeating: 0, count: plane * place.channels)
    var numbers: [Float]?
    let inputs = model.task.pictureInputs
    var (scale, shift): ([Float], [Float]) = ([1], [0])
    if view.elementType != .u8 {
      guard let inputs else { return nil }
      numbers = view.numbers(bytes.count)
      (scale, shift) = (inputs.scale, inputs.shift)
      guard numbers?.count == bytes.count, [1, place.channels].contains(scale.count),
        [1, place.channels].contains(shift.count), !scale.contains(0)
      else { return nil }
    }
    for channel in 0..<place.channels {
      for i in 0..<plane {
        let color = inputs?.isBlueFirst == true ? place.channels - 1 - channel : channel
        let target = i * place.channels + color
        let source = place.layout == .planar ? channel * plane + i : i * place.channels + channel
        if let numbers {
          let number =
            (numbers[source] - shift[shift.count == 1 ? 0 : channel])
            / scale[scale.count == 1 ? 0 : channel]
          // Comparisons with what is no number are false.
          bytes[target] = number > 0 ? UInt8(min(number.rounded(), 255)) : 0
        } else {
          bytes[target] = view.elements(UInt8.self)[source]
        }
      }
    }
    return Thumbnail(
      shrinking: bytes, width: place.width, height: place.height, channels: place.channels)
  }
}
