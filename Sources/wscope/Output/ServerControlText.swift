import NIOCore
import TestServer

/// The words of the replies of `listen --control`: events are those of JSON Lines.
struct ServerControlText: ControlText {
  let lines: ServerJSONLines

  func object(of event: ServerEvent, at time: NIODeadline) -> [UInt8]? {
    lines.line(event, at: time).map { Array($0.dropLast()) }
  }

  func target(_ target: String) -> String { Redaction.url(target) }
  func address(_ address: SocketAddress?) -> String? { ServerJSONLines.text(address) }
}
