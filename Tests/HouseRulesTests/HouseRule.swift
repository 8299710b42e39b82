import Testing

/// A rule that every Swift source of the binary keeps, and sources that prove it can be broken.
struct HouseRule: Sendable, CustomTestStringConvertible {
  var name: String
  /// What is wrong with a file: `line: words`, or words alone.
  var breaches: @Sendable (SourceFile) -> [String]
  /// Sources that break it.
  var broken: [Example]
  /// Sources that look as if they did.
  var kept: [Example]

  var testDescription: String { name }

  struct Example: Sendable {
    var path: String
    var text: String

    init(_ path: String, _ text: String) {
      self.path = "Sources/" + path
      self.text = text
    }

    var file: SourceFile { SourceFile(path: path, text: text) }
  }

  static let all = [
    layers, confinedModules, oneWriter, nothingPublic, noTraps, oneDoorBetweenWidths,
    namesThatSaySomething, thinHandler, plainEnglish,
  ]
}

// MARK: Who may import what

extension HouseRule {
  /// ARCHITECTURE.md section 1. A module is allowed whole by its name, or in part by its scope.
  /// An arrow that is not here needs a reason before it gets a line.
  static let mayImport: [String: Set<String>] = [
    "WebSocketProtocol": [
      "struct NIOCore.ByteBuffer", "struct NIOHTTP1.HTTPHeaders", "struct NIOHTTP1.HTTPRequestHead",
      "struct NIOHTTP1.HTTPResponseHead", "enum NIOHTTP1.HTTPMethod",
      "enum NIOHTTP1.HTTPResponseStatus", "CZlib",
    ],
    "WebSocketNIO": [
      "WebSocketProtocol", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOHTTP2", "NIOHPACK", "NIOTLS",
      "NIOSSL", "Glibc",
      // The EventLoop protocol names a DispatchQueue.
      "Synchronization", "CEpoll", "Dispatch", "HeapModule", "X509", "SwiftASN1", "Crypto",
    ],
    "LoadTesting": [
      "WebSocketNIO", "WebSocketProtocol", "Conversation", "NIOCore", "NIOPosix", "NIOHTTP1",
      "Histogram", "Glibc", "Synchronization",
    ],
    "TestServer": [
      "WebSocketNIO", "WebSocketProtocol", "Conversation", "NIOCore", "NIOPosix", "NIOHTTP1",
      "NIOSSL", "X509",
      "SwiftASN1", "Crypto", "FoundationEssentials", "Glibc", "Synchronization",
    ],
    "Conversation": [
      "WebSocketProtocol", "struct NIOCore.ByteBuffer", "CPCRE2", "Synchronization",
    ],
    "Terminal": ["CReadline", "Glibc", "Synchronization"],
    "wscope": [
      "WebSocketProtocol", "WebSocketNIO", "LoadTesting", "TestServer", "Conversation", "Terminal",
      "ArgumentParser", "NIOCore", "NIOPosix", "NIOHTTP1", "Glibc", "Synchronization",
    ],
  ]

  static let layers = HouseRule(
    name: "arrows point the way the architecture says",
    breaches: { file in
      guard let allowed = mayImport[file.target] else {
        return ["the target \(file.target) has no row in the table of imports"]
      }
      return file.imports
        .filter { !allowed.contains($0.module) && !allowed.contains($0.scope) }
        .map { "\($0.line): \(file.target) must not import \($0.scope)" }
    },
    broken: [
      Example("WebSocketProtocol/A.swift", "import NIOCore"),
      Example("WebSocketProtocol/A.swift", "package import protocol NIOCore.Channel"),
      Example("WebSocketProtocol/A.swift", "import Glibc"),
      Example("WebSocketNIO/A.swift", "import Terminal"),
      Example("Terminal/A.swift", "@preconcurrency import WebSocketProtocol"),
      Example("Conversation/A.swift", "  import WebSocketNIO"),
      Example("LoadTesting/A.swift", "import Foundation"),
      Example("wscope/A.swift", "import FoundationEssentials"),
      Example("Extras/A.swift", "let a = 1"),
    ],
    kept: [
      Example("WebSocketProtocol/A.swift", "package import struct NIOCore.ByteBuffer"),
      Example(
        "Terminal/A.swift", "// import WebSocketNIO\nlet text = \"\"\"\n  import Foundation\n\"\"\""
      ),
      Example("wscope/Commands/A.swift", "import ArgumentParser"),
    ])

  /// Modules that only these files, or the files of these folders, know.
  static let confined: [String: [String]] = [
    "ArgumentParser": ["Sources/wscope/Commands/", "Sources/wscope/Main.swift"],
    "CReadline": ["Sources/Terminal/ReadlineLoop.swift"],
    "CEpoll": [
      "Sources/WebSocketNIO/EpollLoop.swift", "Sources/WebSocketNIO/EpollSocket.swift",
      "Sources/WebSocketNIO/EpollAcceptor.swift",
    ],
    "Dispatch": ["Sources/WebSocketNIO/EpollLoop.swift"],
    "HeapModule": ["Sources/WebSocketNIO/EpollLoop.swift"],
    "CZlib": ["Sources/WebSocketProtocol/MessageDeflater.swift"],
    "CPCRE2": ["Sources/Conversation/Pattern.swift"],
    "FoundationEssentials": ["Sources/TestServer/Pages/RunCertificate.swift"],
    "Histogram": ["Sources/LoadTesting/Figures/LatencyHistogram.swift"],
  ]

  static let confinedModules = HouseRule(
    name: "parser, readline, zlib, histogram and Foundation have one door each",
    breaches: { file in
      file.imports.compactMap { found in
        guard let doors = confined[found.module] else { return nil }
        let isInside = doors.contains {
          $0.hasSuffix("/") ? file.path.hasPrefix($0) : file.path == $0
        }
        return isInside ? nil : "\(found.line): \(found.module) is imported by \(doors) only"
      }
    },
    broken: [
      Example("wscope/Sessions/A.swift", "import ArgumentParser"),
      Example("wscope/Output/Commands/A.swift", "import protocol ArgumentParser.ParsableCommand"),
      Example("Terminal/A.swift", "@preconcurrency import CReadline"),
      Example("WebSocketProtocol/ConnectionMachine.swift", "import CZlib"),
      Example("TestServer/A.swift", "import FoundationEssentials"),
      Example("LoadTesting/A.swift", "import Histogram"),
    ],
    kept: [
      Example("Terminal/ReadlineLoop.swift", "@preconcurrency import CReadline"),
      Example("wscope/Main.swift", "import ArgumentParser"),
    ])
}

// MARK: Who may write

extension HouseRule {
  private static let printers: Set<String> = [
    "print", "debugPrint", "dump", "puts", "fputs", "putchar", "fputc", "fwrite", "printf",
    "fprintf", "vprintf", "vfprintf", "dprintf", "perror",
  ]
  private static let streams: Set<String> = [
    "stdout", "stderr", "STDOUT_FILENO", "STDERR_FILENO",
  ]
  private static let handles: Set<String> = ["FileHandle", "FileDescriptor", "OutputStream"]
  /// Where a file is written that the person named.
  private static let fileWriter = "Sources/wscope/Sessions/FileContents.swift"

  static let oneWriter = HouseRule(
    name: "the Console is the only writer to standard output and standard error",
    breaches: { file in
      let isTerminal = file.target == "Terminal"
      let ownsWrite =
        isTerminal
        || file.words.contains {
          $0.text == "write" && $0.before.contains("func")
        }
      let knowsGlibc = file.imports.contains { $0.module == "Glibc" }
      return file.words.compactMap { word -> String? in
        let isCall = word.after == "("
        let isMember = word.before.hasSuffix(".") && !word.before.hasSuffix("Swift.")
        let isDeclared = word.before.contains("func")
        let wrong: Bool
        switch word.text {
        case let name where printers.contains(name):
          wrong = isCall && !isDeclared && (!isMember || word.before.hasSuffix("Glibc."))
        case let name where streams.contains(name):
          wrong = !isTerminal
        case let name where handles.contains(name):
          wrong = true
        case "write" where isCall && !isDeclared:
          wrong =
            word.before.hasSuffix("Glibc.")
            ? file.path != fileWriter
            : !isMember && !ownsWrite && knowsGlibc
        case "1", "2":
          wrong = word.before.hasSuffix("write(") && word.after == ","
        default:
          wrong = false
        }
        return wrong ? "\(word.line): \(word.text) past the Console" : nil
      }
    },
    broken: [
      Example("wscope/Output/A.swift", "func f() { print(1) }"),
      Example("wscope/A.swift", "Swift.print(\"x\")"),
      Example("wscope/A.swift", "let text = \"\\(dump(value))\""),
      Example("TestServer/A.swift", "fputs(text, file)"),
      Example("LoadTesting/A.swift", "Glibc.puts(text)"),
      Example("wscope/A.swift", "FileHandle.standardError.write(data)"),
      Example("WebSocketNIO/A.swift", "import Glibc\nlet n = write(descriptor, bytes, 3)"),
      Example("wscope/A.swift", "Glibc.write(descriptor, bytes, 3)"),
      Example("Terminal/A.swift", "_ = write(1, bytes, 3)"),
      Example("wscope/A.swift", "let where = STDERR_FILENO"),
    ],
    kept: [
      Example("Terminal/Console.swift", "standardOutput: Int32 = STDOUT_FILENO"),
      Example("Terminal/A.swift", "editor.printAbove(text)\nwrite(descriptor, bytes, 3)"),
      Example("wscope/A.swift", "// print(1)\nlet words = \"fputs(x)\"\njson.dump(1)"),
      Example("wscope/A.swift", "import Glibc\nfunc write(_ a: Int) {}\nfunc g() { write(3) }"),
      Example("wscope/Sessions/FileContents.swift", "import Glibc\nGlibc.write(descriptor, a, 1)"),
    ])
}

// MARK: What is not written

extension HouseRule {
  static let nothingPublic = HouseRule(
    name: "package is the widest access",
    breaches: { file in
      file.words.filter { word in
        word.text == "public" || (word.text == "open" && word.after == " " && word.before.isEmpty)
      }.map { "\($0.line): \($0.text)" }
    },
    broken: [
      Example("Terminal/A.swift", "  public struct A {}"),
      Example("Terminal/A.swift", "open class A {}"),
      Example("Terminal/A.swift", "public import Glibc"),
    ],
    kept: [
      Example(
        "Terminal/A.swift", "/// public\nlet publicity = open(path, flags)\nlet word = \"public\""),
      Example("Terminal/A.swift", "case open = 1\nreturn state == .open ? 1 : 2"),
    ])

  static let noTraps = HouseRule(
    name: "nothing is forced: no try!, no as!, no unwrapping with !",
    breaches: { file in
      file.lines.enumerated().flatMap { number, line in
        let characters = Array(line)
        return characters.indices.dropFirst().compactMap { index -> String? in
          guard characters[index] == "!" else { return nil }
          let before = characters[index - 1]
          let after = index + 1 < characters.count ? characters[index + 1] : " "
          let isPostfix = before.isLetter || before.isNumber || "_)]}>?\"".contains(before)
          return isPostfix && after != "=" ? "\(number + 1): \(line)" : nil
        }
      }
    },
    broken: [
      Example("WebSocketProtocol/A.swift", "let a = try! b()"),
      Example("WebSocketProtocol/A.swift", "let a = b as! C"),
      Example("WebSocketNIO/A.swift", "let a = list.first!"),
      Example("WebSocketNIO/A.swift", "let a = list[0]!.b"),
      Example("wscope/A.swift", "let a = \"\\(b()!)\""),
      Example("wscope/A.swift", "var a: B!"),
    ],
    kept: [
      Example("WebSocketNIO/A.swift", "if a != b, !c, a!=b { /* d! */ say(\"no!\") }"),
      Example("WebSocketNIO/A.swift", "guard !isDone else { return }  // now!"),
    ])

  private static let integers: Set<String> = [
    "Int", "Int8", "Int16", "Int32", "Int64", "UInt", "UInt8", "UInt16", "UInt32", "UInt64",
  ]
  /// What the label of an initialiser says instead of a conversion that can trap: a reading of bytes or
  /// text, or a bound.
  private static let harmlessLabels = [
    "ascii:", "bigEndian:", "littleEndian:", "bitPattern:", "clamping:",
  ]
  private static let widths = "Sources/WebSocketProtocol/IntegerWidths.swift"

  /// SECURITY R8: where strangers' numbers are handled, integers change their width in one file only,
  /// so that none can trap.
  static let oneDoorBetweenWidths = HouseRule(
    name: "integers of the protocol and its transports are converted in one file",
    breaches: { file in
      guard ["WebSocketProtocol", "WebSocketNIO"].contains(file.target), file.path != widths else {
        return []
      }
      let lines = file.lines
      return file.words.compactMap { word -> String? in
        guard integers.contains(word.text), word.after == "(", !word.before.hasSuffix(".") else {
          return nil
        }
        let line = lines[word.line - 1]
        let isHarmless = line.split(separator: word.text + "(").dropFirst().allSatisfy { call in
          harmlessLabels.contains { call.hasPrefix($0) }
            || call.prefix { $0 != ")" }.contains("radix: ")
            || call.prefix { $0 != ")" }.allSatisfy(\.isNumber)
        }
        return isHarmless ? nil : "\(word.line): \(line)"
      }
    },
    broken: [
      Example("WebSocketProtocol/A.swift", "let a = UInt16(length)"),
      Example("WebSocketProtocol/A.swift", "let a = b + Int(payloadLength)"),
      Example("WebSocketNIO/A.swift", "let a = UInt8(truncatingIfNeeded: b)"),
      Example("WebSocketNIO/A.swift", "let a = UInt64(bigEndian: b), c = UInt64(d)"),
    ],
    kept: [
      Example("WebSocketProtocol/IntegerWidths.swift", "let a = Int(truncatingIfNeeded: self)"),
      Example("WebSocketProtocol/A.swift", "let a = UInt16(bigEndian: b), c: UInt8 = 3"),
      Example("WebSocketProtocol/A.swift", "let a = Int(text, radix: 10), b = UInt32(24)"),
      Example("LoadTesting/A.swift", "let a = Int(b)"),
    ])

  private static let emptyNames: Set<String> = [
    "Util", "Utils", "Utility", "Utilities", "Helper", "Helpers", "Common", "Manager", "Base",
    "Misc",
  ]

  /// The words of a name in camel case: `Base64` is one word.
  static func emptyName(in path: String) -> String? {
    for part in path.split(separator: "/") {
      let name = part.split(separator: ".").first ?? part
      var words: [String] = []
      for letter in name {
        if letter.isUppercase || words.isEmpty { words.append("") }
        words[words.count - 1].append(letter)
      }
      if let found = words.first(where: emptyNames.contains) { return found }
    }
    return nil
  }

  static let namesThatSaySomething = HouseRule(
    name: "a file is named for the question that it answers",
    breaches: { file in emptyName(in: file.path).map { ["\($0) says nothing"] } ?? [] },
    broken: [
      Example("wscope/Utils.swift", ""), Example("Terminal/StringHelpers.swift", ""),
      Example("WebSocketNIO/ConnectionManager.swift", ""), Example("Common/A.swift", ""),
      Example("Terminal/BaseEditor.swift", ""),
    ],
    kept: [Example("WebSocketProtocol/Base64.swift", ""), Example("wscope/Management.swift", "")])

  /// Lines of code, without blank lines and comments: what parses, keeps time or prints does not
  /// belong into the handler, and this is what keeps it out. It may shrink, not grow.
  static let handlerCeiling = 150

  static let thinHandler = HouseRule(
    name: "the connection handler stays thin",
    breaches: { file in
      guard file.path == "Sources/WebSocketNIO/ConnectionHandler.swift",
        file.codeLineCount > handlerCeiling
      else { return [] }
      return ["\(file.codeLineCount) lines of code, the ceiling is \(handlerCeiling)"]
    },
    broken: [
      Example(
        "WebSocketNIO/ConnectionHandler.swift",
        String(repeating: "let a = 1\n", count: handlerCeiling + 1))
    ],
    kept: [
      Example(
        "WebSocketNIO/ConnectionHandler.swift",
        String(repeating: "let a = 1\n\n  // why\n", count: handlerCeiling))
    ])
}
