// The bytes of one model file, mapped read-only, with bounds-checked access.
import Foundation
import Graphs

/// A file's bytes. Constants made from it are views and keep it alive.
public final class ModelFile: @unchecked Sendable {
  /// As the caller named it; for messages and for finding the files beside it.
  public let path: String
  /// All bytes. Valid as long as this object.
  public let bytes: UnsafeRawBufferPointer
  private let isMapped: Bool

  /// Maps a regular file.
  ///
  /// followsLinks: false refuses a symbolic link and a file with several names, for files that
  /// another file names.
  public init(mapping path: String, followsLinks: Bool = true) throws(ImportError) {
    self.path = path
    isMapped = true
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | (followsLinks ? 0 : O_NOFOLLOW))
    guard descriptor >= 0 else {
      throw ImportError(file: path, .unreadable("cannot open: \(String(cString: strerror(errno)))"))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw ImportError(file: path, .unreadable("expected a regular file"))
    }
    guard followsLinks || status.st_nlink == 1 else {
      throw ImportError(file: path, .unreadable("expected a file that has one name only"))
    }
    let count = Int(status.st_size)
    guard count > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED
    else {
      throw ImportError(file: path, .unreadable("cannot map \(count) bytes"))
    }
    bytes = UnsafeRawBufferPointer(start: start, count: count)
  }

  /// A copy of bytes that were never a file. `path` is what messages call it.
  public init(copying contents: [UInt8], path: String) {
    self.path = path
    isMapped = false
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(contents.count, 1), alignment: 64)
    memory.copyBytes(from: contents)
    bytes = UnsafeRawBufferPointer(rebasing: memory[..<contents.count])
  }

  deinit {
    guard let start = bytes.baseAddress else { return }
    if isMapped {
      munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    } else {
      UnsafeMutableRawPointer(mutating: start).deallocate()
    }
  }

  public var count: Int { bytes.count }

  /// The refusal of what stands at `offset`.
  public func malformed(_ offset: Int, _ what: String) -> ImportError {
    ImportError(file: path, .malformed(offset: offset, what))
  }

  /// The bytes of `range`, which must lie in the file.
  public func view(_ range: Range<Int>) throws(ImportError) -> UnsafeRawBufferPointer {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw malformed(range.lowerBound, "bytes \(range) lie outside of the file's \(count)")
    }
    return UnsafeRawBufferPointer(rebasing: bytes[range])
  }

  /// The bytes of `range` as UTF-8 text of at most `limit` bytes.
  public func text(_ range: Range<Int>, limit: Int = 4096) throws(ImportError) -> String {
    guard range.count <= limit else {
      throw malformed(range.lowerBound, "text of \(range.count) bytes, at most \(limit) are taken")
    }
    guard let text = String(validating: try view(range), as: UTF8.self) else {
      throw malformed(range.lowerBound, "expected UTF-8 text")
    }
    return text
  }
}

extension ModelFile: PageOwner {
  public func releasePages(of part: UnsafeRawBufferPointer) {
    guard isMapped, part.count > 0, let start = part.baseAddress, let base = bytes.baseAddress
    else {
      return
    }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = (start - base) / page * page
    madvise(
      UnsafeMutableRawPointer(mutating: base + first), start - base + part.count - first,
      MADV_DONTNEED)
  }
}

/// What a path leads to.
public enum FileKind: Equatable, Sendable {
  case missing, file, folder, other

  /// Follows links.
  public init(at path: String) {
    var status = stat()
    self = stat(path, &status) == 0 ? FileKind(status) : .missing
  }

  /// A link is `other`.
  public init(linkAt path: String) {
    var status = stat()
    self = lstat(path, &status) == 0 ? FileKind(status) : .missing
  }

  private init(_ status: stat) {
    switch status.st_mode & S_IFMT {
    case S_IFREG: self = .file
    case S_IFDIR: self = .folder
    default: self = .other
    }
  }
}
