// Made by Tests/manual_text.py from the pages in man/: do not edit.
// swift-format-ignore-file

enum ManualText {
  static let pages: [(name: String, text: String)] = [
    (
      name: "wscope",
      text: #"""
NAME
     wscope – an oscilloscope for WebSockets

SYNOPSIS
     wscope connect | listen | send | bench [option ...] [argument ...]
     wscope url [option ...]
     wscope --version
     wscope help [command] [section]

DESCRIPTION
     wscope tests WebSocket endpoints.  It has four commands, each with a
     manual page of its own:

     connect  Opens an interactive session on a terminal, and acts as a filter
              in a pipe.  See wscope-connect(1).

     listen   Runs a throwaway server that echoes or broadcasts, with a page
              for browsers, test paths and faults.  See wscope-listen(1).

     send     Sends messages, prints the replies, checks them, and exits with
              a code that a script can use.  See wscope-send(1).

     bench    Loads an endpoint with many connections and measures its
              latency.  See wscope-bench(1).

     If the first word is not a command but looks like a URL, it is short for
     connect to that URL.  A word looks like a URL if it is “localhost” or
     contains a dot, a colon or a slash.  As in wscat, the first word can also
     be -c for connect, -l for listen, or -V for --version.

     wscope help prints these manual pages from the binary itself: the page of
     a command, a section of it, or a section of any page, as in ‘wscope help
     send expectations’ and ‘wscope help exit status’.  Without an argument it
     lists the topics.

     wscope implements RFC 6455 (WebSocket version 13) over TCP, TLS and unix
     sockets, and RFC 8441 over HTTP/2.

EXAMPLES
     Start an echo server, and talk to it from another terminal:

           wscope listen 8080
           wscope connect :8080

     Check an endpoint in CI.  The exit status is 0 only if the reply is the
     expected one:

           wscope send :8080 hello --expect hello

     Debug a login: show the handshake, with addresses, TLS, header fields and
     timings:

           wscope send -v wss://example.com/ws --bearer @token.txt </dev/null

     Give a client a server that answers late and resets connections:

           wscope listen 8080 --fault delay=500ms --fault rst,after=10

     Measure latency at a fixed rate of 5000 messages per second:

           wscope bench :8080 -c 100 -d 10s -R 5000

     Connect through a proxy:

           wscope connect wss://example.com/ws --proxy http://proxy.example.com:3128

CONVENTIONS
   URLs
     A url begins with ws:// or wss://; http:// and https:// are read as ws://
     and wss://.  Without a scheme, ws:// is assumed, and without a host
     before the port, localhost: :3000/x is ws://localhost:3000/x.
     ws+unix:PATH:/x connects to the unix socket PATH and requests /x.

     A URL with a fragment, a space or a control character is rejected.  A
     host name with non-ASCII characters is converted (UTS 46, with libidn2 if
     it is installed).  localhost and all names below it are this machine and
     are never looked up.  A link-local IPv6 address needs its network
     interface, as in [fe80::1%25eth0].

   Durations, sizes and numbers
     A duration is a number followed by ns, us, ms, s, m or h.  A number
     without a unit is in seconds.  A size is a number of bytes, optionally
     followed by k, M or G, which are powers of 1024.

   Streams
     Standard output carries the received messages and nothing else; for bench
     it carries the report.  Everything else goes to standard error: the
     prompt, the log, errors, and information about connections.

     A text message is followed by a newline.  A binary message is written as
     its exact bytes, with nothing added.  connect and send have options that
     change this.  Output is flushed after every message.

     On a terminal, control characters in text are shown as escapes (\x1b),
     binary messages as a hex dump, and only the first 64 KiB of a long text
     or 4 KiB of a long binary message.  A pipe or a file always receives the
     exact bytes.  --raw-terminal, for connect and send, turns the escaping
     off: a peer can then do whatever the terminal allows.  Binary messages at
     the prompt of connect remain hex dumps.

     On standard error, text from a peer is always escaped, even in a pipe.  A
     line of information begins with *, a warning with !.  An error is one
     line that names the cause, followed by the evidence and a hint or a
     command to try.

     With --lint, connect and send count legal but unusual properties of the
     peer's frames and print one line when each connection ends: lengths
     encoded in more bytes than necessary (RFC 6455 section 5.2), empty
     fragments (5.4), and text fragments that end inside a character (5.6).
     With --format jsonl this is also an event lint.

   Files
     --junit, --port-file and --cookie-jar replace a regular file atomically,
     so that a reader never sees a partial file.  The file keeps its mode, its
     owner and its hard links, and symbolic links are followed.  Devices and
     FIFOs are written to directly.  - is standard output, except for
     --cookie-jar, which must also be readable.

     --record writes while the session runs.  It creates a file that only its
     owner can read, or writes to a device, a FIFO or -.  An existing regular
     file is overwritten only with --force, and never through a symbolic link.

     Lines of a --cookie-jar that are not cookies are reported with their line
     numbers and preserved.  A file that contains no cookie at all is
     rejected.  With --verbose, wscope names the cookies that are marked
     Secure and therefore not sent over ws://.

   Secrets
     Passwords, tokens and cookies never appear in reports, logs, errors,
     recordings or the history.  This includes user information in URLs; query
     parameters whose names contain token, key, secret, password, passwd, pwd,
     sig, auth or jwt; and header fields that carry credentials, such as
     Authorization, Cookie, Set-Cookie and X-Api-Key.  They are replaced by
     ***.  --show-secrets reveals them in the output of --verbose and in
     recordings.  The report of bench repeats only those values of the command
     line that are known not to be secret.

CONNECTIONS
   Custom requests
     --force-header sets a header field that belongs to the handshake, such as
     Sec-WebSocket-Version or Connection, in place of the one that wscope
     sends; an empty value removes the field.  --raw-request sends the
     contents of a file as the whole request, whether or not it is valid HTTP.
     The reply is then checked against the key, the subprotocols and the
     extensions in that request.  Use both to test how a server handles
     unusual requests, together with --expect-status.

   TLS
     wss requires TLS 1.2 or later by default; --tls-min and --tls-max change
     the range.  TLS 1.0 and 1.1 must be enabled explicitly.  The certificate
     must be trusted by the system and must be valid for the host name in the
     URL, according to its subjectAltName.  --cacert trusts the certificates
     in a file instead of the system's, as do SSL_CERT_FILE and SSL_CERT_DIR.
     --insecure accepts any certificate.  --pin accepts only servers with one
     of the given public keys; combined with --insecure, the public key is all
     that is checked.

     --cert names the client certificate, followed by its chain and, unless
     --key names another file, its private key.  PEM, DER and PKCS#12 are
     detected by content.  An encrypted key needs --pass; without it wscope
     prompts for the passphrase on a terminal.  If a file cannot be used, the
     exit status is 58 and nothing is sent.

     wscope offers http/1.1 by ALPN; --alpn changes or removes the offer.
     With --verbose, it prints the version, cipher, ALPN protocol,
     certificate, SHA-256 fingerprint and pin.

   Connection errors
     An error names the cause in one line, followed by the evidence and a hint
     or the command to try next.  TLS errors distinguish these cases:

     certificate expired or not yet valid
             Shows the dates.  As for every problem with the server
             certificate, the exit status is 60.

     certificate for another name
             Shows the names in the certificate.

     unknown issuer
             The certificate is not signed by a trusted authority.  Shows
             subject and issuer.

     self-signed certificate
             Trust it with --cacert, or its key with --pin.

     missing intermediate certificate
             The server sent an incomplete chain, which browsers often
             complete silently.

     wrong public key
             The key does not match --pin.  Shows the pin of the server.  Exit
             status 90.

     client certificate required or rejected
             Exit status 35, as for every problem with the TLS handshake.  A
             server that asks for a certificate after the handshake rejects
             the request with HTTP instead, usually with status 400.

     ALPN chose h2
             HTTP/2 has no upgrade; see --http2.

     no common TLS version
             Shows the versions that were offered.

     renegotiation after the request
             A TLS 1.2 server wants a client certificate for some paths only.
             With --cert, one renegotiation is allowed.

     plain HTTP on a wss:// port
             The server does not speak TLS here.  In the opposite case, TLS on
             a ws:// port, the exit status is 8, or 22 if the server replies
             in plain HTTP.

     If the server rejects the upgrade with any status other than 101, the
     exit status is 22.  wscope prints the relevant header fields (Location,
     WWW-Authenticate, Retry-After, Sec-WebSocket-Version); up to 1 KiB of the
     body, as its first line, the title of its page or compact JSON; and, for
     401 and 403, the Origin that was sent.  With --verbose, it prints both
     message heads and more of the body.  In JSON Lines a rejected upgrade is
     an event refused.

     A 101 response cannot have a body.  If it carries Content-Length or
     Transfer-Encoding, the connection opens with a warning.  A 400 or 426
     response that asks for an upgrade, or a 101 response without Upgrade or
     Connection, usually comes from a reverse proxy that does not forward
     these fields.  The hint contains the nginx configuration that does.

   Proxies
     A connection uses the proxy given by --proxy.  Without it, wscope uses
     http_proxy for ws:// and https_proxy for wss://, then all_proxy.  A proxy
     URL begins with http:// (which can be omitted), https://, socks5:// or
     socks5h://, and may contain a percent-encoded user name and password.
     --proxy-user keeps the password out of the process list.

     HTTP proxies are asked for a tunnel with CONNECT, also for ws://.  With
     socks5://, wscope resolves the host name; with socks5h:// and with
     CONNECT, the proxy does.

     --noproxy, or else no_proxy, is a comma-separated list of hosts that are
     connected to directly: host names, which include all their subdomains;
     addresses; and networks such as 10.0.0.0/8.  An entry may end in a colon
     and a port and then applies to that port only.  * matches every host.
     Unix sockets never use a proxy.  When a redirect is followed, the proxy
     is chosen again.

     If the proxy's host name cannot be resolved, the exit status is 5; if the
     proxy cannot be reached, 7; if it rejects the request, 97, with its
     reply.

   Addresses
     --resolve sets the addresses of a host and port; --connect-to connects to
     another host and port instead.  In both cases the request and the
     certificate check still use the host name in the URL.  If a name has
     several addresses, IPv6 and IPv4 addresses alternate, and the next
     attempt starts 250 ms after the previous one (RFC 8305).  -4 and -6
     restrict connections to one family.

   HTTP/2
     With --http2, a client requests the WebSocket in an HTTP/2 stream (RFC
     8441): negotiated by ALPN for wss://, with prior knowledge for ws://.  If
     the server does not support this, wscope reports it and does not fall
     back to HTTP/1.1.  Messages, close codes and compression work as over
     HTTP/1.1.  listen --http2 serves HTTP/2 and HTTP/1.1 on the same port; a
     browser that loads the page over HTTP/2 opens its WebSocket in the same
     connection.

   Redirects
     A redirect is reported, and followed only with --location.  If the target
     has another host, port or scheme, it receives none of the --header
     fields, passwords, tokens, cookies or client certificates.  A redirect
     from wss:// to ws:// is followed only with --allow-downgrade.

   Compression
     connect and send offer permessage-deflate (RFC 7692), and listen accepts
     it.  --verbose prints what was negotiated and, at the end, how much it
     saved.  --compress[=params] sets comma-separated parameters, and
     --no-compress turns compression off.  bench offers compression only with
     --compress.

OPTIONS
     --schema
             Print the JSON Schema of --format jsonl and of recordings.

     --version
             Show the version.

     -h, --help
             Show help information.

ENVIRONMENT
     NO_COLOR        If set and not empty, turns colour off, unless --color
                     always is given.

     CLICOLOR_FORCE  If set, not empty and not 0, turns colour on even without
                     a terminal, unless NO_COLOR is set or --color never is
                     given.

     TERM            A terminal gets colour only if this is set and not dumb.

     http_proxy, https_proxy, all_proxy, no_proxy
                     See Proxies.  All but http_proxy are also read in upper
                     case.

     SSL_CERT_FILE, SSL_CERT_DIR
                     A PEM file of certificates, and a directory of such files
                     named as ‘openssl rehash’ does, to trust instead of those
                     of the system.  --cacert takes precedence.

     SSLKEYLOGFILE   Appends the TLS keys to this file, for Wireshark and
                     similar tools.  Anyone with the file can read everything
                     that was sent.  The file is created so that only its
                     owner can read it, and wscope prints a warning once.

     wscope-connect(1) lists more.

FILES
     The history of connect is the only file that wscope writes without being
     asked to.  See wscope-connect(1).

EXIT STATUS
     All commands share this table.  The numbers are those of curl(1) where it
     has one.

     0    ok, expected close

     1    an expectation failed

     2    usage

     3    bad URL

     5    proxy name not resolved

     6    host name not resolved

     7    TCP connect failed

     8    the reply is not a valid WebSocket handshake

     22   upgrade refused (status is not 101)

     23   output could not be written

     28   timeout

     35   TLS handshake failed

     45   listen cannot bind (address in use, not permitted)

     47   too many redirects

     52   TCP closed before the first byte of the HTTP reply

     56   connection lost (1006)

     58   client certificate unusable

     60   certificate not trusted

     63   a message of the peer is over --max-message

     90   pin mismatch

     97   proxy handshake failed

     98   a bench measurement is invalid

     99   a bench threshold was broken

     110  protocol violation by the peer

     111  peer closed with a code other than 1000, 1001, 1005

     130  ended by SIGINT

     143  ended by SIGTERM

     Every code is in use.  Each command's page says when it returns which
     code.  If the reader of the output goes away, as with ‘| head -1’, this
     is not an error.

SEE ALSO
     curl(1), wscope-bench(1), wscope-connect(1), wscope-listen(1),
     wscope-send(1)

STANDARDS
     I. Fette and A. Melnikov, The WebSocket Protocol, RFC 6455, December
     2011.  P. McManus, Bootstrapping WebSockets with HTTP/2, RFC 8441,
     September 2018.  T. Yoshino, Compression Extensions for WebSocket, RFC
     7692, December 2015.
"""#
    ),
    (
      name: "wscope-connect",
      text: #"""
NAME
     wscope-connect – talk to a WebSocket endpoint

SYNOPSIS
     wscope connect [option ...] [url]

DESCRIPTION
     wscope connect opens a WebSocket connection and exchanges messages over
     it.  On a terminal it is an interactive session; in a pipe it is a
     filter.  The forms of a url and the use of the standard streams are
     described in wscope(1).

     Messages given with --execute are sent first, in order.  With --count,
     the connection is closed after that many messages have arrived.

EXAMPLES
     Talk to a local server:

           wscope listen 8080 -q &
           wscope connect :8080

     Debug a login: show the handshake, send a token from the environment, and
     keep a recording:

           wscope connect wss://example.com/feed -v --bearer env:TOKEN --record login.jsonl

     Send two messages on open and stay connected:

           wscope connect :8080 -x '{"op":"login"}' -x '{"op":"list"}'

     Reconnect after a loss, and log in again each time:

           wscope connect :8080 --reconnect --ping-interval 20s -x login --record a.jsonl

     Send the messages of that recording again:

           wscope connect :8080 --input jsonl <a.jsonl

     Pretty-print JSON and show the time between messages:

           wscope :8080 --json --timestamps=delta

     Send every new line of a log file:

           tail -f events.log | wscope connect ws://localhost:8080/

     Receive three messages, then exit:

           wscope connect :8080 -N 3 --wait 1h </dev/null

     Extract the text of each message with jq:

           echo hello | wscope connect :8080 --format jsonl |
               jq -r 'select(.event == "message").text'

     Connect through a SOCKS proxy that resolves the host name:

           wscope connect wss://example.com/feed --proxy socks5h://localhost:1080

     Trust a private certificate authority, and send a client certificate:

           wscope connect wss://localhost:8443/ --cacert ca.pem --cert me.p12

     Accept exactly one public key, whatever its certificate.  ‘wscope listen
     --tls’ and --verbose print it:

           wscope connect wss://localhost:8443/ -k --pin 'sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='

INTERACTIVE SESSIONS
   On a terminal
     The session is interactive if standard input is a terminal and standard
     output or standard error is one, too.  Each line is a message.  Empty
     lines are not sent.  A pasted text of several lines is one message.
     Messages that arrive appear above the line being typed, which stays
     intact:

           < a message from the peer
           * information
           ! a warning
           > the line being typed

     GNU readline edits the line: Emacs and vi keys, reverse search, and the
     settings in ~/.inputrc.  Lines can be of any length; a line longer than
     the screen scrolls within one row.  Tab completes commands, their
     arguments, file names, and, after /connect, the URLs of earlier sessions.
     The history shows the lines typed at this URL first, then those typed at
     others.

     Without a url, wscope connect lists the URLs of earlier sessions and
     prompts for a number or another URL.

     Messages are drawn at most 60 times per second.  Messages that arrive
     faster than the terminal can draw them are skipped and counted on the
     screen; recordings and pipes receive all of them.  Text is cut after 64
     KiB and binary data after 4 KiB; /save writes the whole message to a
     file.

     A note before the prompt shows that messages are paused or hidden, and
     how many; that a file is being sent; or that there is no connection.

     Ctrl-D and /quit close with code 1000 and leave.  So does the first Ctrl-
     C, which waits up to --close-timeout for the peer's Close; the second
     Ctrl-C leaves at once.  While /repeat or /file is running or /multi is
     collecting lines, Ctrl-C stops that instead.  Ctrl-Z suspends the program
     and fg resumes it.  The state of the terminal is always restored.

     If only standard output is redirected, the prompt appears on standard
     error and standard output receives the messages as in a pipe.

   Commands
     A line that begins with / is a command.  //text sends /text.  With
     --no-slash there are no commands.  An unknown command sends nothing.

     /ping [data]
             Send a ping with up to 125 bytes of data, and print the round-
             trip time when its pong arrives.

     /pong [data]
             Send an unsolicited pong.

     /close [code [reason]]
             Close the connection and leave.  code is 1000 or from 3000 to
             4999; reason has at most 123 bytes.  The default is 1000 without
             a reason.

     /reconnect
             Close the connection and open it again.  The messages of
             --execute are sent again.

     /connect URL
             Close the connection and open one to another URL, with the same
             options.  If that fails, the session stays open.

     /quit   Close with code 1000 and leave.

     /hex bytes
             Send a binary message given as hexadecimal digits.  Spaces,
             commas and colons between them are ignored.

     /base64 text
             Send a binary message given in base64.

     /file path [kind]
             Send a file as one message.  kind is text or binary; the default
             is the type of typed lines.  The prompt shows the progress of a
             large file.

     /edit [text]
             Write a message in VISUAL or EDITOR, starting with text.  It is
             sent if the editor exits successfully and the file is not empty.
             Messages that arrive in the meantime are held back.

     /multi  Collect lines until /end or Ctrl-D and send them as one message.
             Ctrl-C discards them.

     /repeat n message
             Send a message n times, as fast as the peer reads.

     /json [on|off]
             Pretty-print JSON, with colours.  The order of members and the
             digits of numbers are preserved.

     /timestamps iso|rel|delta|off
             Show when messages arrive, as --timestamps does.

     /rtt [on|off]
             Show the time between each sent message and the next message
             received.

     /pause  Hold messages back; the second time, show them.  At least the
             last 10,000 are kept unless they are large.

     /filter [regex]
             Show only messages that match a regular expression, and count the
             others in the prompt.  The syntax is that of PCRE2, described in
             pcre2syntax(3).  An expression that takes too many steps on a
             message turns the filter off.  Without regex, show all messages
             again.

     /clear  Clear the screen.

     /save file [number]
             Write the last message, or the message with that number, to a new
             file.  At least the last 1000 are kept unless they are large.

     /record file|off
             Record everything that is sent and received to a new file, as
             --record does, until off.

     /history [all|text]
             List the lines typed at this URL, at every URL, or at this URL
             with text in them.

     /info   Show addresses, timings, TLS, extensions, message and byte
             counts, and how long the connection has been open.

     /headers
             Show the request and the response of the handshake.

     /help [command]
             List the commands, or explain one.

   In a pipe
     If standard input is not a terminal, wscope connect is a filter.  Each
     line of standard input is a message.  A carriage return before the
     newline is removed, and an empty line is an empty message.  --null,
     --stdin-whole and --input split the input differently.  Input is read
     only after the connection has opened, and no faster than the peer accepts
     it, so nothing is lost.

     At the end of the input it waits for a first reply and lingers as
     wscope-send(1) does.  If nothing was sent, it also waits for --wait, but
     then a missing reply is not an error.

     With --echo, every message is sent back immediately, before the next one
     is processed.

   Reconnecting
     With --reconnect, a connection that is lost, or that the peer closes with
     a code other than 1000, is opened again.  The first pause is half a
     second, and each further pause doubles, up to 30 seconds; a random part
     of up to half of it is subtracted.  A connection that lasted ten seconds
     resets the pause.  In a pipe, input that could not be sent waits for the
     next connection.

   JSON Lines
     With --format jsonl, standard output carries one JSON object per line:

           {"v":1,"t":0.0413,"conn":1,"event":"open","status":101,...}
           {"v":1,"t":0.0501,"conn":1,"event":"message","dir":"in",
            "type":"text","size":5,"wire":9,"text":"hello"}
           {"v":1,"t":1.2,"conn":1,"event":"close","dir":"in","code":1000,...}

     (The second is shown on two lines here.)  t is the time in seconds since
     the start.  wire is the size in bytes including frame headers.  A binary
     message has base64 instead of text.  --input jsonl reads the same lines,
     sends those whose event is message, and ignores the others.

     A recording (--record) consists of such lines for both directions, after
     a first line whose event is record.  Given to --input jsonl, it sends
     again what was sent in that session.

     wscope --schema prints the JSON Schema of the lines.

OPTIONS
     url     URL to connect to: ws://, wss://, host:port or :port.

     --no-slash
             Send lines that begin with / as messages instead of treating them
             as commands.

     --echo  Send every message back immediately, as an echo server does.

     --version
             Show the version.

     -h, --help
             Show help information.

   Messages
     -x, --execute, --message message
             Send this message as soon as the connection opens; may be
             repeated.  @FILE sends the contents of a file, @- standard input.

     -b, --binary
             Send binary messages; the default is text.

     -0, --null, --null-terminated
             End each message on standard input and output with NUL instead of
             a newline.

     --stdin-whole
             Send all of standard input as one message.

     --raw   Write messages to standard output without a newline after each.

     --raw-terminal
             Write messages to a terminal without escaping control characters.
             A peer can then do whatever the terminal allows.

     -w, --wait duration
             Time limit for the first reply after the last message was sent; 0
             does not wait.  Default: 10s.

     --linger duration
             After a reply, end when no further message arrives for this long.
             Default: 1s.

     -N, --count, --max-messages n
             End after receiving this many messages; by default there is no
             limit.

     -1, --one-message
             End after receiving one message; same as --count 1.

     --format format
             Output format: text, or jsonl (one JSON object per event and
             line).  Values: text, jsonl.  Default: text.

     --input format
             Format of standard input: text, or jsonl (the lines that --format
             jsonl prints).  Values: text, jsonl.  Default: text.

     --lint  Count legal but unusual properties of the peer's frames, and
             report them at the end: lengths encoded in more bytes than
             necessary, empty fragments, text fragments that end inside a
             character.

     -P, --show-ping-pong
             Show received and sent pings and pongs.

     --show-secrets
             Show passwords and tokens in the output of -v and in recordings
             instead of ***.

   Session
     --reconnect[=n]
             Reopen a lost connection, with growing pauses, and send the -x
             messages again; =N gives up after N failed attempts in a row
             (default: no limit).

     --ping-interval duration
             Send a ping at this interval, as in 20s; by default none is sent.

     --ping-timeout duration
             Drop the connection if the pong to a ping of --ping-interval
             takes longer than this, as in 5s; by default there is no limit.

   Recording
     --record file
             Record everything that is sent and received to a new file, as
             JSON Lines.

     --force
             Overwrite the file of --record if it exists.

   Connection
     -H, --header K: V
             Add this header field to the request; may be repeated.  @FILE
             reads one field per line from a file.

     --force-header K: V
             Set a header field that belongs to the handshake, such as
             Sec-WebSocket-Version, instead of the one that wscope sends; an
             empty value removes it.  Use it to test how a server reacts.

     --raw-request file
             Send the bytes of this file as the whole request, valid or not,
             instead of generating one; - reads standard input.

     -s, --subprotocol, --protocol name
             Offer this subprotocol; may be repeated, or be a comma-separated
             list.

     -o, --origin url
             Send this Origin header field, as a browser would; by default
             there is none.

     --unix-socket path
             Connect to this unix socket; Host and path still come from the
             URL.

     --open-timeout duration
             Time limit for opening a connection, from name resolution to the
             upgrade.  If only --connect-timeout is given, the limit is 10s
             more than that.  Default: 10s.

     --http2
             Use WebSocket over HTTP/2 (RFC 8441): negotiated by ALPN with
             wss://, with prior knowledge with ws://.

     -4, --ipv4
             Connect to IPv4 addresses only.

     -6, --ipv6
             Connect to IPv6 addresses only.

     --interface address
             Connect from this local address, or through this network
             interface.

     --resolve host:port:addr[,addr]
             Use these addresses for a host and port instead of resolving the
             name; * matches every host, -HOST:PORT removes an earlier entry.
             May be repeated.

     --connect-to host1:port1:host2:port2
             Connect to HOST2:PORT2 instead of HOST1:PORT1.  An empty HOST1 or
             PORT1 matches any; an empty HOST2 or PORT2 is left unchanged.
             May be repeated; the first match applies.

     --connect-timeout duration
             Time limit for name resolution, TCP, proxy and TLS together, as
             in 3s; by default only --open-timeout applies.

     --proxy url
             Connect through this proxy, as in http://user:password@host:port;
             the scheme is http, https, socks5 or socks5h (the proxy resolves
             the name).  By default http_proxy, https_proxy, all_proxy and
             no_proxy apply.

     --proxy-user user:password
             Credentials for the proxy, as user:password; @FILE and env:NAME
             read them from there.

     --proxy-cacert file
             Trust only the certificates in this PEM file for an https proxy;
             by default those of the system.

     --noproxy list
             Connect to these hosts directly: a comma-separated list as in
             no_proxy; * matches every host.

     --close-timeout duration
             Time limit for the peer's Close after ours was sent.  Default:
             5s.

     --max-message size
             Reject received messages larger than this, with Close 1009.
             Default: 64 MiB.

     -k, --insecure, --no-check
             Accept any certificate, with a warning once per run.

     --cacert, --ca file
             Trust only the certificates in this PEM file; by default those of
             the system.

     --cert file
             Client certificate for servers that request one: PEM followed by
             its chain, DER, or PKCS#12 with the key.

     --key file
             Private key for --cert (PEM), if it is in a separate file.

     --pass, --passphrase secret
             Passphrase for --key or a PKCS#12 --cert; @FILE and env:NAME read
             it from there.  By default wscope prompts for it on a terminal.

     --tls-min version
             Oldest TLS version to accept: 1.0, 1.1, 1.2 or 1.3.  Values: 1.0,
             1.1, 1.2, 1.3.  Default: 1.2.

     --tls-max version
             Newest TLS version to offer: 1.0, 1.1, 1.2 or 1.3.  Values: 1.0,
             1.1, 1.2, 1.3.  Default: 1.3.

     --pin, --pinnedpubkey pin
             Accept only servers with this public key, as sha256//BASE64; may
             be repeated, or be a list separated by semicolons.  With
             --insecure, nothing else is checked.

     --alpn names
             Offer these protocols by ALPN, as a comma-separated list
             (default: http/1.1); an empty list disables ALPN.

     -u, --user, --auth user:password
             Use Basic authentication; prompts for the password if it is
             missing; @FILE and env:NAME read it from there.  The default is
             the user information in the URL, then $WSCOPE_USER.

     --bearer, --oauth2-bearer token
             Authenticate with this bearer token; @FILE and env:NAME read it
             from there.  The default is $WSCOPE_BEARER.

     --netrc
             Read user name and password for the host from ~/.netrc.

     --netrc-file file
             Read user name and password for the host from this file, in the
             format of .netrc.

     --allow-clear-auth
             Allow passwords and tokens to be sent unencrypted over ws:// to
             other machines.

     --cookie name=value
             Send this cookie, as in a=b or 'a=b; c=d'; may be repeated.
             @FILE and env:NAME read it from there.

     --cookie-jar file
             Send the cookies in this file (Netscape format), and save those
             that servers set.

     -L, --location, --follow
             Follow redirects.  If the target has another host, port or
             scheme, no header fields, passwords, cookies or client
             certificates are sent there.

     --max-redirects, --max-redirs n
             Limit for consecutive redirects with --location (default: 10).

     --allow-downgrade
             Allow --location to follow a redirect from wss:// to ws://.

   Compression
     --compress[=params]
             Compress messages with permessage-deflate, optionally with
             comma-separated parameters: client_max_window_bits=N,
             server_max_window_bits=N (bits, 8 to 15),
             client_no_context_takeover, server_no_context_takeover,
             no_context_takeover.

     --no-compress
             Do not compress messages, and do not negotiate compression.

   Display
     --timestamps[=kind]
             Show before each message when it arrived: iso (UTC; the default
             without a value), rel (since the start) or delta (since the
             previous message).  Not shown before binary messages in a pipe.
             Values: iso, rel, delta.

     --json  Pretty-print JSON messages; at the prompt, in colour.

   Output
     --color when
             When to use colour: auto (on a terminal), always or never.
             Values: auto, always, never.  Default: auto.

     -v, --verbose
             Print the handshake, timings, sizes and the close; in listen, log
             every message, sent ones too.  Given twice, connect also prints
             every frame and the sizes on the wire.

ENVIRONMENT
     NO_COLOR, CLICOLOR_FORCE, TERM
                     Control colour; see wscope(1).

     SSL_CERT_FILE, SSL_CERT_DIR, SSLKEYLOGFILE
                     Trusted certificates and the TLS key log; see wscope(1).

     WSCOPE_USER, WSCOPE_BEARER
                     Default credentials; see --user and --bearer.

     XDG_STATE_HOME  The directory for the history, if it is an absolute path.

     HOME            Used to find the history without XDG_STATE_HOME, and
                     .inputrc.

     INPUTRC         The file that readline reads instead of ~/.inputrc.  The
                     application name in it is wscope.

     LC_ALL, LC_CTYPE, LANG
                     Determine the width of characters at the prompt.  Without
                     a locale, UTF-8 is assumed.

     VISUAL, EDITOR  The editor for /edit.  VISUAL takes precedence.

     TMPDIR          The directory for the editor's file.  The default is
                     /tmp.

     TMUX, STY, XTERM_VERSION
                     Together with TERM, show how the terminal rewraps long
                     lines when it is resized.

FILES
     $XDG_STATE_HOME/wscope/history
             The last 1000 lines typed and URLs used, in all sessions;
             readable by the owner only.  Passwords and tokens in URLs are
             removed.  Lines that begin with a space, repeat the previous
             line, or are longer than 64 KiB are not kept.  A symbolic link in
             this place is not followed.

     ~/.local/state/wscope/history
             The same, without XDG_STATE_HOME.

     ~/.inputrc
             Keys and settings of readline.  Settings for wscope alone go
             between $if wscope and $endif.

EXIT STATUS
     The complete table is in wscope(1).  These codes have a special meaning
     here:

     0    The closing handshake completed with 1000, 1001 or no code, or you
          left the session.

     23   Standard output or the file of --record could not be written.

     28   Without a terminal: messages were sent, and no reply arrived within
          --wait.

     111  The peer closed with another code.

     130  A second SIGINT arrived, or one before the connection was open.

     143  The same with SIGTERM or SIGHUP.

SEE ALSO
     wscope(1), wscope-listen(1), wscope-send(1), readline(3)
"""#
    ),
    (
      name: "wscope-listen",
      text: #"""
NAME
     wscope-listen – run a throwaway WebSocket server

SYNOPSIS
     wscope listen [option ...] [[host:]port]
     wscope listen [option ...] [[host:]port] --exec [--mode source] --
            command [argument ...]

DESCRIPTION
     wscope listen is a WebSocket server for tests.  It accepts connections on
     every path.  Test paths behave as their names say; on all other paths the
     mode decides what happens.

     The default port is 8080; port 0 takes a free one.  The server listens on
     127.0.0.1 and, if the machine has it, on ::1, with the same port on both.
     With a host, or with --host, it listens on that address only; * is every
     address of the machine.  If other machines can reach it, it prints a
     warning with the addresses to use.  With --unix-socket, it listens on a
     unix socket, replaces a socket that already exists, and removes its own
     at the end.

     Once the socket is bound, and not before, a line on standard error shows
     the URL, and --port-file is written.

     The first SIGINT, SIGTERM or SIGHUP shuts the server down: it stops
     accepting connections, sends Close 1001 to every client, and waits up to
     --close-timeout for their Close.  The second signal ends it at once.

EXAMPLES
     An echo server, and a client in another terminal:

           wscope listen 8080
           wscope connect :8080

     A server for a test script, on a free port:

           wscope listen 0 --port-file port -q &
           until [ -s port ]; do sleep 0.1; done
           wscope send :$(cat port) ping --expect ping
           kill %1

     A broken peer: replies are late, and every third connection or so is
     reset after ten messages:

           wscope listen 8080 --fault delay=200ms~50ms --fault rst,after=10,p=33% --seed 1

     A live feed of a command, for any number of clients:

           vmstat 1 | wscope listen --mode source

     A program behind a socket: one process for each client, lines in and
     lines out; and one process whose output goes to every client:

           wscope listen 8080 --exec --exec-pty -- bc -l
           wscope listen 8080 --exec --mode source -- vmstat 1

     A reconnect drill: the first three upgrades are rejected, every
     connection lives ten seconds:

           wscope listen 8080 --fault refuse=503,conn=1-3 --fault life=10s

     A server that closes with code 1013 after the first message:

           wscope listen 8080 &
           wscope connect ':8080/close/1013?reason=busy&after=1'

     A mock service, whose rules you can edit while it runs, and one without a
     file:

           wscope listen 8080 --rules service.rules
           wscope listen 8080 --on '< ping => > pong' --on 'every 1s => > {"tick":$MS}'

     A test of a client: the steps of the script, once, and an exit code:

           wscope listen 8080 --script login.wscope --once --max-time 30s --junit client.xml

     A chat between browsers and terminals, to which scripts publish; also
     open http://127.0.0.1:8080/:

           wscope listen 8080 --mode chat &
           wscope connect ':8080/?name=ann'
           curl -d 'deploy done' localhost:8080/room/lobby

     TLS with a certificate made for this run:

           wscope listen 8443 --tls &
           wscope send wss://localhost:8443/ hello --insecure

     A unix socket instead of a port:

           wscope listen --unix-socket ./echo.sock &
           wscope send ws+unix:./echo.sock:/ hello

BEHAVIOUR
   Modes
     echo    Send every message back to the client that it came from.  A
             client that does not read its echoes is not read from.

     broadcast
             Send every message to all other clients.

     broadcast=all
             Send every message to all clients, the sender included.

     chat    Send every message to the other clients in the room, with the
             name of its sender; see Rooms.  All paths that are not test paths
             join the room lobby.

     sink    Count every message and discard it.  On a terminal a line a
             second shows the rate of each client that sends: #1 12 034 msg/s
             3.1 MiB/s.

     source  Send each line of standard input to all clients, and discard what
             they send.  With --null a NUL byte ends a message in place of a
             line feed; with --binary messages are binary, otherwise a line
             that is not valid UTF-8 is skipped.  At the end of the input the
             clients stay connected.

     manual  Show every message, and answer by hand; see Answers by hand.

     In the modes broadcast, chat and source, and on the paths /broadcast and
     /room, a new client first receives the last --keep messages: 20 in a
     room, 1 in mode source and otherwise none, unless the option says so.
     All of them together keep at most 1 MiB.  --slow decides about a client
     that does not read: close closes it with 1008 once more than --max-queue
     is queued for it, drop drops messages for it until its queue is half
     empty, and wait pauses the senders, or standard input, until the slowest
     client has caught up; mode source also waits for the first client before
     it reads.

   Test paths
     These paths behave as their names say, in every mode.  A trailing / is
     ignored, and case matters.  The paths /, /ws and /.ws always belong to
     the mode.

     /echo   Send every message back.  A message larger than
             ?max_message_size=, or a frame of it larger than
             ?max_fragment_size=, is answered with Close 1009.  Aliases: /raw,
             /mirror and /websocket/echo.

     /delay/ms
             Send every message back after this delay, in order.  A number
             without a unit is in milliseconds; /delay/2s is two seconds.  The
             limit is ten minutes.

     /close/code
             Close with this code, and with the reason in ?reason=, right
             after opening or after echoing ?after=n messages.  1005 sends a
             Close frame without a code, and 1006 ends TCP without a Close
             frame.  Any other number from 0 to 65535 is sent as it is, even
             if a client must reject it.

     /status/code
             Reject the upgrade with this HTTP status, from 200 to 599.
             ?body= sets the body or, for a redirect, its Location;
             ?header=Name:value adds a header field and may be repeated.  An
             ordinary GET receives the same response.

     /redirect/n, /redirect-to?url=url
             Redirect n times, at last to /echo; redirect once to url, with
             the status ?status_code= (302).  An ordinary GET receives the
             same response.  Alias of the first: /relative-redirect and
             /absolute-redirect.

     /unstable
             Reject the share ?failure_rate= (0.5) of the upgrades with 503,
             and echo on the others.  The same ?seed= gives the same order in
             each run of the server.

     /drip   Send ?n= messages (10) of ?size= bytes (16), one ?every= second
             (1s), and close.  What the client sends is discarded, here and on
             the next three paths.

     /count/n, /stream/n
             Send the numbers from 1 to n as text, or in JSON objects, and
             close; without a pause unless ?every= is given.

     /ticker
             Send a number, the time and a random value as JSON ?every= second
             (1s), without end.

     /flood  Send binary messages of ?size= bytes (64) as fast as the client
             takes them, or at ?rate=, as in 1KB/s.

     /binary/size
             Send one binary message of random bytes, the same for the same
             ?seed= (1), and echo.  Alias: /bytes.

     /ping   Send a ping ?every= ten seconds (10s), and echo.

     /ip, /user-agent, /origin, /uuid
             Send the address of the client, a field of its request or a
             random UUID, and echo.

     /headers
             Send the request as JSON: method, path, query, header fields,
             address of the client, subprotocols and extensions, and echo.
             Cookie and Authorization are hidden if the request has an Origin.
             Aliases: /anything and /request.

     /bearer, /bearer/token
             Echo if the request has a bearer token, or this one; otherwise
             reject the upgrade with 401.

     /basic-auth/user/pass
             Echo if the request has these credentials; otherwise reject the
             upgrade with 401.

     /cookies/set
             Set each parameter of the query as a cookie, as in ?a=1&b=2, send
             the cookies of the request as JSON, and echo.  They are hidden if
             the request has an Origin.

     /deflate
             Echo with permessage-deflate, even with --no-compress; a client
             that does not offer it is rejected with 400.

     /fragment/n
             Echo each message in fragments of n bytes, without compression.

     /subprotocol/name
             Choose this subprotocol, and echo; a client that does not offer
             it is rejected with 400.  Alias: /protocol.

     /broadcast
             Send every message to the other clients on this path, with
             ?self=1 to its sender too.  In the modes broadcast and source
             this is the channel of the mode.

     /room/name
             Join a room; see Rooms.  Alias: /chat.

     /broadcast/sse, /room/name/sse
             Send what happens there as server-sent events to a GET.

     On these paths the server breaks the protocol on purpose.  Compression is
     never used.

     /no-upgrade, /bad-accept, /wrong-protocol, /wrong-extension
             Answer the upgrade with 200 and a page; with a wrong
             Sec-WebSocket-Accept (alias /wrong_accept_key); with a
             subprotocol or an extension that was not offered.

     /no-connection, /not-http
             Answer the upgrade with a 101 without the field Connection; with
             FOO BAR BAZ (alias /invalid).

     /slow-handshake/ms
             Answer the upgrade after this delay, and echo.  Alias, with a
             delay of 2 s: /handshake_sleep_2.

     /silent, /half-close, /no-pong
             Send nothing after the 101 and read on; the same after a FIN;
             echo, but answer no ping.

     /slow-reader
             Read at ?rate= (1KB/s), and echo.

     /drop, /reset
             Echo, and end TCP with a FIN or with a reset, without a Close
             frame, after ?after= messages (1) or after a duration.

     /bad-utf8, /bad-mask, /rsv1, /bad-opcode/n
             Send text that is not UTF-8, a masked frame, a frame with RSV1,
             or one with a reserved opcode (3 to 7, 11 to 15).

     /interleaved, /big-ping, /truncated-close, /close-then-data
             Send a text message inside a fragmented one, a ping of 126 bytes,
             a Close with a body of one byte, or a text message after Close
             1000.

     /bad-length, /oversize
             Send a header whose length has its top bit set, or announces 1
             TiB.

     /deflate-bomb
             Send a compressed message that inflates to ?size= bytes (256M, at
             most 1G); a client that does not offer permessage-deflate is
             rejected with 400.

     GET /paths lists the test paths as JSON.  An ordinary GET of a WebSocket
     path is answered with 426, and an invalid value with 400, before the
     upgrade.  Unknown parameters are ignored, except those that look like a
     misspelling.  With --strict-paths, every other path is answered with 404
     and the nearest test path.

   Rooms
     A room exists once a client joins /room/name or a message is published
     there.  The name of a room has up to 64 printable characters.  Parameters
     of the URL:

     ?name=name
             The name of the client, up to 32 printable characters; without it
             guest-3 for the client that the log calls #3.  A number is
             appended to a name that is taken.

     ?format=text, ?format=json, ?format=raw
             text (the default) receives “ann: hello” and lines such as “* ann
             joined (2 here)”; json receives an object for each of these, and
             binary messages in the member base64; raw receives only the
             messages, as they were sent.

     ?self=1
             Receive the messages of this client too.

     In a message, /nick name changes the name and /who lists the members;
     //text sends /text.  At the prompt of wscope-connect(1) type one more
     slash.  Clients with format=raw have no commands.

           {"event":"join","name":"ann","here":2}
           {"event":"message","name":"ann","here":2,"text":"hello"}
           {"event":"nick","name":"eve","from":"ann","here":2}
           {"event":"leave","name":"eve","here":1}
           {"event":"who","here":1,"names":["bob"]}
           {"event":"error","text":"unknown command /foo: /nick NAME, /who"}

   Publishing by HTTP
     A POST or PUT to /broadcast or /room/name publishes its body as one
     message, in a room under the name ?name= if there is one, and returns the
     number of clients it was sent to:

           $ curl -d 'deploy done' localhost:8080/room/ops
           {"delivered":3}

     Content-Type: application/octet-stream makes the message binary;
     otherwise a body that is not valid UTF-8 is answered with 400.  A body
     larger than --max-message is answered with 413, one that is not complete
     within 30 seconds with 408.  The bodies of all requests together may have
     64 MiB, or --max-message if that is more; beyond it a request is answered
     with 503.  These paths exist with test paths; in the modes broadcast,
     source and chat the path of the mode also exists with rules and scripts.
     The rules for Host and Origin apply (see Who can connect): a form on a
     page of another site cannot publish.

   Transports
     With --transports, the server has these paths in any mode, also with
     rules and scripts:

     POST /t/publish
             Publishes the body, one line of UTF-8 text of at most 64 KiB, as
             an update.  The answer is 202 with its number, from 1.

     /t/ws   Sends each update as one text message.

     GET /t/sse
             Sends each update as a server-sent event.  Last-Event-ID resumes
             after a number.

     GET /t/poll?since=n
             All updates after number n, separated by line feeds, with the
             newest number in the field Next; 204 if there are none, or
             without since.

     GET /t/longpoll?since=n&wait=duration
             The same, but waits for the first update, by default 30 seconds
             and at most 120.

     /t/echo
             Sends every WebSocket message back, and the body of a POST.

     channel=name in the query names one of several independent channels
     (default: 0).  The last 10 000 updates of all channels are kept, at most
     64 MiB.  Older ones are answered with 410, a number that has not been
     given yet or an invalid parameter with 400, a longer body with 413.

           $ wscope listen 8080 --transports &
           $ curl -d 'news' localhost:8080/t/publish
           1
           $ curl 'localhost:8080/t/poll?since=0'
           news

     Responses have no headers but the ones they need, because wscope bench
     transports compares the bytes; see wscope-bench(1).

   Server-sent events
     A GET of /broadcast or /room/name with Accept: text/event-stream, or of
     /sse below it, receives the messages as server-sent events (EventSource
     in a browser):

           $ curl -N localhost:8080/room/ops/sse
           data: * guest-1 joined (1 here)

           id: 7
           data: deploy done

     The id counts the messages of the channel.  A client that connects again
     with Last-Event-ID first receives the kept messages after that one.  A
     binary message is an event binary with its base64.  A comment every 15
     seconds keeps the stream alive.  Such a client counts as any other, for
     --max-clients and --slow too; the log marks it with (sse), and with left
     when it goes.  Rules do not apply to it.

   Control
     With --control, requests under /_/ ask what has happened, and change what
     happens, while the server runs; in any mode, also with rules and scripts:

     GET /_/clients
             The open clients as a JSON array: number, path, address, seconds
             since the opening, messages in and out, bytes that wait to be
             sent.

     POST /_/send?to=client
             Sends the body as a message to the client that the log calls #3
             with to=3, to all with to=all, or to those on a path with
             to=/room/x, in which * matches any characters.  It is binary with
             Content-Type: application/octet-stream.

     POST /_/close/client?code=1011&reason=text
             Closes this client, or all, with any code from 0 to 65535 (1000).

     POST /_/cut/client
             Ends the connection of this client, or of all, with a TCP reset.

     GET /_/faults, POST /_/faults, DELETE /_/faults
             Lists the faults; adds the one in the body, written as --fault
             takes it; removes all.  New connections have the faults of their
             opening; open ones keep theirs.  conn counts the upgrade requests
             after the fault was added.

     GET /_/messages
             The events so far as a JSON array of the objects of JSON Lines,
             each with an id.  ?since=id leaves out the events up to this one;
             ?match=regex and ?json=expr select messages, in both directions,
             as --filter and --filter-json do, in their whole payload; a
             message on which the search takes too many steps is left out.
             With ?wait=duration, at most 60s, the answer comes once ?count=n
             events are selected (1), or after this time.

     /_/, /_/paths, /_/metrics, /_/healthz
             The same as without /_.

           $ wscope listen 8080 --control &
           $ curl 'localhost:8080/_/messages?match=subscribe&wait=10s'
           [{"id":2,"v":1,"t":2.4101,"conn":1,"event":"message", ...}]
           $ curl -d '{"price":12}' 'localhost:8080/_/send?to=all'
           {"delivered":1}
           $ curl -d rst,conn=1-3 localhost:8080/_/faults
           {"fault":1}
           $ curl -X POST localhost:8080/_/cut/all
           {"closed":1}

     The last 10 000 events are kept, at most 16 MiB; a larger one has an id,
     but is not kept.  The log does not change, and neither --filter nor the
     50 messages of a second limit what is kept.  Every message is looked at,
     so that the server is slower than without --control.

     A request without a client of this number is answered with 404, with
     another method with 405, and with an invalid value with 400 and one
     sentence.  Pages of other origins are answered with 403, whatever
     --allow-origin says, and those of other ports of this machine too.  If
     other machines can connect, the server prints a token, made for this run,
     and requires it as Authorization: Bearer in place of other credentials:

           * control token: 9c13ddef37d7c25f3667b95d4bea6c82

   Faults
     A fault breaks connections on purpose, in every mode and on every path.
     --fault takes kind[=value][,parameter=value] and may be repeated.
     ?fault= in the URL of a client applies to its connection alone;
     --no-url-faults ignores it.

     refuse[=status]
             Reject the upgrade with this HTTP status, from 200 to 599;
             without a status, end the connection without a reply.

     slow-open=duration
             Delay the response to the upgrade request.

     drop=share
             Lose this share of the messages to the client, as in 5% or 0.05.

     dup=share
             Send this share of the messages twice.

     corrupt=share
             Change one byte in this share of the messages, after which a text
             may not be UTF-8.

     delay=duration[~spread]
             Delay each message to the client; delay=200ms~50ms is between 150
             and 250 ms.  Messages are never reordered.  While more than
             --max-queue is waiting to be sent, nothing more is read from the
             client.  Messages still waiting when the connection closes are
             dropped.

     fragment=size
             Send each message in uncompressed fragments of at most this many
             bytes.

     no-pong
             Do not answer pings.

     slow-close=duration
             Answer the Close frame of the client this much later.

     throttle=rate
             Limit the bytes to the client, as in throttle=1KB/s.

     slice=size[~spread]
             Write the bytes to the client in pieces of this size, gap apart
             (1ms); slice=16~8,gap=2ms writes 8 to 24 bytes every 2 ms.

     stall   Send nothing more and discard what arrives, but keep the
             connection open: the nearest to packets that are lost without an
             error, which would need privileges.

     no-read
             Stop reading from the connection, so that the client's output
             fills up.

     close=code
             Close with this code; 1005 sends a Close frame without a code.

     fin     End the connection without a Close frame.

     limit=size
             End the connection with a TCP reset after this many bytes to the
             client.

     life=duration
             End the connection with a TCP reset after this long, under
             traffic too.

     rst     End the connection with a TCP reset.  Over HTTP/2, only the
             stream is reset.

     Parameters:

     after=n, after=duration
             Start after this many messages to the client, or this long after
             opening.  Not available for refuse and slow-open.

     for=duration
             End the fault after this long.  Available for delay, fragment,
             drop, dup, corrupt, no-pong, throttle, slice, stall and no-read.

     gap=duration
             The time between two pieces of slice.

     p=share
             The share of connections that have the fault, as in 30% or 0.3.

     conn=range
             Only these upgrade requests, counted from 1 among those that
             match path: 3, 1-3 or 4-.  Not available in a URL.

     path=glob
             Only this path, without its query; * matches any characters.  Not
             available in a URL.

     Each connection has its own random stream, derived from --seed and the
     number of its upgrade request: the same seed and the same order of
     requests produce the same faults, with any number of threads.  The seed
     is printed with the faults:

           * faults: rst,after=10,p=30%; delay=200ms~50ms  seed 4711

     The log shows when a fault first affects a client:

           #5 fault rst

   Rules
     --rules and --on answer messages by rules, one a line:

           # chat.rules
           open                    => > {"type":"welcome","you":$CONN}
           < ping                  => > pong
           <~ ^hello (\w+)         => > hi $1
           <json .op == "sub"      => > {"ok":true,"id":${.id}}
                                   => wait 500ms
                                   => > {"tick":1}
           every 30s               => ping
           @/chat <*               => @others > $MESSAGE
           once < login            => > denied
           upgrade 1-3             => status 503

     Messages, values and actions are those of the scripts of wscope-send(1).
     The first rule that fits takes a message.  A message that no rule takes
     goes to the mode if --mode is given, and else is only logged, with (no
     rule).  With rules there are no test paths.  In addition to messages and
     every, a rule can be for these events:

     open [range]
             A connection has opened.  The range, as in 2, 1-3 or 4-, counts
             the upgrade requests in the scope of the rule.

     closed  A connection has ended; the action needs a target.

     upgrade [range]
             An upgrade request has passed all checks, and is not answered
             yet.  The actions are status, wait, reset and stall.

     A scope in front of the event, @/chat or @/room/*, limits the rule to
     clients on such paths.  A target in front of an action names others than
     the client of the event: @all and @others (in the scope of the rule),
     @/room/* (on such paths), or @3, the client that the log calls #3.
     Further actions are:

     status code [text]
             Reject the upgrade with this HTTP status, from 200 to 599.  The
             text is the body, and of a redirect the location.

     reset   End the connection with a TCP reset.

     stall   Send nothing more, not even pongs or a Close, and discard what
             arrives; the connection stays open.

     Values are also $CONN (the number of the client), $N (messages received
     from it), $PATH, $NOW (RFC 3339), $MS (milliseconds since 1970), $UUID
     and ${?name} (a parameter of the URL).  The files of >@ are read when the
     server starts.

     The log names the rule that took a message by its line, or on1 for the
     first --on, and with -v what it sent.  The file of --rules is read again
     when it changes: ranges and rules that fire once begin anew, and captured
     values stay.  A client that connected on a path without rules keeps its
     mode.  If the file cannot be used, the old rules stay.

   Scripts
     With --script the steps of a file run on each connection: a test of the
     client.

           < {"op":"subscribe"}
           > {"ok":true}
           <json .op == "ack" -> ID
           close 1000

     The steps are those of wscope-send(1), without connect and without named
     connections, and reset and stall.  A script whose only step is status
     rejects the upgrade.  A step waits at most --wait.  After the last step
     the server closes with 1000; a step that fails closes with 1008, and the
     log says what came instead:

           #3 script ok      server.wscope  7 steps, 41 ms
           #4 script failed  server.wscope:1  < {"op":"subscribe"}   got "{"op":"sub"}"

     In the reports of --junit and --tap-output each step that can fail is a
     test, and each connection a suite.

   Programs
     With --exec, each connection is answered by a process of its own, which
     is started without a shell.  A text message becomes a line of its
     standard input, and each line of its standard output becomes a text
     message; --null uses NUL in place of the line feed.  With --binary, the
     bytes of a message are written unchanged, and what one read returns, up
     to 64 KiB, becomes a binary message.  A client that does not read stops
     the process, and a process that does not read stops the client.  There
     are no test paths.

     Programs buffer their output if it goes to a pipe.  --exec-pty gives them
     a pseudo-terminal in place of both pipes, without echo and without
     changes to the bytes, so that they write each line at once; stdbuf -oL
     and python -u may do the same.

     When the client leaves, the standard input of the process ends (a pseudo-
     terminal hangs up); after --exec-grace (2s) its process group gets
     SIGTERM, and SIGKILL 2 s later.  When the process ends, the client
     receives the rest of its output, and Close 1000 if the exit status was 0,
     or else 1011 with a reason such as “exit 3” or “killed by SIGSEGV”.  What
     the process has left in its process group is ended too.  Output that is
     not UTF-8, or longer than --max-message, is answered with Close 1011.  At
     most 64 processes run at a time; further clients are rejected with 503.

     The standard error goes to the log; --exec-stderr client sends both
     outputs to the client, each line as {"stream":"stdout","data":"text"} or
     {"stream":"stderr","data":"text"}.

     The environment of a process has PATH, HOME, LANG, TZ, TERM and USER of
     wscope-listen, the variables of --pass-env, and WS_CLIENT (the number in
     the log), WS_PATH, WS_QUERY, WS_ORIGIN, WS_SUBPROTOCOL, WS_REMOTE_ADDR
     and WS_REMOTE_PORT.  Scripts for websocketd find REMOTE_ADDR,
     REMOTE_PORT, REQUEST_URI, PATH_INFO, QUERY_STRING, SERVER_PORT and
     UNIQUE_ID.  --pass-header X-Tenant adds WS_HEADER_X_TENANT.  Nothing else
     of the request reaches the environment, and a value with a control
     character that ends a line is left out.

     With --mode source, one process runs, with an empty input, and each line
     of its output goes to all clients.

     A server that other machines can reach lets them run the program: --exec
     then requires --i-know.

   Answers by hand
     In mode manual, a line goes to the only client; @3 text goes to client 3
     of the log, and @all text to all clients.  If standard input and standard
     error are terminals, lines are typed at a prompt, with the log above it;
     --no-prompt reads them without one.  Otherwise they are read from
     standard input, and each message from a client is written to standard
     output, followed by a line feed; with --format jsonl, events are written
     in its place.  With --binary, lines are sent as binary messages.

     Commands:

     /clients
             List the open clients.

     /info 3
             Show the request of client 3, its subprotocol, extensions, faults
             and traffic.

     /hex 3 bytes
             Send a binary message to client 3, or to all, here and below.

     /file 3 path
             Send the contents of a file.

     /ping 3
             Send a ping.

     /close 3 [code [reason]]
             Close with this code, 1000 by default.

     /cut 3  End the connection with a TCP reset.

     /fault fault
             Add a fault for new connections, as --fault does: a reconnect
             drill is /fault refuse=503 and /cut all.

     /fault clear
             Remove the faults; open connections keep theirs.

     /faults
             List the faults.

     /help   List the commands.

     /quit   Close all clients and end the server, as Ctrl-D at the prompt
             does.

     //text  Send /text.

     At the end of the input the clients stay connected, unless --exit-at-eof
     is given.

   The browser page
     GET / returns a page that turns any browser into a client.  It is a
     single file, loads nothing from other sites, and connects to this server
     only.

   Who can connect
     A browser lets any web page send requests to servers on its own machine.
     wscope listen therefore checks two header fields of every request, for
     the page and for connections, and responds with 403 if one of them fails:

     Host    must be localhost, a name below it, an IP address, the host on
             the command line, or a name given with --allow-host.

     Origin  must be absent, as it is for clients other than browsers; or be
             localhost or a loopback address; or match the host and port in
             Host; or be given with --allow-origin.

     With --basic-auth or --bearer, upgrades and pages also require these
     credentials, and a request without them is answered with 401.  A browser
     cannot set header fields of a WebSocket, so the token may also be the
     parameter access_token of the URL:

           wscope listen 8080 --bearer env:TOKEN
           wscope connect ":8080/?access_token=$TOKEN"

     GET /healthz needs no credentials; it is answered with ok.

     With --require-subprotocol, a client that offers none of the subprotocols
     of --subprotocol is answered with 400.

     A malformed handshake is answered with 400, or with 426 if it requests
     another version of the protocol.  A connection beyond --max-clients is
     answered with 503.  A message larger than --max-message is answered with
     Close 1009.

   TLS
     --tls creates a certificate for this run.  It covers localhost,
     127.0.0.1, ::1 and the host name, is valid for 30 days, and is kept in
     memory only.  Its SHA-256 fingerprint is printed on standard error, with
     a command that accepts exactly its key.  --cert and --key use a
     certificate and key from files.

     With --tls-ca-out, an authority made for this run signs the certificate,
     and its own certificate is written to a file, for a phone or a browser to
     trust.  The key of the authority is kept nowhere, so that it can never
     sign another certificate:

           wscope listen 8443 --tls --tls-ca-out ca.pem &
           curl --cacert ca.pem https://localhost:8443/healthz

     With --client-ca, a client must have a certificate signed by one of the
     authorities in the file, valid now and, if it says what it is for, for
     client authentication.  Other clients are refused during the TLS
     handshake, and the log says why; otherwise the subject of the certificate
     is in the line of the opening:

           #1 open   /chat from 127.0.0.1:53412, certificate CN=ann
           ! TLS from 127.0.0.1:53414: no client certificate

   HTTP/2
     With --http2, clients can also use HTTP/2 and open a WebSocket in each
     stream (RFC 8441): negotiated by ALPN with TLS, detected from the first
     bytes without.  The log shows which connections do.  A connection carries
     up to 100 streams; one without a stream is closed after ten seconds.

   Invalid requests
     The log shows, even with --quiet, what a client sent instead of a valid
     request: TLS on a port without it or the reverse, HTTP/2, lines that end
     in LF alone, no complete head within 10 seconds (answered with 408), or a
     head larger than --max-head (431).  A single line may take up a quarter
     of that limit, and a head may have 100 fields.

   Memory
     A client costs about 5 KiB.  permessage-deflate is on unless
     --no-compress is given.  With it, a client that compresses costs about
     120 KiB (measured with 1000 clients and messages of 1000 bytes), and up
     to 300 KiB when its messages fill the windows.  A client that did not
     negotiate it, or has not sent a message yet, costs nothing extra.

   The log
     The log goes to standard error, one line per event.  Each line begins
     with the number of the client:

           #1 open   /chat from 127.0.0.1:53412
           #1 < text 5 B  hello
           #1 closed 1000 normal (by the peer)   1 in, 1 out, 1.92 ms
           ! 403 to 127.0.0.1:53414: rejected origin http://example.com; ...

     At most 50 messages per second and thread are logged individually; the
     others are counted.  --verbose logs all of them, and those that the
     server sends too, with the fault that changed a message or the rule that
     sent it.  --quiet logs rejected requests only.  Text from clients is
     escaped in the log, even when it goes to a file.

     --filter and --filter-json log only the messages that match, in whichever
     direction; with both, a message must match both.  Every message is
     compared, also those beyond the 50 of a second.  --filter searches the
     first 64 KiB of a message; one on which the search takes too many steps
     is logged.  --json prints JSON of up to 64 KiB on indented lines, and
     --timestamps puts the time in front of each line:

           wscope listen 8080 -v --timestamps=rel --filter-json '.op == "subscribe"'

     With --lint, one more line before the end of each client counts what the
     standard permits, or a receiver may overlook, but a client should not
     send: lengths encoded in more bytes than necessary, empty fragments, text
     fragments that end inside a character, and frames that reuse the masking
     key of the previous frame.  The key of each frame must be unpredictable
     (RFC 6455 section 5.3), and only a server can check that.  --quiet omits
     the line.

           #1 * lint: 2 frames that reuse the previous masking key (RFC 6455 section 5.3)

     A client that sends more than 1000 pings in a second is logged once; its
     pings are answered nevertheless.

   JSON Lines
     With --format jsonl, every event is a line of JSON on standard output, in
     place of the log; the lines with the URLs and warnings stay on standard
     error.

     wscope listen 8080 --format jsonl | jq -r 'select(.event == "message").text'

     wscope --schema prints the JSON Schema of the lines.  The first one is
     the event listening.  Then come open, message, ping, pong, fault, script,
     exec, stderr, lint and close of the connections, which conn numbers,
     published for messages that were published by HTTP, and refused for
     rejected requests.  in and out are meant from the side of the server.
     Payloads are complete, and messages are not limited to 50 in a second;
     --filter and --filter-json select messages.  Secrets in URLs are replaced
     by ***.

     While more than 16 MiB of events wait because the reader of standard
     output is too slow, the server does not read from its clients, and no
     event is lost.  Messages that the server sends by itself go on; events
     beyond 64 MiB are dropped, and their number is reported on standard
     error.  If standard output is closed, the server goes on without it.

   Metrics
     GET /metrics returns counters in the text format of Prometheus (version
     0.0.4).  It requires what other requests require: a Host that is allowed,
     and the credentials.  The counters are kept by the connections and added
     up when they are asked for.

     wscope_build_info
             The labels are the version and what answers connections.

     wscope_connections

     wscope_connections_total

     wscope_handshakes_total
             Opened connections and rejected requests by status.

     wscope_refused_origins_total

     wscope_closes_total
             By code and by, which is client, server or none for a lost
             connection.

     wscope_connection_duration_seconds
             A histogram.

     wscope_protocol_errors_total
             By the close code that the client was sent.

     wscope_messages_received_total

     wscope_messages_sent_total

     wscope_received_bytes_total

     wscope_sent_bytes_total
             Bytes of payload, uncompressed.

     wscope_wire_received_bytes_total

     wscope_wire_sent_bytes_total
             Bytes of frames.

     wscope_pings_received_total

     wscope_pongs_received_total

     wscope_pings_sent_total

     wscope_send_queue_bytes
             Bytes that wait for clients that read slowly.

     wscope_slow_consumers_total

     wscope_faults_total
             Connections and handshakes on which a fault acted, by kind.

     wscope_rule_matches_total
             Messages, by rule.

     wscope_unmatched_messages_total
             Messages that no rule took.

     wscope_exec_processes

     wscope_exec_exits_total
             Processes of connections by status, which is 0, error or signal.

     process_cpu_seconds_total

     process_resident_memory_bytes

     process_open_fds

     process_max_fds

     process_start_time_seconds

     Labels are never what a client sent.  Close codes from 3000 on get a
     series each until there are 64 codes, statuses until there are 40, and
     rules until there are 100; further ones are counted as other.

OPTIONS
     port    [HOST:]PORT to listen on (default: 8080).

     command ...
             The program of --exec and its arguments.

     --host host
             Listen on this address or host name, which may open the server to
             other machines; by default on loopback only.

     --unix-socket path
             Listen on a unix socket instead of a port.

     --mode mode
             What answers a connection (default: echo).  echo: Sends every
             message back to the client that it came from.  broadcast: Sends
             every message to all other clients.  broadcast=all: Sends every
             message to the sender too.  chat: Sends every message to the
             others in the room, with the sender's name.  sink: Counts every
             message and discards it.  source: Sends each line of standard
             input to all clients and discards their messages.  manual: Shows
             every message; lines of standard input go to the clients that
             they name.  Values: echo, broadcast, broadcast=all, chat, sink,
             source, manual.

     --strict-paths
             Reject paths that are not test paths with 404.

     --transports
             Add the paths under /t/, in any mode: updates that are published
             by POST, and read by WebSocket, server-sent events, polls and
             long polls.  bench transports compares them.

     --no-prompt
             Read lines without a prompt, on a terminal too.  Mode manual.

     --port-file file
             Write the port number to this file once bound.

     --tls   Serve wss:// with a certificate made for this run, for localhost
             and the names of this machine.

     --tls-ca-out file
             Have the certificate of --tls signed by an authority made for
             this run, and write that of the authority to this file (PEM), for
             a phone or a browser to trust.  Its key is kept nowhere.

     --cert file
             Serve wss:// with this certificate, followed by its chain (PEM).

     --key file
             Private key for --cert (PEM).

     --http2
             Also serve WebSocket over HTTP/2 (RFC 8441): negotiated by ALPN
             with TLS, with prior knowledge without.

     -s, --subprotocol, --protocol name
             Accept this subprotocol if a client offers it; may be repeated,
             in order of preference.

     --allow-origin origin
             Allow pages of this origin to connect, as in https://example.com;
             may be repeated.

     --allow-host name
             Accept this name in the Host field; may be repeated.

     --max-message size
             Reject messages larger than this, with Close 1009.  Default: 16
             MiB.

     --max-head size
             Reject requests whose head is larger than this, or has a line
             larger than a quarter of it.  Default: 32 KiB.

     --max-queue size
             Close a client that reads too slowly once more than this is
             queued for it.  Default: 16 MiB.

     --max-clients n
             Limit for clients at a time; more are rejected with 503 (default:
             nine tenths of the open-file limit).

     --close-timeout duration
             Time limit for the clients' Close when the server shuts down.
             Default: 5s.

     --threads n
             Number of event loop threads.  Default: 1.

     --control
             Add the paths under /_/, through which a test or a script
             controls the server: it lists clients, sends, closes, cuts,
             changes faults, and reads what has happened.

     --reuse-port
             Let other processes listen on the same port (SO_REUSEPORT); the
             kernel distributes the clients.

     --lint  Count legal but unusual properties of a client's frames, and log
             them when it disconnects: lengths encoded in more bytes than
             necessary, empty fragments, text fragments that end inside a
             character, masking keys used again.

     --version
             Show the version.

     -h, --help
             Show help information.

   Access
     --basic-auth user:password
             Require Basic authentication with these credentials, as
             user:password, of upgrades and pages; @FILE and env:NAME read
             them from there.  By default no credentials are required.

     --bearer token
             Require this bearer token, in the Authorization field or as the
             parameter access_token of the URL; @FILE and env:NAME read it
             from there.  With --basic-auth, either admits.

     --client-ca file
             Require a certificate of every client, signed by one of the
             authorities in this file (PEM).  Its chain, dates and purpose are
             checked.  With --tls or --cert.

     --require-subprotocol
             Reject clients that offer none of the subprotocols of
             --subprotocol with 400.

   End
     --once  End after one connection; the same as --exit-after 1.

     --exit-after n
             Accept this many connections, and exit when they have ended; the
             exit code is that of the first one that failed.  By default the
             server runs until a signal.

     --accept-close codes
             With --exit-after: accept these close codes from the clients, as
             in 4000-4999, in addition to 1000, 1001 and no code.

     -m, --max-time duration
             Time limit for the whole run, as in 30s; exceeding it is exit
             code 28.  By default there is none.

     --exit-at-eof
             End with Close 1001 when standard input ends.  Mode source and
             manual.

   Publishing
     --slow close|drop|wait
             What to do with a client that does not read: close it, drop
             messages for it, or wait until it has caught up (default: close).
             Modes broadcast, chat and source, and the paths /broadcast and
             /room.  Values: close, drop, wait.

     --keep n
             Send a new client the last n messages first, 0 to 1000 (default:
             20 in rooms, 1 in mode source, otherwise 0).  Modes broadcast,
             chat and source, and the paths /broadcast and /room.

     -b, --binary
             Send binary messages; the default is text.  Mode source and
             manual, and --exec.

     -0, --null
             Messages on standard input, or of the program, end with a NUL
             byte, not with a line feed.  Mode source and --exec.

   Scripts and rules
     --script file
             Run the steps of this script on each connection ("< text" waits
             for a message from the client, "> text" sends one) and close: a
             test of a client.  - is standard input.

     --rules file
             Answer messages by the rules of this file, one a line, as in: <
             ping => > pong.  The file is read again when it changes.  - is
             standard input.

     --on rule
             Add a rule, as in: --on '< ping => > pong'.  A value that begins
             with "=> " adds an action to the rule before it.  May be
             repeated.

     -w, --wait duration
             Time limit for each step of --script that waits for a message
             (default: 10s).

     --junit file
             Write a JUnit XML report of --script to this file, a test suite
             for each connection.

     --tap-output
             Write a TAP report of --script to standard output at the end.

   Programs
     --exec  Run the program after -- for each connection: messages become
             lines of its input, and lines of its output become messages.
             With mode source, run it once and send its output to all clients.

     --exec-pty
             Give the program a pseudo-terminal in place of pipes, so that it
             does not buffer its output.

     --exec-grace duration
             Time from the end of the program's input, once its client has
             left, to SIGTERM; SIGKILL follows 2 s later (default: 2s).

     --exec-stderr log|client
             What to do with the program's standard error: log, or client to
             send both outputs to the client as JSON,
             {"stream":"stderr","data":"text"} (default: log).  Values: log,
             client.

     --pass-env name
             Pass this variable of the environment to the program; may be
             repeated.

     --pass-header field
             Pass this field of the request to the program, as WS_HEADER_NAME;
             may be repeated.

     --i-know
             Allow --exec on an address that other machines can reach: they
             can then run the program.

   Faults
     --fault fault
             Break connections on purpose:
             KIND[=VALUE][,after=N|D][,for=D][,p=30%][,conn=N-M][,path=GLOB];
             may be repeated.  refuse=503: Rejects the upgrade with this HTTP
             status; without one, closes without a reply.  slow-open=2s:
             Answers the upgrade request this much later.  drop=5%: Loses this
             share of the messages.  dup=1%: Sends this share of the messages
             twice.  corrupt=1%: Changes one byte in this share of the
             messages; text may not be UTF-8 then.  delay=200ms~50ms: Sends
             each message this much later, in order; ~50ms spreads the delay.
             fragment=16: Sends each message in uncompressed fragments of at
             most this many bytes.  no-pong: Does not answer pings.
             slow-close=2s: Answers the client's Close this much later.
             close=1011: Closes with this code.  throttle=1KB/s: Limits the
             bytes sent to the client to this many a second.  slice=16~8:
             Writes pieces of this many bytes, gap= apart (1ms by default);
             16~8 is 8 to 24 bytes.  stall: Sends nothing more and discards
             what arrives, but keeps the connection open.  no-read: Stops
             reading from the connection.  rst: Ends the connection with a TCP
             reset (RST).  fin: Ends the connection without a Close frame
             (FIN).  limit=10KB: Ends the connection with a TCP reset after
             this many bytes.  life=30s: Ends the connection with a TCP reset
             after this time, under traffic too.

     --no-url-faults
             Ignore ?fault= in client URLs, which adds a fault to that
             connection.

     --seed seed
             Seed of everything random about faults, 0 to 2^64-1 (default: a
             random one).

   Compression
     --compress[=params]
             Compress messages with permessage-deflate, optionally with
             comma-separated parameters: client_max_window_bits=N,
             server_max_window_bits=N (bits, 8 to 15),
             client_no_context_takeover, server_no_context_takeover,
             no_context_takeover.

     --no-compress
             Do not compress messages, and do not negotiate compression.

   Log
     --format format
             Format of the events: text, a log on standard error, or jsonl,
             one JSON object per event on standard output.  Values: text,
             jsonl.  Default: text.

     --timestamps[=kind]
             Show the time before each line: iso (UTC; the default without a
             value), rel (since the start) or delta (since the previous line).
             Values: iso, rel, delta.

     --json  Pretty-print JSON messages in the log.

     --filter regex
             Log only messages that match this regular expression (PCRE2).

     --filter-json expr
             Log only JSON messages for which this expression is true, as in
             '.op == "sub"'.

     -q, --quiet
             Log only rejected requests and errors.

   Output
     --color when
             When to use colour: auto (on a terminal), always or never.
             Values: auto, always, never.  Default: auto.

     -v, --verbose
             Print the handshake, timings, sizes and the close; in listen, log
             every message, sent ones too.  Given twice, connect also prints
             every frame and the sizes on the wire.

ENVIRONMENT
     NO_COLOR, CLICOLOR_FORCE, TERM
                     Control colour; see wscope(1).

EXIT STATUS
     The complete table is in wscope(1).  wscope listen returns these codes:

     0    A signal shut the server down and every client was closed; or, with
          --exit-after, every connection was successful.

     1    A step of --script failed (--exit-after).

     2    The command line is invalid, or a certificate cannot be used.

     23   A report could not be written.

     28   --max-time passed.

     45   The server cannot listen at this address: it is in use, not
          permitted, or not an address of this machine.

     56   A connection was lost (--exit-after).

     63   A message was larger than --max-message (--exit-after).

     110  A client violated the protocol (--exit-after).

     111  A client closed with a code other than 1000, 1001 or none, and
          --accept-close does not include it (--exit-after).

     130  A second SIGINT arrived before the shutdown was complete, or the
          first one before --exit-after was reached.

     143  The same with SIGTERM or SIGHUP.

     With --exit-after, the code is that of the first connection that failed,
     in the order in which they were opened.

SEE ALSO
     wscope(1), wscope-connect(1), wscope-send(1)
"""#
    ),
    (
      name: "wscope-send",
      text: #"""
NAME
     wscope-send – send WebSocket messages and check the replies

SYNOPSIS
     wscope send [option ...] url [message ...]

DESCRIPTION
     wscope send opens a connection, sends messages, prints the replies on
     standard output, closes with code 1000, and reports the result in its
     exit status.  The forms of a url and the use of the standard streams are
     described in wscope(1).

     It sends the messages of --execute first, then the message arguments,
     then the files of --file, each as one message.  If there are none and
     standard input is not a terminal, each line of standard input is a
     message.  A message of - reads standard input after the others.  A
     carriage return before a newline is removed, and an empty line is an
     empty message.  --null, --stdin-whole and --input split the input
     differently.  Text that is not valid UTF-8 is rejected; with --binary it
     is sent as it is.

     With nothing to send, it checks the handshake and succeeds if the server
     accepts it.

EXAMPLES
     Most of these need a server, such as ‘wscope listen 8080’.

     Check an endpoint in CI: wait for the server to start, require a reply
     within two seconds, and write a JUnit report:

           wscope send :8080 ping --expect ping --wait-up 30s --within 2s --junit out.xml

     Check only that the endpoint accepts connections:

           wscope send ws://localhost:8080/ </dev/null && echo yes

     Debug a login: show the handshake and the timings.  An invalid token must
     be rejected with 401:

           wscope send -v wss://api.example.com/ --bearer env:TOKEN </dev/null
           wscope send wss://api.example.com/ --bearer invalid --expect-status 401 </dev/null

     Send two messages and exit after two replies:

           wscope send :8080 -x '{"op":"login"}' '{"op":"list"}' -N 2

     Require a JSON reply, and then silence for a second:

           wscope send :8080 '{"op":"ping"}' --expect-json '.op == "ping"' --expect-none 1s

     Require two replies, in this order, within two seconds; report in TAP and
     JUnit:

           wscope send :8080 login list --expect-regex '^log' --expect list --within 2s --tap-output --junit out.xml

     Require exact bytes, and a limit on the round-trip time:

           wscope send :8080 -b hi --expect-binary 6869 --expect-count 1 --max-rtt 2s

     Receive until a message matches:

           wscope send :8080 one two done --until '^done$'
           wscope send :8080 '{"n":1}' '{"n":2}' --until-json '.n >= 2'

     Send each line of standard input as a message:

           seq 1000 | wscope send :8080 -N 1000

     Send a file unchanged, and save the reply unchanged:

           wscope send :8080 --binary -x @/bin/true -1 > copy

     Send a message without waiting for a reply:

           wscope send :8080 'deployed' --wait 0

     Check the handshake alone, and accept application close codes:

           wscope send :8080 --expect-status 101 --accept-close 4000-4999 </dev/null

     Repeat a check three times:

           wscope send :8080 ping --expect ping --repeat 3 --interval 100ms

     Run a script from a file and from standard input:

           wscope send :8080 --script Tests/Examples/echo.wscope
           printf '> {"id":7}\n<json .id -> ID\n> $ID\n< 7\n' | wscope send :8080 --script -

     Record a session, and check later that the server still answers the same:

           wscope send :8080 one two -N2 --record session.jsonl
           wscope send :8080 --replay session.jsonl

     Check that a server closes the connection on nonsense, chooses a
     subprotocol, and is reachable through a proxy:

           wscope send wss://api.example.com/ nonsense --expect-close 1003,1007,1008
           wscope send wss://api.example.com/ -s chat --expect-subprotocol chat </dev/null
           wscope send wss://api.example.com/ --proxy http://proxy.example.com:3128 </dev/null

CHECKS
   When it ends
     After the last message it waits up to --wait for the first reply.  If
     none arrives, the exit status is 28.  After a reply, it ends when no
     further message arrives for --linger.  With --wait 0 it does not wait at
     all.

     With --count, it ends after that many messages, and waits up to --wait
     for each of them.  With --expect and without --count, it ends as soon as
     everything expected has arrived.

     It then closes with code 1000 and waits up to --close-timeout for the
     peer's Close.

   Expectations
     Messages are expected with --expect, --expect-regex, --expect-json and
     --expect-binary, which can be repeated and combined.  They must be met in
     the order in which they are given, each by the first message that
     matches.  Other messages may arrive in between.  To expect the same text
     twice, give it twice.

     A regex uses the syntax of PCRE2, described in pcre2syntax(3), with
     Unicode properties for \w, \d and the like.  It may match anywhere in a
     message that is valid UTF-8.  If the search takes too many steps on a
     message, that message does not match, and the report says so.

     An expr is a path as in jq(1) (.op, .a.b[0], .list[-1], .["odd name"]),
     optionally followed by one comparison (== != < <= > >=) with a string, a
     number (compared exactly, digit by digit), true, false, null or another
     path.  A path alone is true if its value exists and is neither null nor
     false.  Unlike in jq, the ordering operators compare only two numbers or
     two strings.

     --expect-none starts after the last message that was sent or expected.
     --expect-count is exact: --linger must pass after the last message
     without another one.  --expect-close waits for a Close initiated by the
     peer; 1005 is a Close without a code, and 1006 a lost connection.  If it
     is given, it decides the result instead of exit statuses 56 and 111.
     --max-rtt limits the time of every message that arrives after the first
     one was sent.  --until and --until-json end the session when a message
     matches.

     Without --within, the wait for expected messages ends when no message
     arrives for --linger after a reply.  With it, only the deadline counts,
     measured from the opening.  Expectations not met by then have failed.

     Each expectation is reported on standard error, as met or with what
     arrived instead.  --tap-output prints the results on standard output,
     instead of the messages, in the Test Anything Protocol, version 13.
     --junit writes them to a file, which is replaced atomically.  Both
     include a result for the opening of the connection, and one for its end
     if that failed, so a report is never green if the exit status is not 0.

   Retries and repetitions
     With --wait-up, the connection attempt is repeated, with pauses that grow
     up to one second, while the host name cannot be resolved, the connection
     is refused, ends without a reply or times out, or the reply is a 5xx
     status.  Any other reply ends the retries: a server that replies with 401
     or 404 is running.

     With --repeat, everything is repeated, each time on a new connection;
     --interval is the time from the start of one repetition to the start of
     the next.  Each repetition is reported, and the number that failed.  The
     exit status is that of the first one that failed.  Standard input is read
     once and sent each time.  In a recording and in JSON Lines, each
     connection has its own number.

     A run that is ended by a signal still writes its reports, with the signal
     as the failure.

SCRIPTS
   Steps
     --script runs the steps in a file, one per line, until one fails.  Empty
     lines and lines that begin with # are ignored, as is white space before a
     step.  One space follows the step's operator; everything after it, to the
     end of the line, is taken literally.

     > text  Sends a text message, or with --binary a binary one.

     >e text
             The same, with escapes: \n \r \t \0 \\ and \u{41}.

     >b hex  Sends a binary message.

     >@ file
             Sends the contents of a file, relative to the script.

     < text  Waits for exactly this text message; <e allows escapes.

     <b hex  Waits for exactly this binary message.

     <~ regex [-> NAME]
             Waits for a text message that matches the regular expression.
             Its first group, or the whole match, is assigned to the variable.

     <json expr [-> NAME]
             Waits for a JSON message for which the expression is true.  The
             value at its path is assigned to the variable.

     <* [-> NAME]
             Waits for any message.  Its text, or the hexadecimal digits of a
             binary message, is assigned to the variable.

     wait duration
             Pauses.  Messages that arrive in the meantime are kept for later
             steps.

     expect-none duration
             Waits for this long, and fails if a message arrives or an earlier
             one has not been matched by any step.

     ping [text]
             Sends a ping and waits for its pong.

     close [code [reason]]
             Closes the connection and waits for its end.

     expect-close [codes]
             Waits until the peer closes, with one of these codes; 1006 is a
             lost connection.

     connect [url]
             Opens the connection: to the command's URL, to another URL, or to
             a path on the same server.  The unnamed connection opens by
             itself and needs this step only to reopen.

     @NAME step
             Performs the step on the named connection, which @NAME connect
             has opened.

     A step that waits for a message skips messages that do not match, for up
     to --wait.  A step that fails ends the script with exit status 1.  The
     error shows the file, the line, the step and what arrived instead.  If a
     connection ends before its step, or ends abnormally without a step that
     expects it, the exit status is the same as without a script.  At the end,
     all open connections are closed with code 1000.

     $NAME or ${NAME} is the captured value of that name or, if there is none,
     the environment variable.  A name that is neither is an error, reported
     before anything is sent.  A literal dollar sign is written $$, or $ if no
     name follows.  In a regular expression, a value matches itself literally.
     In a JSON expression it is a JSON value, or text inside quotes.  Output
     shows the steps as written, so secrets in variables are not revealed.

     In the reports, each step that can fail is one test.

   Rules
     A line with => after an event is a rule: it reacts every time the event
     happens, until the steps are done.

           < ping => > pong
           <~ ^hello (\w+) => > hi $1
           <json .op == "sub" => > {"ok":true,"id":${.id}}
                              => wait 500ms
                              => > {"tick":1}
           once < login => > denied
           every 30s => ping
           @alice <* => @bob > $MESSAGE

     The event is a message, written as in the steps <, <e, <b, <~, <json and
     <*, or every duration, at least 10ms, measured from the opening of the
     connection.  A rule with once reacts to one message of each connection.
     A rule with @NAME applies to that connection, any other to all of them.
     Each message goes to the first matching rule in the file; steps and
     expect-none do not see it.

     The action is one of >, >e, >b, >@, ping, close, wait and nothing; a line
     that begins with => adds an action to the rule above.  An action applies
     to the connection of the event, or to @NAME.  The actions of one
     connection are performed in order: during a wait, later ones are queued.
     A ping in a rule does not wait for its pong.

     Besides variables, an action can use $0 to $9, the match of the regular
     expression and its groups; ${.path}, a value in the JSON message; and
     $MESSAGE.  If the text of an action is JSON, values are inserted as JSON,
     and inside quotes as escaped text, so a peer cannot break it.  To wait
     for a text that contains “ => ”, write <e a \u{3d}> b.

     Regular expressions and JSON expressions of rules apply to messages of up
     to 1 MiB.  If one takes too many steps on a message, the rule is skipped
     for this message, with a warning.

   Recordings
     --record writes everything that is sent and received to a new file, as
     JSON Lines.  --replay sends again what was sent in a recording, and
     compares the replies with the recorded ones, message by message, in
     order.  Each reply that differs, is missing, or was not recorded is
     shown, and makes the exit status 1.  With --timing fast, a message is
     sent when as many replies have arrived as were recorded before it; with
     recorded, it is sent at its recorded time after the opening.

OUTPUT
     --timestamps puts a time and a space before each text message on standard
     output.  Binary messages in a pipe remain exact bytes.  It cannot be used
     with --raw, --null or --format jsonl.

     --format jsonl and --input jsonl are explained in wscope-connect(1).

OPTIONS
     url     URL to connect to: ws://, wss://, host:port or :port.

     messages ...
             Messages to send, in order; - also reads standard input.

     --file file
             Send the contents of this file as one message, after the others;
             may be repeated.  - is standard input.

     --version
             Show the version.

     -h, --help
             Show help information.

   Expectations
     --expect text
             Expect exactly this message.  Message expectations can be
             repeated and combined; they are met in order, each by the first
             message that matches.  If one is not met, the exit code is 1.

     --expect-regex regex
             Expect a text message that matches this regular expression
             (PCRE2).

     --expect-json expr
             Expect a JSON message for which this expression is true, as in
             '.op == "pong"'.

     --expect-binary hex
             Expect a binary message of exactly these bytes, as hexadecimal
             digits.

     --expect-none duration
             Expect no message for this long, as in 1s, after the last one
             that was sent or expected.

     --expect-count n
             Expect exactly this many messages.

     --expect-close codes
             Expect the peer to close with one of these codes, as in 1008 or
             1000,1001,4000-4999.

     --expect-status status
             Expect this HTTP status in response to the handshake, as in 401;
             being rejected with it is a success.

     --expect-subprotocol name
             Expect the server to choose this subprotocol, which --subprotocol
             must offer.

     --within duration
             Time limit for all expectations, as in 2s, measured from the
             opening.  Without it, the wait ends when no message arrives for
             --linger.

     --max-rtt duration
             Time limit for each reply, as in 200ms, measured from the last
             message sent.

     --until regex
             End when a text message matches this regular expression (PCRE2).

     --until-json expr
             End when a JSON message arrives for which this expression is
             true, as in '.n >= 2'.

     --accept-close codes
             Accept these close codes from the peer, as in 4000-4999, in
             addition to 1000, 1001 and no code.

     --tap-output
             Print the results of the expectations in the Test Anything
             Protocol (TAP) instead of the messages.

     --junit file
             Write the results of the expectations to this file as JUnit XML.

   Script
     --script file
             Run a script of steps, one per line ("> text" sends, "< text"
             waits for a message), and rules ("< ping => > pong");
             wscope-send(1) lists all of them.  - reads standard input.

     --replay file
             Send again what was sent in a recording made with --record, and
             compare the replies with the recorded ones; if they differ, the
             exit code is 1.

     --timing when
             When --replay sends: fast (as soon as the earlier replies have
             arrived; the default) or recorded (at the recorded times).
             Values: fast, recorded.

   Repetition
     --wait-up duration
             Keep retrying for up to this long, as in 30s, while the server is
             unreachable or answers 5xx; by default there are no retries.  The
             exit code is that of the last failure.

     --repeat n
             Repeat everything this many times, each time on a new connection
             (default: 1).  The exit code is that of the first repetition that
             failed.

     --interval duration
             Time from the start of one repetition to the start of the next,
             as in 500ms (default: 0s, no pause).

     -m, --max-time duration
             Time limit for the whole run, as in 30s; exceeding it is exit
             code 28.  By default there is none.

   Messages
     -x, --execute, --message message
             Send this message as soon as the connection opens; may be
             repeated.  @FILE sends the contents of a file, @- standard input.

     -b, --binary
             Send binary messages; the default is text.

     -0, --null, --null-terminated
             End each message on standard input and output with NUL instead of
             a newline.

     --stdin-whole
             Send all of standard input as one message.

     --raw   Write messages to standard output without a newline after each.

     --raw-terminal
             Write messages to a terminal without escaping control characters.
             A peer can then do whatever the terminal allows.

     -w, --wait duration
             Time limit for the first reply after the last message was sent; 0
             does not wait.  Default: 10s.

     --linger duration
             After a reply, end when no further message arrives for this long.
             Default: 1s.

     -N, --count, --max-messages n
             End after receiving this many messages; by default there is no
             limit.

     -1, --one-message
             End after receiving one message; same as --count 1.

     --format format
             Output format: text, or jsonl (one JSON object per event and
             line).  Values: text, jsonl.  Default: text.

     --input format
             Format of standard input: text, or jsonl (the lines that --format
             jsonl prints).  Values: text, jsonl.  Default: text.

     --lint  Count legal but unusual properties of the peer's frames, and
             report them at the end: lengths encoded in more bytes than
             necessary, empty fragments, text fragments that end inside a
             character.

     -P, --show-ping-pong
             Show received and sent pings and pongs.

     --show-secrets
             Show passwords and tokens in the output of -v and in recordings
             instead of ***.

   Recording
     --record file
             Record everything that is sent and received to a new file, as
             JSON Lines.

     --force
             Overwrite the file of --record if it exists.

   Connection
     -H, --header K: V
             Add this header field to the request; may be repeated.  @FILE
             reads one field per line from a file.

     --force-header K: V
             Set a header field that belongs to the handshake, such as
             Sec-WebSocket-Version, instead of the one that wscope sends; an
             empty value removes it.  Use it to test how a server reacts.

     --raw-request file
             Send the bytes of this file as the whole request, valid or not,
             instead of generating one; - reads standard input.

     -s, --subprotocol, --protocol name
             Offer this subprotocol; may be repeated, or be a comma-separated
             list.

     -o, --origin url
             Send this Origin header field, as a browser would; by default
             there is none.

     --unix-socket path
             Connect to this unix socket; Host and path still come from the
             URL.

     --open-timeout duration
             Time limit for opening a connection, from name resolution to the
             upgrade.  If only --connect-timeout is given, the limit is 10s
             more than that.  Default: 10s.

     --http2
             Use WebSocket over HTTP/2 (RFC 8441): negotiated by ALPN with
             wss://, with prior knowledge with ws://.

     -4, --ipv4
             Connect to IPv4 addresses only.

     -6, --ipv6
             Connect to IPv6 addresses only.

     --interface address
             Connect from this local address, or through this network
             interface.

     --resolve host:port:addr[,addr]
             Use these addresses for a host and port instead of resolving the
             name; * matches every host, -HOST:PORT removes an earlier entry.
             May be repeated.

     --connect-to host1:port1:host2:port2
             Connect to HOST2:PORT2 instead of HOST1:PORT1.  An empty HOST1 or
             PORT1 matches any; an empty HOST2 or PORT2 is left unchanged.
             May be repeated; the first match applies.

     --connect-timeout duration
             Time limit for name resolution, TCP, proxy and TLS together, as
             in 3s; by default only --open-timeout applies.

     --proxy url
             Connect through this proxy, as in http://user:password@host:port;
             the scheme is http, https, socks5 or socks5h (the proxy resolves
             the name).  By default http_proxy, https_proxy, all_proxy and
             no_proxy apply.

     --proxy-user user:password
             Credentials for the proxy, as user:password; @FILE and env:NAME
             read them from there.

     --proxy-cacert file
             Trust only the certificates in this PEM file for an https proxy;
             by default those of the system.

     --noproxy list
             Connect to these hosts directly: a comma-separated list as in
             no_proxy; * matches every host.

     --close-timeout duration
             Time limit for the peer's Close after ours was sent.  Default:
             5s.

     --max-message size
             Reject received messages larger than this, with Close 1009.
             Default: 64 MiB.

     -k, --insecure, --no-check
             Accept any certificate, with a warning once per run.

     --cacert, --ca file
             Trust only the certificates in this PEM file; by default those of
             the system.

     --cert file
             Client certificate for servers that request one: PEM followed by
             its chain, DER, or PKCS#12 with the key.

     --key file
             Private key for --cert (PEM), if it is in a separate file.

     --pass, --passphrase secret
             Passphrase for --key or a PKCS#12 --cert; @FILE and env:NAME read
             it from there.  By default wscope prompts for it on a terminal.

     --tls-min version
             Oldest TLS version to accept: 1.0, 1.1, 1.2 or 1.3.  Values: 1.0,
             1.1, 1.2, 1.3.  Default: 1.2.

     --tls-max version
             Newest TLS version to offer: 1.0, 1.1, 1.2 or 1.3.  Values: 1.0,
             1.1, 1.2, 1.3.  Default: 1.3.

     --pin, --pinnedpubkey pin
             Accept only servers with this public key, as sha256//BASE64; may
             be repeated, or be a list separated by semicolons.  With
             --insecure, nothing else is checked.

     --alpn names
             Offer these protocols by ALPN, as a comma-separated list
             (default: http/1.1); an empty list disables ALPN.

     -u, --user, --auth user:password
             Use Basic authentication; prompts for the password if it is
             missing; @FILE and env:NAME read it from there.  The default is
             the user information in the URL, then $WSCOPE_USER.

     --bearer, --oauth2-bearer token
             Authenticate with this bearer token; @FILE and env:NAME read it
             from there.  The default is $WSCOPE_BEARER.

     --netrc
             Read user name and password for the host from ~/.netrc.

     --netrc-file file
             Read user name and password for the host from this file, in the
             format of .netrc.

     --allow-clear-auth
             Allow passwords and tokens to be sent unencrypted over ws:// to
             other machines.

     --cookie name=value
             Send this cookie, as in a=b or 'a=b; c=d'; may be repeated.
             @FILE and env:NAME read it from there.

     --cookie-jar file
             Send the cookies in this file (Netscape format), and save those
             that servers set.

     -L, --location, --follow
             Follow redirects.  If the target has another host, port or
             scheme, no header fields, passwords, cookies or client
             certificates are sent there.

     --max-redirects, --max-redirs n
             Limit for consecutive redirects with --location (default: 10).

     --allow-downgrade
             Allow --location to follow a redirect from wss:// to ws://.

   Compression
     --compress[=params]
             Compress messages with permessage-deflate, optionally with
             comma-separated parameters: client_max_window_bits=N,
             server_max_window_bits=N (bits, 8 to 15),
             client_no_context_takeover, server_no_context_takeover,
             no_context_takeover.

     --no-compress
             Do not compress messages, and do not negotiate compression.

   Display
     --timestamps[=kind]
             Show before each message when it arrived: iso (UTC; the default
             without a value), rel (since the start) or delta (since the
             previous message).  Not shown before binary messages in a pipe.
             Values: iso, rel, delta.

   Output
     --color when
             When to use colour: auto (on a terminal), always or never.
             Values: auto, always, never.  Default: auto.

     -v, --verbose
             Print the handshake, timings, sizes and the close; in listen, log
             every message, sent ones too.  Given twice, connect also prints
             every frame and the sizes on the wire.

ENVIRONMENT
     NO_COLOR, CLICOLOR_FORCE, TERM
                     Control colour; see wscope(1).

     SSL_CERT_FILE, SSL_CERT_DIR, SSLKEYLOGFILE
                     Trusted certificates and the TLS key log; see wscope(1).

     WSCOPE_USER, WSCOPE_BEARER
                     Default credentials; see --user and --bearer.

EXIT STATUS
     The complete table is in wscope(1).  These codes have a special meaning
     here:

     0    Every expectation was met, and the connection was closed with 1000,
          1001 or no code, or the peer ended TCP without answering our Close.

     1    An expectation was not met.

     2    The command line is invalid, or a message to send cannot be read or
          is not valid UTF-8.

     28   No reply arrived within --wait, or the connection did not open
          within --open-timeout.

     56   The connection was lost before closing began, or the peer did not
          answer our Close within --close-timeout.

     63   A message is larger than --max-message, or has too many fragments.

     111  The peer closed with another code, and that was not expected.

     130  The run was ended by SIGINT.

     143  The run was ended by SIGTERM or SIGHUP.

     A lost connection or an unexpected close code takes precedence over a
     missing reply, unless --expect-close or --accept-close changes that.  A
     peer that neither replies nor answers our Close is a missing reply, 28.
     If nothing arrived at all within --wait, 28 takes precedence over 1.

SEE ALSO
     wscope(1), wscope-connect(1), wscope-listen(1)
"""#
    ),
    (
      name: "wscope-bench",
      text: #"""
NAME
     wscope-bench – load a WebSocket endpoint and measure its latency

SYNOPSIS
     wscope bench [option ...] [url]
     wscope bench report [option ...] file
     wscope bench merge [option ...] file ...
     wscope bench compare [option ...] file ... [--vs file ...]
     wscope bench transports [option ...] [url]
     wscope bench --schema

DESCRIPTION
     wscope bench opens many connections to a server that echoes, sends
     messages on all of them, and reports how long the echoes took.  Without a
     url, it measures an echo server inside its own process for 5 seconds, and
     says so.  The forms of a url are described in wscope(1).

     There are two load models:

     with --rate
             The open loop measures latency.  Messages are sent on schedule,
             whether or not earlier ones have been answered, and the latency
             of a message counts from its intended send time.  A server that
             stalls cannot hide it.

     without --rate
             The closed loop measures throughput.  Each connection keeps
             --inflight messages in flight and sends the next one when one is
             answered.  The latency excludes the time that messages waited to
             be sent.

EXAMPLES
     Measure the built-in server:

           wscope bench

     Measure latency at 5000 messages per second:

           wscope bench :8080 -c 100 -d 10s -R 5000

     Measure throughput: as many messages as 100 connections can have answered
     in 10 seconds:

           wscope bench :8080 -c 100 -d 10s

     Print the 99th percentile, in nanoseconds, for a script:

           wscope bench :8080 -R 1000 --size 1k --format json |
               jq '.metrics.rtt.percentiles["99"].v'

     Fail a CI job if the latency or the errors are over a limit, and write a
     JUnit report:

           wscope bench :8080 -R 1000 --threshold 'rtt.p99<50ms' --threshold 'errors.rate<0.1%' --junit bench.xml

     Write a page with charts, to look at and to send to others:

           wscope bench :8080 -c 100 -d 30s -R 5000 --html report.html

     Keep the result, and print it again with other percentiles:

           wscope bench :8080 -R 1000 --out run.json
           wscope bench report run.json --percentiles 50,75,95

     Compare two servers, in eight pairs of runs, and fail if the second one
     is slower:

           wscope bench ws://old:8080 -c 100 -R 5000 --vs ws://new:8080 --out runs.jsonl

     Compare the results of two commits, each measured at least six times:

           wscope bench :8080 -c 100 -R 5000 -d 10s --repeat 10 --out old.jsonl
           wscope bench :8080 -c 100 -R 5000 -d 10s --repeat 10 --out new.jsonl
           wscope bench compare old.jsonl --vs new.jsonl

     Open 30,000 connections from two processes, each of which may have 20,000
     open files, and merge their results:

           wscope bench :8080 -c 30k -R 1000 --shard 0/2 --run-id two --out 0.json &
           wscope bench :8080 -c 30k -R 1000 --shard 1/2 --run-id two --out 1.json
           wait
           wscope bench merge 0.json 1.json

MEASUREMENT
   Timing
     A sleeping thread wakes some microseconds late, on a virtual machine some
     tens of microseconds.  To keep this latency out of the results, the
     threads of ws:// connections wake early, by their recent wake-up latency
     and at most 100 microseconds, and poll until the message is due, yielding
     to other threads.  The report shows this CPU time separately and does not
     count it as load.  The threads do not poll if control groups leave the
     process less than one core more than it has threads, as in a container,
     or if the shards together have at least as many threads as the machine
     has cores.

   Unanswered messages
     A message that is not answered within --timeout counts as unanswered,
     with a round-trip time longer than that.  So does a message that could
     not be sent, because too many were in flight or because its connection
     was lost or never opened.  A message that is still in flight when the run
     ends counts as longer than its age.

     A reply must have the same bytes and the same type as its message.
     Otherwise it is a mismatch, and the message counts as unanswered.

     Warm-up messages that were not sent before the measurement starts are
     dropped, so that no backlog of a slow server is carried over.  The report
     shows their number.

     With --compress, each message has different content, so that it
     compresses as real messages do.  The report shows the compression ratio.

   Matching in order
     A reply is matched to its message by an id in the payload.  With
     --message or --match fifo, it is matched to the oldest unanswered message
     of its connection instead.  This is reliable only if the server sends
     exactly one reply to each message, in order, and nothing else.  After an
     extra, duplicate or lost message, every later reply is matched to the
     wrong message.  Replies that match no message, and replies that arrive
     after their message was given up, reveal this, and make the measurement
     INVALID.

   Comparing
     Two runs of the same test usually differ by more than the figures of each
     run suggest.  A comparison therefore treats the run as the unit, and uses
     exact rank tests.

     With --vs url, wscope bench measures both servers in turn, in the order A
     B B A A B B A, so that both meet the same machine; with --vs=options it
     measures one server with two configurations.  --repeat sets the number of
     pairs, at least six.  An invalid run is repeated once; if it is invalid
     again, its pair is skipped.  --out writes all results, one per line.

     --repeat without --vs repeats the same run, and prints the median and the
     range of each figure.

     wscope bench compare file ... --vs file ... compares stored results.  The
     file of a --vs run contains both groups, which are compared in pairs;
     other groups are compared as independent samples.  Its options are, in
     addition to --metric, --noise, --fail-on and --compare-format:

     --vs file ...
             The results of group B.

     --force
             Compare even if the configurations differ, or a result is
             invalid.

     For each metric, the comparison has the median of both groups with half
     the range of the middle 80 %, the Hodges-Lehmann estimate of the ratio
     with its 95 % interval, the p value after Holm, and a word:

     SLOWER, faster  The interval excludes no change, p is below 0.05, and the
                     change is larger than --noise.

     ~ equal         The interval is within --noise.

     ?               The runs do not show it.  The line says how many runs
                     would be needed to show a change of 10 %.

     (not tested)    Six pairs can decide one metric, seven pairs three, and
                     more pairs six.

     The exit code is 99 if a metric is slower; see --fail-on.

   WebSocket against polling
     wscope bench transports [url] sends the same updates to the same number
     of clients by WebSocket, by server-sent events, by long polls and by
     polls at fixed intervals, one after the other, and compares how old the
     updates are when they arrive, and how many bytes they take.  Then it
     compares the round trip of an echo by WebSocket and by POST.  Without a
     url it measures a server of its own; with one, a server that was started
     with wscope listen --transports:

           wscope bench transports
           wscope bench transports --updates 50 --poll-every 100ms,250ms
           wscope bench transports http://10.0.0.7:8080 --repeat 8

     It has these options, besides --seed, --schema, --quiet and --color:

     --updates rate
             Publish this many updates of 64 bytes a second, at random times
             (default: 5/s).

     -c, --clients n
             Number of clients that receive each update (default: 100).  At
             most ten of them send echoes.

     --poll-every list
             Poll at these intervals, at most four, as a comma-separated list
             (default: 100ms,1s).  The longest one is also measured with a new
             connection for each poll.

     -d, --duration duration
             Time for each transport (default: 8s), of which the first part,
             as long as the longest interval, is not measured.  Echoes take a
             quarter of it.

     --repeat n
             Measure everything this many times, in the order A B C, C B A.
             With six or more, an exact signed-rank test decides on each
             claim, after Holm within the claims on the same quantity.

     --format format
             Format of the report on standard output: text, json or md
             (default: text).

     --summary-md file
             Add the report in Markdown to the end of the file.

     The age of an update counts from the time at which it was due to be
     published.  All clients are in this process, so that one clock measures
     it.  Every client polls at its own random offset within the interval.
     Bytes are whole IP packets in both directions, as TCP_INFO of the kernel
     counts them: headers, acknowledgements and retransmissions are part of
     them.  Only headers that are needed are sent; those of a browser would
     make a poll larger.

     The predictions follow from the bytes of the exchanges and from the
     intervals, for a network without delay.  In the table of claims, the
     value of WebSocket is in front of the colon.  A verdict is holds, does
     not hold, no difference or, if an update was lost, a client could not
     keep to its times, or the blocks disagree, ?; ! marks a verdict other
     than the predicted one.  A difference below 5 %, of ages and round trips
     also below 0.5 ms, is none.

     The exit code is 98 if an update has not reached every client, or
     requests began late.

   More than one process or machine
     With --shard i/n, a process runs part i of a test: its share of the
     connections, the rate and the messages, at its times in the schedule.
     All parts must have the same other options.  Without --seed, the seed is
     made from them, so that all parts have the same schedule.  The JSON
     report of a part is on one line.

     --start-at time lets all parts begin at the same moment.  They start
     connecting at that time.  They start sending when there has been time to
     open all connections at --connect-rate, plus 5 seconds.  The latency of a
     message is measured with a single clock, so differences between the
     clocks of the machines only shift the measurement.  A part that starts
     more than a second too late ends with exit code 2.

     wscope bench merge file ... adds the results of the parts.  Counts and
     histograms are added exactly, and the percentiles are computed from the
     sum.  Only the percentiles of intervals are approximate: up to 9 % too
     high.  A file may contain several results, with other lines between them
     and a prefix on each line; a directory stands for its *.json files, and -
     is standard input.  Merged results can be merged further.

     Missing parts are reported, with exit code 98.  Results that differ in
     their configuration, seed, version or --run-id are rejected, and so are
     those whose windows are more than 60 seconds apart.  wscope bench merge
     has these options beside those of wscope bench report and --quiet:

     --partial
             Merge even if parts are missing.  The report names them, and
             thresholds on counts and rates are undecided.

     --force
             Merge results even if their configuration, seed, version, run or
             time differs.  Only results with different messages are still
             rejected.

     A result that appears twice is counted once.  Of two results for one
     part, an interrupted one is ignored if the other is complete.  The
     verdict is the worst of the parts, or worse if they did not measure at
     the same time, or one of them is far slower than the others.  Put
     thresholds on the command line of wscope bench merge: they concern the
     whole run.

     With --shard auto, the part and the number of parts are those of Slurm,
     Open MPI or PMI, and with --shard auto/n the part is also that of a
     Kubernetes Indexed Job:

           START=$(date -u -d '+90 sec' +%FT%TZ)
           kubectl apply -f - <<Y
           apiVersion: batch/v1
           kind: Job
           metadata: {name: bench}
           spec:
             completionMode: Indexed
             completions: 8
             parallelism: 8
             backoffLimit: 0
             template:
               spec:
                 restartPolicy: Never
                 containers:
                 - name: wscope
                   image: REGISTRY/wscope
                   args: [bench, "wss://host/ws", -c, 80k, -R, 400k, -d, 60s,
                     --shard, auto/8, --start-at, "$START", --format, json, -q]
                   resources:
                     requests: {cpu: "2", memory: 1Gi}
                     limits: {cpu: "2", memory: 1Gi}
           Y
           kubectl wait --for=condition=complete job/bench --timeout=10m
           kubectl logs -l batch.kubernetes.io/job-name=bench --tail=-1 \
               --max-log-requests=8 | wscope bench merge - --threshold 'rtt.p99<50ms'

     kubectl logs -f mixes the lines of the pods and cannot be used.  Without
     --tail=-1, a selection by label prints the last 10 lines of each pod
     only.  Pods on one node share its network interface.

     The same with Slurm, with GNU parallel on four hosts and on one, with
     pdsh and with MPI:

           srun -n 8 -K1 --output r.%t.json wscope bench URL -c 80k -R 400k \
               --shard auto --start-at $START --format json -q
           wscope bench merge r.*.json

           parallel -k --halt now,fail=1 -j0 -S h1,h2,h3,h4 'wscope bench URL \
               --shard {}/4 --start-at '$START' --format json -q' ::: 0 1 2 3 |
               wscope bench merge -

           parallel -k -j4 'taskset -c {} wscope bench URL --shard {}/4 \
               --start-at '$START' --format json -q' ::: 0 1 2 3 | wscope bench merge -

           pdsh -N -R exec -w 'h[0-7]' ssh %h wscope bench URL --shard %n/8 \
               --start-at $START --format json -q | wscope bench merge -

           mpirun -n 8 --output-filename out wscope bench URL --shard auto \
               --start-at $START --format json -q
           wscope bench merge $(find out -name stdout)

     One address has about 28,000 ports for connections to one server, and
     they become slow to find above 14,000.  For more than 8000 connections to
     a loopback address, wscope bench uses 127.0.0.1, 127.0.0.2 and so on as
     source addresses; --local-ips names the source addresses in other cases.

   Modes
     --mode chooses what the connections do:

     echo    Sends messages and times the reply to each.

   The report
     The report is printed on standard output after the measurement.  --format
     chooses its format:

     text    A page of at most 80 columns for a person.

     json    One JSON object with everything that was measured.

     junit   JUnit XML with a test case for each threshold, and one for the
             verdict.

     html    A page with charts for a browser; bench report reads it, too.

     md      A summary in Markdown, for the page of a CI job; at most 64 KiB.

     csv     Comma-separated values, a row for each interval.

     prometheus
             The text format of Prometheus, as for a node exporter or a CI
             server.

     The text report begins with a verdict, the target and the result in one
     sentence.  The verdict is VALID; SUSPECT, if the numbers may reflect this
     machine rather than the server; or INVALID.  Each reason comes with a
     number and a remedy.  A run is VALID only if every planned message was
     sent, matched and answered, and INVALID below 99 % of the plan.  Messages
     that were due on a lost connection are part of the plan.  In the closed
     loop, the plan is the time that connections were supposed to be open.  A
     run that was cut short states how much of the planned duration it
     measured, and why.

     --self-check decides what an invalid measurement means.  warn prints the
     verdict only; fail, the default if there is a threshold, exits with 98;
     off does not judge the measurement: the report says NOT CHECKED, and JSON
     has checked in verdict.  In any case the exit code is 98 if nothing was
     measured or the counts do not add up.

     In JSON, every percentile has a number v, so that a comparison never
     meets null.  With censored, it is a lower bound.  With needs_samples,
     there are too few samples for this percentile, and the value is the
     largest sample.  The program checks that the sums agree: the intervals
     add up to the messages of the measurement, and these to their outcomes.

     hdr is the histogram of a metric in the V2 encoding of HdrHistogram,
     compressed and in base64, for values from 1 ns to 1 hour with three
     significant digits.  The HdrHistogram libraries can read it, and the
     histograms of several runs can be added exactly.  Unanswered messages are
     not in it.

     heat of an interval counts the values of the metric heat_metric in the
     buckets of a heat map.  Bucket i counts durations above 2^((i-1)/8) and
     up to 2^(i/8) seconds; bucket -240 counts 0 ns.  The first number is the
     index of the first bucket.  It is followed by the counts of consecutive
     buckets; a negative number skips that many empty buckets.

     A report has at most 600 intervals.  In a longer run, neighbouring
     intervals are merged, so that an interval lasts 2 seconds, 4 seconds and
     so on.

   The page
     --html writes the report as one HTML file without scripts from elsewhere,
     fonts, images or network access.  It begins with the verdict, the result
     in a sentence, the thresholds and the key numbers, followed by:
     •   The percentile curve of the round-trip time, with the uncorrected
         time, the delay of this client, and the limits of the thresholds.
     •   A heat map of the round-trip time over time.  A stall is a wedge,
         since messages count from their intended send time.
     •   On the same time axis: rates, open connections, errors, and the CPU
         and event loop delay of this client with their limits.
     •   The time to open a connection, errors, close codes, the self-check,
         the environment and the command line.

     Each chart has a description in words and a table of its numbers.  The
     page is complete without scripts and style sheets, as where a CI server
     forbids them.  It contains the result, so that wscope bench report
     page.html reads it; the page of a stored result has the same bytes as
     that of its run.

     --heat prints the heat map in the terminal, after the text report, in 256
     colours or, without colour, in four shades of grey.

   The course of a run
     Two files grow during the run, after each interval of a second.  They are
     opened before the first connection, and an existing file is overwritten.
     If one can no longer be written, as on a full disk, a warning says so,
     the run goes on without it, and the exit code is 23 if nothing else went
     wrong.

     --csv writes a row for each interval:

           t_s,dur_s,phase,target,sent,received,open,errors,unanswered,p50_ms,p99_ms,max_ms,cpu,loop_delay_ms

     t_s counts from the start of the measurement and is negative during the
     warm-up, target is the rate of --rate, cpu the share of a core that the
     busiest event loop of this client used.  What was not measured is empty.
     With too few samples for a percentile, its value is the largest sample,
     as in JSON.

     --hdr writes an HdrHistogram log, version 1.3, that the HdrHistogram
     libraries and their viewers read: after each interval, and after
     connecting, waiting for the last answers and closing, a line for each
     metric with samples.  The tag of a line is the name of the metric, its
     time counts from the start of the run, and its largest value is in
     milliseconds.  The histograms are those of hdr in JSON: those of all
     lines of a metric add up to it.  Samples of the warm-up and unanswered
     messages are not in them.

     A stored result has the histograms of the whole run only, and the
     percentiles of its intervals.  From it, wscope bench report --hdr
     therefore writes one line for each metric, and --csv a row for each
     interval of the result; these are joined in a long run.

   Monitoring
     --prometheus-addr serves the figures at /metrics while the run goes on:

           wscope bench :8080 -R 5000 -d 10m --prometheus-addr :9095 --prometheus-linger 30s

     The figures are those of the last second.  A scrape reads them in a
     thread of its own, and asks nothing of the event loops that measure.
     Once a second these count the bytes of their connections for it.
     --prometheus-linger keeps the figures of the whole run until they have
     been read once, for that time at most; without it, a scraper misses what
     came after its last scrape.  The report is printed before the wait, and a
     signal ends it.  Without a host, the address is loopback, and a request
     must be for a loopback name, so that no page in a browser can read the
     figures.  With a host, anyone who can reach it may read them; a warning
     names the addresses.

     --prometheus and --format prometheus write the same text after the run.
     •   wscope_bench_metric_seconds are histograms of the metrics; the parts
         of connect are labels.  Their bounds are 1, 2 and 5 times the powers
         of ten from 100 µs to 50 s, and the limits of thresholds.  Unanswered
         messages are in +Inf and _count, but not in _sum: where
         histogram_quantile() returns the highest finite bound, the percentile
         is at least that.
     •   _messages_total, _connections_total, _bytes_total, _errors_total and
         _closes_total count as the JSON result does, messages and bytes in
         the measurement only.
     •   _connections, _rate_target, _rate_achieved_ratio,
         _generator_cpu_ratio and _generator_loop_delay_seconds are current
         values.
     •   _phase is 1 for the phase that is running, _verdict for the verdict
         after the run, and _threshold_ok 1 or 0 for each threshold that is
         decided.  _info names version, mode, shard and server.

     Every series is there from the first scrape on, except those of
     thresholds, HTTP statuses and rare close codes.

   Reports for CI
     --junit writes a test case for each threshold, and one for the verdict.
     A broken threshold is a failure.  An undecided threshold and an invalid
     measurement are errors: the measurement, not the server, may be at fault.
     Metrics and rates are properties, with the names and units of thresholds.

     --summary-md adds the verdict, the result in one sentence, the thresholds
     and the key numbers to the end of a file, and everything else as folded
     details:

           wscope bench :8080 -R 1000 --summary-md "$GITHUB_STEP_SUMMARY"

     If GITHUB_ACTIONS is true, each threshold that is broken or undecided is
     also an annotation on standard error, at most 10 of them; --quiet does
     not suppress them.

   Metrics
     A metric has the same name in text and in JSON.  Its values are
     durations, in JSON in whole nanoseconds.

     connect      Time from the intended connect to the checked 101 response,
                  successes only.

     dns          Time to look up the host name, once for the run.

     tcp          Time from the start of the TCP handshake to the established
                  connection.

     tls          Time of the TLS handshake.

     upgrade      Time from the upgrade request to the checked 101 response.

     rtt          Time from the intended send of a message to the read of its
                  answer.  In the closed loop, the intended time is the send
                  time.

     rtt_service  Time from the actual send of a message to the read of its
                  answer.  Most other tools report this one.

     late         Time from the intended to the actual send, the delay of the
                  generator.

     close        Time from our close frame to the end of the connection.

   Thresholds
     --threshold requires something of the result:
           value operator limit [abort after duration]
     The operator is <, <=, >, >=, == or !=.  The value is one of these:

     metric.p99
             A percentile of a metric, or its min, max, count or censored (the
             number of samples of which only a lower bound is known).  p(99)
             is accepted too.  The percentile need not be among --percentiles.

     errors.rate
             Unanswered, failed and unsent messages, as a share of all that
             were due.

     errors.count, errors{class=timeout,phase=tcp}.count
             Errors, or those of a class or phase, as the report names them.

     closes.count, closes{code=1006,by=peer}.count
             Closed connections, or those with a code or by a side.

     messages.name, connections.name
             A number of the result, such as messages.unanswered or
             connections.lost.

     rate.sent, rate.answered, rate.achieved
             Messages per second; what was sent, as a share of the schedule.

     generator.cpu
             CPU of the busiest event loop of this client, as a share of a
             core.

     A limit has a unit: a duration such as 50ms, a percentage such as 0.1%, a
     rate such as 20k/s, or a number.

     A threshold passes, fails, or is undecided: with too few samples, if the
     value was not measured, if only a lower bound is known and does not
     decide it, or if it fails but the verdict is invalid, since then the
     measurement may be at fault rather than the server.  The exit code is 99
     if one fails, else 98 if one is undecided or the verdict is invalid; with
     --self-check warn the verdict alone does not count.

     With abort after, the threshold is judged every second from that time in
     the measurement on, and a failure ends the run.  This is possible for
     rtt, errors.count, connections.failed and connections.lost.

   Stored results
     --out writes the result to a file, as one JSON object with the schema
     that --schema prints.  A page that --html has written contains the same
     object.  A file that cannot be written is found out before anything is
     opened.  A regular file is replaced as a whole at the end of the run.

     wscope bench report file prints a stored result again, from JSON or from
     a page; - reads standard input.  It takes --format, --percentiles,
     --threshold, --html, --junit, --summary-md, --csv, --hdr, --prometheus,
     --self-check, --out and --color, and so does wscope bench merge.  The
     thresholds of the result are judged again, or those on the command line
     in their place.  Without --percentiles, it prints the ones that are in
     the result.  Others are computed from the histograms.  Members of the
     result that it does not know are ignored, so that it reads the results of
     later versions.

   Progress and signals
     During the run, progress is shown on standard error: one line that
     changes on a terminal, otherwise a line every ten seconds.

     The first SIGINT, SIGTERM or SIGHUP ends the measurement, and the report
     covers what was measured so far.  The second ends the program.

OPTIONS
     url     URL of the server under test; it must echo every message.

     --mode mode
             What the connections do: echo sends messages and waits for their
             echoes.  Values: echo.  Default: echo.

     -c, --connections n
             Number of connections, as in 200 or 10k.  Default: 50.

     -d, --duration duration
             Duration of the measurement (default: 30s; 5s without a URL, 10s
             with --vs).

     -n, --messages n
             End after this many messages of all connections together, as in
             10k, instead of after --duration (the default).

     -R, --rate rate
             Send this many messages per second, all connections together, as
             in 5000 or 20k.  By default each connection sends its next
             message when the last one is answered.

     --inflight n
             Without --rate: number of messages that each connection keeps in
             flight (default: 1).

     --arrival arrival
             With --rate: send at even intervals (constant), or at random
             ones, as independent users would (poisson).  Values: constant,
             poisson.  Default: constant.

     --connect-rate rate
             Open this many connections per second.  Default: 500/s.

     --min-open percent
             Share of the connections that must open; with fewer, nothing is
             sent.  Default: 100 %.

     --warmup duration
             Send for this long before measuring (default: 2s or a tenth of
             the duration, whichever is shorter; 0s with -n).

     --max-inflight n
             Limit for the messages in flight on a connection; messages beyond
             it are counted instead of sent.  Default: 1024.

     --timeout duration
             Time limit for the answer to a message; after it, the message
             counts as unanswered.  Default: 5s.

     --size size
             Size of each message (default: 64 bytes).

     -b, --binary
             Send binary messages; the default is text.

     -x, --message message
             Send this payload every time and count any reply as its answer;
             @FILE sends a file.

     --match how
             Match replies by an id in the payload (seq), or in order (fifo):
             only for a server that sends one reply to each message, in order,
             and nothing else.  Values: seq, fifo.

     --seed number
             Seed of the schedule and the payloads, to repeat a run (default:
             a random one).

     --threads n
             Number of event loop threads.  Default: 1.

     --local-ips addresses
             Connect from these local addresses in turn: a comma-separated
             list, or a network, as in 127.0.1.0/24.

     --shard i/n
             Run part i of n (counted from 0) of a run that n processes share;
             the other options describe the whole run.  "auto" takes both
             numbers from Slurm, Open MPI or PMI; "auto/n" also takes the part
             from a Kubernetes Indexed Job.

     --start-at time
             Start connecting at this time, as in 2026-12-01T08:00:00Z, and
             start sending when all shards have had time to connect; the
             default is now.

     --run-id name
             Name of the run in its result, by which merge recognizes its
             shards (default: a random one; with --shard, one derived from the
             other options).

     --repeat n
             Repeat the run this many times and print the median and the range
             of each figure; with --vs, the number of pairs of runs (default:
             8).

     --vs url-or-options
             Compare with this URL, or with these options added to the others,
             as in --vs='--compress': both sides are measured in turn, in the
             order A B B A, for 10s each unless --duration is given.

     --metric list
             Test these metrics, at most six, as a comma-separated list
             (default: rtt.p50,rtt.p99,rate.answered; with six pairs only the
             first).

     --noise percent
             Ignore changes up to this share.  Default: 5 %.

     --fail-on when
             Fail with exit code 99 if B is worse (worse), also with 98 if
             that cannot be decided (unknown), or never.  Values: worse,
             unknown, never.  Default: worse.

     --compare-format format
             Format of the comparison: text or json.  Values: text, json.
             Default: text.

     --format format
             Format of the report on standard output.  Values: text, json,
             junit, html, md, csv, prometheus.  Default: text.

     --heat  Print a heat map of the round-trip time over time after the text
             report, as wide as the terminal (80 columns elsewhere).

     --percentiles list
             Percentiles to report, as a comma-separated list (default:
             50,90,99,99.9).

     --out file
             Write the result to this file as JSON; bench report prints it
             again.

     --html file
             Write the report to this file as a page with charts; bench report
             reads it, too.

     --threshold limit
             Require this of the result, as in 'rtt.p99<50ms',
             'errors.rate<0.1%' or 'rate.achieved>=99%'; may be repeated.  The
             exit code is 99 if it is broken, 98 if the measurement cannot
             decide it.  With "abort after 10s" at the end, a breach ends the
             run, from that time on.

     --junit file
             Write the thresholds and the verdict to this file as JUnit XML.

     --summary-md file
             Add a summary in Markdown to the end of this file, as in
             $GITHUB_STEP_SUMMARY.

     --csv file
             Write a row of comma-separated values for each interval to this
             file, during the run.

     --hdr file
             Write the samples to this file during the run, as an HdrHistogram
             log with a line for each interval and metric.

     --prometheus file
             Write the figures to this file in the text format of Prometheus.

     --self-check action
             What an invalid measurement means: a warning (warn) or exit code
             98 (fail); off does not check the measurement (default: fail with
             --threshold, else warn).  Values: warn, fail, off.

     --prometheus-addr host:port
             Serve the figures at /metrics of this address for Prometheus,
             during the run; without a host on loopback.

     --prometheus-linger duration
             After the run, serve the figures until they have been read once
             more, at most for this long (default: 0s).

     --schema
             Print the JSON Schema of the result.

     --no-progress
             Do not show progress.

     -q, --quiet
             Print only the report and errors.

     --version
             Show the version.

     -h, --help
             Show help information.

   Connection
     -H, --header K: V
             Add this header field to the request; may be repeated.  @FILE
             reads one field per line from a file.

     --force-header K: V
             Set a header field that belongs to the handshake, such as
             Sec-WebSocket-Version, instead of the one that wscope sends; an
             empty value removes it.  Use it to test how a server reacts.

     --raw-request file
             Send the bytes of this file as the whole request, valid or not,
             instead of generating one; - reads standard input.

     -s, --subprotocol, --protocol name
             Offer this subprotocol; may be repeated, or be a comma-separated
             list.

     -o, --origin url
             Send this Origin header field, as a browser would; by default
             there is none.

     --unix-socket path
             Connect to this unix socket; Host and path still come from the
             URL.

     --open-timeout duration
             Time limit for opening a connection, from name resolution to the
             upgrade.  If only --connect-timeout is given, the limit is 10s
             more than that.  Default: 10s.

     --http2
             Use WebSocket over HTTP/2 (RFC 8441): negotiated by ALPN with
             wss://, with prior knowledge with ws://.

     -4, --ipv4
             Connect to IPv4 addresses only.

     -6, --ipv6
             Connect to IPv6 addresses only.

     --interface address
             Connect from this local address, or through this network
             interface.

     --resolve host:port:addr[,addr]
             Use these addresses for a host and port instead of resolving the
             name; * matches every host, -HOST:PORT removes an earlier entry.
             May be repeated.

     --connect-to host1:port1:host2:port2
             Connect to HOST2:PORT2 instead of HOST1:PORT1.  An empty HOST1 or
             PORT1 matches any; an empty HOST2 or PORT2 is left unchanged.
             May be repeated; the first match applies.

     --connect-timeout duration
             Time limit for name resolution, TCP, proxy and TLS together, as
             in 3s; by default only --open-timeout applies.

     --proxy url
             Connect through this proxy, as in http://user:password@host:port;
             the scheme is http, https, socks5 or socks5h (the proxy resolves
             the name).  By default http_proxy, https_proxy, all_proxy and
             no_proxy apply.

     --proxy-user user:password
             Credentials for the proxy, as user:password; @FILE and env:NAME
             read them from there.

     --proxy-cacert file
             Trust only the certificates in this PEM file for an https proxy;
             by default those of the system.

     --noproxy list
             Connect to these hosts directly: a comma-separated list as in
             no_proxy; * matches every host.

     --close-timeout duration
             Time limit for the peer's Close after ours was sent.  Default:
             5s.

     --max-message size
             Reject received messages larger than this, with Close 1009.
             Default: 64 MiB.

     -k, --insecure, --no-check
             Accept any certificate, with a warning once per run.

     --cacert, --ca file
             Trust only the certificates in this PEM file; by default those of
             the system.

     --cert file
             Client certificate for servers that request one: PEM followed by
             its chain, DER, or PKCS#12 with the key.

     --key file
             Private key for --cert (PEM), if it is in a separate file.

     --pass, --passphrase secret
             Passphrase for --key or a PKCS#12 --cert; @FILE and env:NAME read
             it from there.  By default wscope prompts for it on a terminal.

     --tls-min version
             Oldest TLS version to accept: 1.0, 1.1, 1.2 or 1.3.  Values: 1.0,
             1.1, 1.2, 1.3.  Default: 1.2.

     --tls-max version
             Newest TLS version to offer: 1.0, 1.1, 1.2 or 1.3.  Values: 1.0,
             1.1, 1.2, 1.3.  Default: 1.3.

     --pin, --pinnedpubkey pin
             Accept only servers with this public key, as sha256//BASE64; may
             be repeated, or be a list separated by semicolons.  With
             --insecure, nothing else is checked.

     --alpn names
             Offer these protocols by ALPN, as a comma-separated list
             (default: http/1.1); an empty list disables ALPN.

     -u, --user, --auth user:password
             Use Basic authentication; prompts for the password if it is
             missing; @FILE and env:NAME read it from there.  The default is
             the user information in the URL, then $WSCOPE_USER.

     --bearer, --oauth2-bearer token
             Authenticate with this bearer token; @FILE and env:NAME read it
             from there.  The default is $WSCOPE_BEARER.

     --netrc
             Read user name and password for the host from ~/.netrc.

     --netrc-file file
             Read user name and password for the host from this file, in the
             format of .netrc.

     --allow-clear-auth
             Allow passwords and tokens to be sent unencrypted over ws:// to
             other machines.

     --cookie name=value
             Send this cookie, as in a=b or 'a=b; c=d'; may be repeated.
             @FILE and env:NAME read it from there.

     --cookie-jar file
             Send the cookies in this file (Netscape format), and save those
             that servers set.

     -L, --location, --follow
             Follow redirects.  If the target has another host, port or
             scheme, no header fields, passwords, cookies or client
             certificates are sent there.

     --max-redirects, --max-redirs n
             Limit for consecutive redirects with --location (default: 10).

     --allow-downgrade
             Allow --location to follow a redirect from wss:// to ws://.

   Compression
     --compress[=params]
             Compress messages with permessage-deflate, optionally with
             comma-separated parameters: client_max_window_bits=N,
             server_max_window_bits=N (bits, 8 to 15),
             client_no_context_takeover, server_no_context_takeover,
             no_context_takeover.

     --no-compress
             Do not compress messages, and do not negotiate compression.

   Output
     --color when
             When to use colour: auto (on a terminal), always or never.
             Values: auto, always, never.  Default: auto.

     -v, --verbose
             Print the handshake, timings, sizes and the close; in listen, log
             every message, sent ones too.  Given twice, connect also prints
             every frame and the sizes on the wire.

ENVIRONMENT
     NO_COLOR, CLICOLOR_FORCE, TERM
                     Control colour; see wscope(1).

     SSL_CERT_FILE, SSL_CERT_DIR, SSLKEYLOGFILE
                     Trusted certificates and the TLS key log; see wscope(1).

     GITHUB_ACTIONS  If true, broken and undecided thresholds are annotations
                     on standard error.

     WSCOPE_USER, WSCOPE_BEARER
                     Default credentials; see --user and --bearer.

EXIT STATUS
     The complete table is in wscope(1).  These codes have a special meaning
     here:

     0    The measurement was completed.  The verdict is in the report.

     2    The command line is invalid, a stored result cannot be read or
          merged, the time of --start-at has passed, or the run would need
          more open files than the system allows.

     23   The report or a file could not be written.

     98   Nothing was measured, the sums of the report do not agree, the
          measurement cannot decide a threshold, or parts of a merged run are
          missing.

     99   A threshold was broken, or a comparison found B slower.

     130  The run was ended by SIGINT.

     143  The run was ended by SIGTERM or SIGHUP.

     If the connections cannot be opened, the code is that of the most common
     failure.

SEE ALSO
     wscope(1), wscope-listen(1)
"""#
    ),
  ]
}
