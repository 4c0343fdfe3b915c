// What a model that finds things says of an item.
import Programs
import Runtime
import Tasks
import Telemetry
import Tensors

/// A picture in the model's input: as large as the item was, in this share of the input from its upper left
/// corner.
struct PictureView: Equatable {
  var width: Int
  var height: Int
  var widthShare = 1.0
  var heightShare = 1.0
}

/// Something that was found on an item's picture.
public struct FoundObject: Equatable, Sendable {
  public var label: String
  public var score: Float
  public var classIndex: Int
  /// Edges in pixels of the picture, from its upper left corner; of the model's input where the item was
  /// no picture.
  public var left: Double
  public var top: Double
  public var right: Double
  public var bottom: Double
}

/// What was found, and the size of the picture in pixels.
public struct FoundObjects: Equatable, Sendable {
  public var width: Int
  public var height: Int
  /// The surest first.
  public var objects: [FoundObject] = []
}

extension ModelRunner {
  private func outputs(of task: ObjectDetection) -> [TensorView] {
    let all = model.program.outputs
    if task.outputNames.isEmpty {
      return (0..<min(task.outputCount, all.count)).map { session.output($0) }
    }
    return task.outputNames.compactMap { name in
      all.firstIndex { $0.name == name }.map { session.output($0) }
    }
  }

  /// What was found on the item that was just run. Throws where the model's outputs are not what its task
  /// says they are, which only a run tells where shapes follow from data.
  func found(_ task: ObjectDetection) throws(Failure) -> FoundObjects {
    guard let place = pictureInput else { throw pictureRefusal }
    // An input of open extents may be smaller than it could be.
    let shape = session.input(place.input).shape
    let isPlanar = place.layout == .planar
    let input = PictureView(width: shape[isPlanar ? 3 : 2], height: shape[isPlanar ? 2 : 1])
    let views = outputs(of: task)
    var values: [[Float]] = []
    do throws(TaskError) {
      try task.check(views.map { $0.shape }, width: input.width, height: input.height)
    } catch {
      throw Failure(.badData, "\(model.name): \(error)")
    }
    for view in views {
      guard let numbers = view.numbers() else {
        throw Failure(.badData, "\(model.name): boxes and scores have to be real numbers")
      }
      values.append(numbers)
    }
    let view = pictureView ?? input
    var found = FoundObjects(width: view.width, height: view.height)
    for detection in task.detections(values, width: input.width, height: input.height) {
      func across(_ x: Float) -> Double {
        min(Double(x) / view.widthShare, 1) * Double(view.width)
      }
      func down(_ y: Float) -> Double {
        min(Double(y) / view.heightShare, 1) * Double(view.height)
      }
      let (left, right) = (across(detection.left), across(detection.right))
      let (top, bottom) = (down(detection.top), down(detection.bottom))
      // What was seen beside the picture is not on it.
      guard left < right, top < bottom else { continue }
      found.objects.append(
        FoundObject(
          label: task.label(detection.classIndex), score: detection.score,
          classIndex: detection.classIndex, left: left, top: top, right: right, bottom: bottom))
    }
    return found
  }
}

extension FoundObjects {
  /// What a picture shows of them, in shares of its sides.
  var boxes: [PictureBox] {
    objects.prefix(PictureReading.boxLimit).map {
      PictureBox(
        left: $0.left / Double(width), top: $0.top / Double(height),
        right: $0.right / Double(width), bottom: $0.bottom / Double(height),
        label: EscapedText(Array($0.label.utf8)), score: Double($0.score))
    }
  }
}
