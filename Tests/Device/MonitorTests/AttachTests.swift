// A run and its viewers, both in this process: what one shows the other shows too.
import Foundation
import Monitor
import Platform
import Randomness
import RecordedMachines
import Telemetry
import Testing

struct AttachTests {
  private static let second: UInt64 = 1_000_000_000

  /// A folder for sockets, as short as their paths have to be.
  private final class SocketFolder {
    let path = "/tmp/ks-\(UUID().uuidString.prefix(8))"
    init() { mkdir(path, 0o700) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  private func facts(_ steps: Int = 3) -> RunFacts {
    var facts = RunFacts()
    facts.bundleName = EscapedText("digits")
    facts.warmUpCount = 2
    facts.steps = (0..<steps).map {
      StepFact(
        name: EscapedText(Array("step \($0)".utf8)), kind: EscapedText("conv"),
        scheme: EscapedText("int8"))
    }
    return facts
  }

  private func collector(_ facts: RunFacts) -> Collector {
    let collector = Collector(
      facts: facts, nowNanoseconds: 0, sampler: SystemSampler(root: "/nonexistent"))
    collector.setState(.running)
    for i in 0..<40 {
      collector.recordStep(i % 3, durationNanoseconds: 400_000 + UInt64(i) * 1000)
      collector.recordInference(
        startNanoseconds: UInt64(i) * 10_000_000,
        durationNanoseconds: 1_000_000 + UInt64(i) * 10_000)
      collector.recordOutput(Array("tabby cat \(i)".utf8))
    }
    collector.recordEvent(.warning, Array("it got hot".utf8))
    return collector
  }

  private func frame(_ snapshot: Snapshot, _ size: Size = Size(columns: 120, rows: 40)) -> String {
    MonitorView.frame(
      snapshot, size: size, capabilities: Capabilities(colors: 256, isUnicode: true), ui: UIState()
    ).text
  }

  @Test func viewersSeeWhatTheRunShows() throws {
    let folder = SocketFolder()
    let collector = collector(facts())
    let run = ServedRun(collector, RunControl(catchesSignals: false), folder: folder.path)
    let path = try #require(run.socketPath)
    var info = stat()
    #expect(lstat(path, &info) == 0 && info.st_mode & 0o777 == 0o600)
    let viewers = try (0..<3).map { _ in try AttachedRun(path: path) }
    var now = Self.second
    for _ in 0..<20 {
      run.poll(nowNanoseconds: now)
      for viewer in viewers { viewer.poll(nowNanoseconds: now) }
      now += Self.second / 10
    }
    // When everyone is due.
    now += Self.second
    run.poll(nowNanoseconds: now)
    let own = run.snapshot(nowNanoseconds: now, windowSeconds: 60)
    for viewer in viewers {
      let greeting = try #require(viewer.waitForGreeting(milliseconds: 1000))
      #expect(greeting.process == Int(getpid()) && greeting.name == EscapedText("digits"))
      let seen = viewer.snapshot(nowNanoseconds: now, windowSeconds: 60)
      #expect(seen.inferenceCount == 38 && seen.operators.count == 3)
      #expect(seen.operators.first?.fact.name.utf8.isEmpty == false)
      #expect(frame(seen) == frame(own))
      #expect(frame(seen, Size(columns: 40, rows: 10)) == frame(own, Size(columns: 40, rows: 10)))
    }
    run.end(run.snapshot(nowNanoseconds: now, windowSeconds: 60))
    for viewer in viewers {
      let last = viewer.snapshot(nowNanoseconds: now, windowSeconds: 60)
      #expect(viewer.isOver && last.state == .done)
      #expect(last.events.last?.text == EscapedText("the run is over"))
    }
  }

  /// Pictures are made and sent for viewers who show them, and for nobody else.
  @Test func picturesAreForThoseWhoAsk() throws {
    let folder = SocketFolder()
    let collector = collector(facts())
    let run = ServedRun(collector, RunControl(catchesSignals: false), folder: folder.path)
    let path = try #require(run.socketPath)
    let asking = try AttachedRun(path: path)
    let other = try AttachedRun(path: path)
    var now = Self.second
    func step(_ count: Int) {
      for _ in 0..<count {
        run.poll(nowNanoseconds: now)
        if collector.wantsPicture() {
          collector.recordOutput(Array("cat".utf8))
          collector.recordPicture(Scene.reading(), caption: Array("cat".utf8))
        }
        now += Self.second / 2
      }
    }
    func look(_ viewer: AttachedRun) -> PictureReading {
      viewer.snapshot(nowNanoseconds: now, windowSeconds: 60).picture
    }
    step(4)
    #expect(look(asking).thumbnail == nil && !collector.wantsPicture())
    asking.setPictureShown(true)
    _ = look(asking)
    _ = look(other)
    step(6)
    #expect(look(asking).thumbnail == Scene.reading().thumbnail)
    #expect(look(asking).boxes == Scene.boxes && look(asking).number > 40)
    #expect(look(other).thumbnail == nil)
    asking.setPictureShown(false)
    _ = look(asking)
    step(4)
    #expect(look(asking).thumbnail == nil)
    step(2)
    #expect(!collector.wantsPicture())
  }

  @Test func wishesAndRequestsArrive() throws {
    let folder = SocketFolder()
    let collector = collector(facts())
    let control = RunControl(catchesSignals: false)
    let run = ServedRun(collector, control, folder: folder.path)
    let viewer = try AttachedRun(path: try #require(run.socketPath))
    run.poll(nowNanoseconds: Self.second)
    _ = viewer.snapshot(nowNanoseconds: Self.second, windowSeconds: nil)
    viewer.setPaused(true)
    viewer.addEvent(.note, "mark", nowNanoseconds: 0)
    viewer.reset(nowNanoseconds: 0)
    run.poll(nowNanoseconds: 2 * Self.second)
    #expect(control.isPaused && control.resetCount == 1)
    let events = run.snapshot(nowNanoseconds: 2 * Self.second, windowSeconds: 60).events
    #expect(events.last?.text == EscapedText("mark"))
    let seen = viewer.snapshot(nowNanoseconds: 2 * Self.second, windowSeconds: nil)
    #expect(seen.windowSeconds == nil)
    viewer.setPaused(false)
    run.poll(nowNanoseconds: 3 * Self.second)
    #expect(!control.isPaused)
  }

  /// A viewer that takes nothing costs the run nothing, and the others see everything.
  @Test func aViewerThatStalls() throws {
    let folder = SocketFolder()
    let collector = collector(facts(3000))
    let run = ServedRun(collector, RunControl(catchesSignals: false), folder: folder.path)
    let path = try #require(run.socketPath)
    let stalled = try LocalConnection(path: path)
    let viewer = try AttachedRun(path: path)
    for i in 1...400 {
      let now = UInt64(i) * Self.second / 4
      run.poll(nowNanoseconds: now)
      viewer.poll(nowNanoseconds: now)
    }
    #expect(stalled.isOpen && !viewer.isOver)
    let seen = viewer.snapshot(nowNanoseconds: 0, windowSeconds: 60)
    #expect(seen.elapsedSeconds > 95)
    // It lost snapshots: the socket holds some, and after those there is the newest.
    var buffer = MessageBuffer()
    var count = 0
    for i in 0..<200 {
      buffer.append(stalled.receive())
      while let message = try buffer.next() { if case .snapshot = message { count += 1 } }
      run.poll(nowNanoseconds: 100 * Self.second + UInt64(i) * 1_000_000)
    }
    #expect(count >= 1 && count < 300)
  }

  /// Bytes that are no message: the run hangs up and goes on.
  @Test func aViewerThatTalksNonsense() throws {
    let folder = SocketFolder()
    let run = ServedRun(
      collector(facts()), RunControl(catchesSignals: false), folder: folder.path)
    let path = try #require(run.socketPath)
    var random = SeededRandom(state: 5)
    for round in 0..<50 {
      let caller = try LocalConnection(path: path)
      let bytes: [UInt8] =
        round == 0
        ? [255, 255, 255, 255, 5]
        : round == 1
          ? [2, 0, 0, 0, 6, 9] : (0..<500).map { _ in UInt8.random(in: 0...255, using: &random) }
      _ = caller.send(bytes)
      for i in 1...3 { run.poll(nowNanoseconds: UInt64(round * 4 + i) * Self.second) }
      var isHungUp = false
      for _ in 0..<100 {
        if caller.receive().isEmpty, !caller.isOpen { isHungUp = true }
      }
      #expect(isHungUp || round > 1)
    }
    let viewer = try AttachedRun(path: path)
    run.poll(nowNanoseconds: 900 * Self.second)
    #expect(viewer.waitForGreeting(milliseconds: 500) != nil)
  }

  /// A run that talks nonsense: an event, no crash; one that is too large is hung up on.
  @Test func aRunThatTalksNonsense() throws {
    let folder = SocketFolder()
    let whole = try #require(RunMessage.snapshot(Samples.snapshot(.throttled)).bytes)
    var random = SeededRandom(state: 5)
    for round in 0..<200 {
      let listener = try LocalListener(path: folder.path + "/\(round).sock")
      let viewer = try AttachedRun(path: listener.path)
      let run = try #require(listener.accept())
      var bytes = try #require(RunMessage.facts(Samples.facts()).bytes) + whole
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] =
          UInt8.random(in: 0...255, using: &random)
      }
      _ = run.send(bytes)
      run.hangUp()
      let snapshot = viewer.snapshot(nowNanoseconds: 0, windowSeconds: 60)
      for size in [Size(columns: 80, rows: 24), Size(columns: 200, rows: 60)] {
        #expect(!frame(snapshot, size).isEmpty)
      }
    }
  }

  /// Lists whose elements are larger than their bytes are held short: more of them is refused.
  @Test func shortListsStayShort() throws {
    var sample = Samples.snapshot(.running)
    sample.stages += sample.stages
    sample.slowest += sample.slowest
    var buffer = MessageBuffer()
    buffer.append(try #require(RunMessage.snapshot(sample).bytes))
    guard case .snapshot(let again)? = try buffer.next() else {
      Issue.record("a snapshot")
      return
    }
    #expect(again.stages.count == 5 && again.slowest.count == 20)
  }

  /// Every field travels; one that is new fails here until the coder knows it.
  @Test(arguments: SampleState.allCases) func snapshotsTravelWhole(state: SampleState) throws {
    var sample = Samples.snapshot(state)
    sample.facts.steps = sample.operators.map { $0.fact }
    for i in sample.operators.indices { sample.operators[i].step = i }
    var buffer = MessageBuffer()
    buffer.append(try #require(RunMessage.facts(sample.facts).bytes))
    buffer.append(try #require(RunMessage.snapshot(sample).bytes))
    guard case .facts(let facts)? = try buffer.next(),
      case .snapshot(var again)? = try buffer.next()
    else {
      Issue.record("two messages")
      return
    }
    again.join(facts)
    var before = ""
    var after = ""
    dump(sample, to: &before, maxItems: .max)
    dump(again, to: &after, maxItems: .max)
    #expect(before == after)
    // What samples leave at its default travels as little as what is left out: count the fields.
    #expect(Mirror(reflecting: sample).children.count == 42)
    #expect(Mirror(reflecting: sample.power).children.count == 16)
    #expect(Mirror(reflecting: sample.memory).children.count == 13)
    #expect(Mirror(reflecting: sample.thermal).children.count == 12)
    #expect(Mirror(reflecting: sample.throttle).children.count == 6)
    #expect(Mirror(reflecting: sample.facts).children.count == 23)
    #expect(
      Mirror(
        reflecting: StepFact(name: EscapedText(""), kind: EscapedText(""), scheme: EscapedText(""))
      ).children.count == 7)
    #expect(Mirror(reflecting: sample.tokens ?? TokenReading()).children.count == 20)
  }
}
