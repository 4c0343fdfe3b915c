// What the dashboard itself has to say: where it saved a snapshot, why it did not.
import Bytes
import Platform
import Reporting
import Telemetry

/// Events of the dashboard's own, which are no part of the run it shows.
struct DashboardNotes {
  private static let limit = 20
  private var rows: [EventRow] = []

  /// Says something at a moment of the run.
  mutating func say(_ level: EventLevel, _ text: [UInt8], atSeconds seconds: Double) {
    if rows.count == Self.limit { rows.removeFirst() }
    rows.append(EventRow(elapsedSeconds: seconds, level: level, text: EscapedText(text)))
  }

  /// Puts them among the run's events, by their moments.
  func join(_ snapshot: inout Snapshot) {
    for row in rows {
      let later = snapshot.events.firstIndex { $0.elapsedSeconds > row.elapsedSeconds }
      snapshot.events.insert(row, at: later ?? snapshot.events.count)
    }
  }

  /// Writes what is shown into the state folder, as JSON and as the text of the screen, and says where.
  mutating func save(_ snapshot: Snapshot, _ frame: Frame) {
    do throws(PlatformError) {
      let ending = ".json"
      let path = try StateFolder.newPath(.snapshots, ending: ending)
      try AtomicFile.write(SnapshotJSON.document(snapshot), to: path, isDurable: false)
      let stem = String(decoding: Array(path.utf8.dropLast(ending.utf8.count)), as: UTF8.self)
      try AtomicFile.write(frame.textBytes, to: stem + ".txt", isDurable: false)
      say(.note, Array("saved \(path) and .txt".utf8), atSeconds: snapshot.elapsedSeconds)
    } catch {
      say(.warning, Array("not saved: \(error)".utf8), atSeconds: snapshot.elapsedSeconds)
    }
  }
}
