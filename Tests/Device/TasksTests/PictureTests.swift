// Pictures against Pillow's results, broken files against the byte that is wrong.
import Tasks
import Testing

struct PictureTests {
  private static let pixels: [UInt8] = [
    0, 50, 100, 150, 200, 250,
    10, 60, 110, 160, 210, 255,
    255, 0, 255, 0, 255, 0,
    30, 40, 50, 60, 70, 80,
  ]

  /// `Image.resize((w, h), Image.BILINEAR)` of Pillow 13; it rounds between its two passes, we do not.
  @Test(
    arguments: [
      (3, 2, [56, 130, 202, 85, 98, 110]),
      (4, 4, [19, 89, 161, 231, 29, 99, 171, 238, 159, 142, 113, 96, 34, 48, 62, 76]),
      (
        9, 6,
        [
          0, 25, 58, 92, 125, 158, 192, 225, 250, 5, 30, 63, 97, 130, 163, 197, 229, 253,
          51, 51, 64, 120, 134, 147, 204, 215, 212, 214, 112, 47, 194, 129, 64, 210, 146, 43,
          143, 82, 43, 130, 92, 53, 140, 102, 40, 30, 35, 42, 48, 55, 62, 68, 75, 80,
        ]
      ),
    ] as [(Int, Int, [Int])])
  func resizesAsPillowDoes(width: Int, height: Int, expected: [Int]) throws {
    let picture = try #require(Picture(width: 6, height: 4, channels: 1, bytes: Self.pixels))
    let result = picture.resized(width: width, height: height)
    #expect(result.width == width && result.height == height)
    #expect(result.bytes.map { Int($0) } == expected)
  }

  /// Each channel for itself: three equal ones stay equal, and are the grey one.
  @Test func channelsDoNotMix() throws {
    let grey = try #require(Picture(width: 6, height: 4, channels: 1, bytes: Self.pixels))
    let colour = grey.converted(toChannels: 3).resized(width: 5, height: 3)
    #expect(colour.converted(toChannels: 1) == grey.resized(width: 5, height: 3))
  }

  /// The colour bars of ITU-R BT.601 for studio swing.
  @Test(
    arguments: [
      ([235, 128, 235, 128], [255, 255, 255]), ([16, 128, 16, 128], [0, 0, 0]),
      ([81, 90, 81, 240], [254, 0, 0]), ([145, 54, 145, 34], [0, 255, 1]),
      ([41, 240, 41, 110], [0, 0, 255]),
    ] as [([UInt8], [Int])])
  func camerasColours(pair: [UInt8], expected: [Int]) throws {
    let picture = try #require(Picture(yuyv: pair, width: 2, height: 1))
    for (ours, known) in zip(picture.bytes, expected + expected) {
      #expect(abs(Int(ours) - known) <= 1)
    }
    #expect(Picture(yuyv: pair, width: 1, height: 2) == nil)
    #expect(Picture(yuyv: Array(pair.dropLast()), width: 2, height: 1) == nil)
  }

  @Test func files() throws {
    let file = Array("P6 # made by hand\n2\t1\n255\n".utf8) + [1, 2, 3, 4, 5, 6]
    let picture = try Picture(pnm: file.span)
    #expect(picture.channels == 3 && picture.width == 2 && picture.height == 1)
    #expect(picture.bytes == [1, 2, 3, 4, 5, 6])
    let few = Array("P5 2 1 16\n".utf8) + [0, 16]
    #expect(try Picture(pnm: few.span).bytes == [0, 255])
  }

  @Test(
    arguments: [
      ("P4 1 1\n", 0), ("P5 0 1 255\n", 3), ("P5 99999 1 255\n", 3), ("P5 1 1 65535\n", 7),
      ("P5 4 4 255\n", 11), ("P5 4 4 255", 10), ("P5", 0), ("", 0), ("P5 1 x", 5),
    ])
  func brokenFiles(text: String, at: Int) {
    let bytes = Array(text.utf8)
    let error = #expect(throws: PictureError.self) { try Picture(pnm: bytes.span) }
    #expect(error?.at == at)
  }
}
