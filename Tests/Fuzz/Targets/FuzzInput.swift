/// The bytes of a fuzzer, read as: options, where to cut, and what is cut.
///
/// ```
/// byte 0       options, a bit each; their meaning is the target's
/// byte 1       how many cuts, modulo 16
/// two a cut    where, modulo the length of the data, little-endian
/// the rest     data
/// ```
struct FuzzInput {
  let options: UInt8
  let data: [UInt8]
  private let cuts: [Int]

  init(_ bytes: UnsafeRawBufferPointer) {
    options = bytes.first ?? 0
    let count = bytes.count > 1 ? Int(bytes[1] & 15) : 0
    let start = min(2 + 2 * count, bytes.count)
    data = Array(bytes[start...])
    var cuts: [Int] = []
    for index in stride(from: 2, to: start - 1, by: 2) where !data.isEmpty {
      cuts.append((Int(bytes[index]) | Int(bytes[index + 1]) << 8) % (data.count + 1))
    }
    self.cuts = cuts.sorted()
  }

  func option(_ bit: UInt8) -> Bool { options & (1 << bit) != 0 }

  /// The data in pieces, some of them perhaps empty.
  var pieces: [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var start = 0
    for cut in cuts {
      pieces.append(data[start..<cut])
      start = cut
    }
    pieces.append(data[start...])
    return pieces
  }

  var whole: [ArraySlice<UInt8>] { [data[...]] }
}

/// nil when both are the same, else the two, for the one who has to find out why.
func difference<Value: Equatable>(whole: Value, cut: Value) -> String? {
  whole == cut ? nil : "whole: \(whole)\ncut:   \(cut)"
}
