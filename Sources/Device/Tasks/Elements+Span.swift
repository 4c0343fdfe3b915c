// A tensor's elements as the spans that pre- and post-processing take.

import Tensors

extension Elements {
  /// The elements, for as long as this view is in use.
  public var span: Span<T> {
    @_lifetime(borrow self)
    get {
      let span = unsafe Span(_unsafeStart: pointer(0, count: count), count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The elements, to be changed for as long as this view is in use.
  public var mutableSpan: MutableSpan<T> {
    @_lifetime(&self)
    mutating get {
      let span = unsafe MutableSpan(_unsafeStart: pointer(0, count: count), count: count)
      return unsafe _overrideLifetime(span, mutating: &self)
    }
  }
}
