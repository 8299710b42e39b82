import NIOCore
import WebSocketNIO

/// Wraps the transport of a connection to apply transport faults.
final class FaultyTransport: ConnectionTransport {
  private let inner: any ConnectionTransport
  /// Called after each write.
  var written: () -> Void = {}
  /// Called before `limit` or `reset(after:)` resets the connection.
  var willReset: () -> Void = {}
  /// Called when `isWritable` has changed for a reason of this wrapper.
  var writabilityChanged: (Bool) -> Void = { _ in }
  /// How the bytes are spread over time.
  var pace = WritePace() { didSet { pump() } }
  /// Whether everything that is written is discarded.
  var isStalled = false
  /// Whether nothing is read, whatever the connection wants.
  var isReadingBlocked = false { didSet { setReading(wantsToRead) } }
  private var wantsToRead = true
  /// Returns a random number of the range.
  var randomSize: (ClosedRange<Int>) -> Int = { $0.lowerBound }
  /// Bytes that are not passed on yet.
  private var held = ByteBuffer()
  /// Nothing is passed on before.
  private var holdUntil = NIODeadline.uptimeNanoseconds(0)
  private var nextPiece = NIODeadline.uptimeNanoseconds(0)
  private var timer: Scheduled<Void>?
  /// The end of the output waits for the held bytes.
  private var endsOutput = false
  private var wasWritable = true

  /// Held bytes above which the connection is not writable.
  private static let highWater = 64 * 1024

  /// Bytes left to write before a reset; nil for no limit.
  private var left: Int?

  init(_ inner: any ConnectionTransport) {
    self.inner = inner
  }

  var eventLoop: any EventLoop { inner.eventLoop }
  var remoteAddress: SocketAddress? { inner.remoteAddress }
  var isWritable: Bool { inner.isWritable && held.readableBytes <= Self.highWater }
  var bufferedBytes: Int { inner.bufferedBytes + held.readableBytes }

  /// Whether the output has ended; later writes are discarded.
  private var isEnded = false

  func write(_ output: inout ByteBuffer) {
    guard !isEnded, !isStalled else { return output.clear() }
    guard pace.isLimited || held.readableBytes > 0 || holdUntil > .now() else {
      return pass(&output)
    }
    held.writeBuffer(&output)
    output.clear()
    pump()
  }

  /// Passes the held bytes on, as the pace and the transport allow.
  func pump() {
    guard timer == nil else { return }
    while held.readableBytes > 0, !isEnded, inner.isWritable {
      let due = max(holdUntil, nextPiece)
      guard due <= .now() else {
        timer = eventLoop.assumeIsolated().scheduleTask(deadline: due) { [weak self] in
          self?.timer = nil
          self?.pump()
        }
        break
      }
      let size = min(pace.piece(randomSize) ?? .max, held.readableBytes)
      guard var piece = held.readSlice(length: size) else { break }
      nextPiece =
        max(nextPiece, .now() - .milliseconds(100)) + .nanoseconds(pace.pause(after: size))
      pass(&piece)
    }
    if held.readableBytes == 0 {
      held.clear()
      if endsOutput, !isEnded { inner.closeOutput() }
    } else {
      held.discardReadBytes()
    }
    guard isWritable != wasWritable else { return }
    wasWritable = isWritable
    writabilityChanged(isWritable)
  }

  /// Holds all output back for a time.
  func hold(for time: TimeAmount) { holdUntil = max(holdUntil, .now() + time) }

  private func pass(_ output: inout ByteBuffer) {
    if let left {
      self.left = left - output.readableBytes
      if output.readableBytes >= left {
        output.moveWriterIndex(to: output.readerIndex + left)
        inner.write(&output)
        return resetNow()
      }
    }
    inner.write(&output)
    written()
  }

  /// Resets the connection after this many more bytes.
  func limit(to bytes: Int) { left = min(left ?? .max, bytes) }

  /// Resets the connection after a time.
  func reset(after time: TimeAmount) {
    eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in self?.resetNow() }
  }

  private func resetNow() {
    guard !isEnded else { return }
    isEnded = true
    willReset()
    inner.reset()
  }

  /// Ends the output with a FIN, without a Close frame. The connection is closed a second later,
  /// even if the peer has not ended its own output.
  func end() {
    isEnded = true
    inner.closeOutput()
    eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in self?.inner.close() }
  }

  func setReading(_ reads: Bool) {
    wantsToRead = reads
    inner.setReading(reads && !isReadingBlocked)
  }

  func closeOutput() {
    guard !isEnded, !isStalled else { return }
    if held.readableBytes > 0 { endsOutput = true } else { inner.closeOutput() }
  }

  func close() {
    // A late Close frame is sent before the connection ends.
    guard holdUntil > .now(), !isEnded else { return inner.close() }
    eventLoop.assumeIsolated().scheduleTask(deadline: holdUntil) { [weak self] in
      self?.pump()
      self?.inner.close()
    }
  }

  func reset() { inner.reset() }
}
