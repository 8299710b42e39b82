package import WebSocketProtocol

extension ScriptMachine {
  /// A connection, numbered by the machine in the order in which it opens them, from 1.
  package typealias ConnectionID = Int

  /// An input of the machine.
  package enum Event: Sendable {
    case start
    /// The last effects that belong to a step have been performed.
    case performed
    /// One of them could not be performed.
    case notPerformed(Obstacle)
    /// The connection is open; `openings` are the indices in `script.rules` of the `open` rules
    /// that apply to it.
    case opened(ConnectionID, openings: [Int] = [])
    case message(ConnectionID, MessageKind, [UInt8])
    case pong(ConnectionID, [UInt8])
    case ended(ConnectionID, CloseOutcome)
    /// `nextDeadline` has been reached.
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

  /// An action for the driver, which performs them in order. A step's effect is answered with
  /// `performed` or `notPerformed` once it is done; a rule's is not answered.
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
    /// Opens a connection under a name; a nil `url` means the URL of the command.
    case connect(ConnectionID, name: String?, url: String?)
    case send(Destination, MessageKind, [UInt8])
    /// Text or binary, as the command sends its messages.
    case sendFile(Destination, String)
    case ping(Destination, [UInt8])
    case close(Destination, CloseFrame)
    case status(Destination, Int, String)
    case reset(Destination)
    case stall(Destination)
    /// Stops or resumes reading: the amount of data that waits for the steps of this connection is
    /// limited.
    case pauseReading(ConnectionID, Bool)
    /// The end of this connection was expected, or is part of a reported failure.
    case settle(ConnectionID)
    case report(StepReport)
    /// The rule was skipped for this message.
    case tooManySteps(rule: Int, bytes: Int)

    /// The destination; nil for work that sends nothing.
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

  /// The destination of an effect.
  package enum Destination: Sendable, Hashable {
    case connection(ConnectionID)
    /// Clients of `listen`, as the rule names them, from the point of view of this connection.
    /// `all` and `others` are those in the scope of the rule.
    case clients(Script.Target, scope: Script.Scope?, from: ConnectionID)
  }

  /// The outcome for a message.
  package enum MessageFate: Sendable, Hashable {
    /// The rule of this line took it.
    case taken(rule: Int)
    /// A step has taken it, or it waits for one.
    case kept
    /// No rule matches, and there are no steps.
    case unmatched
  }

  /// The report on a completed step.
  package struct StepReport: Sendable, Hashable {
    /// The index in `script.steps`.
    package var index: Int
    /// nil: the step succeeded.
    package var failure: Failure?
  }

  package enum Result: Sendable, Hashable {
    case done
    case failed(StepReport)
  }

  /// Why a step failed.
  package enum Failure: Sendable, Hashable {
    /// No matching message arrived within this time in ns. `last` is the last message that did not
    /// match.
    case nothing(Int64, last: Mismatch?)
    /// The connection ended first.
    case ended(ConnectionID, CloseOutcome, last: Mismatch?)
    /// The peer closed with an unexpected code.
    case unexpectedClose(ConnectionID, CloseOutcome)
    /// A message arrived where none was expected.
    case unexpected(MessageKind, [UInt8])
    /// No Close arrived within this time, in ns.
    case stillOpen(Int64)
    /// The connection is closing, and its outcome is not known.
    case closing
    case notOpened
    /// The values of its variables make it invalid.
    case invalid(String)
    case other(String)
  }

  /// A message that did not match.
  package struct Mismatch: Sendable, Hashable {
    package var kind: MessageKind
    package var payload: [UInt8]
    package var reason: MismatchReason?
    /// The expected message, if it is exactly one.
    package var wanted: [UInt8]?
  }

  /// The time of an event: the machine has no clock and no random numbers of its own.
  package struct Moment {
    /// In ns, monotonic.
    package var monotonic: Int64
    /// The values of `$NOW`, `$MS` and `$UUID`; called only if a script uses them.
    package var value: (String) -> JSONValue?

    package init(monotonic: Int64, value: @escaping (String) -> JSONValue? = { _ in nil }) {
      self.monotonic = monotonic
      self.value = value
    }
  }

  package struct Limits: Sendable {
    /// The time that a step waits, in ns.
    package var wait: Int64
    /// Bytes that may wait for the steps of one connection; reading pauses beyond it.
    package var keptBytes = 16 << 20
    /// Runs of rules that may wait on one connection; reading pauses beyond it.
    package var waitingRuns = 1000
    /// The maximum size in bytes of a message that a rule's regular expression or JSON expression
    /// examines.
    package var examinedBytes = 1 << 20

    package init(wait: Int64) { self.wait = wait }
  }
}
