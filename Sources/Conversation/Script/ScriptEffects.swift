package import WebSocketProtocol

extension ScriptMachine {
  /// A connection, numbered by the machine in the order in which it opens them, from 1.
  package typealias ConnectionID = Int

  /// What happens to the script.
  package enum Event: Sendable {
    case start
    /// The effects given last that belong to a step have been performed.
    case performed
    /// One of them could not be performed.
    case notPerformed(Obstacle)
    /// It is open; `openings` are the `open` rules that are for it, of `script.rules`.
    case opened(ConnectionID, openings: [Int] = [])
    case message(ConnectionID, MessageKind, [UInt8])
    case pong(ConnectionID, [UInt8])
    case ended(ConnectionID, CloseOutcome)
    /// `nextDeadline` has come.
    case due
  }

  /// Why an effect could not be performed.
  package enum Obstacle: Sendable, Hashable {
    /// The connection is closing or has ended; its `ended` follows.
    case closing(ConnectionID)
    /// The connection did not open.
    case notOpened
    /// Anything else, such as a file that cannot be read.
    case other(String)
  }

  /// What the driver does, one after the other. A step's effect is answered with `performed` or
  /// `notPerformed` once it is done; a rule's is not answered.
  package struct Effect: Sendable, Hashable {
    package var origin: Origin
    package var work: Work

    package init(_ origin: Origin, _ work: Work) { (self.origin, self.work) = (origin, work) }
  }

  package enum Origin: Sendable, Hashable {
    case step
    /// The line of the rule.
    case rule(Int)
    /// The machine itself.
    case machine
  }

  package enum Work: Sendable, Hashable {
    /// Opens a connection under a name; nil: the URL of the command.
    case connect(ConnectionID, name: String?, url: String?)
    case send(Destination, MessageKind, [UInt8])
    /// Text or binary, as the command sends its messages.
    case sendFile(Destination, String)
    case ping(Destination, [UInt8])
    case close(Destination, CloseFrame)
    case status(Destination, Int, String)
    case reset(Destination)
    case stall(Destination)
    /// Stops or resumes reading: what waits for the steps of this connection is bounded.
    case pauseReading(ConnectionID, Bool)
    /// The end of this connection was expected, or is part of a reported failure.
    case settle(ConnectionID)
    case report(StepReport)
    /// The rule was skipped for this message.
    case tooManySteps(rule: Int, bytes: Int)

    /// Where it goes; nil for what is not sent to anybody.
    package var destination: Destination? {
      switch self {
      case .send(let destination, _, _), .sendFile(let destination, _), .ping(let destination, _),
        .close(let destination, _), .status(let destination, _, _), .reset(let destination),
        .stall(let destination):
        destination
      case .connect, .pauseReading, .settle, .report, .tooManySteps: nil
      }
    }
  }

  /// Where an effect goes.
  package enum Destination: Sendable, Hashable {
    case connection(ConnectionID)
    /// Clients of `listen`, as the rule names them, seen from this connection.
    /// `all` and `others` are those in the scope of the rule.
    case clients(Script.Target, scope: Script.Scope?, from: ConnectionID)
  }

  /// What becomes of a message.
  package enum MessageFate: Sendable, Hashable {
    /// The rule of this line took it.
    case taken(rule: Int)
    /// A step has it, or it waits for one.
    case kept
    /// No rule fits, and there are no steps.
    case unmatched
  }

  /// A step that is done.
  package struct StepReport: Sendable, Hashable {
    /// Of `script.steps`.
    package var index: Int
    /// nil: the step was met.
    package var failure: Failure?
  }

  package enum Result: Sendable, Hashable {
    case done
    case failed(StepReport)
  }

  /// Why a step failed.
  package enum Failure: Sendable, Hashable {
    /// Nothing came that fits, within this time in ns. The last message that did not fit, if any.
    case nothing(Int64, last: Mismatch?)
    /// The connection ended before.
    case ended(ConnectionID, CloseOutcome, last: Mismatch?)
    /// The peer closed with a code that was not expected.
    case unexpectedClose(ConnectionID, CloseOutcome)
    /// A message came where none was expected.
    case unexpected(MessageKind, [UInt8])
    /// No Close within this time, in ns.
    case stillOpen(Int64)
    /// The connection is closing, and its end is not known.
    case closing
    case notOpened
    /// The values of its variables make it invalid.
    case invalid(String)
    case other(String)
  }

  /// A message that did not fit.
  package struct Mismatch: Sendable, Hashable {
    package var kind: MessageKind
    package var payload: [UInt8]
    package var reason: MismatchReason?
    /// The message that was expected, where it is exactly one.
    package var wanted: [UInt8]?
  }

  /// When something happens: the machine has no clock and no randomness of its own.
  package struct Moment {
    /// ns, monotonic.
    package var monotonic: Int64
    /// The values of `$NOW`, `$MS` and `$UUID`; asked for only where a script uses them.
    package var value: (String) -> JSONValue?

    package init(monotonic: Int64, value: @escaping (String) -> JSONValue? = { _ in nil }) {
      self.monotonic = monotonic
      self.value = value
    }
  }

  package struct Limits: Sendable {
    /// For how long a step waits, in ns.
    package var wait: Int64
    /// Bytes that may wait for the steps of one connection; beyond it reading pauses.
    package var keptBytes = 16 << 20
    /// Runs of rules that may wait for one connection; beyond it reading pauses.
    package var waitingRuns = 1000
    /// Bytes of a message that a regular expression or a JSON expression of a rule looks at.
    package var examinedBytes = 1 << 20

    package init(wait: Int64) { self.wait = wait }
  }
}
