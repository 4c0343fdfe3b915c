// What the dashboard itself has to say: where it saved a snapshot, why it did not.
import Platform
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

  /// Writes what is shown into the state folder, and says where.
  mutating func save(_ snapshot: Snapshot, _ ui: UIState, size: Size, isUnicode: Bool) {
    do throws(PlatformError) {
      let path = try SavedSnapshot.write(snapshot, ui, size: size, isUnicode: isUnicode)
      say(.note, Array("saved \(path) and .txt".utf8), atSeconds: snapshot.elapsedSeconds)
    } catch {
      say(.warning, Array("not saved: \(error)".utf8), atSeconds: snapshot.elapsedSeconds)
    }
  }
}
