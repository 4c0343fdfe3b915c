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

  /// Refuses a model whose outputs are not what its task says they are.
  func checkDetection() throws(Failure) {
    guard case .objectDetection(let task) = model.task else { return }
    guard let place = pictureInput else { throw pictureRefusal }
    let views = outputs(of: task)
    do throws(TaskError) {
      try task.check(views.map(\.shape), width: place.width, height: place.height)
    } catch {
      throw Failure(.badData, "\(model.name): \(error)")
    }
    guard views.allSatisfy({ $0.elementType.isFloatingPoint && $0.encoding == nil }) else {
      throw Failure(.badData, "\(model.name): boxes and scores have to be real numbers")
    }
  }

  /// What was found on the item that was just run.
  func found(_ task: ObjectDetection) -> FoundObjects {
    let place = pictureInput
    let input = PictureView(width: place?.width ?? 1, height: place?.height ?? 1)
    let view = pictureView ?? input
    let values = outputs(of: task).map { $0.numbers() ?? [] }
    var found = FoundObjects(width: view.width, height: view.height)
    for detection in task.detections(values, width: input.width, height: input.height) {
      // What lies beside the picture is on none of it.
      func across(_ x: Float) -> Double {
        min(Double(x) / view.widthShare, 1) * Double(view.width)
      }
      func down(_ y: Float) -> Double {
        min(Double(y) / view.heightShare, 1) * Double(view.height)
      }
      found.objects.append(
        FoundObject(
          label: task.label(detection.classIndex), score: detection.score,
          classIndex: detection.classIndex, left: across(detection.left),
          top: down(detection.top), right: across(detection.right),
          bottom: down(detection.bottom)))
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
