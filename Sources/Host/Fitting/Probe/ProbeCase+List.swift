// What a probe measures of the kernels that multiply: extents that models have, from small to large.
import Operators
import Tensors

extension ProbeCase {
  /// A case that is built when it is measured: the tensors of one exist at a time.
  package typealias Maker = @Sendable () -> ProbeCase

  /// All cases.
  package static let all: [Maker] =
    products + convolutions + depthwise + integers + sequences + elementwise + folding + moves

  private static let schemes: [QuantizationScheme] = [.f32, .f16, .int8, .nl5]

  private static let products: [Maker] = {
    let extents = [
      (1, 10, 256), (1, 16, 64), (1, 64, 64), (1, 192, 192), (1, 512, 128), (1, 512, 512),
      (1, 1536, 384), (1, 256, 2048), (4, 512, 512), (32, 256, 256), (128, 1536, 384),
      (8, 128, 128), (16, 384, 384), (16, 1536, 384), (64, 16, 64), (64, 96, 96),
      (128, 384, 384), (128, 384, 1536), (512, 512, 256), (512, 64, 1024),
    ]
    var list: [Maker] = []
    for scheme in schemes {
      for (m, n, k) in extents { list.append { .matMul(m, n, k, scheme) } }
    }
    for (count, m, n, k) in [
      (4, 16, 16, 32), (12, 64, 64, 32), (1, 256, 64, 256), (1, 1, 256, 512), (8, 128, 128, 64),
      (1, 1, 32, 64),
    ] {
      list.append { .product(count, m, n, k) }
    }
    return list
  }()

  private static let convolutions: [Maker] = {
    // Channels, extents, outputs, kernel, stride.
    let extents = [
      (3, 96, 16, 3, 2), (3, 224, 16, 3, 2), (16, 32, 16, 3, 1), (32, 60, 32, 3, 1),
      (64, 16, 64, 3, 1), (64, 8, 64, 3, 1), (128, 8, 128, 3, 1), (64, 4, 16, 3, 1),
      (8, 112, 16, 1, 1), (32, 28, 64, 1, 1), (64, 28, 64, 1, 1), (128, 14, 128, 1, 1),
      (256, 7, 256, 1, 1), (16, 16, 64, 1, 1), (256, 1, 64, 1, 1), (64, 4, 16, 1, 1),
      (1, 28, 8, 5, 1), (128, 1, 256, 3, 1), (256, 1, 1000, 1, 1), (48, 64, 48, 3, 1),
      (128, 24, 256, 3, 1), (16, 32, 8, 1, 1), (8, 32, 24, 1, 1), (64, 32, 8, 3, 1),
      (256, 1, 512, 1, 1), (16, 60, 32, 3, 2), (12, 120, 16, 3, 1), (32, 56, 32, 1, 1),
    ]
    var list: [Maker] = []
    for scheme in schemes {
      for (channels, size, outputs, kernel, stride) in extents {
        list.append {
          .conv(channels, size, to: outputs, kernel: kernel, stride: stride, scheme)
        }
      }
    }
    for (channels, size, outputs) in [(24, 32, 24), (24, 64, 1), (24, 72, 24)] {
      list.append { .convTranspose(channels, size, to: outputs) }
    }
    return list
  }()

  private static let depthwise: [Maker] = {
    // Channels, extents, kernel, stride.
    let extents = [
      (8, 112, 3, 1), (32, 28, 3, 1), (64, 56, 3, 1), (256, 7, 3, 1), (64, 14, 5, 1),
      (8, 64, 5, 1), (32, 32, 5, 1), (128, 4, 5, 1), (16, 112, 3, 2), (64, 28, 3, 2),
      (128, 14, 3, 2),
      (64, 14, 5, 2), (16, 64, 5, 2), (64, 5, 3, 1), (320, 5, 3, 1), (32, 56, 5, 1),
      (8, 128, 3, 2), (64, 10, 3, 2), (32, 208, 3, 2), (8, 128, 5, 2), (256, 8, 5, 2),
    ]
    return extents.map { channels, size, kernel, stride -> Maker in
      { .depthwise(channels, size, kernel: kernel, stride: stride) }
    }
  }()

  private static let integers: [Maker] = {
    var list: [Maker] = []
    let extents = [
      (1, 24, 64, 5, 2), (1, 24, 64, 3, 1), (3, 96, 8, 3, 2), (3, 224, 32, 3, 2),
      (16, 32, 16, 3, 1), (64, 8, 64, 3, 1), (8, 112, 16, 1, 1), (64, 11, 64, 1, 1),
      (32, 28, 64, 1, 1), (96, 28, 24, 1, 1), (24, 28, 144, 1, 1),
      (128, 14, 128, 1, 1), (256, 7, 256, 1, 1), (512, 10, 512, 1, 1), (256, 1, 1001, 1, 1),
      (16, 32, 32, 3, 2), (32, 16, 32, 3, 1), (512, 3, 512, 1, 1), (1, 16, 64, 9, 1),
    ]
    for (channels, size, outputs, kernel, stride) in extents {
      list.append {
        .integerConv(channels, size, to: outputs, kernel: kernel, stride: stride)
      }
    }
    // What comes as unsigned bytes is copied, point by point too, and has weights with a zero point.
    for (channels, size, outputs, kernel, stride) in [
      (3, 96, 8, 3, 2), (3, 224, 32, 3, 2), (16, 32, 32, 3, 2), (8, 112, 16, 1, 1),
      (64, 28, 64, 1, 1), (256, 7, 256, 1, 1), (32, 56, 64, 1, 1), (128, 14, 128, 1, 1),
      (96, 28, 24, 1, 1), (512, 10, 512, 1, 1), (256, 1, 1001, 1, 1),
    ] {
      list.append {
        .integerConv(channels, size, to: outputs, kernel: kernel, stride: stride, .u8)
      }
    }
    let planes = [
      (64, 28, 1), (256, 7, 1), (128, 28, 2), (512, 10, 1), (64, 5, 1), (32, 112, 1),
      (8, 96, 1), (24, 64, 1), (72, 32, 1), (8, 24, 1), (512, 3, 1), (24, 120, 1), (1024, 2, 1),
    ]
    for (channels, size, stride) in planes {
      list.append { .integerDepthwise(channels, size, stride: stride) }
    }
    for (m, n, k) in [
      (1, 12, 64), (1, 512, 128), (1, 512, 512), (1, 512, 256), (1, 256, 512), (64, 64, 64),
      (125, 64, 64), (64, 256, 256),
      (128, 384, 384),
    ] {
      list.append { .integerProduct(m, n, k) }
    }
    return list
  }()

  private static let sequences: [Maker] = {
    var list: [Maker] = []
    for (tokens, heads, width) in [(128, 12, 32), (32, 12, 32), (64, 4, 64), (8, 4, 16)] {
      list.append { .attention(tokens, heads: heads, width: width) }
    }
    for (trees, depth, rows) in [
      (100, 6, 1), (10, 4, 1), (200, 3, 1), (400, 8, 1), (300, 4, 1), (60, 5, 1), (80, 8, 1),
      (120, 5, 1), (150, 6, 1),
      (100, 6, 64), (200, 3, 64), (60, 8, 64),
    ] {
      list.append { .trees(trees, depth: depth, rows: rows) }
      list.append { .trees(trees, depth: depth, rows: rows, targets: 10) }
      list.append { .trees(trees, depth: depth, rows: rows, isWide: true) }
    }
    let layers = [
      (RecurrentKind.lstm, 128, 1), (.lstm, 64, 16), (.gruResetAfter, 96, 64),
      (.gruResetAfter, 48, 16),
    ]
    for scheme in schemes {
      for (kind, hidden, time) in layers {
        list.append { .recurrent(kind, hidden: hidden, time: time, scheme) }
      }
    }
    return list
  }()
}
