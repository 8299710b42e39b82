import WebSocketNIO

/// The behaviour of the connections of a load test, with one instance per event loop.
protocol LoadMode: SendableMetatype {
  /// The name that selects the mode.
  static var name: String { get }
  /// The description for help, in one sentence.
  static var summary: String { get }
  /// The metrics in a report, in order.
  static var metrics: [Metric] { get }
  /// The main metric of the mode.
  static var headline: Metric { get }

  /// Messages without an outcome; any value but 0 is a bug in this program.
  static func unaccounted(_ counts: MessageCounts) -> Int

  /// - Parameter setting: The settings that all loops of the run share.
  init(_ setting: LoadLoop.Setting)

  /// Creates the consumer of a connection that is about to open.
  ///
  /// - Parameters:
  ///   - number: The number of the connection in the run.
  ///   - slot: The number of the connection on its loop.
  ///   - loop: The loop of the connection; this method is called on it.
  /// - Returns: The consumer, which receives the messages of the connection.
  func makeConnection(number: Int, slot: Int, on loop: LoadLoop) -> any LoadConnection
}

/// What a loop requires of a connection. Its calls are per batch or per tick, never per message.
protocol LoadConnection: AnyObject, ConnectionConsumer {
  /// The number of the connection on its loop.
  var slot: Int { get }
  /// Window messages that it may still send in the closed model.
  var quota: Int { get }
  /// When our close frame was sent, in nanoseconds of `MonotonicClock`; 0 before.
  var closeSent: Int64 { get }
  /// The open connection; nil before it opens and after it has ended.
  var handler: ConnectionHandler? { get }

  /// Sends due messages of the open model. `origin` is the start of their schedule, in nanoseconds
  /// of `MonotonicClock`.
  func send(_ due: ArraySlice<ScheduleQueue.Due>, origin: Int64)

  /// In the closed model, outside a burst: sends until enough messages are outstanding.
  func refill(at now: Int64)

  /// Gives up messages that were sent before `cutoff`, in nanoseconds of `MonotonicClock`.
  func expire(sentBefore cutoff: Int64, at now: Int64)

  /// Gives up the outstanding messages and starts the closing handshake.
  func close(at now: Int64)

  /// Ends the connection without a closing handshake.
  func abandon()
}
