// A fixed set of threads that run the parts of a job together.

public import CPlatform

/// Why a thread pool could not be had.
public enum ThreadPoolError: Error, Equatable, Sendable {
  /// A pool has 1 to 1024 threads.
  case threadCount(Int)
  /// Memory or threads ran out.
  case unavailable(threads: Int)
}

/// Threads that wait for jobs; the thread that hands one in works on it too.
///
/// One thread at a time may hand in jobs, and a job must not hand in another to the same pool. Idle
/// threads spin for about 50 µs before they sleep, while the pool is busy for a millisecond, in which they
/// give way to others. The threads end with the pool.
@safe
public final class ThreadPool {
  /// The pool for C code: valid as long as this object lives, never to be destroyed by others.
  @unsafe public let handle: OpaquePointer

  /// How many threads work on a job, the caller's among them.
  public let threadCount: Int

  /// Starts `threads - 1` threads; `threads` is 1 to 1024.
  public init(threads: Int) throws(ThreadPoolError) {
    guard threads >= 1 && threads <= 1024 else { throw .threadCount(threads) }
    guard let pool = unsafe kp_pool_create(Int32(threads)) else {
      throw .unavailable(threads: threads)
    }
    unsafe handle = pool
    threadCount = threads
  }

  /// Whether more jobs follow soon, as those of one inference do.
  public func setBusy(_ isBusy: Bool) { unsafe kp_pool_set_busy(handle, isBusy ? 1 : 0) }

  /// How many jobs were shared so far, those of one part not among them; wraps around.
  public var sharedJobs: UInt32 { unsafe kp_pool_shared_jobs(handle) }

  deinit {
    unsafe kp_pool_destroy(handle)
  }

  /// Calls `job(arguments, part, parts)` once for every part in `0..<parts`, in any order and at the
  /// same time, and returns when all calls have returned.
  @unsafe
  public func run(_ job: kp_job, _ arguments: UnsafeMutableRawPointer, parts: Int) {
    precondition(parts >= 0, "a job has no negative number of parts")
    unsafe kp_pool_run(handle, job, arguments, parts)
  }
}
