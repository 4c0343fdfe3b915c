// Softmax without a C library, so that host and device give the same bits.

/// values[i] = exp(values[i]) / Σ exp(values[k]), shifted by the largest value.
///
/// An infinite value takes all of it; NaN makes all of it NaN.
public func softmax(_ values: inout MutableSpan<Float>) {
  guard !values.isEmpty else { return }
  var largest = -Float.infinity
  var infinities = 0
  for i in values.indices {
    if values[i].isNaN {
      for k in values.indices { values[k] = .nan }
      return
    }
    if values[i] == .infinity { infinities += 1 }
    if values[i] > largest { largest = values[i] }
  }
  if infinities > 0 || largest == -.infinity {
    // What is infinitely larger shares everything; all at minus infinity are equal.
    let count = infinities > 0 ? infinities : values.count
    for i in values.indices { values[i] = values[i] == largest ? 1 / Float(count) : 0 }
    return
  }
  var sum = 0.0
  for i in values.indices { sum += exponential(Double(values[i]) - Double(largest)) }
  let scale = 1 / sum
  for i in values.indices {
    values[i] = Float(exponential(Double(values[i]) - Double(largest)) * scale)
  }
}

/// eˣ for x ≤ 0, to within a few units in the last place of a double; 0 below -745.
///
/// x = k ln 2 + r with |r| ≤ ln 2 / 2, and eʳ by its series.
func exponential(_ x: Double) -> Double {
  if x < -745 { return 0 }
  // Conversion cuts towards zero, which for what is negative rounds up.
  let power = Int(x * 1.4426950408889634 - 0.5)
  let k = Double(power)
  // ln 2 in two parts: the first one has zeros at its end, so that k times it is exact.
  let r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10
  var sum = 1.0
  var n = 13.0
  while n > 0 {
    sum = 1 + sum * r / n
    n -= 1
  }
  // Two steps, since 2ᵏ alone would be subnormal where the result is not.
  let half = power / 2
  return sum * powerOfTwo(half) * powerOfTwo(power - half)
}

/// 2 to a power of -1022 to 0.
private func powerOfTwo(_ power: Int) -> Double {
  Double(bitPattern: UInt64(1023 + power) << 52)
}
