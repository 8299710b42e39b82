import Glibc

/// A C stream that collects readline's output in memory until a single write sends it to the
/// terminal.
///
/// A redraw then reaches the screen in one piece, without flicker, and by the same blocking write
/// as all other output. Used by one thread only.
final class CollectingStream {
  /// The stream for readline's output.
  let file: UnsafeMutablePointer<FILE>
  private let start: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: UnsafeMutablePointer<Int>

  init() {
    start = .allocate(capacity: 1)
    start.initialize(to: nil)
    count = .allocate(capacity: 1)
    count.initialize(to: 0)
    guard let file = open_memstream(start, count) else {
      preconditionFailure("no memory for a prompt: \(SystemError.latest.reason)")
    }
    self.file = file
  }

  deinit {
    fclose(file)
    free(start.pointee)
    start.deallocate()
    count.deallocate()
  }

  func append(_ bytes: some Collection<UInt8>) {
    for byte in bytes { putc_unlocked(Int32(byte), file) }
  }

  /// Writes the collected output. A terminal that went away is detected when reading, not here.
  func flush(to descriptor: Int32) {
    fflush(file)
    guard count.pointee > 0 else { return }
    let drawn = UnsafeRawBufferPointer(start: start.pointee, count: count.pointee)
    try? writeFully(drawn, to: descriptor)
    fseek(file, 0, SEEK_SET)
  }
}
