import Conversation
import LoadTesting
import WebSocketProtocol

/// What reads a stored result of `bench`, which may come from anybody.
enum ResultTargets {
  /// A result that is read is read the same when it is written again.
  static func result(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard let report = try? LoadReport(json: Array(bytes)) else { return nil }
    var json = JSONWriter()
    report.write(to: &json) { "\($0)" }
    guard let again = try? LoadReport(json: json.bytes) else { return "not read: \(json.text)" }
    return again == report ? nil : "\(report)\nnot the same again: \(json.text)"
  }

  /// The counts of a histogram, in a body that is in order otherwise: what is read is written the same way each
  /// time, with as many samples.
  static func histogram(_ bytes: UnsafeRawBufferPointer) -> String? {
    var body: [UInt8] = [0x1C, 0x84, 0x93, 0x13]
    withUnsafeBytes(of: UInt32(truncatingIfNeeded: bytes.count).bigEndian) { body += Array($0) }
    body += [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 3, 0x46, 0x30, 0xB8, 0xA0, 0]
    body += [0x3F, 0xF0, 0, 0, 0, 0, 0, 0] + bytes
    guard let compressed = ZlibBody.compress(body) else { return nil }
    var packed: [UInt8] = [0x1C, 0x84, 0x93, 0x14]
    withUnsafeBytes(of: UInt32(truncatingIfNeeded: compressed.count).bigEndian) {
      packed += Array($0)
    }
    let text = (packed + compressed).withUnsafeBytes { Base64.encode($0) }
    guard let histogram = try? HistogramCodec.decode(text) else { return nil }
    guard let first = HistogramCodec.encode(histogram),
      let again = try? HistogramCodec.decode(first)
    else { return "not read again" }
    if again.count != histogram.count { return "\(again.count) of \(histogram.count) samples" }
    return HistogramCodec.encode(again) == first ? nil : "not written the same again"
  }
}
