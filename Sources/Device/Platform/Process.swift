// What a process is told when it starts, and the clock.

import CPlatform

/// The command line without the program's name, one word after the other.
public struct Arguments: IteratorProtocol, Sequence, Sendable {
  private var index: Int32 = 1

  public init() {}

  /// The next word; malformed UTF-8 is replaced.
  public mutating func next() -> String? {
    guard let word = peek() else { return nil }
    index += 1
    return word
  }

  /// The next word, which stays.
  public func peek() -> String? {
    guard let word = unsafe kp_argument(index) else { return nil }
    return unsafe String(cString: word)
  }
}

/// The environment's variables.
public enum Environment {
  /// The value of `name`; nil where it is not set.
  public static func get(_ name: String) -> String? {
    unsafe name.withCString { name in
      guard let value = unsafe getenv(name) else { return nil }
      return unsafe String(cString: value)
    }
  }

  /// As `get`, with an empty value counted as not set.
  public static func getNonEmpty(_ name: String) -> String? {
    guard let value = get(name), !value.isEmpty else { return nil }
    return value
  }
}

/// This process.
public enum ThisProcess {
  /// The number the system knows it by.
  public static var identifier: Int32 { getpid() }
}

/// The memory of this process.
public enum Memory {
  /// From now on large blocks that are freed go back to the system at once. For what makes and drops
  /// many of them: each then costs a call and its pages.
  public static func returnFreedBlocks() { kp_return_freed_blocks() }
}

/// Time.
public enum Clock {
  /// Nanoseconds on a clock that only moves forward and that nobody sets.
  public static var monotonicNanoseconds: UInt64 { kp_now_ns() }
  /// Seconds since 1970 on the clock that people and network time set.
  public static var unixSeconds: Int64 { kp_unix_seconds() }

  /// Seconds since local midnight.
  public static var localSecondOfDay: Int { Int(kp_local_second_of_day()) }

  /// Sleeps; a signal may end it early.
  public static func sleep(milliseconds: UInt32) { kp_sleep_ms(milliseconds) }
}
