// Pictures and sound on their way to a model: to the size, the order and the scale that it takes.
import Programs
import Runtime
import Tasks
import Tensors

extension ModelRunner {
  /// The input that takes a picture: its size in pixels, its channels, their order; nil where the model
  /// has none.
  public struct PictureInput: Equatable, Sendable {
    public var input: Int
    public var width: Int
    public var height: Int
    public var channels: Int
    public var layout: PictureInputs.Layout
  }

  /// The picture that the model's only input takes.
  public var pictureInput: PictureInput? {
    guard callerInputs.count == 1, let i = callerInputs.first else { return nil }
    let input = model.program.inputs[i]
    guard input.elementType.isFloatingPoint || input.elementType == .u8,
      input.dimensions.count == 4
    else { return nil }
    let extents = input.dimensions.map { extent($0) }
    guard extents[0] == 1 else { return nil }
    var layout: PictureInputs.Layout
    if let inputs = model.task.pictureInputs {
      layout = inputs.layout
    } else if [1, 3].contains(extents[1]) {
      layout = .planar
    } else {
      layout = .interleaved
    }
    let isPlanar = layout == .planar
    let channels = extents[isPlanar ? 1 : 3]
    guard [1, 3].contains(channels) else { return nil }
    let (width, height) = (extents[isPlanar ? 3 : 2], extents[isPlanar ? 2 : 1])
    let sides = 1...Picture.longestSide
    guard sides.contains(width), sides.contains(height) else { return nil }
    return PictureInput(
      input: i, width: width, height: height, channels: channels, layout: layout)
  }

  private func extent(_ dimension: Dimension) -> Int {
    switch dimension {
    case .constant(let n): n
    case .symbol(let s): model.program.symbols[s].limit
    }
  }

  var pictureRefusal: Failure {
    Failure(
      .usage,
      "\(model.name) takes no picture: none of its inputs is [1, channels, height, width] or [1, height, width, channels]"
    )
  }

  /// Fills the input with a picture of any size. An input of real numbers needs to be told how pixels
  /// become numbers: by the bundle's task.
  public func fill(picture: Picture) throws(Failure) {
    guard let place = pictureInput else { throw pictureRefusal }
    note(picture)
    let inputs = model.task.pictureInputs
    let colored = picture.converted(toChannels: place.channels)
    var view = PictureView(width: picture.width, height: picture.height)
    let fitted: Picture
    if let free = inputs?.letterbox {
      (fitted, view.widthShare, view.heightShare) = colored.letterboxed(
        width: place.width, height: place.height, free: free)
    } else {
      fitted = colored.resized(width: place.width, height: place.height)
    }
    var order = inputs ?? PictureInputs()
    order.layout = place.layout
    let bytes = order.ordered(fitted)
    let isPlanar = place.layout == .planar
    let shape =
      isPlanar
      ? Shape([1, place.channels, place.height, place.width])
      : Shape([1, place.height, place.width, place.channels])
    var shapes = [Shape?](repeating: nil, count: model.program.inputs.count)
    shapes[place.input] = shape
    try prepare(shapes)
    pictureView = view
    let target = session.input(place.input)
    if target.elementType == .u8 {
      for (i, byte) in bytes.enumerated() { target.elements(UInt8.self)[i] = byte }
      return
    }
    guard let inputs else {
      throw Failure(
        .usage,
        "\(model.name): nothing says how pixels become its input's numbers: pack it with the task image-classification or object-detection"
      )
    }
    var numbers = [Float](repeating: 0, count: bytes.count)
    do throws(TaskError) {
      var span = numbers.mutableSpan
      var one = Shape()
      for axis in 1..<shape.rank { one.append(shape[axis]) }
      try unsafe inputs.prepare(bytes.span.bytes, .u8, one, into: &span)
    } catch {
      throw Failure(.badData, "\(model.name): \(error)")
    }
    for (i, number) in numbers.enumerated() { target.setNumber(Double(number), at: i) }
  }

  // MARK: Sound

  /// How many samples one inference takes, and which inputs take them and their rate; nil where the
  /// model takes no sound: one input of real numbers whose extents but one are 1, and at most one
  /// whole number beside it, the rate.
  public var soundInput: (input: Int, sampleCount: Int, rateInput: Int?)? {
    var found: (input: Int, count: Int)?
    var rate: Int?
    for i in callerInputs {
      let input = model.program.inputs[i]
      let extents = input.dimensions.map { extent($0) }
      if input.elementType.isFloatingPoint, found == nil, let last = extents.last, last > 1,
        extents.dropLast().allSatisfy({ $0 == 1 })
      {
        found = (i, last)
      } else if input.elementType == .i64 || input.elementType == .i32, rate == nil,
        extents.allSatisfy({ $0 == 1 })
      {
        rate = i
      } else {
        return nil
      }
    }
    return found.map { ($0.input, $0.count, rate) }
  }

  var soundRefusal: Failure {
    Failure(
      .usage, "\(model.name) takes no sound: it has no single input of samples, such as [1, 16000]")
  }

  /// Fills the input with samples; silence where there are too few.
  public func fill(samples: ArraySlice<Float>, rate: Int) throws(Failure) {
    guard let place = soundInput else { throw soundRefusal }
    var shapes = [Shape?](repeating: nil, count: model.program.inputs.count)
    let rank = model.program.inputs[place.input].dimensions.count
    var shape = Shape()
    for _ in 1..<max(rank, 1) { shape.append(1) }
    shape.append(place.sampleCount)
    shapes[place.input] = shape
    try prepare(shapes)
    let view = session.input(place.input)
    for i in 0..<place.sampleCount {
      let sample = i < samples.count ? samples[samples.startIndex + i] : 0
      view.setNumber(Double(sample), at: i)
    }
    if let rateInput = place.rateInput {
      _ = TensorConversion.store(Int64(rate), session.input(rateInput), 0)
    }
  }
}
