// Cameras, microphones and streams: devices that are made here, behind the kernel's interface.
import CFakeDevice
import CPlatform
import Foundation
import Platform
import Testing

/// What is answered from.
private var device: UnsafeMutablePointer<fake_device> { fake_device_current() }

/// One device at a time: what stands for ioctl is the whole process's.
@Suite(.serialized) struct CaptureTests {
  /// A device's path; what answers for it is as new.
  private final class Node {
    let path = NSTemporaryDirectory() + "knapsack-device-\(UUID().uuidString)"

    init(pixels: String = "YUYV", height: UInt32 = 2, channels: UInt32 = 1) throws {
      // Four buffers, each filled with its own number; rows of 16 bytes, 8 of them pixels.
      var bytes = Data()
      for buffer in 0..<4 {
        for i in 0..<4096 { bytes.append(UInt8(truncatingIfNeeded: buffer * 64 + i % 16)) }
      }
      try bytes.write(to: URL(filePath: path))
      device.pointee = fake_device()
      device.pointee.is_camera = 1
      device.pointee.width = 4
      device.pointee.height = height
      device.pointee.channels = channels
      device.pointee.rate = 48_000
      withUnsafeMutableBytes(of: &device.pointee.pixels) { $0.copyBytes(from: Array(pixels.utf8)) }
      kp_device_control_set(fake_control)
    }

    deinit {
      kp_device_control_set(nil)
      try? FileManager.default.removeItem(atPath: path)
    }

    func setReady(_ numbers: [UInt32]) {
      withUnsafeMutableBytes(of: &device.pointee.ready) {
        $0.bindMemory(to: UInt32.self).baseAddress!.update(from: numbers, count: numbers.count)
      }
      device.pointee.ready_count = Int32(numbers.count)
    }

    func setSound(_ samples: [Int16]) {
      withUnsafeMutableBytes(of: &device.pointee.sound) {
        $0.bindMemory(to: Int16.self).baseAddress!.update(from: samples, count: samples.count)
      }
      device.pointee.sound_count = Int32(samples.count)
    }

    var queued: [UInt32] {
      withUnsafeBytes(of: device.pointee.queued) {
        Array($0.bindMemory(to: UInt32.self).prefix(Int(device.pointee.queued_count)))
      }
    }
  }

  @Test func aCameraGivesItsNewestFrame() throws {
    let node = try Node()
    let camera = try Camera(path: node.path, width: 4, height: 2)
    guard case .nothing = try camera.next(milliseconds: 1) else {
      Issue.record("a frame out of nothing")
      return
    }
    node.setReady([7, 8, 9])
    guard case .frame(let frame) = try camera.next(milliseconds: 1) else {
      Issue.record("no frame")
      return
    }
    #expect(frame.sequence == 9)
    #expect(frame.width == 4 && frame.height == 2 && frame.format == .yuyv)
    // Buffers 0 and 1 were given back, the third is the newest; gaps between rows are left out.
    #expect(frame.bytes == (128..<136).map { UInt8($0) } + (128..<136).map { UInt8($0) })
    #expect(node.queued == [3, 0, 1])
    node.setReady([10])
    guard case .frame(let next) = try camera.next(milliseconds: 1) else { return }
    #expect(next.bytes.first == 192)
    #expect(node.queued == [0, 1, 2])
  }

  @Test func aCameraThatIsLostSaysSo() throws {
    let node = try Node()
    let camera = try Camera(path: node.path, width: 4, height: 2)
    device.pointee.is_lost = 1
    let error = #expect(throws: PlatformError.self) { try camera.next(milliseconds: 1) }
    #expect(error?.errno == ENODEV)
  }

  private func refusal(_ node: Node) -> Int32? {
    let error = #expect(throws: PlatformError.self) {
      try Camera(path: node.path, width: 4, height: 2)
    }
    return error?.errno
  }

  @Test func whatIsNoCameraIsRefused() throws {
    let other = try Node()
    device.pointee.is_camera = 0
    #expect(refusal(other) == ENOTTY)
    #expect(refusal(try Node(pixels: "MJPG")) == ENOTSUP)
    // A frame larger than its buffer would be read past its end.
    #expect(refusal(try Node(height: 16_000)) == EPROTO)
    kp_device_control_set(nil)
    #expect(refusal(other) == ENOTTY)
  }

  @Test func aMicrophoneGivesTheMeanOfItsChannels() throws {
    let node = try Node(channels: 2)
    node.setSound([16384, 0, -32768, -32768, 0, 0])
    let microphone = try Microphone(path: node.path, rate: 16_000)
    #expect(microphone.rate == 48_000)
    #expect(try microphone.read(milliseconds: 1) == [0.25, -1, 0])
    #expect(try microphone.read(milliseconds: 1).isEmpty)
  }

  @Test func lostSoundIsCounted() throws {
    let node = try Node()
    device.pointee.overruns = 1
    node.setSound([32767])
    let microphone = try Microphone(path: node.path, rate: 16_000)
    #expect(try microphone.read(milliseconds: 1).count == 1)
    #expect(microphone.overruns == 1)
    #expect(device.pointee.starts == 2)
    device.pointee.is_lost = 1
    #expect(throws: PlatformError.self) { try microphone.read(milliseconds: 1) }
  }

  @Test func linesComeAsTheyAreWritten() throws {
    let path = NSTemporaryDirectory() + "knapsack-fifo-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(mkfifo(path, 0o600) == 0)
    // Both ends are here: opening the one does not wait for the other.
    let end = open(path, O_RDWR)
    defer { close(end) }
    let reader = try LineReader(path: path)
    func write(_ text: String) {
      _ = Array(text.utf8).withUnsafeBytes { Foundation.write(end, $0.baseAddress, $0.count) }
    }
    #expect(try reader.next(milliseconds: 1) == .nothing)
    write("first\nsec")
    #expect(try reader.next(milliseconds: 100) == .line(Array("first".utf8)))
    #expect(try reader.next(milliseconds: 1) == .nothing)
    write("ond\n\n")
    #expect(try reader.next(milliseconds: 100) == .line(Array("second".utf8)))
    #expect(try reader.next(milliseconds: 100) == .line([]))
  }

  @Test func theLastLineNeedsNoEnd() throws {
    let path = NSTemporaryDirectory() + "knapsack-lines-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data("a\nb".utf8).write(to: URL(filePath: path))
    let reader = try LineReader(path: path)
    #expect(try reader.next(milliseconds: 1) == .line([0x61]))
    #expect(try reader.next(milliseconds: 1) == .line([0x62]))
    #expect(try reader.next(milliseconds: 1) == .end)
    try Data(count: LineReader.longestLine + 70_000).write(to: URL(filePath: path))
    let endless = try LineReader(path: path)
    let error = #expect(throws: PlatformError.self) { try endless.next(milliseconds: 1) }
    #expect(error?.errno == EFBIG)
  }
}
