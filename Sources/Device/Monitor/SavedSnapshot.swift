// What is known of a run, written down for whoever asked: by a key, or by a signal.
import Platform
import Reporting
import Telemetry

/// A snapshot in the state folder: as JSON, and as the text of a screen.
enum SavedSnapshot {
  /// The screen of a run that nobody has one for.
  static let size = Size(columns: 120, rows: 40)

  /// Writes both files. The path of the first; the second differs in its ending, `.txt`.
  static func write(_ snapshot: Snapshot, _ ui: UIState, size: Size, isUnicode: Bool)
    throws(PlatformError) -> String
  {
    // In a file without colours a picture is made of characters.
    let frame = MonitorView.frame(
      snapshot, size: size, capabilities: Capabilities(colors: 0, isUnicode: isUnicode), ui: ui)
    let ending = ".json"
    let path = try StateFolder.newPath(.snapshots, ending: ending)
    try AtomicFile.write(SnapshotJSON.document(snapshot), to: path, isDurable: false)
    let stem = String(decoding: Array(path.utf8.dropLast(ending.utf8.count)), as: UTF8.self)
    try AtomicFile.write(frame.textBytes, to: stem + ".txt", isDurable: false)
    return path
  }
}
