// Files and zeroed pages as memory.

import CPlatform

/// A regular file mapped for reading, for as long as this object lives.
///
/// Should somebody shorten the file meanwhile, touching the lost pages raises SIGBUS: read what must
/// survive that through `FileReader`.
@safe public final class MappedFile: @unchecked Sendable {
  public let path: String
  /// Bytes in the file when it was mapped.
  public let count: Int
  private let base: UnsafeRawPointer?

  /// Maps a regular file; an empty one has a `count` of 0.
  public convenience init(path: String) throws(PlatformError) {
    let reader = try FileReader(path: path)
    try self.init(mapping: reader)
  }

  /// Maps the file that `reader` holds open.
  public convenience init(mapping reader: FileReader) throws(PlatformError) {
    try self.init(descriptor: reader.descriptor, count: reader.count, path: reader.path)
  }

  init(descriptor: Int32, count: Int, path: String) throws(PlatformError) {
    var base: UnsafeRawPointer?
    if count > 0 {
      guard let start = unsafe kp_map_read(descriptor, count) else { throw .last("map", path) }
      unsafe base = UnsafeRawPointer(start)
    }
    self.path = path
    self.count = count
    unsafe self.base = base
  }

  deinit {
    if let base = unsafe base { unsafe munmap(UnsafeMutableRawPointer(mutating: base), count) }
  }

  /// The file's bytes, valid while this object lives.
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let span = unsafe RawSpan(_unsafeBytes: buffer)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// Gives back the memory of some of the bytes: the next touch reads them again.
  public func releasePages(of part: UnsafeRawBufferPointer) {
    guard let base = unsafe base, let start = part.baseAddress else { return }
    let from = unsafe start - base
    precondition(from >= 0 && part.count <= count - from, "bytes of this file")
    let first = from - from % Int(sysconf(Int32(_SC_PAGESIZE)))
    unsafe kp_release_pages(
      UnsafeMutableRawPointer(mutating: base + first), from + part.count - first)
  }

  /// The file's bytes as a pointer; the caller keeps this object alive.
  @unsafe public var buffer: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: base, count: count)
  }
}

/// Zeroed pages of the process's own, returned to the system with this object.
@safe public final class AnonymousMemory: @unchecked Sendable {
  public let count: Int
  private let base: UnsafeMutableRawPointer?

  /// Maps `count` bytes, page-aligned; `count` 0 maps nothing.
  public init(count: Int) throws(PlatformError) {
    var base: UnsafeMutableRawPointer?
    if count > 0 { unsafe base = kp_map_anonymous(count) }
    guard unsafe count == 0 || base != nil else {
      throw PlatformError(operation: "allocate", path: "\(count) bytes of memory", errno: ENOMEM)
    }
    self.count = count
    unsafe self.base = base
  }

  deinit { if let base = unsafe base { unsafe munmap(base, count) } }

  /// The bytes, valid while this object lives.
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let span = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(buffer))
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The bytes as a pointer; the caller keeps this object alive and its writers apart.
  @unsafe public var buffer: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
  }
}
