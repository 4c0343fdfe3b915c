// The progress line of a long pack, on standard error where that is a terminal.
import Foundation
import Packing

/// Shows how far a search is and how long it will take; any thread may tell it.
final class PackProgress: @unchecked Sendable {
  private let lock = NSLock()
  private let isShown: Bool
  private let begin = Date()
  private var last = Date.distantPast
  private var reached = 0.0
  private var isOpen = false

  /// The share of the time that each stage takes, about.
  private static let shares: [SearchStage: Double] = [
    .options: 0.15, .sensitivities: 0.45, .trials: 0.4,
  ]
  private static let width = 24

  init(isShown: Bool) { self.isShown = isShown }

  func show(_ stage: SearchStage, _ fraction: Double) {
    lock.withLock {
      guard isShown else { return }
      let before = SearchStage.allCases.prefix { $0 != stage }
        .reduce(0.0) { $0 + (PackProgress.shares[$1] ?? 0) }
      reached = max(reached, before + fraction * (PackProgress.shares[stage] ?? 0))
      let now = Date()
      guard now.timeIntervalSince(last) > 0.1 else { return }
      last = now
      let elapsed = now.timeIntervalSince(begin)
      let full = Int(reached * Double(PackProgress.width))
      let bar =
        String(repeating: "#", count: full)
        + String(repeating: ".", count: PackProgress.width - full)
      let left =
        reached > 0.02 ? " \(Int((elapsed / reached * (1 - reached)).rounded(.up))) s left" : ""
      write("\r[\(bar)] \(Int(reached * 100)) %  \(stage.rawValue)\(left)\u{1B}[K")
      isOpen = true
    }
  }

  /// Takes the line away.
  func end() {
    lock.withLock {
      if isOpen { write("\r\u{1B}[K") }
      isOpen = false
    }
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
