function __wscope_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __wscope_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __wscope_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __wscope_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __wscope_parse_tokens -S
    set -l unparsed_tokens (__wscope_tokens -pc)
    switch $unparsed_tokens[1]
    case 'wscope'
        __wscope_parse_subcommand 0 'schema' 'version' 'h/help'
        switch $unparsed_tokens[1]
        case 'connect'
            __wscope_parse_subcommand 1 'x/execute=+' 'b/binary' '0/null' 'stdin-whole' 'raw' 'raw-terminal' 'w/wait=' 'linger=' 'N/count=' '1/one-message' 'format=' 'input=' 'lint' 'P/show-ping-pong' 'show-secrets' 'no-slash' 'echo' 'reconnect=' 'ping-interval=' 'ping-timeout=' 'record=' 'force' 'H/header=+' 'force-header=+' 'raw-request=' 's/subprotocol=+' 'o/origin=' 'unix-socket=' 'open-timeout=' 'http2' '4/ipv4' '6/ipv6' 'interface=' 'resolve=+' 'connect-to=+' 'connect-timeout=' 'proxy=' 'proxy-user=' 'proxy-cacert=' 'noproxy=' 'close-timeout=' 'max-message=' 'k/insecure' 'cacert=' 'cert=' 'key=' 'pass=' 'tls-min=' 'tls-max=' 'pin=+' 'alpn=' 'u/user=' 'bearer=' 'netrc' 'netrc-file=' 'allow-clear-auth' 'cookie=+' 'cookie-jar=' 'L/location' 'max-redirects=' 'allow-downgrade' 'compress=' 'no-compress' 'timestamps=' 'json' 'color=' 'v/verbose' 'version' 'h/help'
        case 'listen'
            __wscope_parse_subcommand -r 2 'host=' 'unix-socket=' 'mode=' 'strict-paths' 'transports' 'no-prompt' 'port-file=' 'tls' 'tls-ca-out=' 'cert=' 'key=' 'http2' 's/subprotocol=+' 'allow-origin=+' 'allow-host=+' 'max-message=' 'max-head=' 'max-queue=' 'max-clients=' 'close-timeout=' 'threads=' 'control' 'reuse-port' 'lint' 'basic-auth=' 'bearer=' 'client-ca=' 'require-subprotocol' 'once' 'exit-after=' 'accept-close=' 'm/max-time=' 'exit-at-eof' 'slow=' 'keep=' 'b/binary' '0/null' 'script=' 'rules=' 'on=+' 'w/wait=' 'junit=' 'tap-output' 'exec' 'exec-pty' 'exec-grace=' 'exec-stderr=' 'pass-env=+' 'pass-header=+' 'i-know' 'fault=+' 'no-url-faults' 'seed=' 'compress=' 'no-compress' 'format=' 'timestamps=' 'json' 'filter=' 'filter-json=' 'q/quiet' 'color=' 'v/verbose' 'version' 'h/help'
        case 'send'
            __wscope_parse_subcommand -r 2 'file=+' 'expect=+' 'expect-regex=+' 'expect-json=+' 'expect-binary=+' 'expect-none=' 'expect-count=' 'expect-close=' 'expect-status=' 'expect-subprotocol=' 'within=' 'max-rtt=' 'until=' 'until-json=' 'accept-close=' 'tap-output' 'junit=' 'script=' 'replay=' 'timing=' 'wait-up=' 'repeat=' 'interval=' 'm/max-time=' 'x/execute=+' 'b/binary' '0/null' 'stdin-whole' 'raw' 'raw-terminal' 'w/wait=' 'linger=' 'N/count=' '1/one-message' 'format=' 'input=' 'lint' 'P/show-ping-pong' 'show-secrets' 'record=' 'force' 'H/header=+' 'force-header=+' 'raw-request=' 's/subprotocol=+' 'o/origin=' 'unix-socket=' 'open-timeout=' 'http2' '4/ipv4' '6/ipv6' 'interface=' 'resolve=+' 'connect-to=+' 'connect-timeout=' 'proxy=' 'proxy-user=' 'proxy-cacert=' 'noproxy=' 'close-timeout=' 'max-message=' 'k/insecure' 'cacert=' 'cert=' 'key=' 'pass=' 'tls-min=' 'tls-max=' 'pin=+' 'alpn=' 'u/user=' 'bearer=' 'netrc' 'netrc-file=' 'allow-clear-auth' 'cookie=+' 'cookie-jar=' 'L/location' 'max-redirects=' 'allow-downgrade' 'compress=' 'no-compress' 'timestamps=' 'color=' 'v/verbose' 'version' 'h/help'
        case 'bench'
            __wscope_parse_subcommand 1 'mode=' 'c/connections=' 'd/duration=' 'n/messages=' 'R/rate=' 'inflight=' 'arrival=' 'connect-rate=' 'min-open=' 'warmup=' 'max-inflight=' 'timeout=' 'size=' 'b/binary' 'x/message=' 'match=' 'seed=' 'threads=' 'local-ips=' 'shard=' 'start-at=' 'run-id=' 'repeat=' 'vs=' 'metric=' 'noise=' 'fail-on=' 'compare-format=' 'format=' 'heat' 'percentiles=' 'out=' 'html=' 'threshold=+' 'junit=' 'summary-md=' 'csv=' 'hdr=' 'prometheus=' 'self-check=' 'prometheus-addr=' 'prometheus-linger=' 'schema' 'no-progress' 'q/quiet' 'H/header=+' 'force-header=+' 'raw-request=' 's/subprotocol=+' 'o/origin=' 'unix-socket=' 'open-timeout=' 'http2' '4/ipv4' '6/ipv6' 'interface=' 'resolve=+' 'connect-to=+' 'connect-timeout=' 'proxy=' 'proxy-user=' 'proxy-cacert=' 'noproxy=' 'close-timeout=' 'max-message=' 'k/insecure' 'cacert=' 'cert=' 'key=' 'pass=' 'tls-min=' 'tls-max=' 'pin=+' 'alpn=' 'u/user=' 'bearer=' 'netrc' 'netrc-file=' 'allow-clear-auth' 'cookie=+' 'cookie-jar=' 'L/location' 'max-redirects=' 'allow-downgrade' 'compress=' 'no-compress' 'color=' 'v/verbose' 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'report'
                __wscope_parse_subcommand 1 'format=' 'heat' 'percentiles=' 'out=' 'html=' 'threshold=+' 'junit=' 'summary-md=' 'csv=' 'hdr=' 'prometheus=' 'self-check=' 'color=' 'version' 'h/help'
            case 'merge'
                __wscope_parse_subcommand -r 1 'partial' 'force' 'format=' 'heat' 'percentiles=' 'out=' 'html=' 'threshold=+' 'junit=' 'summary-md=' 'csv=' 'hdr=' 'prometheus=' 'self-check=' 'q/quiet' 'color=' 'version' 'h/help'
            case 'compare'
                __wscope_parse_subcommand -r 1 'vs=+' 'metric=' 'noise=' 'fail-on=' 'compare-format=' 'force' 'q/quiet' 'color=' 'version' 'h/help'
            case 'transports'
                __wscope_parse_subcommand 1 'updates=' 'c/clients=' 'poll-every=' 'd/duration=' 'repeat=' 'seed=' 'format=' 'summary-md=' 'schema' 'q/quiet' 'color=' 'version' 'h/help'
            end
        case 'help'
            __wscope_parse_subcommand -r 1 'version'
        end
    end
end

function __wscope_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __wscope_parse_subcommand -S -a positional_count
    argparse -s r -- $argv
    set -l option_specs $argv[2..]
    set -l is_repeating_positional $_flag_r
    set -el _flag_r
    set -a commands $unparsed_tokens[1]
    set positional_index 0
    while true
        set -e unparsed_tokens[1]
        argparse -sn "$commands" $option_specs -- $unparsed_tokens 2> /dev/null
        set unparsed_tokens $argv
        set positional_index (math $positional_index + 1)
        for non_repeating_flag_or_option in $non_repeating_flags_or_options
            if set -ql "_flag_$(string replace -a - _ -- $non_repeating_flag_or_option)"
                set non_repeating_flags_or_options_absent 1
                break
            end
        end
        test (count $unparsed_tokens) -eq 0 -o \( -z "$is_repeating_positional" -a "$positional_index" -gt "$positional_count" \) && break
    end
end

function __wscope_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __wscope_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__wscope_tokens -p)
    if test -z "$(__wscope_tokens -t)"
        set -l index (count (__wscope_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens
end

complete -c 'wscope' -f
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope" schema' -l 'schema' -d 'Print the JSON Schema of --format jsonl and of recordings.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope" -eq 1' -fa 'connect' -d 'Talk to an endpoint: interactive on a terminal, a filter in a pipe.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope" -eq 1' -fa 'listen' -d 'Run a throwaway server: echo, broadcast or chat, with a page for browsers.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope" -eq 1' -fa 'send' -d 'Send messages, check the replies, and exit with a meaningful code.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope" -eq 1' -fa 'bench' -d 'Load an endpoint with many connections and measure its latency.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -s 'x' -l 'execute' -l 'message' -d 'Send this message as soon as the connection opens; may be repeated. @FILE sends the contents of a file, @- standard input.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" b binary' -l 'binary' -s 'b' -d 'Send binary messages; the default is text.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" 0 null null-terminated' -s '0' -l 'null' -l 'null-terminated' -d 'End each message on standard input and output with NUL instead of a newline.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" stdin-whole' -l 'stdin-whole' -d 'Send all of standard input as one message.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" raw' -l 'raw' -d 'Write messages to standard output without a newline after each.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" raw-terminal' -l 'raw-terminal' -d 'Write messages to a terminal without escaping control characters. A peer can then do whatever the terminal allows.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" w wait' -s 'w' -l 'wait' -d 'Time limit for the first reply after the last message was sent; 0 does not wait.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" linger' -l 'linger' -d 'After a reply, end when no further message arrives for this long.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" N count max-messages' -s 'N' -l 'count' -l 'max-messages' -d 'End after receiving this many messages; by default there is no limit.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" 1 one-message' -s '1' -l 'one-message' -d 'End after receiving one message; same as --count 1.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" format' -l 'format' -d 'Output format: text, or jsonl (one JSON object per event and line).' -rfka 'text jsonl'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" input' -l 'input' -d 'Format of standard input: text, or jsonl (the lines that --format jsonl prints).' -rfka 'text jsonl'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" lint' -l 'lint' -d 'Count legal but unusual properties of the peer\'s frames, and report them at the end: lengths encoded in more bytes than necessary, empty fragments, text fragments that end inside a character.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" P show-ping-pong' -s 'P' -l 'show-ping-pong' -d 'Show received and sent pings and pongs.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" show-secrets' -l 'show-secrets' -d 'Show passwords and tokens in the output of -v and in recordings instead of ***.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" no-slash' -l 'no-slash' -d 'Send lines that begin with / as messages instead of treating them as commands.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" echo' -l 'echo' -d 'Send every message back immediately, as an echo server does.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" reconnect' -l 'reconnect' -d 'Reopen a lost connection, with growing pauses, and send the -x messages again; =N gives up after N failed attempts in a row (default: no limit).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" ping-interval' -l 'ping-interval' -d 'Send a ping at this interval, as in 20s; by default none is sent.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" ping-timeout' -l 'ping-timeout' -d 'Drop the connection if the pong to a ping of --ping-interval takes longer than this, as in 5s; by default there is no limit.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" record' -l 'record' -d 'Record everything that is sent and received to a new file, as JSON Lines.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" force' -l 'force' -d 'Overwrite the file of --record if it exists.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -s 'H' -l 'header' -d 'Add this header field to the request; may be repeated. @FILE reads one field per line from a file.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -l 'force-header' -d 'Set a header field that belongs to the handshake, such as Sec-WebSocket-Version, instead of the one that wscope sends; an empty value removes it. Use it to test how a server reacts.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" raw-request' -l 'raw-request' -d 'Send the bytes of this file as the whole request, valid or not, instead of generating one; - reads standard input.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -s 's' -l 'subprotocol' -l 'protocol' -d 'Offer this subprotocol; may be repeated, or be a comma-separated list.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" o origin' -l 'origin' -s 'o' -d 'Send this Origin header field, as a browser would; by default there is none.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" unix-socket' -l 'unix-socket' -d 'Connect to this unix socket; Host and path still come from the URL.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" open-timeout' -l 'open-timeout' -d 'Time limit for opening a connection, from name resolution to the upgrade. If only --connect-timeout is given, the limit is 10s more than that.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" http2' -l 'http2' -d 'Use WebSocket over HTTP/2 (RFC 8441): negotiated by ALPN with wss://, with prior knowledge with ws://.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" 4 ipv4' -s '4' -l 'ipv4' -d 'Connect to IPv4 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" 6 ipv6' -s '6' -l 'ipv6' -d 'Connect to IPv6 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" interface' -l 'interface' -d 'Connect from this local address, or through this network interface.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -l 'resolve' -d 'Use these addresses for a host and port instead of resolving the name; * matches every host, -HOST:PORT removes an earlier entry. May be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -l 'connect-to' -d 'Connect to HOST2:PORT2 instead of HOST1:PORT1. An empty HOST1 or PORT1 matches any; an empty HOST2 or PORT2 is left unchanged. May be repeated; the first match applies.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" connect-timeout' -l 'connect-timeout' -d 'Time limit for name resolution, TCP, proxy and TLS together, as in 3s; by default only --open-timeout applies.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" proxy' -l 'proxy' -d 'Connect through this proxy, as in http://user:password@host:port; the scheme is http, https, socks5 or socks5h (the proxy resolves the name). By default http_proxy, https_proxy, all_proxy and no_proxy apply.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" proxy-user' -l 'proxy-user' -d 'Credentials for the proxy, as user:password; @FILE and env:NAME read them from there.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" proxy-cacert' -l 'proxy-cacert' -d 'Trust only the certificates in this PEM file for an https proxy; by default those of the system.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" noproxy' -l 'noproxy' -d 'Connect to these hosts directly: a comma-separated list as in no_proxy; * matches every host.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" close-timeout' -l 'close-timeout' -d 'Time limit for the peer\'s Close after ours was sent.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" max-message' -l 'max-message' -d 'Reject received messages larger than this, with Close 1009.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" insecure k no-check' -s 'k' -l 'insecure' -l 'no-check' -d 'Accept any certificate, with a warning once per run.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" ca cacert' -l 'cacert' -l 'ca' -d 'Trust only the certificates in this PEM file; by default those of the system.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" cert' -l 'cert' -d 'Client certificate for servers that request one: PEM followed by its chain, DER, or PKCS#12 with the key.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" key' -l 'key' -d 'Private key for --cert (PEM), if it is in a separate file.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" pass passphrase' -l 'pass' -l 'passphrase' -d 'Passphrase for --key or a PKCS#12 --cert; @FILE and env:NAME read it from there. By default wscope prompts for it on a terminal.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" tls-min' -l 'tls-min' -d 'Oldest TLS version to accept: 1.0, 1.1, 1.2 or 1.3.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" tls-max' -l 'tls-max' -d 'Newest TLS version to offer: 1.0, 1.1, 1.2 or 1.3.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -l 'pin' -l 'pinnedpubkey' -d 'Accept only servers with this public key, as sha256//BASE64; may be repeated, or be a list separated by semicolons. With --insecure, nothing else is checked.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" alpn' -l 'alpn' -d 'Offer these protocols by ALPN, as a comma-separated list (default: http/1.1); an empty list disables ALPN.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" auth u user' -s 'u' -l 'user' -l 'auth' -d 'Use Basic authentication; prompts for the password if it is missing; @FILE and env:NAME read it from there. The default is the user information in the URL, then $WSCOPE_USER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" bearer oauth2-bearer' -l 'bearer' -l 'oauth2-bearer' -d 'Authenticate with this bearer token; @FILE and env:NAME read it from there. The default is $WSCOPE_BEARER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" netrc' -l 'netrc' -d 'Read user name and password for the host from ~/.netrc.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" netrc-file' -l 'netrc-file' -d 'Read user name and password for the host from this file, in the format of .netrc.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" allow-clear-auth' -l 'allow-clear-auth' -d 'Allow passwords and tokens to be sent unencrypted over ws:// to other machines.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -l 'cookie' -d 'Send this cookie, as in a=b or \'a=b; c=d\'; may be repeated. @FILE and env:NAME read it from there.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" cookie-jar' -l 'cookie-jar' -d 'Send the cookies in this file (Netscape format), and save those that servers set.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" L follow location' -s 'L' -l 'location' -l 'follow' -d 'Follow redirects. If the target has another host, port or scheme, no header fields, passwords, cookies or client certificates are sent there.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" max-redirects max-redirs' -l 'max-redirects' -l 'max-redirs' -d 'Limit for consecutive redirects with --location (default: 10).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" allow-downgrade' -l 'allow-downgrade' -d 'Allow --location to follow a redirect from wss:// to ws://.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" compress' -l 'compress' -d 'Compress messages with permessage-deflate, optionally with comma-separated parameters: client_max_window_bits=N, server_max_window_bits=N (bits, 8 to 15), client_no_context_takeover, server_no_context_takeover, no_context_takeover.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" no-compress' -l 'no-compress' -d 'Do not compress messages, and do not negotiate compression.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" timestamps' -l 'timestamps' -d 'Show before each message when it arrived: iso (UTC; the default without a value), rel (since the start) or delta (since the previous message). Not shown before binary messages in a pipe.' -rfka 'iso rel delta'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" json' -l 'json' -d 'Pretty-print JSON messages; at the prompt, in colour.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" color' -l 'color' -d 'When to use colour: auto (on a terminal), always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -l 'verbose' -s 'v' -d 'Print the handshake, timings, sizes and the close; in listen, log every message, sent ones too. Given twice, connect also prints every frame and the sizes on the wire.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" host' -l 'host' -d 'Listen on this address or host name, which may open the server to other machines; by default on loopback only.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" unix-socket' -l 'unix-socket' -d 'Listen on a unix socket instead of a port.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" mode' -l 'mode' -d 'What answers a connection (default: echo). echo: Sends every message back to the client that it came from. broadcast: Sends every message to all other clients. broadcast=all: Sends every message to the sender too. chat: Sends every message to the others in the room, with the sender\'s name. sink: Counts every message and discards it. source: Sends each line of standard input to all clients and discards their messages. manual: Shows every message; lines of standard input go to the clients that they name.' -rfka 'echo broadcast broadcast=all chat sink source manual'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" strict-paths' -l 'strict-paths' -d 'Reject paths that are not test paths with 404.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" transports' -l 'transports' -d 'Add the paths under /t/, in any mode: updates that are published by POST, and read by WebSocket, server-sent events, polls and long polls. bench transports compares them.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" no-prompt' -l 'no-prompt' -d 'Read lines without a prompt, on a terminal too. Mode manual.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" port-file' -l 'port-file' -d 'Write the port number to this file once bound.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" tls' -l 'tls' -d 'Serve wss:// with a certificate made for this run, for localhost and the names of this machine.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" tls-ca-out' -l 'tls-ca-out' -d 'Have the certificate of --tls signed by an authority made for this run, and write that of the authority to this file (PEM), for a phone or a browser to trust. Its key is kept nowhere.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" cert' -l 'cert' -d 'Serve wss:// with this certificate, followed by its chain (PEM).' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" key' -l 'key' -d 'Private key for --cert (PEM).' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" http2' -l 'http2' -d 'Also serve WebSocket over HTTP/2 (RFC 8441): negotiated by ALPN with TLS, with prior knowledge without.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -s 's' -l 'subprotocol' -l 'protocol' -d 'Accept this subprotocol if a client offers it; may be repeated, in order of preference.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -l 'allow-origin' -d 'Allow pages of this origin to connect, as in https://example.com; may be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -l 'allow-host' -d 'Accept this name in the Host field; may be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" max-message' -l 'max-message' -d 'Reject messages larger than this, with Close 1009.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" max-head' -l 'max-head' -d 'Reject requests whose head is larger than this, or has a line larger than a quarter of it.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" max-queue' -l 'max-queue' -d 'Close a client that reads too slowly once more than this is queued for it.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" max-clients' -l 'max-clients' -d 'Limit for clients at a time; more are rejected with 503 (default: nine tenths of the open-file limit).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" close-timeout' -l 'close-timeout' -d 'Time limit for the clients\' Close when the server shuts down.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" threads' -l 'threads' -d 'Number of event loop threads.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" control' -l 'control' -d 'Add the paths under /_/, through which a test or a script controls the server: it lists clients, sends, closes, cuts, changes faults, and reads what has happened.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" reuse-port' -l 'reuse-port' -d 'Let other processes listen on the same port (SO_REUSEPORT); the kernel distributes the clients.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" lint' -l 'lint' -d 'Count legal but unusual properties of a client\'s frames, and log them when it disconnects: lengths encoded in more bytes than necessary, empty fragments, text fragments that end inside a character, masking keys used again.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" basic-auth' -l 'basic-auth' -d 'Require Basic authentication with these credentials, as user:password, of upgrades and pages; @FILE and env:NAME read them from there. By default no credentials are required.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" bearer' -l 'bearer' -d 'Require this bearer token, in the Authorization field or as the parameter access_token of the URL; @FILE and env:NAME read it from there. With --basic-auth, either admits.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" client-ca' -l 'client-ca' -d 'Require a certificate of every client, signed by one of the authorities in this file (PEM). Its chain, dates and purpose are checked. With --tls or --cert.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" require-subprotocol' -l 'require-subprotocol' -d 'Reject clients that offer none of the subprotocols of --subprotocol with 400.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" once' -l 'once' -d 'End after one connection; the same as --exit-after 1.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" exit-after' -l 'exit-after' -d 'Accept this many connections, and exit when they have ended; the exit code is that of the first one that failed. By default the server runs until a signal.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" accept-close' -l 'accept-close' -d 'With --exit-after: accept these close codes from the clients, as in 4000-4999, in addition to 1000, 1001 and no code.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" m max-time' -s 'm' -l 'max-time' -d 'Time limit for the whole run, as in 30s; exceeding it is exit code 28. By default there is none.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" exit-at-eof' -l 'exit-at-eof' -d 'End with Close 1001 when standard input ends. Mode source and manual.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" slow' -l 'slow' -d 'What to do with a client that does not read: close it, drop messages for it, or wait until it has caught up (default: close). Modes broadcast, chat and source, and the paths /broadcast and /room.' -rfka 'close drop wait'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" keep' -l 'keep' -d 'Send a new client the last n messages first, 0 to 1000 (default: 20 in rooms, 1 in mode source, otherwise 0). Modes broadcast, chat and source, and the paths /broadcast and /room.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" b binary' -l 'binary' -s 'b' -d 'Send binary messages; the default is text. Mode source and manual, and --exec.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" 0 null' -s '0' -l 'null' -d 'Messages on standard input, or of the program, end with a NUL byte, not with a line feed. Mode source and --exec.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" script' -l 'script' -d 'Run the steps of this script on each connection ("< text" waits for a message from the client, "> text" sends one) and close: a test of a client. - is standard input.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" rules' -l 'rules' -d 'Answer messages by the rules of this file, one a line, as in: < ping => > pong. The file is read again when it changes. - is standard input.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -l 'on' -d 'Add a rule, as in: --on \'< ping => > pong\'. A value that begins with "=> " adds an action to the rule before it. May be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" w wait' -l 'wait' -s 'w' -d 'Time limit for each step of --script that waits for a message (default: 10s).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" junit' -l 'junit' -d 'Write a JUnit XML report of --script to this file, a test suite for each connection.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" tap-output' -l 'tap-output' -d 'Write a TAP report of --script to standard output at the end.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" exec' -l 'exec' -d 'Run the program after -- for each connection: messages become lines of its input, and lines of its output become messages. With mode source, run it once and send its output to all clients.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" exec-pty' -l 'exec-pty' -d 'Give the program a pseudo-terminal in place of pipes, so that it does not buffer its output.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" exec-grace' -l 'exec-grace' -d 'Time from the end of the program\'s input, once its client has left, to SIGTERM; SIGKILL follows 2 s later (default: 2s).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" exec-stderr' -l 'exec-stderr' -d 'What to do with the program\'s standard error: log, or client to send both outputs to the client as JSON, {"stream":"stderr","data":"text"} (default: log).' -rfka 'log client'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -l 'pass-env' -d 'Pass this variable of the environment to the program; may be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -l 'pass-header' -d 'Pass this field of the request to the program, as WS_HEADER_NAME; may be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" i-know' -l 'i-know' -d 'Allow --exec on an address that other machines can reach: they can then run the program.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -l 'fault' -d 'Break connections on purpose: KIND[=VALUE][,after=N|D][,for=D][,p=30%][,conn=N-M][,path=GLOB]; may be repeated. refuse=503: Rejects the upgrade with this HTTP status; without one, closes without a reply. slow-open=2s: Answers the upgrade request this much later. drop=5%: Loses this share of the messages. dup=1%: Sends this share of the messages twice. corrupt=1%: Changes one byte in this share of the messages; text may not be UTF-8 then. delay=200ms~50ms: Sends each message this much later, in order; ~50ms spreads the delay. fragment=16: Sends each message in uncompressed fragments of at most this many bytes. no-pong: Does not answer pings. slow-close=2s: Answers the client\'s Close this much later. close=1011: Closes with this code. throttle=1KB/s: Limits the bytes sent to the client to this many a second. slice=16~8: Writes pieces of this many bytes, gap= apart (1ms by default); 16~8 is 8 to 24 bytes. stall: Sends nothing more and discards what arrives, but keeps the connection open. no-read: Stops reading from the connection. rst: Ends the connection with a TCP reset (RST). fin: Ends the connection without a Close frame (FIN). limit=10KB: Ends the connection with a TCP reset after this many bytes. life=30s: Ends the connection with a TCP reset after this time, under traffic too.' -rfka 'refuse=503 slow-open=2s drop=5% dup=1% corrupt=1% delay=200ms~50ms fragment=16 no-pong slow-close=2s close=1011 throttle=1KB/s slice=16~8 stall no-read rst fin limit=10KB life=30s'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" no-url-faults' -l 'no-url-faults' -d 'Ignore ?fault= in client URLs, which adds a fault to that connection.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" seed' -l 'seed' -d 'Seed of everything random about faults, 0 to 2^64-1 (default: a random one).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" compress' -l 'compress' -d 'Compress messages with permessage-deflate, optionally with comma-separated parameters: client_max_window_bits=N, server_max_window_bits=N (bits, 8 to 15), client_no_context_takeover, server_no_context_takeover, no_context_takeover.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" no-compress' -l 'no-compress' -d 'Do not compress messages, and do not negotiate compression.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" format' -l 'format' -d 'Format of the events: text, a log on standard error, or jsonl, one JSON object per event on standard output.' -rfka 'text jsonl'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" timestamps' -l 'timestamps' -d 'Show the time before each line: iso (UTC; the default without a value), rel (since the start) or delta (since the previous line).' -rfka 'iso rel delta'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" json' -l 'json' -d 'Pretty-print JSON messages in the log.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" filter' -l 'filter' -d 'Log only messages that match this regular expression (PCRE2).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" filter-json' -l 'filter-json' -d 'Log only JSON messages for which this expression is true, as in \'.op == "sub"\'.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" q quiet' -l 'quiet' -s 'q' -d 'Log only rejected requests and errors.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" color' -l 'color' -d 'When to use colour: auto (on a terminal), always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -l 'verbose' -s 'v' -d 'Print the handshake, timings, sizes and the close; in listen, log every message, sent ones too. Given twice, connect also prints every frame and the sizes on the wire.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'file' -d 'Send the contents of this file as one message, after the others; may be repeated. - is standard input.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'expect' -d 'Expect exactly this message. Message expectations can be repeated and combined; they are met in order, each by the first message that matches. If one is not met, the exit code is 1.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'expect-regex' -d 'Expect a text message that matches this regular expression (PCRE2).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'expect-json' -d 'Expect a JSON message for which this expression is true, as in \'.op == "pong"\'.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'expect-binary' -d 'Expect a binary message of exactly these bytes, as hexadecimal digits.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" expect-none' -l 'expect-none' -d 'Expect no message for this long, as in 1s, after the last one that was sent or expected.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" expect-count' -l 'expect-count' -d 'Expect exactly this many messages.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" expect-close' -l 'expect-close' -d 'Expect the peer to close with one of these codes, as in 1008 or 1000,1001,4000-4999.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" expect-status' -l 'expect-status' -d 'Expect this HTTP status in response to the handshake, as in 401; being rejected with it is a success.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" expect-subprotocol' -l 'expect-subprotocol' -d 'Expect the server to choose this subprotocol, which --subprotocol must offer.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" within' -l 'within' -d 'Time limit for all expectations, as in 2s, measured from the opening. Without it, the wait ends when no message arrives for --linger.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" max-rtt' -l 'max-rtt' -d 'Time limit for each reply, as in 200ms, measured from the last message sent.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" until' -l 'until' -d 'End when a text message matches this regular expression (PCRE2).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" until-json' -l 'until-json' -d 'End when a JSON message arrives for which this expression is true, as in \'.n >= 2\'.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" accept-close' -l 'accept-close' -d 'Accept these close codes from the peer, as in 4000-4999, in addition to 1000, 1001 and no code.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" tap-output' -l 'tap-output' -d 'Print the results of the expectations in the Test Anything Protocol (TAP) instead of the messages.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" junit' -l 'junit' -d 'Write the results of the expectations to this file as JUnit XML.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" script' -l 'script' -d 'Run a script of steps, one per line ("> text" sends, "< text" waits for a message), and rules ("< ping => > pong"); wscope-send(1) lists all of them. - reads standard input.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" replay' -l 'replay' -d 'Send again what was sent in a recording made with --record, and compare the replies with the recorded ones; if they differ, the exit code is 1.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" timing' -l 'timing' -d 'When --replay sends: fast (as soon as the earlier replies have arrived; the default) or recorded (at the recorded times).' -rfka 'fast recorded'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" wait-up' -l 'wait-up' -d 'Keep retrying for up to this long, as in 30s, while the server is unreachable or answers 5xx; by default there are no retries. The exit code is that of the last failure.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" repeat' -l 'repeat' -d 'Repeat everything this many times, each time on a new connection (default: 1). The exit code is that of the first repetition that failed.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" interval' -l 'interval' -d 'Time from the start of one repetition to the start of the next, as in 500ms (default: 0s, no pause).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" m max-time' -s 'm' -l 'max-time' -d 'Time limit for the whole run, as in 30s; exceeding it is exit code 28. By default there is none.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -s 'x' -l 'execute' -l 'message' -d 'Send this message as soon as the connection opens; may be repeated. @FILE sends the contents of a file, @- standard input.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" b binary' -l 'binary' -s 'b' -d 'Send binary messages; the default is text.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" 0 null null-terminated' -s '0' -l 'null' -l 'null-terminated' -d 'End each message on standard input and output with NUL instead of a newline.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" stdin-whole' -l 'stdin-whole' -d 'Send all of standard input as one message.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" raw' -l 'raw' -d 'Write messages to standard output without a newline after each.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" raw-terminal' -l 'raw-terminal' -d 'Write messages to a terminal without escaping control characters. A peer can then do whatever the terminal allows.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" w wait' -s 'w' -l 'wait' -d 'Time limit for the first reply after the last message was sent; 0 does not wait.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" linger' -l 'linger' -d 'After a reply, end when no further message arrives for this long.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" N count max-messages' -s 'N' -l 'count' -l 'max-messages' -d 'End after receiving this many messages; by default there is no limit.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" 1 one-message' -s '1' -l 'one-message' -d 'End after receiving one message; same as --count 1.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" format' -l 'format' -d 'Output format: text, or jsonl (one JSON object per event and line).' -rfka 'text jsonl'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" input' -l 'input' -d 'Format of standard input: text, or jsonl (the lines that --format jsonl prints).' -rfka 'text jsonl'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" lint' -l 'lint' -d 'Count legal but unusual properties of the peer\'s frames, and report them at the end: lengths encoded in more bytes than necessary, empty fragments, text fragments that end inside a character.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" P show-ping-pong' -s 'P' -l 'show-ping-pong' -d 'Show received and sent pings and pongs.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" show-secrets' -l 'show-secrets' -d 'Show passwords and tokens in the output of -v and in recordings instead of ***.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" record' -l 'record' -d 'Record everything that is sent and received to a new file, as JSON Lines.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" force' -l 'force' -d 'Overwrite the file of --record if it exists.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -s 'H' -l 'header' -d 'Add this header field to the request; may be repeated. @FILE reads one field per line from a file.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'force-header' -d 'Set a header field that belongs to the handshake, such as Sec-WebSocket-Version, instead of the one that wscope sends; an empty value removes it. Use it to test how a server reacts.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" raw-request' -l 'raw-request' -d 'Send the bytes of this file as the whole request, valid or not, instead of generating one; - reads standard input.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -s 's' -l 'subprotocol' -l 'protocol' -d 'Offer this subprotocol; may be repeated, or be a comma-separated list.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" o origin' -l 'origin' -s 'o' -d 'Send this Origin header field, as a browser would; by default there is none.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" unix-socket' -l 'unix-socket' -d 'Connect to this unix socket; Host and path still come from the URL.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" open-timeout' -l 'open-timeout' -d 'Time limit for opening a connection, from name resolution to the upgrade. If only --connect-timeout is given, the limit is 10s more than that.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" http2' -l 'http2' -d 'Use WebSocket over HTTP/2 (RFC 8441): negotiated by ALPN with wss://, with prior knowledge with ws://.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" 4 ipv4' -s '4' -l 'ipv4' -d 'Connect to IPv4 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" 6 ipv6' -s '6' -l 'ipv6' -d 'Connect to IPv6 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" interface' -l 'interface' -d 'Connect from this local address, or through this network interface.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'resolve' -d 'Use these addresses for a host and port instead of resolving the name; * matches every host, -HOST:PORT removes an earlier entry. May be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'connect-to' -d 'Connect to HOST2:PORT2 instead of HOST1:PORT1. An empty HOST1 or PORT1 matches any; an empty HOST2 or PORT2 is left unchanged. May be repeated; the first match applies.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" connect-timeout' -l 'connect-timeout' -d 'Time limit for name resolution, TCP, proxy and TLS together, as in 3s; by default only --open-timeout applies.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" proxy' -l 'proxy' -d 'Connect through this proxy, as in http://user:password@host:port; the scheme is http, https, socks5 or socks5h (the proxy resolves the name). By default http_proxy, https_proxy, all_proxy and no_proxy apply.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" proxy-user' -l 'proxy-user' -d 'Credentials for the proxy, as user:password; @FILE and env:NAME read them from there.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" proxy-cacert' -l 'proxy-cacert' -d 'Trust only the certificates in this PEM file for an https proxy; by default those of the system.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" noproxy' -l 'noproxy' -d 'Connect to these hosts directly: a comma-separated list as in no_proxy; * matches every host.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" close-timeout' -l 'close-timeout' -d 'Time limit for the peer\'s Close after ours was sent.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" max-message' -l 'max-message' -d 'Reject received messages larger than this, with Close 1009.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" insecure k no-check' -s 'k' -l 'insecure' -l 'no-check' -d 'Accept any certificate, with a warning once per run.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" ca cacert' -l 'cacert' -l 'ca' -d 'Trust only the certificates in this PEM file; by default those of the system.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" cert' -l 'cert' -d 'Client certificate for servers that request one: PEM followed by its chain, DER, or PKCS#12 with the key.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" key' -l 'key' -d 'Private key for --cert (PEM), if it is in a separate file.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" pass passphrase' -l 'pass' -l 'passphrase' -d 'Passphrase for --key or a PKCS#12 --cert; @FILE and env:NAME read it from there. By default wscope prompts for it on a terminal.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" tls-min' -l 'tls-min' -d 'Oldest TLS version to accept: 1.0, 1.1, 1.2 or 1.3.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" tls-max' -l 'tls-max' -d 'Newest TLS version to offer: 1.0, 1.1, 1.2 or 1.3.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'pin' -l 'pinnedpubkey' -d 'Accept only servers with this public key, as sha256//BASE64; may be repeated, or be a list separated by semicolons. With --insecure, nothing else is checked.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" alpn' -l 'alpn' -d 'Offer these protocols by ALPN, as a comma-separated list (default: http/1.1); an empty list disables ALPN.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" auth u user' -s 'u' -l 'user' -l 'auth' -d 'Use Basic authentication; prompts for the password if it is missing; @FILE and env:NAME read it from there. The default is the user information in the URL, then $WSCOPE_USER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" bearer oauth2-bearer' -l 'bearer' -l 'oauth2-bearer' -d 'Authenticate with this bearer token; @FILE and env:NAME read it from there. The default is $WSCOPE_BEARER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" netrc' -l 'netrc' -d 'Read user name and password for the host from ~/.netrc.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" netrc-file' -l 'netrc-file' -d 'Read user name and password for the host from this file, in the format of .netrc.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" allow-clear-auth' -l 'allow-clear-auth' -d 'Allow passwords and tokens to be sent unencrypted over ws:// to other machines.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'cookie' -d 'Send this cookie, as in a=b or \'a=b; c=d\'; may be repeated. @FILE and env:NAME read it from there.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" cookie-jar' -l 'cookie-jar' -d 'Send the cookies in this file (Netscape format), and save those that servers set.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" L follow location' -s 'L' -l 'location' -l 'follow' -d 'Follow redirects. If the target has another host, port or scheme, no header fields, passwords, cookies or client certificates are sent there.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" max-redirects max-redirs' -l 'max-redirects' -l 'max-redirs' -d 'Limit for consecutive redirects with --location (default: 10).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" allow-downgrade' -l 'allow-downgrade' -d 'Allow --location to follow a redirect from wss:// to ws://.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" compress' -l 'compress' -d 'Compress messages with permessage-deflate, optionally with comma-separated parameters: client_max_window_bits=N, server_max_window_bits=N (bits, 8 to 15), client_no_context_takeover, server_no_context_takeover, no_context_takeover.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" no-compress' -l 'no-compress' -d 'Do not compress messages, and do not negotiate compression.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" timestamps' -l 'timestamps' -d 'Show before each message when it arrived: iso (UTC; the default without a value), rel (since the start) or delta (since the previous message). Not shown before binary messages in a pipe.' -rfka 'iso rel delta'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" color' -l 'color' -d 'When to use colour: auto (on a terminal), always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'verbose' -s 'v' -d 'Print the handshake, timings, sizes and the close; in listen, log every message, sent ones too. Given twice, connect also prints every frame and the sizes on the wire.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" mode' -l 'mode' -d 'What the connections do: echo sends messages and waits for their echoes.' -rfka 'echo'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" c connections' -s 'c' -l 'connections' -d 'Number of connections, as in 200 or 10k.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" d duration' -s 'd' -l 'duration' -d 'Duration of the measurement (default: 30s; 5s without a URL, 10s with --vs).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" messages n' -s 'n' -l 'messages' -d 'End after this many messages of all connections together, as in 10k, instead of after --duration (the default).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" R rate' -s 'R' -l 'rate' -d 'Send this many messages per second, all connections together, as in 5000 or 20k. By default each connection sends its next message when the last one is answered.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" inflight' -l 'inflight' -d 'Without --rate: number of messages that each connection keeps in flight (default: 1).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" arrival' -l 'arrival' -d 'With --rate: send at even intervals (constant), or at random ones, as independent users would (poisson).' -rfka 'constant poisson'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" connect-rate' -l 'connect-rate' -d 'Open this many connections per second.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" min-open' -l 'min-open' -d 'Share of the connections that must open; with fewer, nothing is sent.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" warmup' -l 'warmup' -d 'Send for this long before measuring (default: 2s or a tenth of the duration, whichever is shorter; 0s with -n).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" max-inflight' -l 'max-inflight' -d 'Limit for the messages in flight on a connection; messages beyond it are counted instead of sent.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" timeout' -l 'timeout' -d 'Time limit for the answer to a message; after it, the message counts as unanswered.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" size' -l 'size' -d 'Size of each message (default: 64 bytes).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" b binary' -l 'binary' -s 'b' -d 'Send binary messages; the default is text.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" message x' -s 'x' -l 'message' -d 'Send this payload every time and count any reply as its answer; @FILE sends a file.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" match' -l 'match' -d 'Match replies by an id in the payload (seq), or in order (fifo): only for a server that sends one reply to each message, in order, and nothing else.' -rfka 'seq fifo'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" seed' -l 'seed' -d 'Seed of the schedule and the payloads, to repeat a run (default: a random one).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" threads' -l 'threads' -d 'Number of event loop threads.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" local-ips' -l 'local-ips' -d 'Connect from these local addresses in turn: a comma-separated list, or a network, as in 127.0.1.0/24.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" shard' -l 'shard' -d 'Run part i of n (counted from 0) of a run that n processes share; the other options describe the whole run. "auto" takes both numbers from Slurm, Open MPI or PMI; "auto/n" also takes the part from a Kubernetes Indexed Job.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" start-at' -l 'start-at' -d 'Start connecting at this time, as in 2026-12-01T08:00:00Z, and start sending when all shards have had time to connect; the default is now.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" run-id' -l 'run-id' -d 'Name of the run in its result, by which merge recognizes its shards (default: a random one; with --shard, one derived from the other options).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" repeat' -l 'repeat' -d 'Repeat the run this many times and print the median and the range of each figure; with --vs, the number of pairs of runs (default: 8).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" vs' -l 'vs' -d 'Compare with this URL, or with these options added to the others, as in --vs=\'--compress\': both sides are measured in turn, in the order A B B A, for 10s each unless --duration is given.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" metric' -l 'metric' -d 'Test these metrics, at most six, as a comma-separated list (default: rtt.p50,rtt.p99,rate.answered; with six pairs only the first).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" noise' -l 'noise' -d 'Ignore changes up to this share.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" fail-on' -l 'fail-on' -d 'Fail with exit code 99 if B is worse (worse), also with 98 if that cannot be decided (unknown), or never.' -rfka 'worse unknown never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" compare-format' -l 'compare-format' -d 'Format of the comparison: text or json.' -rfka 'text json'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" format' -l 'format' -d 'Format of the report on standard output.' -rfka 'text json junit html md csv prometheus'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" heat' -l 'heat' -d 'Print a heat map of the round-trip time over time after the text report, as wide as the terminal (80 columns elsewhere).'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" percentiles' -l 'percentiles' -d 'Percentiles to report, as a comma-separated list (default: 50,90,99,99.9).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" out' -l 'out' -d 'Write the result to this file as JSON; bench report prints it again.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" html' -l 'html' -d 'Write the report to this file as a page with charts; bench report reads it, too.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'threshold' -d 'Require this of the result, as in \'rtt.p99<50ms\', \'errors.rate<0.1%\' or \'rate.achieved>=99%\'; may be repeated. The exit code is 99 if it is broken, 98 if the measurement cannot decide it. With "abort after 10s" at the end, a breach ends the run, from that time on.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" junit' -l 'junit' -d 'Write the thresholds and the verdict to this file as JUnit XML.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" summary-md' -l 'summary-md' -d 'Add a summary in Markdown to the end of this file, as in $GITHUB_STEP_SUMMARY.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" csv' -l 'csv' -d 'Write a row of comma-separated values for each interval to this file, during the run.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" hdr' -l 'hdr' -d 'Write the samples to this file during the run, as an HdrHistogram log with a line for each interval and metric.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" prometheus' -l 'prometheus' -d 'Write the figures to this file in the text format of Prometheus.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" self-check' -l 'self-check' -d 'What an invalid measurement means: a warning (warn) or exit code 98 (fail); off does not check the measurement (default: fail with --threshold, else warn).' -rfka 'warn fail off'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" prometheus-addr' -l 'prometheus-addr' -d 'Serve the figures at /metrics of this address for Prometheus, during the run; without a host on loopback.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" prometheus-linger' -l 'prometheus-linger' -d 'After the run, serve the figures until they have been read once more, at most for this long (default: 0s).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" schema' -l 'schema' -d 'Print the JSON Schema of the result.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" no-progress' -l 'no-progress' -d 'Do not show progress.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" q quiet' -l 'quiet' -s 'q' -d 'Print only the report and errors.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -s 'H' -l 'header' -d 'Add this header field to the request; may be repeated. @FILE reads one field per line from a file.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'force-header' -d 'Set a header field that belongs to the handshake, such as Sec-WebSocket-Version, instead of the one that wscope sends; an empty value removes it. Use it to test how a server reacts.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" raw-request' -l 'raw-request' -d 'Send the bytes of this file as the whole request, valid or not, instead of generating one; - reads standard input.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -s 's' -l 'subprotocol' -l 'protocol' -d 'Offer this subprotocol; may be repeated, or be a comma-separated list.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" o origin' -l 'origin' -s 'o' -d 'Send this Origin header field, as a browser would; by default there is none.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" unix-socket' -l 'unix-socket' -d 'Connect to this unix socket; Host and path still come from the URL.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" open-timeout' -l 'open-timeout' -d 'Time limit for opening a connection, from name resolution to the upgrade. If only --connect-timeout is given, the limit is 10s more than that.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" http2' -l 'http2' -d 'Use WebSocket over HTTP/2 (RFC 8441): negotiated by ALPN with wss://, with prior knowledge with ws://.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" 4 ipv4' -s '4' -l 'ipv4' -d 'Connect to IPv4 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" 6 ipv6' -s '6' -l 'ipv6' -d 'Connect to IPv6 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" interface' -l 'interface' -d 'Connect from this local address, or through this network interface.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'resolve' -d 'Use these addresses for a host and port instead of resolving the name; * matches every host, -HOST:PORT removes an earlier entry. May be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'connect-to' -d 'Connect to HOST2:PORT2 instead of HOST1:PORT1. An empty HOST1 or PORT1 matches any; an empty HOST2 or PORT2 is left unchanged. May be repeated; the first match applies.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" connect-timeout' -l 'connect-timeout' -d 'Time limit for name resolution, TCP, proxy and TLS together, as in 3s; by default only --open-timeout applies.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" proxy' -l 'proxy' -d 'Connect through this proxy, as in http://user:password@host:port; the scheme is http, https, socks5 or socks5h (the proxy resolves the name). By default http_proxy, https_proxy, all_proxy and no_proxy apply.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" proxy-user' -l 'proxy-user' -d 'Credentials for the proxy, as user:password; @FILE and env:NAME read them from there.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" proxy-cacert' -l 'proxy-cacert' -d 'Trust only the certificates in this PEM file for an https proxy; by default those of the system.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" noproxy' -l 'noproxy' -d 'Connect to these hosts directly: a comma-separated list as in no_proxy; * matches every host.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" close-timeout' -l 'close-timeout' -d 'Time limit for the peer\'s Close after ours was sent.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" max-message' -l 'max-message' -d 'Reject received messages larger than this, with Close 1009.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" insecure k no-check' -s 'k' -l 'insecure' -l 'no-check' -d 'Accept any certificate, with a warning once per run.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" ca cacert' -l 'cacert' -l 'ca' -d 'Trust only the certificates in this PEM file; by default those of the system.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" cert' -l 'cert' -d 'Client certificate for servers that request one: PEM followed by its chain, DER, or PKCS#12 with the key.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" key' -l 'key' -d 'Private key for --cert (PEM), if it is in a separate file.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" pass passphrase' -l 'pass' -l 'passphrase' -d 'Passphrase for --key or a PKCS#12 --cert; @FILE and env:NAME read it from there. By default wscope prompts for it on a terminal.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" tls-min' -l 'tls-min' -d 'Oldest TLS version to accept: 1.0, 1.1, 1.2 or 1.3.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" tls-max' -l 'tls-max' -d 'Newest TLS version to offer: 1.0, 1.1, 1.2 or 1.3.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'pin' -l 'pinnedpubkey' -d 'Accept only servers with this public key, as sha256//BASE64; may be repeated, or be a list separated by semicolons. With --insecure, nothing else is checked.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" alpn' -l 'alpn' -d 'Offer these protocols by ALPN, as a comma-separated list (default: http/1.1); an empty list disables ALPN.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" auth u user' -s 'u' -l 'user' -l 'auth' -d 'Use Basic authentication; prompts for the password if it is missing; @FILE and env:NAME read it from there. The default is the user information in the URL, then $WSCOPE_USER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" bearer oauth2-bearer' -l 'bearer' -l 'oauth2-bearer' -d 'Authenticate with this bearer token; @FILE and env:NAME read it from there. The default is $WSCOPE_BEARER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" netrc' -l 'netrc' -d 'Read user name and password for the host from ~/.netrc.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" netrc-file' -l 'netrc-file' -d 'Read user name and password for the host from this file, in the format of .netrc.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" allow-clear-auth' -l 'allow-clear-auth' -d 'Allow passwords and tokens to be sent unencrypted over ws:// to other machines.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'cookie' -d 'Send this cookie, as in a=b or \'a=b; c=d\'; may be repeated. @FILE and env:NAME read it from there.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" cookie-jar' -l 'cookie-jar' -d 'Send the cookies in this file (Netscape format), and save those that servers set.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" L follow location' -s 'L' -l 'location' -l 'follow' -d 'Follow redirects. If the target has another host, port or scheme, no header fields, passwords, cookies or client certificates are sent there.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" max-redirects max-redirs' -l 'max-redirects' -l 'max-redirs' -d 'Limit for consecutive redirects with --location (default: 10).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" allow-downgrade' -l 'allow-downgrade' -d 'Allow --location to follow a redirect from wss:// to ws://.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" compress' -l 'compress' -d 'Compress messages with permessage-deflate, optionally with comma-separated parameters: client_max_window_bits=N, server_max_window_bits=N (bits, 8 to 15), client_no_context_takeover, server_no_context_takeover, no_context_takeover.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" no-compress' -l 'no-compress' -d 'Do not compress messages, and do not negotiate compression.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" color' -l 'color' -d 'When to use colour: auto (on a terminal), always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'verbose' -s 'v' -d 'Print the handshake, timings, sizes and the close; in listen, log every message, sent ones too. Given twice, connect also prints every frame and the sizes on the wire.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope bench" -eq 1' -fa 'report' -d 'Print stored results of bench again.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope bench" -eq 1' -fa 'merge' -d 'Merge the results of the shards of a run into one.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope bench" -eq 1' -fa 'compare' -d 'Compare two groups of results of bench.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope bench" -eq 1' -fa 'transports' -d 'Compare WebSocket with server-sent events and polling.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope bench report" -eq 1' -F
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" format' -l 'format' -d 'Format of the report on standard output.' -rfka 'text json junit html md csv prometheus'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" heat' -l 'heat' -d 'Print a heat map of the round-trip time over time after the text report, as wide as the terminal (80 columns elsewhere).'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" percentiles' -l 'percentiles' -d 'Percentiles to report, as a comma-separated list (default: 50,90,99,99.9).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" out' -l 'out' -d 'Write the result to this file as JSON; bench report prints it again.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" html' -l 'html' -d 'Write the report to this file as a page with charts; bench report reads it, too.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report"' -l 'threshold' -d 'Require this of the result, as in \'rtt.p99<50ms\', \'errors.rate<0.1%\' or \'rate.achieved>=99%\'; may be repeated. The exit code is 99 if it is broken, 98 if the measurement cannot decide it. With "abort after 10s" at the end, a breach ends the run, from that time on.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" junit' -l 'junit' -d 'Write the thresholds and the verdict to this file as JUnit XML.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" summary-md' -l 'summary-md' -d 'Add a summary in Markdown to the end of this file, as in $GITHUB_STEP_SUMMARY.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" csv' -l 'csv' -d 'Write a row of comma-separated values for each interval to this file, during the run.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" hdr' -l 'hdr' -d 'Write the samples to this file during the run, as an HdrHistogram log with a line for each interval and metric.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" prometheus' -l 'prometheus' -d 'Write the figures to this file in the text format of Prometheus.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" self-check' -l 'self-check' -d 'What an invalid measurement means: a warning (warn) or exit code 98 (fail); off does not check the measurement (default: fail with --threshold, else warn).' -rfka 'warn fail off'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" color' -l 'color' -d 'When to use colour: auto (on a terminal), always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench report" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope bench merge" -ge 1' -F
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" partial' -l 'partial' -d 'Merge even if shards are missing, which is an error with exit code 98 otherwise.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" force' -l 'force' -d 'Merge results even if their configuration, seed, version, run or time differs.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" format' -l 'format' -d 'Format of the report on standard output.' -rfka 'text json junit html md csv prometheus'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" heat' -l 'heat' -d 'Print a heat map of the round-trip time over time after the text report, as wide as the terminal (80 columns elsewhere).'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" percentiles' -l 'percentiles' -d 'Percentiles to report, as a comma-separated list (default: 50,90,99,99.9).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" out' -l 'out' -d 'Write the result to this file as JSON; bench report prints it again.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" html' -l 'html' -d 'Write the report to this file as a page with charts; bench report reads it, too.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge"' -l 'threshold' -d 'Require this of the result, as in \'rtt.p99<50ms\', \'errors.rate<0.1%\' or \'rate.achieved>=99%\'; may be repeated. The exit code is 99 if it is broken, 98 if the measurement cannot decide it. With "abort after 10s" at the end, a breach ends the run, from that time on.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" junit' -l 'junit' -d 'Write the thresholds and the verdict to this file as JUnit XML.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" summary-md' -l 'summary-md' -d 'Add a summary in Markdown to the end of this file, as in $GITHUB_STEP_SUMMARY.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" csv' -l 'csv' -d 'Write a row of comma-separated values for each interval to this file, during the run.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" hdr' -l 'hdr' -d 'Write the samples to this file during the run, as an HdrHistogram log with a line for each interval and metric.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" prometheus' -l 'prometheus' -d 'Write the figures to this file in the text format of Prometheus.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" self-check' -l 'self-check' -d 'What an invalid measurement means: a warning (warn) or exit code 98 (fail); off does not check the measurement (default: fail with --threshold, else warn).' -rfka 'warn fail off'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" q quiet' -l 'quiet' -s 'q' -d 'Print only the report and errors.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" color' -l 'color' -d 'When to use colour: auto (on a terminal), always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench merge" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope bench compare" -ge 1' -F
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench compare"' -l 'vs' -d 'Files or directories with the results of group B.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench compare" metric' -l 'metric' -d 'Test these metrics, at most six, as a comma-separated list (default: rtt.p50,rtt.p99,rate.answered; with six pairs only the first).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench compare" noise' -l 'noise' -d 'Ignore changes up to this share.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench compare" fail-on' -l 'fail-on' -d 'Fail with exit code 99 if B is worse (worse), also with 98 if that cannot be decided (unknown), or never.' -rfka 'worse unknown never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench compare" compare-format' -l 'compare-format' -d 'Format of the comparison: text or json.' -rfka 'text json'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench compare" force' -l 'force' -d 'Compare even if the configurations differ, or a result is invalid.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench compare" q quiet' -l 'quiet' -s 'q' -d 'Print only the comparison and errors.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench compare" color' -l 'color' -d 'When to use colour: auto (on a terminal), always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench compare" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench compare" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" updates' -l 'updates' -d 'Publish updates at this rate, at random times.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" c clients' -s 'c' -l 'clients' -d 'Number of clients that receive each update.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" poll-every' -l 'poll-every' -d 'Poll at these intervals, at most four, as a comma-separated list (default: 100ms,1s).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" d duration' -s 'd' -l 'duration' -d 'Time for each transport, at least four times the longest interval; echoes take a quarter of it.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" repeat' -l 'repeat' -d 'Measure everything this many times, in the order A B C, C B A; from six on, a rank test decides on each claim.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" seed' -l 'seed' -d 'Seed of the times of updates and polls, to repeat a run (default: a random one).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" format' -l 'format' -d 'Format of the report on standard output: text, json or md.' -rfka 'text json md'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" summary-md' -l 'summary-md' -d 'Add a summary in Markdown to the end of this file, as in $GITHUB_STEP_SUMMARY.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" schema' -l 'schema' -d 'Print the JSON Schema of the result.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" q quiet' -l 'quiet' -s 'q' -d 'Print only the report and errors.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" color' -l 'color' -d 'When to use colour: auto (on a terminal), always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench transports" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope help" version' -l 'version' -d 'Show the version.'
