// A tool in a terminal of its own, driven as a person would and read without pause.

import Foundation
import Glibc
import Synchronization
import Testing
import VirtualTerminal

/// A pseudo-terminal with one process in it, which it ends with itself.
///
/// What is shown is read by a thread: a program that nobody reads stops.
final class PseudoTerminal: Sendable {
  let child: pid_t
  private let master: Int32
  /// The process's side, held open: the kernel forgets a terminal's mode when the last one closes it.
  private let side: Int32
  private let columns: Int
  private let rows: Int
  private let shown = Mutex<[UInt8]>([])
  private let ending = Atomic<Bool>(false)
  /// How often the reader found nothing to read.
  private let idlePolls = Atomic<Int>(0)
  private let isOpen = Atomic<Bool>(true)
  private let readerIsOver = DispatchSemaphore(value: 0)
  private let status = Mutex<Int32?>(nil)

  /// Starts a tool as the leader of its own session, with this terminal as its only one.
  init(
    _ tool: Tool, _ arguments: [String], columns: Int = 80, rows: Int = 24,
    environment: [String: String] = [:]
  ) throws {
    let master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    // Unlocked and named by the kernel's own calls: Glibc's module lacks unlockpt and ptsname.
    var lock: Int32 = 0
    var number: UInt32 = 0
    guard master >= 0, ioctl(master, 0x4004_5431, &lock) == 0,
      ioctl(master, 0x8004_5430, &number) == 0
    else { throw POSIXError(.ENODEV) }
    self.master = master
    side = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
    self.columns = columns
    self.rows = rows
    var variables = ProcessInfo.processInfo.environment
    for name in ["KNAPSACK_TARGETS", "NO_COLOR", "CI", "TMUX", "COLORTERM", "COLUMNS", "LINES"] {
      variables[name] = nil
    }
    variables.merge(["TERM": "xterm-256color", "LC_ALL": "C.UTF-8"]) { $1 }
    variables.merge(environment) { $1 }
    Self.setSize(master, columns, rows)
    child = try Tool.spawn(
      [tool.path] + arguments, variables.map { "\($0)=\($1)" }, terminal: "/dev/pts/\(number)")
    // `close` waits for it.
    Thread { [unowned(unsafe) self] in read() }.start()
  }

  deinit {
    close()
    if !isOver { kill(child, SIGKILL) }
    _ = waitForEnd(seconds: 10)
    Glibc.close(side)
  }

  private static func setSize(_ master: Int32, _ columns: Int, _ rows: Int) {
    var size = winsize(
      ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    _ = ioctl(master, UInt(TIOCSWINSZ), &size)
  }

  private func read() {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while !ending.load(ordering: .acquiring) {
      var poll = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
      guard Glibc.poll(&poll, 1, 50) > 0 else {
        idlePolls.wrappingAdd(1, ordering: .releasing)
        continue
      }
      let count = Glibc.read(master, &buffer, buffer.count)
      if count > 0 {
        shown.withLock { $0 += buffer[..<count] }
      } else {
        // The other side has closed.
        usleep(2000)
      }
    }
    readerIsOver.signal()
  }

  // MARK: What a person does

  func type(_ bytes: some Sequence<UInt8>) {
    let all = Array(bytes)
    var sent = 0
    while sent < all.count {
      let count = all[sent...].withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
      guard count > 0 else { return }
      sent += count
    }
  }

  func type(_ text: String) { type(text.utf8) }

  func resize(columns: Int, rows: Int) { Self.setSize(master, columns, rows) }

  /// The terminal goes away, as when its window is closed.
  func close() {
    guard isOpen.exchange(false, ordering: .acquiringAndReleasing) else { return }
    ending.store(true, ordering: .releasing)
    readerIsOver.wait()
    Glibc.close(master)
  }

  // MARK: What is seen

  /// Everything that was sent so far.
  var output: [UInt8] { shown.withLock { $0 } }

  /// The screen of a terminal that has kept its size.
  var screen: VTScreen {
    var screen = VTScreen(columns: columns, rows: rows)
    screen.feed(output)
    return screen
  }

  /// Waits until a row of that screen holds a text.
  func waits(forRowWith text: String, seconds: Double = 20) -> Bool {
    wait(seconds: seconds) {
      let screen = screen
      return (0..<screen.rows).contains { screen.text(row: $0).contains(text) }
    }
  }

  /// Whether lines are edited and echoed by the terminal, as a shell needs it.
  var isCooked: Bool {
    var mode = termios()
    guard tcgetattr(side, &mode) == 0 else { return false }
    let needed = tcflag_t(ICANON | ECHO)
    return mode.c_lflag & needed == needed
  }

  /// Waits until what is asked is so; false where it is not in time.
  func wait(seconds: Double = 20, until isSo: () -> Bool) -> Bool {
    let end = Date().addingTimeInterval(seconds)
    while !isSo() {
      if Date() > end { return false }
      usleep(5000)
    }
    return true
  }

  // MARK: The process

  /// Whether it has ended.
  var isOver: Bool {
    status.withLock { status in
      if status != nil { return true }
      var raw: Int32 = 0
      guard waitpid(child, &raw, WNOHANG) == child else { return false }
      let signal = raw & 0x7F
      status = signal != 0 ? -signal : raw >> 8 & 0xFF
      return true
    }
  }

  /// How it ended, minus a signal's number where one did that; nil where it has not in time.
  func waitForEnd(seconds: Double = 20) -> Int32? {
    if wait(seconds: seconds, until: { isOver }) {
      // What it wrote last may still lie in the terminal: the second look begins after the end.
      let seen = idlePolls.load(ordering: .acquiring)
      _ = wait(seconds: 10) {
        ending.load(ordering: .acquiring) || idlePolls.load(ordering: .acquiring) > seen + 1
      }
    }
    return status.withLock { $0 }
  }
}

extension Tool {
  /// Starts a process as the leader of a session whose terminal is the one of this path.
  fileprivate static func spawn(
    _ words: [String], _ environment: [String], terminal: String
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // The first terminal that the leader of a session opens becomes the session's.
    posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
    posix_spawn_file_actions_adddup2(&actions, 0, 1)
    posix_spawn_file_actions_adddup2(&actions, 0, 2)
    let sessionFlag: Int16 = 0x80
    return try spawn(words, environment, &actions, flags: sessionFlag)
  }

  /// Starts a process with the signal settings of a fresh one: the test runner's are not the child's.
  static func spawn(
    _ words: [String], _ environment: [String], _ actions: inout posix_spawn_file_actions_t,
    flags: Int16 = 0
  ) throws -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) | flags)
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
    defer { for pointer in arguments + variables { free(pointer) } }
    var child: pid_t = 0
    let result = posix_spawn(&child, words[0], &actions, &attributes, &arguments, &variables)
    guard result == 0 else { throw POSIXError(POSIXErrorCode(rawValue: result) ?? .EIO) }
    return child
  }
}
