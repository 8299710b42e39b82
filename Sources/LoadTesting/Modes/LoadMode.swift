import WebSocketNIO

/// What the connections of a load test do: one value for each event loop.
protocol LoadMode: SendableMetatype {
  /// The name by which the mode is chosen.
  static var name: String { get }
  /// What it does, in one sentence.
  static var summary: String { get }
  /// Rows of the report, in order.
  static var metrics: [Metric] { get }
  /// The metric that the mode is chosen for.
  static var headline: Metric { get }

  /// Messages whose outcome is unknown; anything but 0 is a fault of this program.
  static func unaccounted(_ counts: MessageCounts) -> Int

  /// - Parameter setting: What all loops of the run have in common.
  init(_ setting: LoadLoop.Setting)

  /// Makes a connection, which is then opened.
  ///
  /// - Parameters:
  ///   - number: Its number in the run.
  ///   - slot: Its number on its loop.
  ///   - loop: Where it lives; called there.
  /// - Returns: The consumer of what the connection receives.
  func makeConnection(number: Int, slot: Int, on loop: LoadLoop) -> any LoadConnection
}

/// What a loop asks of a connection: once a batch or tick, never once a message.
protocol LoadConnection: AnyObject, ConnectionConsumer {
  /// Its number on its loop.
  var slot: Int { get }
  /// Window messages that it may still send in the closed model.
  var quota: Int { get }
  /// When our Close was sent, in nanoseconds of `MonotonicClock`; 0 before.
  var closeSent: Int64 { get }
  /// nil before the connection is open and after it has ended.
  var handler: ConnectionHandler? { get }

  /// Sends the messages that are due, which are intended `origin` nanoseconds after their schedule's start.
  func send(_ due: ArraySlice<ScheduleQueue.Due>, origin: Int64)

  /// Closed model, outside a burst: sends until enough messages are outstanding.
  func refill(at now: Int64)

  /// Gives up the messages that were sent before `cutoff`.
  func expire(sentBefore cutoff: Int64, at now: Int64)

  /// Gives up the outstanding messages and starts the closing handshake.
  func close(at now: Int64)

  /// Ends the connection without a handshake.
  func abandon()
}
