import Glibc
import NIOCore
import NIOPosix
import WebSocketProtocol

/// Resources shared by the connections of one event loop: the receive buffer, the buffer for
/// replies and the masking keys. With them, messages need no allocation, and idle connections hold
/// no buffer.
final class LoopResources {
  let receive = SharedReceiveBuffer(capacity: 512 * 1024)
  /// For reads before an upgrade that moves the connection to another loop: heads, not messages.
  let receiveHeads = SharedReceiveBuffer(capacity: 64 * 1024)
  let keys = MaskingKeys(fill: SystemRandom.fill)
  private var output = ByteBuffer()

  // Safe: each thread sees only the value that it has stored itself.
  private nonisolated(unsafe) static let perThread = ThreadSpecificVariable<LoopResources>()
  private static let outputCapacity = 64 * 1024
  /// A buffer that a large reply has grown beyond this size in bytes is not kept.
  private static let largestKept = 4 * 1024 * 1024

  /// The resources of the current event loop.
  static var current: LoopResources {
    if let resources = perThread.currentValue { return resources }
    let resources = LoopResources()
    perThread.currentValue = resources
    return resources
  }

  /// Lends the reply buffer, empty. A caller that writes it to a channel returns it at once; if the
  /// channel could not write it yet, the next `takeOutput` allocates a new buffer instead of
  /// overwriting it.
  func takeOutput() -> ByteBuffer {
    var taken = ByteBuffer()
    swap(&taken, &output)
    if taken.capacity < Self.outputCapacity {
      taken = ByteBufferAllocator().buffer(capacity: Self.outputCapacity)
    } else {
      taken.clear()
    }
    return taken
  }

  func giveOutput(_ buffer: consuming ByteBuffer) {
    if buffer.capacity >= Self.outputCapacity, buffer.capacity <= Self.largestKept {
      output = buffer
    }
  }
}

/// One receive buffer for all connections of a loop: `channelRead` is done with the bytes when it
/// returns, so the next read, on any connection, can use the same memory.
final class SharedReceiveBuffer {
  private let capacity: Int
  private var buffer = ByteBuffer()

  /// A buffer of `capacity` bytes, allocated on the first read.
  init(capacity: Int) { self.capacity = capacity }

  func take(_ allocator: ByteBufferAllocator) -> ByteBuffer {
    var taken = ByteBuffer()
    swap(&taken, &buffer)
    guard taken.capacity >= capacity else {
      return allocator.buffer(capacity: capacity)
    }
    // Storage that is still referenced elsewhere is replaced here, not overwritten.
    taken.clear()
    return taken
  }

  func giveBack(_ taken: ByteBuffer) {
    if taken.storageCapacity >= capacity { buffer = taken }
  }
}

/// Provides the shared buffer for reads by NIO.
///
/// NIO keeps the first buffer of an allocator, and asks again before every read if
/// `nextBufferSize()` returns nil, so the first buffer is tiny. If NIO changes this, connections
/// will need more memory, but remain correct. Requires `maxMessagesPerRead` 1, so each read causes
/// one `channelRead`.
struct SharedReceiveAllocator: RecvByteBufferAllocator {
  private let shared: NIOLoopBound<SharedReceiveBuffer>
  private var isFirst = true

  init(_ shared: SharedReceiveBuffer, on loop: any EventLoop) {
    self.shared = NIOLoopBound(shared, eventLoop: loop)
  }

  func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
    isFirst ? allocator.buffer(capacity: 64) : shared.value.take(allocator)
  }

  mutating func record(actualReadBytes: Int) -> Bool {
    isFirst = false
    return true
  }
}

/// The random number generator of the system.
enum SystemRandom {
  /// Overwrites all bytes. `SystemRandomNumberGenerator` asks the kernel for eight bytes at a time,
  /// which would be a system call for every two masking keys.
  static func fill(_ bytes: UnsafeMutableRawBufferPointer) {
    var offset = 0
    while offset < bytes.count {
      // "The maximum permitted value for the length argument is 256." (getentropy(3))
      let count = min(256, bytes.count - offset)
      guard getentropy(bytes.baseAddress?.advanced(by: offset), count) == 0 else {
        // It fails only for an invalid argument or a very old kernel; retrying would not help.
        fatalError("getentropy: \(String(cString: strerror(errno)))")
      }
      offset += count
    }
  }

  static var nonce: (UInt64, UInt64) {
    var generator = SystemRandomNumberGenerator()
    return (generator.next(), generator.next())
  }
}
