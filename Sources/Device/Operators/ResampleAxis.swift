// How one axis of a resized tensor lies over the input's.

/// One axis of the input and of the output, and the region of a crop.
struct ResampleAxis {
  var input = 1
  var output = 1
  var scale = 1.0
  var start = 0.0
  var end = 1.0

  var isIdentity: Bool { input == output && scale == 1 && start == 0 && end == 1 }

  /// Where output element `i` looks, in input elements.
  func coordinate(_ i: Int, _ coordinates: ResizeCoordinates, _ isCropped: Bool) -> Double {
    let at = Double(i)
    let full = scale * Double(input)
    if isCropped {
      let last = Double(input - 1)
      if full == 1 { return (start + (end - start) / 2) * last }
      return start * last + at * (end - start) * last / (full - 1)
    }
    switch coordinates {
    case .halfPixel: return (at + 0.5) / scale - 0.5
    case .pytorchHalfPixel: return output > 1 ? (at + 0.5) / scale - 0.5 : 0
    case .alignCorners: return full == 1 ? 0 : at * Double(input - 1) / (full - 1)
    case .asymmetric: return at / scale
    case .halfPixelSymmetric:
      let offset = Double(input) / 2 * (1 - Double(output) / full)
      return offset + (at + 0.5) / scale - 0.5
    }
  }
}
