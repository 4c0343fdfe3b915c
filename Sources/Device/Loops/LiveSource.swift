// Items that come while the run goes on: lines of a stream, pictures of a camera, sound of a microphone.
import Bytes
import CPlatform
import Monitor
import Platform
import Tasks
import Telemetry

/// A stream or a device that gives items one by one.
///
/// A stream waits for the run: nothing of it is lost. A device does not: what the run has no time for is
/// dropped and counted. A device that is lost is looked for again, every half second at first, every five
/// seconds later, while the model stays loaded.
public final class LiveSource {
  private enum Kind {
    case lines(LineReader)
    case camera(width: Int, height: Int)
    case microphone(sampleCount: Int, rate: Int)
  }

  /// What one look gave.
  public enum Look {
    case item(RunItem)
    /// Nothing yet.
    case nothing
    case end
  }

  public let path: String
  private let kind: Kind
  /// What was dropped so far.
  public private(set) var droppedCount: UInt64 = 0
  /// Why the device is not there now; nil while it is.
  public private(set) var loss: PlatformError?

  /// When the last item was there, on the monotonic clock: what came before was waiting.
  public private(set) var readyNanoseconds: UInt64 = 0

  private var camera: Camera?
  private var sequence: UInt32?
  private var microphone: Microphone?
  private var resampler = Resampler(from: 1, to: 1)
  private var samples: [Float] = []
  private var overruns = 0
  private var retryAt: UInt64 = 0
  private var retrySeconds = 0.5

  private static let waitMilliseconds = 100
  private static let longestRetrySeconds = 5.0
  private static let standardRate = 16_000

  /// nil where the name is neither `-`, a pipe nor a device. Throws where it is one that the model takes
  /// nothing of, or that cannot be opened.
  init?(_ input: String, _ options: RunOptions, _ runner: ModelRunner) throws(Failure) {
    path = input
    if input == "-" {
      guard runner.takesText else { throw runner.textRefusal }
      kind = .lines(LineReader())
      return
    }
    guard Array(input.utf8).contains(0x2F), (try? File.kind(of: input)) == .other else {
      return nil
    }
    if LiveSource.has(input, "/video") {
      guard let place = runner.pictureInput else { throw runner.pictureRefusal }
      kind = .camera(width: place.width, height: place.height)
    } else if LiveSource.has(input, "/pcm") {
      guard let place = runner.soundInput else { throw runner.soundRefusal }
      kind = .microphone(
        sampleCount: place.sampleCount, rate: options.sampleRate ?? LiveSource.standardRate)
    } else {
      guard runner.takesText else { throw runner.textRefusal }
      do throws(PlatformError) {
        kind = .lines(try LineReader(path: input))
      } catch {
        throw Failure(reading: error)
      }
      return
    }
    do throws(PlatformError) {
      try open()
    } catch {
      throw LiveSource.refusal(error)
    }
  }

  private static func has(_ path: String, _ part: StaticString) -> Bool {
    let (bytes, part) = (Array(path.utf8), EscapedText(part).utf8)
    guard bytes.count >= part.count else { return false }
    return (0...bytes.count - part.count).contains {
      bytes[$0..<$0 + part.count].elementsEqual(part)
    }
  }

  private static func refusal(_ error: PlatformError) -> Failure {
    switch error.errno {
    case ENOTTY:
      Failure(.missingInput, "\(error.path): not a camera or microphone of this kernel's")
    case ENOTSUP:
      Failure(.unavailable, "\(error.path): gives none of the formats RGB3, YUYV and GREY")
    case EBUSY: Failure(.unavailable, "\(error.path): another program uses it")
    default: Failure(reading: error)
    }
  }

  private func open() throws(PlatformError) {
    switch kind {
    case .lines: break
    case .camera(let width, let height):
      camera = try Camera(path: path, width: width, height: height)
      sequence = nil
    case .microphone(_, let rate):
      let opened = try Microphone(path: path, rate: rate)
      resampler = Resampler(from: opened.rate, to: rate)
      microphone = opened
      samples = []
      overruns = 0
    }
  }

  /// Looks for the next item, a tenth of a second at most. Throws where a stream cannot be read.
  public func next() throws(Failure) -> Look {
    if case .lines(let reader) = kind {
      do throws(PlatformError) {
        switch try reader.next(milliseconds: LiveSource.waitMilliseconds) {
        case .line(let bytes):
          readyNanoseconds = Clock.monotonicNanoseconds
          return bytes.isEmpty ? .nothing : .item(.text(String(decoding: bytes, as: UTF8.self)))
        case .nothing: return .nothing
        case .end: return .end
        }
      } catch {
        throw Failure(reading: error)
      }
    }
    do throws(PlatformError) {
      if loss != nil {
        let now = Clock.monotonicNanoseconds
        guard now >= retryAt else {
          kp_sleep_ms(UInt32(LiveSource.waitMilliseconds))
          return .nothing
        }
        try open()
        loss = nil
        retrySeconds = 0.5
      }
      return try look()
    } catch {
      camera = nil
      microphone = nil
      loss = error
      retryAt = Clock.monotonicNanoseconds &+ UInt64(retrySeconds * 1e9)
      retrySeconds = min(retrySeconds * 2, LiveSource.longestRetrySeconds)
      return .nothing
    }
  }

  private func look() throws(PlatformError) -> Look {
    if let camera {
      guard case .frame(let frame) = try camera.next(milliseconds: LiveSource.waitMilliseconds)
      else { return .nothing }
      readyNanoseconds = Clock.monotonicNanoseconds
      if let sequence { droppedCount += UInt64(frame.sequence &- sequence &- 1) & 0xFFFF }
      sequence = frame.sequence
      let picture =
        switch frame.format {
        case .grey:
          Picture(width: frame.width, height: frame.height, channels: 1, bytes: frame.bytes)
        case .rgb:
          Picture(width: frame.width, height: frame.height, channels: 3, bytes: frame.bytes)
        case .yuyv: Picture(yuyv: frame.bytes, width: frame.width, height: frame.height)
        }
      return picture.map { .item(.picture($0)) } ?? .nothing
    }
    guard let microphone, case .microphone(let count, let rate) = kind else { return .end }
    let sound = try microphone.read(milliseconds: LiveSource.waitMilliseconds)
    readyNanoseconds = Clock.monotonicNanoseconds
    samples += resampler.take(sound)
    if microphone.overruns > overruns {
      droppedCount += UInt64(microphone.overruns - overruns)
      overruns = microphone.overruns
    }
    guard samples.count >= count else { return .nothing }
    let item = Sound(path: path, rate: rate, samples: Array(samples[..<count]))
    samples.removeFirst(count)
    return .item(.sound(item, start: 0))
  }
}
