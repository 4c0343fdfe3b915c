// One step of each integer operator, with attributes that differ from their defaults.

import Operators
import Tensors

extension Example {
  private static func bytes(_ type: ElementType, _ shape: Int...) -> TestTensor {
    var at = 0
    return tensor(shape, type) { _ in
      at += 1
      return Double(at * 7 % 100)
    }
  }

  private static func one(_ type: ElementType, _ value: Double) -> TestTensor {
    TestTensor(type, [1], [value])
  }

  private static let scale = TestTensor(.f32, [1], [0.125])
  private static let sums = TestTensor(.i32, [1, 3], [10, 20, 30])
  private static let bias = TestTensor(.i32, [3], [1, 2, 3])
  private static let epilogue = IntegerEpilogue(.i8, low: -100, high: 90, roundsOnce: true)
  private static let window = Window(
    strides: IntegerList([2, 1]), dilations: IntegerList([1, 2]), pads: IntegerList([1, 0, 1, 1]))

  static let integers: [Example] = [
    Example(.packRows(PackRows(isTransposed: true)), bytes(.u8, 2, 5, 3), outputs: 2),
    Example(
      .integerProduct(IntegerProduct(epilogue)), bytes(.u8, 2, 4), bytes(.i8, 1, 1, 1, 64), sums,
      one(.u8, 100), one(.i8, 3), bias, scale, one(.i8, -5)),
    Example(
      .integerConv(
        IntegerConv(
          kernel: IntegerList([2, 1]), window: window, groups: 1, epilogue: epilogue)),
      bytes(.i8, 1, 4, 5, 2), bytes(.i8, 1, 1, 1, 64), sums, one(.i8, 1), one(.u8, 100), bias,
      TestTensor(.i32, [1, 2], [1_073_741_824, -3]), one(.i8, -5)),
    Example(
      .integerDepthwise(
        IntegerDepthwise(kernel: IntegerList([2, 2]), window: window, epilogue: epilogue)),
      bytes(.u8, 1, 4, 5, 3), bytes(.i8, 4, 3), one(.u8, 10), one(.i8, 3), bias, scale,
      one(.i8, -5)),
    Example(
      .quantize(Quantize(to: .u8, multiplier: 0.5, divides: true, zeroPoint: 7)),
      TestTensor(.f32, [3], [1, -2, 30])),
    Example(
      .integerBinary(
        IntegerBinary(
          .addShifted, aScale: 0.5, bScale: 0.75, aZero: 1, bZero: 2, yZero: 3, low: -90, high: 80)),
      bytes(.i8, 2, 3), bytes(.i8, 3)),
    Example(.byteTable(ByteTable()), bytes(.i8, 2, 3), bytes(.u8, 256)),
    Example(
      .integerPool(
        IntegerPool(
          .scaledAverage, kernel: IntegerList([2, 2]), window: window, roundsUp: true, scale: 0.5,
          xZero: 1, yZero: 2, low: 3, high: 90)), bytes(.u8, 1, 4, 5, 2)),
    Example(
      .integerSoftmax(IntegerSoftmax(scale: 0.5, zeroPoint: 3)), bytes(.u8, 2, 3),
      tensor([256]) { 1 / Double($0[0] + 1) }),
    Example(
      .integerResize(IntegerResize(height: 5, width: 6, coordinates: .alignCorners)),
      bytes(.i8, 1, 2, 3, 2)),
    Example(
      .quantizeRows(QuantizeRows(.asymmetric, rowAxes: 1)), tensor([2, 3]) { Double($0[1]) - 1 },
      outputs: 3),
    Example(
      .detection(
        DetectionPostProcess(
          detections: 3, classesPerDetection: 2, detectionsPerClass: 2, isRegular: true, classes: 2,
          scoreThreshold: 0.25, overlapThreshold: 0.5, scales: (y: 10, x: 10, h: 5, w: 5))),
      tensor([1, 4, 4]) { Double($0[1]) / 4 }, tensor([1, 4, 3]) { Double($0[1] + $0[2]) / 8 },
      tensor([4, 4]) { Double($0[0] + 1) / 8 }, outputs: 4),
  ]
}
