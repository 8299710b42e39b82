import CZlib
import struct NIOCore.ByteBuffer

/// Counters of the compression on one connection, in bytes of payload.
package struct CompressionTraffic: Sendable, Hashable {
  /// Compressed messages received: their size on the wire, and after inflating.
  package var inflatedFrom: UInt64 = 0
  package var inflatedTo: UInt64 = 0
  /// Messages sent: their size before compression, and on the wire.
  package var deflatedFrom: UInt64 = 0
  package var deflatedTo: UInt64 = 0

  package init() {}
}

/// The compression state of one connection. Its two streams take hundreds of kilobytes, so each is
/// created on first use; a connection without the extension has none.
final class MessageCompression {
  private(set) var traffic = CompressionTraffic()
  private let agreement: DeflateAgreement
  private var deflater: MessageDeflater?
  private var inflater: MessageInflater?

  init(_ agreement: DeflateAgreement) {
    self.agreement = agreement
  }

  /// The compressed payload; nil if the message must be sent uncompressed, which is always allowed.
  func deflate(_ payload: UnsafeRawBufferPointer) -> ByteBuffer? {
    guard let bits = agreement.outgoingWindowBits,
      let deflater = deflater
        ?? MessageDeflater(windowBits: bits, takeover: agreement.outgoingTakeover)
    else { return nil }
    self.deflater = deflater
    deflater.compress(payload)
    traffic.deflatedFrom &+= payload.count.asUInt64
    traffic.deflatedTo &+= deflater.compressed.readableBytes.asUInt64
    return deflater.compressed
  }

  /// Inflates a piece of a message and appends the result to `output`, up to `limit` bytes.
  func inflate(
    _ piece: UnsafeRawBufferPointer, isLast: Bool, into output: inout ByteBuffer, limit: Int
  ) throws(MessageInflater.Failure) {
    let stream = try inflater(takeover: agreement.incomingTakeover)
    let before = output.readableBytes
    try stream.inflate(piece, into: &output, limit: limit)
    if isLast { try stream.finish(into: &output, limit: limit) }
    traffic.inflatedFrom &+= piece.count.asUInt64
    traffic.inflatedTo &+= (output.readableBytes &- before).asUInt64
  }

  /// The stream for received messages, created on first use.
  private func inflater(takeover: Bool) throws(MessageInflater.Failure) -> MessageInflater {
    if let inflater { return inflater }
    let made = try MessageInflater(takeover: takeover)
    inflater = made
    return made
  }

  /// Releases the memory after the connection has failed.
  func release() {
    deflater = nil
    inflater = nil
  }
}

/// Compresses messages (RFC 7692 section 7.2.1). It is created for the first message: a connection
/// that never compresses costs no memory.
final class MessageDeflater {
  private let stream: UnsafeMutablePointer<z_stream>
  private let takeover: Bool
  /// The payload of the last message; valid until the next one.
  private(set) var compressed = ByteBuffer()

  /// Speed matters more than the last percent of compression: a test tool must not be the
  /// bottleneck.
  private static let level: Int32 = 3
  private static let memoryLevel: Int32 = 8
  private static let step = 16 * 1024
  private static let kept = 64 * 1024

  /// nil when zlib has no memory.
  init?(windowBits: Int, takeover: Bool) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    self.takeover = takeover
    let bits = windowBits.asInt32
    // `deinit` also runs in this case, and releases what has been allocated.
    guard wscope_deflateInit(stream, Self.level, bits, Self.memoryLevel) == Z_OK else { return nil }
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Compresses one message into `compressed`.
  func compress(_ payload: UnsafeRawBufferPointer) {
    if compressed.storageCapacity > Self.kept {
      compressed = ByteBuffer()
    } else {
      compressed.clear()
    }
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: payload.bindMemory(to: UInt8.self).baseAddress)
    stream.pointee.avail_in = payload.count.truncatedToUInt32
    var isDone = false
    while !isDone {
      compressed.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.step) { space in
        stream.pointee.next_out = space.bindMemory(to: UInt8.self).baseAddress
        let room = space.count.truncatedToUInt32
        stream.pointee.avail_out = room
        // "Compress all the octets of the payload" and flush "to an octet boundary"; done when the
        // flush has left space in the output.
        deflate(stream, Z_SYNC_FLUSH)
        isDone = stream.pointee.avail_out > 0
        return (room &- stream.pointee.avail_out).asInt
      }
    }
    // "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end."
    if compressed.readableBytes >= 4 {
      compressed.moveWriterIndex(to: compressed.writerIndex - 4)
    }
    if !takeover { deflateReset(stream) }
  }
}

/// Decompresses messages (RFC 7692 section 7.2.2) incrementally and within a limit: a piece of
/// input is inflated as it arrives, so no more than the message is kept.
final class MessageInflater {
  enum Failure: Error {
    case corrupt
    /// The output exceeds `limit` bytes.
    case tooBig
  }

  private let stream: UnsafeMutablePointer<z_stream>
  private let takeover: Bool
  /// Whether the input so far ends with a block that has BFINAL set.
  private var isBehindFinalBlock = false
  private static let smallestStep = 512
  private static let largestStep = 64 * 1024

  /// A window of 15 bits inflates the output of any smaller window.
  ///
  /// - Throws: `Failure.corrupt` when zlib has no memory, or does not support the window.
  init(takeover: Bool, windowBits: Int32 = 15) throws(Failure) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    self.takeover = takeover
    guard wscope_inflateInit(stream, windowBits) == Z_OK else { throw .corrupt }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Inflates a piece of a message and appends the result to `output`, which must not grow beyond
  /// `limit` bytes.
  func inflate(
    _ piece: UnsafeRawBufferPointer, into output: inout ByteBuffer, limit: Int
  ) throws(Failure) {
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: piece.bindMemory(to: UInt8.self).baseAddress)
    stream.pointee.avail_in = piece.count.truncatedToUInt32
    if !piece.isEmpty { isBehindFinalBlock = false }
    var isUsedUp = false
    while !isUsedUp {
      // One byte more than allowed, to distinguish a message of exactly `limit` bytes from a longer
      // one.
      let step = min(max(piece.count &* 4, Self.smallestStep), Self.largestStep)
      let most = min(step, limit &+ 1 &- output.readableBytes)
      var status = Z_OK
      var isFull = false
      output.writeWithUnsafeMutableBytes(minimumWritableBytes: most) { space in
        stream.pointee.next_out = space.bindMemory(to: UInt8.self).baseAddress
        let room = most.truncatedToUInt32
        stream.pointee.avail_out = room
        status = CZlib.inflate(stream, Z_SYNC_FLUSH)
        isFull = stream.pointee.avail_out == 0
        return (room &- stream.pointee.avail_out).asInt
      }
      guard output.readableBytes <= limit else { throw .tooBig }
      switch status {
      case Z_OK:
        isUsedUp = stream.pointee.avail_in == 0 && !isFull
      case Z_BUF_ERROR:
        // There is no input, or it produces no output yet.
        isUsedUp = true
      case Z_STREAM_END where continueBehindFinalBlock():
        isUsedUp = stream.pointee.avail_in == 0
        isBehindFinalBlock = isUsedUp
      default:
        throw .corrupt
      }
    }
  }

  /// Ends a message: appends the octets that the sender has removed. The stream must then be
  /// between two blocks.
  func finish(into output: inout ByteBuffer, limit: Int) throws(Failure) {
    // Section 7.2.1 requires an empty block after the last one. A sender that has ended its stream
    // may omit it; nothing is missing then.
    if isBehindFinalBlock {
      isBehindFinalBlock = false
      if !takeover { inflateReset(stream) }
      return
    }
    let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]
    let failure = tail.withUnsafeBytes { bytes -> Failure? in
      do throws(Failure) {
        try inflate(bytes, into: &output, limit: limit)
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
    // Bit 128 of data_type: "inflate() returned immediately after decoding an end-of-block code".
    guard stream.pointee.data_type & 128 != 0 || stream.pointee.total_in == 0 else {
      throw .corrupt
    }
    if !takeover { inflateReset(stream) }
  }

  /// "a DEFLATE block with the BFINAL bit set to 1" may end a message (section 7.2.3.4). For zlib
  /// the blocks after it form a new stream, but the window continues.
  private func continueBehindFinalBlock() -> Bool {
    var window = [UInt8](repeating: 0, count: 32 * 1024)
    var length = UInt32(0)
    return inflateGetDictionary(stream, &window, &length) == Z_OK && inflateReset(stream) == Z_OK
      && (length == 0 || inflateSetDictionary(stream, window, length) == Z_OK)
  }
}

/// The compression library.
package enum Zlib {
  /// The version, such as `1.2.13`.
  package static var version: String { zlibVersion().map { String(cString: $0) } ?? "" }
}

/// Inflates a small body, other than a message, in one call.
enum Inflation {
  /// Returns at most `limit` bytes, as far as the input allows; nil if the input is not of that
  /// format. Positive window bits mean raw deflate; negative ones are those of `inflateInit2`,
  /// negated, for a format with a header.
  static func inflate(_ bytes: [UInt8], windowBits: Int32, limit: Int) -> [UInt8]? {
    guard !bytes.isEmpty, limit > 0 else { return bytes }
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    defer { stream.deallocate() }
    guard wscope_inflateInit(stream, windowBits) == Z_OK else { return nil }
    defer { inflateEnd(stream) }
    var input = bytes
    var output = [UInt8](repeating: 0, count: limit)
    let status = input.withUnsafeMutableBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        stream.pointee.next_in = input.baseAddress
        stream.pointee.avail_in = uInt(input.count)
        stream.pointee.next_out = output.baseAddress
        stream.pointee.avail_out = uInt(output.count)
        return CZlib.inflate(stream, Z_SYNC_FLUSH)
      }
    }
    let rest = stream.pointee.avail_out.asInt
    guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR && rest < limit else {
      return nil
    }
    return Array(output.dropLast(rest))
  }
}

/// A whole body in the zlib format (RFC 1950), for data stored in a file, other than messages.
package enum ZlibBody {
  /// Compresses a body.
  ///
  /// - Parameter bytes: The body; may be empty.
  /// - Returns: The body with the header and the checksum of the format; nil when zlib has no
  ///   memory.
  package static func compress(_ bytes: [UInt8]) -> [UInt8]? {
    var length = compressBound(bytes.count.asUInt)
    var output = [UInt8](repeating: 0, count: length.asInt)
    guard CZlib.compress(&output, &length, bytes, bytes.count.asUInt) == Z_OK else { return nil }
    return Array(output.prefix(length.asInt))
  }

  /// Decompresses a body, which must end with the input.
  ///
  /// - Parameters:
  ///   - bytes: The output of `compress`.
  ///   - limit: The maximum size of the body in bytes.
  /// - Returns: nil if the input is damaged, incomplete, followed by other bytes, or larger than
  ///   `limit`.
  package static func decompress(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: max(1, limit))
    var length = output.count.asUInt
    var used = bytes.count.asUInt
    guard uncompress2(&output, &length, bytes, &used) == Z_OK, used.asInt == bytes.count,
      length.asInt <= limit
    else { return nil }
    return Array(output.prefix(length.asInt))
  }
}
