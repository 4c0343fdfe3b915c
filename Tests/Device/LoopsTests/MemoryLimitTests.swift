// What a model may take: sizes in words, and refusals before anything is taken.

import Loops
import Platform
import Tensors
import Testing

@Suite struct MemoryLimitTests {
  @Test(arguments: [
    ("0", 0), ("1048576", 1_048_576), ("7B", 7), ("3kB", 3000), ("64MB", 64_000_000),
    ("64MiB", 64 << 20), ("2KiB", 2048), ("1GB", 1_000_000_000), ("1GiB", 1 << 30),
  ])
  func sizes(text: String, bytes: Int) {
    #expect(RunOptions.byteCount(text) == bytes)
  }

  @Test(arguments: [
    "", "MiB", "-1", "1.5MB", "64 MiB", "64mb", "64M", "9999999GiB", "1e6", "1MiB2",
  ])
  func noSizes(text: String) {
    #expect(RunOptions.byteCount(text) == nil)
  }

  @Test func optionTakesASize() throws {
    let options = try RunOptions.parse(["--memory-limit", "64MiB"], name: "t", repeatCount: 1).0
    #expect(options.memoryLimit == 64 << 20)
    do throws(Failure) {
      _ = try RunOptions.parse(["--memory-limit", "much"], name: "t", repeatCount: 1)
      Issue.record("accepted")
    } catch {
      #expect(error.code == .usage && error.message.contains("--memory-limit"))
    }
  }

  private func refused(_ body: () throws -> Void) throws {
    do {
      try body()
      Issue.record("was not refused")
    } catch let failure as Failure {
      #expect(failure.code == .doesNotFit, "\(failure.message)")
      #expect(failure.message.contains("the limit is"))
    }
  }

  @Test func weightsAndArenaCount() throws {
    let file = TemporaryFile(".knap")
    try file.write(try Digits.bundle(.f32))
    let model = try LoadedModel.open(bundle: file.path)
    let weights = model.program.weightBytes
    let runner = try ModelRunner(model, threads: 1)
    let all = weights + runner.session.arenaBytes + runner.session.staticBytes
    #expect(weights > 0 && runner.session.arenaBytes > 0)

    try refused { _ = try LoadedModel.open(bundle: file.path, memoryLimit: weights - 1) }
    _ = try LoadedModel.open(bundle: file.path, memoryLimit: weights)
    try refused { _ = try ModelRunner(model, threads: 1, memoryLimit: weights - 1) }
    try refused { _ = try ModelRunner(model, threads: 1, memoryLimit: all - 1) }
    let enough = try ModelRunner(model, threads: 1, memoryLimit: all)
    // A batch of 450 needs a larger arena than one image.
    try refused { try enough.fill(from: try TensorFile(path: Digits.data)) }
  }
}
