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
            __wscope_parse_subcommand 1 'x/execute=+' 'b/binary' '0/null' 'stdin-whole' 'raw' 'w/wait=' 'linger=' 'N/count=' '1/one-message' 'format=' 'input=' 'P/show-ping-pong' 'show-secrets' 'no-slash' 'echo' 'reconnect=' 'ping-interval=' 'ping-timeout=' 'record=' 'force' 'H/header=+' 's/subprotocol=+' 'o/origin=' 'unix-socket=' 'open-timeout=' 'http2' '4/ipv4' '6/ipv6' 'interface=' 'resolve=+' 'connect-to=+' 'connect-timeout=' 'proxy=' 'proxy-user=' 'proxy-cacert=' 'noproxy=' 'close-timeout=' 'max-message=' 'k/insecure' 'cacert=' 'cert=' 'key=' 'pass=' 'tls-min=' 'tls-max=' 'pin=+' 'alpn=' 'u/user=' 'bearer=' 'netrc' 'netrc-file=' 'allow-clear-auth' 'cookie=+' 'cookie-jar=' 'L/location' 'max-redirects=' 'allow-downgrade' 'compress=' 'no-compress' 'timestamps=' 'json' 'color=' 'v/verbose' 'version' 'h/help'
        case 'listen'
            __wscope_parse_subcommand 1 'host=' 'unix-socket=' 'mode=' 'port-file=' 'tls' 'cert=' 'key=' 'http2' 's/subprotocol=+' 'allow-origin=+' 'allow-host=+' 'max-message=' 'max-queue=' 'max-clients=' 'close-timeout=' 'threads=' 'reuse-port' 'q/quiet' 'compress=' 'no-compress' 'color=' 'v/verbose' 'version' 'h/help'
        case 'send'
            __wscope_parse_subcommand -r 2 'file=+' 'expect=+' 'expect-regex=+' 'expect-json=+' 'expect-binary=+' 'expect-none=' 'expect-count=' 'expect-close=' 'expect-status=' 'expect-subprotocol=' 'within=' 'max-rtt=' 'until=' 'until-json=' 'accept-close=' 'tap-output' 'junit=' 'script=' 'replay=' 'timing=' 'wait-up=' 'repeat=' 'interval=' 'm/max-time=' 'x/execute=+' 'b/binary' '0/null' 'stdin-whole' 'raw' 'w/wait=' 'linger=' 'N/count=' '1/one-message' 'format=' 'input=' 'P/show-ping-pong' 'show-secrets' 'record=' 'force' 'H/header=+' 's/subprotocol=+' 'o/origin=' 'unix-socket=' 'open-timeout=' 'http2' '4/ipv4' '6/ipv6' 'interface=' 'resolve=+' 'connect-to=+' 'connect-timeout=' 'proxy=' 'proxy-user=' 'proxy-cacert=' 'noproxy=' 'close-timeout=' 'max-message=' 'k/insecure' 'cacert=' 'cert=' 'key=' 'pass=' 'tls-min=' 'tls-max=' 'pin=+' 'alpn=' 'u/user=' 'bearer=' 'netrc' 'netrc-file=' 'allow-clear-auth' 'cookie=+' 'cookie-jar=' 'L/location' 'max-redirects=' 'allow-downgrade' 'compress=' 'no-compress' 'timestamps=' 'color=' 'v/verbose' 'version' 'h/help'
        case 'bench'
            __wscope_parse_subcommand 1 'c/connections=' 'd/duration=' 'n/messages=' 'R/rate=' 'inflight=' 'arrival=' 'connect-rate=' 'min-open=' 'warmup=' 'max-inflight=' 'timeout=' 'size=' 'b/binary' 'x/message=' 'match=' 'seed=' 'threads=' 'shard=' 'local-ips=' 'format=' 'percentiles=' 'no-progress' 'q/quiet' 'H/header=+' 's/subprotocol=+' 'o/origin=' 'unix-socket=' 'open-timeout=' 'http2' '4/ipv4' '6/ipv6' 'interface=' 'resolve=+' 'connect-to=+' 'connect-timeout=' 'proxy=' 'proxy-user=' 'proxy-cacert=' 'noproxy=' 'close-timeout=' 'max-message=' 'k/insecure' 'cacert=' 'cert=' 'key=' 'pass=' 'tls-min=' 'tls-max=' 'pin=+' 'alpn=' 'u/user=' 'bearer=' 'netrc' 'netrc-file=' 'allow-clear-auth' 'cookie=+' 'cookie-jar=' 'L/location' 'max-redirects=' 'allow-downgrade' 'compress=' 'no-compress' 'color=' 'v/verbose' 'version' 'h/help'
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
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope" -eq 1' -fa 'connect' -d 'Talk to an endpoint: a prompt on a terminal, a filter in a pipe.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope" -eq 1' -fa 'listen' -d 'Run a throwaway server: echo or broadcast, with a page for browsers.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope" -eq 1' -fa 'send' -d 'Send messages, print the replies, exit with a meaningful code.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope" -eq 1' -fa 'bench' -d 'Load an endpoint with many connections and measure its latency.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_positional "wscope" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -s 'x' -l 'execute' -l 'message' -d 'Send this message on open; may be repeated. @FILE sends a file, @- standard input.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" b binary' -l 'binary' -s 'b' -d 'Send messages as binary.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" 0 null null-terminated' -s '0' -l 'null' -l 'null-terminated' -d 'Messages on standard input and output end with NUL, not with a newline.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" stdin-whole' -l 'stdin-whole' -d 'All of standard input is one message.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" raw' -l 'raw' -d 'Nothing ends a message on standard output.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" w wait' -s 'w' -l 'wait' -d 'Wait this long for the first reply to the last message; 0 does not wait.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" linger' -l 'linger' -d 'Once a reply came, end when nothing more comes for this long.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" N count max-messages' -s 'N' -l 'count' -l 'max-messages' -d 'End when this many messages have come.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" 1 one-message' -s '1' -l 'one-message' -d 'The same as --count 1.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" format' -l 'format' -d 'Output: text or jsonl (a JSON line an event).' -rfka 'text jsonl'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" input' -l 'input' -d 'Input: text or jsonl (as --format jsonl prints).' -rfka 'text jsonl'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" P show-ping-pong' -s 'P' -l 'show-ping-pong' -d 'Show pings and pongs.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" show-secrets' -l 'show-secrets' -d 'Do not hide passwords and tokens in what -v and recordings show of the handshake.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" no-slash' -l 'no-slash' -d 'A line that begins with / is a message like any other.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" echo' -l 'echo' -d 'Send every message back at once, as an echo server does.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" reconnect' -l 'reconnect' -d 'Open a lost connection again, each time after a longer pause, and send the -x messages again; with a number at most that many times in a row.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" ping-interval' -l 'ping-interval' -d 'Send a ping that often.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" ping-timeout' -l 'ping-timeout' -d 'Give the connection up when the pong to a ping of --ping-interval takes longer.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" record' -l 'record' -d 'Record all that is sent and received into a new file, as JSON Lines.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" force' -l 'force' -d 'Overwrite the file of --record.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -s 'H' -l 'header' -d 'Add a header field to the request; may be repeated. @FILE has one a line.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -s 's' -l 'subprotocol' -l 'protocol' -d 'Offer a subprotocol; may be repeated, or be a list with commas.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" o origin' -l 'origin' -s 'o' -d 'Send an Origin, as a browser would.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" unix-socket' -l 'unix-socket' -d 'Connect to this unix socket; the URL still gives Host and path.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" open-timeout' -l 'open-timeout' -d 'Give up when all of the opening takes longer, from the name to the upgrade; with --connect-timeout alone it is 10s more than that.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" http2' -l 'http2' -d 'Ask for the WebSocket over HTTP/2 (RFC 8441): by ALPN with wss://, with ws:// by prior knowledge.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" 4 ipv4' -s '4' -l 'ipv4' -d 'Connect to IPv4 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" 6 ipv6' -s '6' -l 'ipv6' -d 'Connect to IPv6 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" interface' -l 'interface' -d 'Connect from this address of this machine, or through this network interface.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -l 'resolve' -d 'Take these addresses for a host and port, and look up nothing; * is every host, -HOST:PORT takes an earlier one back. May be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -l 'connect-to' -d 'Connect to host2 and port2 instead of host1 and port1; what is left empty is any, or stays. May be repeated; the first that fits counts.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" connect-timeout' -l 'connect-timeout' -d 'Give up when name, TCP, proxy and TLS together take longer.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" proxy' -l 'proxy' -d 'Go through this proxy: http, https, socks5 or socks5h (which looks the name up itself), as http://user:password@host:port. Else http_proxy, https_proxy, all_proxy and no_proxy say.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" proxy-user' -l 'proxy-user' -d 'Who to be for the proxy, as user:password; @FILE and env:NAME keep it off the command line.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" proxy-cacert' -l 'proxy-cacert' -d 'Trust the certificates of this PEM file only, for an https proxy.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" noproxy' -l 'noproxy' -d 'Go through no proxy to these hosts, as no_proxy says it; * is every host.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" close-timeout' -l 'close-timeout' -d 'Wait this long for the peer\'s Close.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" max-message' -l 'max-message' -d 'Refuse messages that are larger.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" insecure k no-check' -s 'k' -l 'insecure' -l 'no-check' -d 'Accept any certificate; says so once a run.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" ca cacert' -l 'cacert' -l 'ca' -d 'Trust the certificates of this PEM file only.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" cert' -l 'cert' -d 'Show this certificate to a server that asks: PEM with its chain, or PKCS#12 with the key.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" key' -l 'key' -d 'The private key of --cert (PEM), if it is in another file.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" pass passphrase' -l 'pass' -l 'passphrase' -d 'The passphrase of --key or of a PKCS#12 --cert. @FILE reads it from a file, env:NAME from the environment; without it, wscope asks on a terminal.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" tls-min' -l 'tls-min' -d 'Accept no TLS older than this: 1.0, 1.1, 1.2 or 1.3.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" tls-max' -l 'tls-max' -d 'Offer no TLS newer than this.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -l 'pin' -l 'pinnedpubkey' -d 'Accept only a server with this public key, sha256//BASE64; may be repeated, or be a list with semicolons. With --insecure nothing else is checked.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" alpn' -l 'alpn' -d 'Offer these protocols by ALPN, a list with commas (default: http/1.1); an empty one offers none.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" auth u user' -s 'u' -l 'user' -l 'auth' -d 'Basic authentication; asks for a password that is missing. @FILE and env:NAME say where it stands. Without it: what stands before the @ of the URL, then $WSCOPE_USER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" bearer oauth2-bearer' -l 'bearer' -l 'oauth2-bearer' -d 'Authenticate by a bearer token; also @FILE and env:NAME. Without it: $WSCOPE_BEARER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" netrc' -l 'netrc' -d 'Take name and password for the host from ~/.netrc.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" netrc-file' -l 'netrc-file' -d 'Take name and password for the host from this file.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" allow-clear-auth' -l 'allow-clear-auth' -d 'Send passwords and tokens over ws:// to other machines too, for anybody to read.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -l 'cookie' -d 'Send this cookie, as in a=b or \'a=b; c=d\'; may be repeated. Also @FILE and env:NAME.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" cookie-jar' -l 'cookie-jar' -d 'Send the cookies of this file (Netscape\'s format), and keep in it what servers set.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" L follow location' -s 'L' -l 'location' -l 'follow' -d 'Go where a redirect leads. Another host, port or scheme gets none of the header fields, passwords, cookies and client certificates.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" max-redirects max-redirs' -l 'max-redirects' -l 'max-redirs' -d 'With --location: at most this many in a row.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" allow-downgrade' -l 'allow-downgrade' -d 'With --location: also from wss:// to ws://.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" compress' -l 'compress' -d 'Compress messages (permessage-deflate); may have parameters: client_max_window_bits=N, server_max_window_bits=N, client_no_context_takeover, server_no_context_takeover, no_context_takeover.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" no-compress' -l 'no-compress' -d 'Do not compress messages.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" timestamps' -l 'timestamps' -d 'Show when messages come, in front of each: iso (UTC, if nothing is said), rel (since the start) or delta (since the one before). Not in front of binary in a pipe.' -rfka 'iso rel delta'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" json' -l 'json' -d 'Show JSON indented, at the prompt also coloured.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" color' -l 'color' -d 'Colour: auto, always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect"' -l 'verbose' -s 'v' -d 'Tell about the handshake, the timings, sizes and the close; listen: log every message. Twice, connect tells about every frame and about sizes on the wire.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope connect" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" host' -l 'host' -d 'Listen on this address; opens the server to others.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" unix-socket' -l 'unix-socket' -d 'Listen on a unix socket instead of a port.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" mode' -l 'mode' -d 'echo, broadcast (to all others) or broadcast=all (to the sender too).' -rfka 'echo broadcast broadcast=all'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" port-file' -l 'port-file' -d 'Write the port number to this file once bound.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" tls' -l 'tls' -d 'Serve wss with a certificate made in memory, for localhost and this host.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" cert' -l 'cert' -d 'Serve wss with this certificate chain (PEM).' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" key' -l 'key' -d 'The private key of --cert (PEM).' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" http2' -l 'http2' -d 'Speak HTTP/2 too (RFC 8441): by ALPN with --tls, else with clients that begin with it.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -s 's' -l 'subprotocol' -l 'protocol' -d 'Choose this subprotocol when it is offered; may be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -l 'allow-origin' -d 'Let pages of this origin connect; may be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -l 'allow-host' -d 'Answer requests for this host name; may be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" max-message' -l 'max-message' -d 'Refuse messages that are larger.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" max-queue' -l 'max-queue' -d 'Close a client that does not read when more than this waits for it.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" max-clients' -l 'max-clients' -d 'Clients at once; 503 beyond (default: nine tenths of the open-file limit).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" close-timeout' -l 'close-timeout' -d 'Wait this long for the clients\' Close at the end.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" threads' -l 'threads' -d 'Event loop threads.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" reuse-port' -l 'reuse-port' -d 'Let other processes listen on the same port; the kernel divides the clients.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" q quiet' -l 'quiet' -s 'q' -d 'Log nothing but what is wrong.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" compress' -l 'compress' -d 'Compress messages (permessage-deflate); may have parameters: client_max_window_bits=N, server_max_window_bits=N, client_no_context_takeover, server_no_context_takeover, no_context_takeover.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" no-compress' -l 'no-compress' -d 'Do not compress messages.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" color' -l 'color' -d 'Colour: auto, always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen"' -l 'verbose' -s 'v' -d 'Tell about the handshake, the timings, sizes and the close; listen: log every message. Twice, connect tells about every frame and about sizes on the wire.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope listen" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'file' -d 'Send this file, as one message behind the others; may be repeated. - is standard input.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'expect' -d 'Expect a message that is exactly this. Expected messages may be repeated and mixed, and are met in their order, each by the first message that fits. Exit code 1 if one does not come.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'expect-regex' -d 'Expect a text message in which this regular expression is found.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'expect-json' -d 'Expect a JSON message of which this holds, as \'.op == "pong"\'.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'expect-binary' -d 'Expect a binary message of exactly these bytes.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" expect-none' -l 'expect-none' -d 'Expect no message for this long, behind the last one that was sent or expected.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" expect-count' -l 'expect-count' -d 'Expect exactly this many messages.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" expect-close' -l 'expect-close' -d 'Expect the peer to close, with one of these codes: 1008, 1000,1001, 4000-4999.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" expect-status' -l 'expect-status' -d 'Expect this status in reply to the handshake, as 401; being refused with it is a success.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" expect-subprotocol' -l 'expect-subprotocol' -d 'Expect the server to choose this subprotocol.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" within' -l 'within' -d 'What is expected must have come this long after the opening. Without it a peer that never pauses is listened to until it came.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" max-rtt' -l 'max-rtt' -d 'Each reply must come this soon behind what was sent last.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" until' -l 'until' -d 'End when a text message has come in which this is found.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" until-json' -l 'until-json' -d 'End when a JSON message has come of which this holds.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" accept-close' -l 'accept-close' -d 'These close codes of the peer are no failure, besides 1000, 1001 and none.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" tap-output' -l 'tap-output' -d 'Print what was expected and how it went as TAP, instead of the messages.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" junit' -l 'junit' -d 'Write what was expected and how it went into a file, as JUnit XML.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" script' -l 'script' -d 'Do the steps of a script, one a line: "> text" sends, "< text" waits for a message; the others are in the manual page. - is standard input.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" replay' -l 'replay' -d 'Send again what was sent in a recording of --record, and compare what comes with what came; exit code 1 if it differs.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" timing' -l 'timing' -d 'When --replay sends: fast (as soon as the replies before have come) or recorded (as long after the opening as then).' -rfka 'fast recorded'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" wait-up' -l 'wait-up' -d 'Try again for so long until the server is there: while it cannot be reached, or answers with a 5xx. Then the exit code is that of the last cause.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" repeat' -l 'repeat' -d 'Do all of it this many times, each on a new connection. The exit code is that of the first one that failed.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" interval' -l 'interval' -d 'From the start of one repetition to the start of the next.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" m max-time' -s 'm' -l 'max-time' -d 'End with exit code 28 when all of it takes longer, from the start to the end.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -s 'x' -l 'execute' -l 'message' -d 'Send this message on open; may be repeated. @FILE sends a file, @- standard input.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" b binary' -l 'binary' -s 'b' -d 'Send messages as binary.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" 0 null null-terminated' -s '0' -l 'null' -l 'null-terminated' -d 'Messages on standard input and output end with NUL, not with a newline.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" stdin-whole' -l 'stdin-whole' -d 'All of standard input is one message.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" raw' -l 'raw' -d 'Nothing ends a message on standard output.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" w wait' -s 'w' -l 'wait' -d 'Wait this long for the first reply to the last message; 0 does not wait.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" linger' -l 'linger' -d 'Once a reply came, end when nothing more comes for this long.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" N count max-messages' -s 'N' -l 'count' -l 'max-messages' -d 'End when this many messages have come.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" 1 one-message' -s '1' -l 'one-message' -d 'The same as --count 1.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" format' -l 'format' -d 'Output: text or jsonl (a JSON line an event).' -rfka 'text jsonl'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" input' -l 'input' -d 'Input: text or jsonl (as --format jsonl prints).' -rfka 'text jsonl'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" P show-ping-pong' -s 'P' -l 'show-ping-pong' -d 'Show pings and pongs.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" show-secrets' -l 'show-secrets' -d 'Do not hide passwords and tokens in what -v and recordings show of the handshake.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" record' -l 'record' -d 'Record all that is sent and received into a new file, as JSON Lines.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" force' -l 'force' -d 'Overwrite the file of --record.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -s 'H' -l 'header' -d 'Add a header field to the request; may be repeated. @FILE has one a line.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -s 's' -l 'subprotocol' -l 'protocol' -d 'Offer a subprotocol; may be repeated, or be a list with commas.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" o origin' -l 'origin' -s 'o' -d 'Send an Origin, as a browser would.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" unix-socket' -l 'unix-socket' -d 'Connect to this unix socket; the URL still gives Host and path.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" open-timeout' -l 'open-timeout' -d 'Give up when all of the opening takes longer, from the name to the upgrade; with --connect-timeout alone it is 10s more than that.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" http2' -l 'http2' -d 'Ask for the WebSocket over HTTP/2 (RFC 8441): by ALPN with wss://, with ws:// by prior knowledge.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" 4 ipv4' -s '4' -l 'ipv4' -d 'Connect to IPv4 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" 6 ipv6' -s '6' -l 'ipv6' -d 'Connect to IPv6 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" interface' -l 'interface' -d 'Connect from this address of this machine, or through this network interface.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'resolve' -d 'Take these addresses for a host and port, and look up nothing; * is every host, -HOST:PORT takes an earlier one back. May be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'connect-to' -d 'Connect to host2 and port2 instead of host1 and port1; what is left empty is any, or stays. May be repeated; the first that fits counts.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" connect-timeout' -l 'connect-timeout' -d 'Give up when name, TCP, proxy and TLS together take longer.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" proxy' -l 'proxy' -d 'Go through this proxy: http, https, socks5 or socks5h (which looks the name up itself), as http://user:password@host:port. Else http_proxy, https_proxy, all_proxy and no_proxy say.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" proxy-user' -l 'proxy-user' -d 'Who to be for the proxy, as user:password; @FILE and env:NAME keep it off the command line.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" proxy-cacert' -l 'proxy-cacert' -d 'Trust the certificates of this PEM file only, for an https proxy.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" noproxy' -l 'noproxy' -d 'Go through no proxy to these hosts, as no_proxy says it; * is every host.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" close-timeout' -l 'close-timeout' -d 'Wait this long for the peer\'s Close.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" max-message' -l 'max-message' -d 'Refuse messages that are larger.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" insecure k no-check' -s 'k' -l 'insecure' -l 'no-check' -d 'Accept any certificate; says so once a run.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" ca cacert' -l 'cacert' -l 'ca' -d 'Trust the certificates of this PEM file only.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" cert' -l 'cert' -d 'Show this certificate to a server that asks: PEM with its chain, or PKCS#12 with the key.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" key' -l 'key' -d 'The private key of --cert (PEM), if it is in another file.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" pass passphrase' -l 'pass' -l 'passphrase' -d 'The passphrase of --key or of a PKCS#12 --cert. @FILE reads it from a file, env:NAME from the environment; without it, wscope asks on a terminal.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" tls-min' -l 'tls-min' -d 'Accept no TLS older than this: 1.0, 1.1, 1.2 or 1.3.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" tls-max' -l 'tls-max' -d 'Offer no TLS newer than this.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'pin' -l 'pinnedpubkey' -d 'Accept only a server with this public key, sha256//BASE64; may be repeated, or be a list with semicolons. With --insecure nothing else is checked.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" alpn' -l 'alpn' -d 'Offer these protocols by ALPN, a list with commas (default: http/1.1); an empty one offers none.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" auth u user' -s 'u' -l 'user' -l 'auth' -d 'Basic authentication; asks for a password that is missing. @FILE and env:NAME say where it stands. Without it: what stands before the @ of the URL, then $WSCOPE_USER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" bearer oauth2-bearer' -l 'bearer' -l 'oauth2-bearer' -d 'Authenticate by a bearer token; also @FILE and env:NAME. Without it: $WSCOPE_BEARER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" netrc' -l 'netrc' -d 'Take name and password for the host from ~/.netrc.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" netrc-file' -l 'netrc-file' -d 'Take name and password for the host from this file.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" allow-clear-auth' -l 'allow-clear-auth' -d 'Send passwords and tokens over ws:// to other machines too, for anybody to read.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'cookie' -d 'Send this cookie, as in a=b or \'a=b; c=d\'; may be repeated. Also @FILE and env:NAME.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" cookie-jar' -l 'cookie-jar' -d 'Send the cookies of this file (Netscape\'s format), and keep in it what servers set.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" L follow location' -s 'L' -l 'location' -l 'follow' -d 'Go where a redirect leads. Another host, port or scheme gets none of the header fields, passwords, cookies and client certificates.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" max-redirects max-redirs' -l 'max-redirects' -l 'max-redirs' -d 'With --location: at most this many in a row.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" allow-downgrade' -l 'allow-downgrade' -d 'With --location: also from wss:// to ws://.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" compress' -l 'compress' -d 'Compress messages (permessage-deflate); may have parameters: client_max_window_bits=N, server_max_window_bits=N, client_no_context_takeover, server_no_context_takeover, no_context_takeover.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" no-compress' -l 'no-compress' -d 'Do not compress messages.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" timestamps' -l 'timestamps' -d 'Show when messages come, in front of each: iso (UTC, if nothing is said), rel (since the start) or delta (since the one before). Not in front of binary in a pipe.' -rfka 'iso rel delta'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" color' -l 'color' -d 'Colour: auto, always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send"' -l 'verbose' -s 'v' -d 'Tell about the handshake, the timings, sizes and the close; listen: log every message. Twice, connect tells about every frame and about sizes on the wire.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope send" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" c connections' -s 'c' -l 'connections' -d 'Connections, as in 200 or 10k.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" d duration' -s 'd' -l 'duration' -d 'How long to measure (default: 30s).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" messages n' -s 'n' -l 'messages' -d 'Measure this many messages of all connections together, not a duration.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" R rate' -s 'R' -l 'rate' -d 'Messages a second of all connections together, as in 5000 or 20k.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" inflight' -l 'inflight' -d 'Without --rate: messages that each connection keeps in flight (default: 1).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" arrival' -l 'arrival' -d 'With --rate: even gaps (constant) or independent users (poisson).' -rfka 'constant poisson'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" connect-rate' -l 'connect-rate' -d 'New connections a second.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" min-open' -l 'min-open' -d 'Connections that must open before anything is sent.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" warmup' -l 'warmup' -d 'Send this long before measuring (default: 2s or a tenth of the duration; 0s with -n).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" max-inflight' -l 'max-inflight' -d 'Messages a connection may have in flight; more are not sent but counted.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" timeout' -l 'timeout' -d 'When a message counts as unanswered.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" size' -l 'size' -d 'Bytes of each message (default: 64).' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" b binary' -l 'binary' -s 'b' -d 'Send binary messages.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" message x' -s 'x' -l 'message' -d 'Send always this, and take any reply for its answer; @FILE sends a file.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" match' -l 'match' -d 'How a reply finds its message: seq (an id in the payload) or fifo (in order).' -rfka 'seq fifo'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" seed' -l 'seed' -d 'Repeats the schedule and the payload of a run.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" threads' -l 'threads' -d 'Event loop threads.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" shard' -l 'shard' -d 'Do part i of n of the run, i from 0; the other numbers are those of the whole.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" local-ips' -l 'local-ips' -d 'Connect from these addresses in turn: a list with commas, or a network as in 127.0.1.0/24.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" format' -l 'format' -d 'The report: text or json.' -rfka 'text json'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" percentiles' -l 'percentiles' -d 'The percentiles to report, with commas between them.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" no-progress' -l 'no-progress' -d 'Show no progress.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" q quiet' -l 'quiet' -s 'q' -d 'Print nothing but the report and what is wrong.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -s 'H' -l 'header' -d 'Add a header field to the request; may be repeated. @FILE has one a line.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -s 's' -l 'subprotocol' -l 'protocol' -d 'Offer a subprotocol; may be repeated, or be a list with commas.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" o origin' -l 'origin' -s 'o' -d 'Send an Origin, as a browser would.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" unix-socket' -l 'unix-socket' -d 'Connect to this unix socket; the URL still gives Host and path.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" open-timeout' -l 'open-timeout' -d 'Give up when all of the opening takes longer, from the name to the upgrade; with --connect-timeout alone it is 10s more than that.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" http2' -l 'http2' -d 'Ask for the WebSocket over HTTP/2 (RFC 8441): by ALPN with wss://, with ws:// by prior knowledge.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" 4 ipv4' -s '4' -l 'ipv4' -d 'Connect to IPv4 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" 6 ipv6' -s '6' -l 'ipv6' -d 'Connect to IPv6 addresses only.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" interface' -l 'interface' -d 'Connect from this address of this machine, or through this network interface.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'resolve' -d 'Take these addresses for a host and port, and look up nothing; * is every host, -HOST:PORT takes an earlier one back. May be repeated.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'connect-to' -d 'Connect to host2 and port2 instead of host1 and port1; what is left empty is any, or stays. May be repeated; the first that fits counts.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" connect-timeout' -l 'connect-timeout' -d 'Give up when name, TCP, proxy and TLS together take longer.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" proxy' -l 'proxy' -d 'Go through this proxy: http, https, socks5 or socks5h (which looks the name up itself), as http://user:password@host:port. Else http_proxy, https_proxy, all_proxy and no_proxy say.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" proxy-user' -l 'proxy-user' -d 'Who to be for the proxy, as user:password; @FILE and env:NAME keep it off the command line.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" proxy-cacert' -l 'proxy-cacert' -d 'Trust the certificates of this PEM file only, for an https proxy.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" noproxy' -l 'noproxy' -d 'Go through no proxy to these hosts, as no_proxy says it; * is every host.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" close-timeout' -l 'close-timeout' -d 'Wait this long for the peer\'s Close.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" max-message' -l 'max-message' -d 'Refuse messages that are larger.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" insecure k no-check' -s 'k' -l 'insecure' -l 'no-check' -d 'Accept any certificate; says so once a run.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" ca cacert' -l 'cacert' -l 'ca' -d 'Trust the certificates of this PEM file only.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" cert' -l 'cert' -d 'Show this certificate to a server that asks: PEM with its chain, or PKCS#12 with the key.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" key' -l 'key' -d 'The private key of --cert (PEM), if it is in another file.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" pass passphrase' -l 'pass' -l 'passphrase' -d 'The passphrase of --key or of a PKCS#12 --cert. @FILE reads it from a file, env:NAME from the environment; without it, wscope asks on a terminal.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" tls-min' -l 'tls-min' -d 'Accept no TLS older than this: 1.0, 1.1, 1.2 or 1.3.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" tls-max' -l 'tls-max' -d 'Offer no TLS newer than this.' -rfka '1.0 1.1 1.2 1.3'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'pin' -l 'pinnedpubkey' -d 'Accept only a server with this public key, sha256//BASE64; may be repeated, or be a list with semicolons. With --insecure nothing else is checked.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" alpn' -l 'alpn' -d 'Offer these protocols by ALPN, a list with commas (default: http/1.1); an empty one offers none.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" auth u user' -s 'u' -l 'user' -l 'auth' -d 'Basic authentication; asks for a password that is missing. @FILE and env:NAME say where it stands. Without it: what stands before the @ of the URL, then $WSCOPE_USER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" bearer oauth2-bearer' -l 'bearer' -l 'oauth2-bearer' -d 'Authenticate by a bearer token; also @FILE and env:NAME. Without it: $WSCOPE_BEARER.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" netrc' -l 'netrc' -d 'Take name and password for the host from ~/.netrc.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" netrc-file' -l 'netrc-file' -d 'Take name and password for the host from this file.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" allow-clear-auth' -l 'allow-clear-auth' -d 'Send passwords and tokens over ws:// to other machines too, for anybody to read.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'cookie' -d 'Send this cookie, as in a=b or \'a=b; c=d\'; may be repeated. Also @FILE and env:NAME.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" cookie-jar' -l 'cookie-jar' -d 'Send the cookies of this file (Netscape\'s format), and keep in it what servers set.' -rF
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" L follow location' -s 'L' -l 'location' -l 'follow' -d 'Go where a redirect leads. Another host, port or scheme gets none of the header fields, passwords, cookies and client certificates.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" max-redirects max-redirs' -l 'max-redirects' -l 'max-redirs' -d 'With --location: at most this many in a row.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" allow-downgrade' -l 'allow-downgrade' -d 'With --location: also from wss:// to ws://.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" compress' -l 'compress' -d 'Compress messages (permessage-deflate); may have parameters: client_max_window_bits=N, server_max_window_bits=N, client_no_context_takeover, server_no_context_takeover, no_context_takeover.' -rfka ''
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" no-compress' -l 'no-compress' -d 'Do not compress messages.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" color' -l 'color' -d 'Colour: auto, always or never.' -rfka 'auto always never'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench"' -l 'verbose' -s 'v' -d 'Tell about the handshake, the timings, sizes and the close; listen: log every message. Twice, connect tells about every frame and about sizes on the wire.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" version' -l 'version' -d 'Show the version.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope bench" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'wscope' -n '__wscope_should_offer_completions_for_flags_or_options "wscope help" version' -l 'version' -d 'Show the version.'
