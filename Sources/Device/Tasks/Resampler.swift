// Sound at another rate: a windowed sinc at every place that is asked for.

/// Brings a stream of samples from one rate to another.
///
/// Each result is the sum of the samples around its place under a sinc with a Hann window, 16 of the
/// slower rate's samples to either side: what the slower rate cannot hold is 6 dB down at its limit and
/// far below beyond it.
public struct Resampler: Sendable {
  private static let reach = 16.0

  /// Steps of the source for one of the result.
  private let step: Double
  /// Of the lower of both limits, in cycles of the source, doubled.
  private let cutoff: Double
  private var held: [Float] = []
  /// The place in the source of `held`'s first sample, and of the next result.
  private var heldFrom = 0
  private var place = 0.0
  private let isSame: Bool

  /// Rates in samples per second, above 0.
  public init(from source: Int, to result: Int) {
    step = Double(source) / Double(result)
    cutoff = min(1, Double(result) / Double(source))
    isSame = source == result
  }

  /// Takes more samples, gives what they complete.
  public mutating func take(_ samples: [Float]) -> [Float] {
    guard !isSame else { return samples }
    held += samples
    let half = Resampler.reach / cutoff
    var result: [Float] = []
    while place + half < Double(heldFrom + held.count) {
      result.append(value(at: place, half))
      place += step
    }
    let needed = max(0, Int(place - half) - heldFrom)
    if needed > 4096 {
      held.removeFirst(min(needed, held.count))
      heldFrom += needed
    }
    return result
  }

  /// What is left at the end, silence behind it.
  public mutating func finish() -> [Float] {
    guard !isSame else { return [] }
    let end = Double(heldFrom + held.count)
    var result = take([Float](repeating: 0, count: Int(Resampler.reach / cutoff) + 2))
    let extra = Int(((place - end) / step).rounded(.up))
    if extra > 0 { result.removeLast(min(extra, result.count)) }
    return result
  }

  private func value(at place: Double, _ half: Double) -> Float {
    let first = max(heldFrom, Int((place - half).rounded(.up)))
    let last = min(heldFrom + held.count - 1, Int((place + half).rounded(.down)))
    guard first <= last else { return 0 }
    var sum = 0.0
    for i in first...last {
      let distance = Double(i) - place
      let window = 0.5 + 0.5 * Resampler.sine(distance / half + 0.5)
      sum += Double(held[i - heldFrom]) * cutoff * Resampler.sinc(distance * cutoff) * window
    }
    return Float(sum)
  }

  private static func sinc(_ x: Double) -> Double {
    x.magnitude < 1e-9 ? 1 : sine(x) / (.pi * x)
  }

  /// sin(πx) to 1e-9: the power series around the nearest whole number.
  private static func sine(_ x: Double) -> Double {
    let whole = x.rounded()
    let t = .pi * (x - whole)
    let square = t * t
    var term = t
    var sum = t
    for n in [3.0, 5, 7, 9, 11, 13] {
      term *= -square / (n * (n - 1))
      sum += term
    }
    return whole.remainder(dividingBy: 2) == 0 ? sum : -sum
  }
}
