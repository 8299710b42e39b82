import Glibc

/// A claim that WebSocket is better than another transport in one respect, as predicted and as measured.
package struct TransportClaim: Sendable, Equatable {
  /// What is compared.
  package enum Quantity: String, Sendable, CaseIterable {
    /// The median age of an update in nanoseconds.
    case age
    /// Bytes on the wire for each update.
    case bytes
    /// The median round trip in nanoseconds.
    case roundTrip = "round_trip"
    /// Bytes on the wire for each round trip.
    case roundTripBytes = "round_trip_bytes"
    /// Processor time of the server for each update in nanoseconds.
    case serverTime = "server_time"

    /// Differences up to this are none, in the unit of the quantity.
    package var indifference: Double {
      switch self {
      // Nobody notices half a millisecond, and the parsing of a head takes less.
      case .age, .roundTrip: 500_000
      case .bytes, .roundTripBytes, .serverTime: 0
      }
    }

    /// Differences up to this share are none.
    package static let noise = 0.05

    func value(_ result: ArmResult) -> Double? {
      switch self {
      case .age, .roundTrip: result.latency[.p50]?.bound.map(Double.init)
      case .bytes, .roundTripBytes: result.wireBytes
      case .serverTime: result.serverTime
      }
    }

    func prediction(_ result: ArmResult) -> Double? {
      switch self {
      case .age, .roundTrip: result.predictedAge
      case .bytes, .roundTripBytes: result.predictedBytes
      case .serverTime: nil
      }
    }
  }

  package enum Word: String, Sendable {
    /// WebSocket needs less.
    case holds
    case doesNotHold = "does_not_hold"
    case noDifference = "no_difference"
    /// The runs do not decide it, or an arm was not complete.
    case unknown
  }

  package var quantity: Quantity
  package var webSocket: TransportArm
  package var other: TransportArm
  /// The predicted values; nil if nothing is predicted.
  package var predicted: (webSocket: Double, other: Double)?
  /// The medians over the blocks; nil if it was not measured in each of them.
  package var measured: (webSocket: Double, other: Double)?
  /// After Holm, within the claims on the same quantity; nil with fewer than six blocks.
  package var p: Double?
  package var word: Word

  package init(
    quantity: Quantity, webSocket: TransportArm, other: TransportArm,
    predicted: (webSocket: Double, other: Double)? = nil,
    measured: (webSocket: Double, other: Double)?, p: Double? = nil, word: Word
  ) {
    self.quantity = quantity
    self.webSocket = webSocket
    self.other = other
    self.predicted = predicted
    self.measured = measured
    self.p = p
    self.word = word
  }

  /// The word that the prediction implies; nil if nothing is predicted.
  package var predictedWord: Word? {
    predicted.map { Self.word($0.webSocket, $0.other, quantity) }
  }

  /// With fewer blocks the values alone decide.
  package static let fewestBlocks = 6

  package static func == (left: Self, right: Self) -> Bool {
    left.quantity == right.quantity && left.webSocket == right.webSocket
      && left.other == right.other
      && left.word == right.word && left.p == right.p
      && left.measured?.webSocket == right.measured?.webSocket
      && left.measured?.other == right.measured?.other
  }

  /// The word for two values.
  static func word(_ webSocket: Double, _ other: Double, _ quantity: Quantity) -> Word {
    let difference = webSocket - other
    let isNone =
      difference.magnitude <= quantity.indifference
      || difference.magnitude <= Quantity.noise * other
    return isNone ? .noDifference : difference < 0 ? .holds : .doesNotHold
  }

  /// All claims on the arms of a plan.
  ///
  /// - Parameters:
  ///   - results: The results of all blocks.
  ///   - plan: The plan.
  /// - Returns: The claims; those without a measurement are left out.
  package static func all(_ results: [ArmResult], _ plan: TransportPlan) -> [TransportClaim] {
    Quantity.allCases.flatMap { quantity -> [TransportClaim] in
      let isEcho = quantity == .roundTrip || quantity == .roundTripBytes
      let others = plan.arms.filter {
        $0.isEcho == isEcho && $0 != .webSocket && $0 != .webSocketEcho
      }
      let base: TransportArm = isEcho ? .webSocketEcho : .webSocket
      return judged(others.map { Evidence(quantity, base, $0, results) })
    }
  }

  /// The blocks in which both arms were measured.
  private struct Evidence {
    var quantity: Quantity
    var webSocket: TransportArm
    var other: TransportArm
    var pairs: [(ArmResult, ArmResult)]

    init(
      _ quantity: Quantity, _ webSocket: TransportArm, _ other: TransportArm, _ results: [ArmResult]
    ) {
      (self.quantity, self.webSocket, self.other) = (quantity, webSocket, other)
      pairs = results.filter { $0.arm == webSocket }.compactMap { one in
        results.first { $0.arm == other && $0.block == one.block }.map { (one, $0) }
      }
    }

    var values: [(Double, Double)] {
      pairs.compactMap { one, other in
        guard let a = quantity.value(one), let b = quantity.value(other) else { return nil }
        return (a, b)
      }
    }

    /// The test of the logarithms; nil with too few blocks.
    var estimate: RankTests.Estimate? {
      let values = values
      guard values.count >= TransportClaim.fewestBlocks,
        values.allSatisfy({ $0.0 > 0 && $0.1 > 0 })
      else { return nil }
      return RankTests.paired(values.map { log($0.0) - log($0.1) })
    }
  }

  private static func judged(_ evidence: [Evidence]) -> [TransportClaim] {
    let measured = evidence.filter { !$0.values.isEmpty }
    let estimates = measured.map(\.estimate)
    let adjusted = RankTests.holm(estimates.compactMap { $0?.p })
    var tested = adjusted.makeIterator()
    return zip(measured, estimates).map { one, estimate in
      claim(one, estimate, p: estimate == nil ? nil : tested.next())
    }
  }

  private static func claim(
    _ evidence: Evidence, _ estimate: RankTests.Estimate?, p: Double?
  ) -> TransportClaim {
    let values = evidence.values
    let medians = (
      webSocket: values.map(\.0).median ?? 0, other: values.map(\.1).median ?? 0
    )
    func predicted(_ side: (ArmResult, ArmResult) -> ArmResult) -> Double? {
      evidence.pairs.compactMap { evidence.quantity.prediction(side($0.0, $0.1)) }.median
    }
    var claim = TransportClaim(
      quantity: evidence.quantity, webSocket: evidence.webSocket, other: evidence.other,
      measured: medians, p: p, word: word(medians.webSocket, medians.other, evidence.quantity))
    if let one = predicted({ one, _ in one }), let other = predicted({ _, other in other }) {
      claim.predicted = (one, other)
    }
    let isComplete = evidence.pairs.allSatisfy { $0.0.isComplete && $0.1.isComplete }
    if !isComplete || values.count < evidence.pairs.count { claim.word = .unknown }
    // A difference counts if the blocks agree on it.
    if claim.word == .holds || claim.word == .doesNotHold, let estimate {
      let excludesNone = estimate.interval.map { !$0.contains(0) } ?? false
      if !excludesNone || p ?? 1 >= 0.05 { claim.word = .unknown }
    }
    return claim
  }
}
