/// Random numbers that a seed reproduces exactly: SplitMix64.
///
/// For schedules, payloads and faults only. Masking keys come from the system's generator.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// A separate generator for each `stream` of one seed.
  ///
  /// - Parameters:
  ///   - seed: The seed of the run.
  ///   - stream: The purpose of the generator, such as the number of a connection.
  package init(seed: UInt64, stream: UInt64 = 0) {
    // Two rounds of mixing; otherwise neighbouring streams would be the same sequence, shifted by
    // one.
    var mixer = SeededGenerator(state: seed)
    let base = mixer.next()
    mixer.state = base ^ (stream &* 0xD1B5_4A32_D192_ED03)
    state = mixer.next()
  }

  private init(state: UInt64) { self.state = state }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A uniformly distributed number above 0 and at most 1: its logarithm is defined.
  package mutating func unit() -> Double {
    (Double(next() >> 11) + 1) / 9_007_199_254_740_992
  }

  /// A uniformly distributed number from 0 up to but excluding 1.
  package mutating func fraction() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
}
