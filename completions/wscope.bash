#!/bin/bash

__wscope_cursor_index_in_current_word() {
    local remaining="${COMP_LINE}"

    local word
    for word in "${COMP_WORDS[@]::COMP_CWORD}"; do
        remaining="${remaining##*([[:space:]])"${word}"*([[:space:]])}"
    done

    local -ir index="$((COMP_POINT - ${#COMP_LINE} + ${#remaining}))"
    if [[ "${index}" -le 0 ]]; then
        printf 0
    else
        printf %s "${index}"
    fi
}

# positional arguments:
#
# - 1: the current (sub)command's count of positional arguments
#
# required variables:
#
# - repeating_flags: the repeating flags that the current (sub)command can accept
# - non_repeating_flags: the non-repeating flags that the current (sub)command can accept
# - repeating_options: the repeating options that the current (sub)command can accept
# - non_repeating_options: the non-repeating options that the current (sub)command can accept
# - positional_number: value ignored
# - unparsed_words: unparsed words from the current command line
#
# modified variables:
#
# - non_repeating_flags: remove flags for this (sub)command that are already on the command line
# - non_repeating_options: remove options for this (sub)command that are already on the command line
# - positional_number: set to the current positional number
# - unparsed_words: remove all flags, options, and option values for this (sub)command
__wscope_offer_flags_options() {
    local -ir positional_count="${1}"
    positional_number=0

    local was_flag_option_terminator_seen=false
    local is_parsing_option_value=false

    local -ar unparsed_word_indices=("${!unparsed_words[@]}")
    local -i word_index
    for word_index in "${unparsed_word_indices[@]}"; do
        if "${is_parsing_option_value}"; then
            # This word is an option value:
            # Reset marker for next word iff not currently the last word
            [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]] && is_parsing_option_value=false
            unset "unparsed_words[${word_index}]"
            # Do not process this word as a flag or an option
            continue
        fi

        local word="${unparsed_words["${word_index}"]}"
        if ! "${was_flag_option_terminator_seen}"; then
            case "${word}" in
            --)
                unset "unparsed_words[${word_index}]"
                # by itself -- is a flag/option terminator, but if it is the last word, it is the start of a completion
                if [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]]; then
                    was_flag_option_terminator_seen=true
                fi
                continue
                ;;
            -*)
                # ${word} is a flag or an option
                # If ${word} is an option, mark that the next word to be parsed is an option value
                local option
                for option in "${repeating_options[@]}" "${non_repeating_options[@]}"; do
                    [[ "${word}" = "${option}" ]] && is_parsing_option_value=true && break
                done

                # Remove ${word} from ${non_repeating_flags} or ${non_repeating_options} so it isn't offered again
                local not_found=true
                local -i index
                for index in "${!non_repeating_flags[@]}"; do
                    if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                        unset "non_repeating_flags[${index}]"
                        non_repeating_flags=("${non_repeating_flags[@]}")
                        not_found=false
                        break
                    fi
                done
                if "${not_found}"; then
                    for index in "${!non_repeating_flags[@]}"; do
                        if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                            unset "non_repeating_flags[${index}]"
                            non_repeating_flags=("${non_repeating_flags[@]}")
                            break
                        fi
                    done
                fi
                unset "unparsed_words[${word_index}]"
                continue
                ;;
            esac
        fi

        # ${word} is neither a flag, nor an option, nor an option value
        if [[ "${positional_number}" -lt "${positional_count}" || "${positional_count}" -lt 0 ]]; then
            # ${word} is a positional
            ((positional_number++))
            unset "unparsed_words[${word_index}]"
        else
            if [[ -z "${word}" ]]; then
                # Could be completing a flag, option, or subcommand
                positional_number=-1
            else
                # ${word} is a subcommand or invalid, so stop processing this (sub)command
                positional_number=-2
            fi
            break
        fi
    done

    unparsed_words=("${unparsed_words[@]}")

    if\
        ! "${was_flag_option_terminator_seen}"\
        && ! "${is_parsing_option_value}"\
        && [[ ("${cur}" = -* && "${positional_number}" -ge 0) || "${positional_number}" -eq -1 ]]
    then
        COMPREPLY+=($(compgen -W "${repeating_flags[*]} ${non_repeating_flags[*]} ${repeating_options[*]} ${non_repeating_options[*]}" -- "${cur}"))
    fi
}

__wscope_add_completions() {
    local completion
    while IFS='' read -r completion; do
        COMPREPLY+=("${completion}")
    done < <(IFS=$'\n' compgen "${@}" -- "${cur}")
}

__wscope_custom_complete() {
    if [[ -n "${cur}" || -z ${COMP_WORDS[${COMP_CWORD}]} || "${COMP_LINE:${COMP_POINT}:1}" != ' ' ]]; then
        local -ar words=("${COMP_WORDS[@]}")
    else
        local -ar words=("${COMP_WORDS[@]::${COMP_CWORD}}" '' "${COMP_WORDS[@]:${COMP_CWORD}}")
    fi

    "${COMP_WORDS[0]}" "${@}" "${words[@]}"
}

_wscope() {
    local state
    state="$(shopt -p;shopt -po)"
    trap "${state//$'\n'/;}" RETURN
    shopt -s extglob
    set +o history +o posix

    local -xr SAP_SHELL=bash
    local -x SAP_SHELL_VERSION
    SAP_SHELL_VERSION="$(IFS='.';printf %s "${BASH_VERSINFO[*]}")"
    local -r SAP_SHELL_VERSION

    local -r cur="${2}"
    local -r prev="${3}"

    local -i positional_number
    local -a unparsed_words=("${COMP_WORDS[@]:1:${COMP_CWORD}}")

    local -a repeating_flags=()
    local -a non_repeating_flags=(--schema --version -h --help)
    local -a repeating_options=()
    local -a non_repeating_options=()
    __wscope_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    connect|listen|send|bench|help)
        # Offer subcommand argument completions
        "_wscope_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'connect listen send bench help' -- "${cur}"))
        ;;
    esac
}

_wscope_connect() {
    repeating_flags=(--verbose -v)
    non_repeating_flags=(--binary -b -0 --null --null-terminated --stdin-whole --raw --raw-terminal -1 --one-message --lint -P --show-ping-pong --show-secrets --no-slash --echo --force --http2 -4 --ipv4 -6 --ipv6 -k --insecure --no-check --netrc --allow-clear-auth -L --location --follow --allow-downgrade --no-compress --json --version -h --help)
    repeating_options=(-x --execute --message -H --header --force-header -s --subprotocol --protocol --resolve --connect-to --pin --pinnedpubkey --cookie)
    non_repeating_options=(-w --wait --linger -N --count --max-messages --format --input --reconnect --ping-interval --ping-timeout --record --raw-request --origin -o --unix-socket --open-timeout --interface --connect-timeout --proxy --proxy-user --proxy-cacert --noproxy --close-timeout --max-message --cacert --ca --cert --key --pass --passphrase --tls-min --tls-max --alpn -u --user --auth --bearer --oauth2-bearer --netrc-file --cookie-jar --max-redirects --max-redirs --compress --timestamps --color)
    __wscope_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '-x'|'--execute'|'--message')
        return
        ;;
    '-w'|'--wait')
        return
        ;;
    '--linger')
        return
        ;;
    '-N'|'--count'|'--max-messages')
        return
        ;;
    '--format')
        __wscope_add_completions -W 'text'$'\n''jsonl'
        return
        ;;
    '--input')
        __wscope_add_completions -W 'text'$'\n''jsonl'
        return
        ;;
    '--reconnect')
        return
        ;;
    '--ping-interval')
        return
        ;;
    '--ping-timeout')
        return
        ;;
    '--record')
        __wscope_add_completions -f
        return
        ;;
    '-H'|'--header')
        return
        ;;
    '--force-header')
        return
        ;;
    '--raw-request')
        __wscope_add_completions -f
        return
        ;;
    '-s'|'--subprotocol'|'--protocol')
        return
        ;;
    '--origin'|'-o')
        return
        ;;
    '--unix-socket')
        __wscope_add_completions -f
        return
        ;;
    '--open-timeout')
        return
        ;;
    '--interface')
        return
        ;;
    '--resolve')
        return
        ;;
    '--connect-to')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--proxy')
        return
        ;;
    '--proxy-user')
        return
        ;;
    '--proxy-cacert')
        __wscope_add_completions -f
        return
        ;;
    '--noproxy')
        return
        ;;
    '--close-timeout')
        return
        ;;
    '--max-message')
        return
        ;;
    '--cacert'|'--ca')
        __wscope_add_completions -f
        return
        ;;
    '--cert')
        __wscope_add_completions -f
        return
        ;;
    '--key')
        __wscope_add_completions -f
        return
        ;;
    '--pass'|'--passphrase')
        return
        ;;
    '--tls-min')
        __wscope_add_completions -W '1.0'$'\n''1.1'$'\n''1.2'$'\n''1.3'
        return
        ;;
    '--tls-max')
        __wscope_add_completions -W '1.0'$'\n''1.1'$'\n''1.2'$'\n''1.3'
        return
        ;;
    '--pin'|'--pinnedpubkey')
        return
        ;;
    '--alpn')
        return
        ;;
    '-u'|'--user'|'--auth')
        return
        ;;
    '--bearer'|'--oauth2-bearer')
        return
        ;;
    '--netrc-file')
        __wscope_add_completions -f
        return
        ;;
    '--cookie')
        return
        ;;
    '--cookie-jar')
        __wscope_add_completions -f
        return
        ;;
    '--max-redirects'|'--max-redirs')
        return
        ;;
    '--compress')
        return
        ;;
    '--timestamps')
        __wscope_add_completions -W 'iso'$'\n''rel'$'\n''delta'
        return
        ;;
    '--color')
        __wscope_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac
}

_wscope_listen() {
    repeating_flags=(--verbose -v)
    non_repeating_flags=(--strict-paths --transports --no-prompt --tls --http2 --control --reuse-port --lint --require-subprotocol --once --exit-at-eof --binary -b -0 --null --tap-output --exec --exec-pty --i-know --no-url-faults --no-compress --json --quiet -q --version -h --help)
    repeating_options=(-s --subprotocol --protocol --allow-origin --allow-host --on --pass-env --pass-header --fault)
    non_repeating_options=(--host --unix-socket --mode --port-file --tls-ca-out --cert --key --max-message --max-head --max-queue --max-clients --close-timeout --threads --basic-auth --bearer --client-ca --exit-after --accept-close -m --max-time --slow --keep --script --rules --wait -w --junit --exec-grace --exec-stderr --seed --compress --format --timestamps --filter --filter-json --color)
    __wscope_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--host')
        return
        ;;
    '--unix-socket')
        __wscope_add_completions -f
        return
        ;;
    '--mode')
        __wscope_add_completions -W 'echo'$'\n''broadcast'$'\n''broadcast=all'$'\n''chat'$'\n''sink'$'\n''source'$'\n''manual'
        return
        ;;
    '--port-file')
        __wscope_add_completions -f
        return
        ;;
    '--tls-ca-out')
        __wscope_add_completions -f
        return
        ;;
    '--cert')
        __wscope_add_completions -f
        return
        ;;
    '--key')
        __wscope_add_completions -f
        return
        ;;
    '-s'|'--subprotocol'|'--protocol')
        return
        ;;
    '--allow-origin')
        return
        ;;
    '--allow-host')
        return
        ;;
    '--max-message')
        return
        ;;
    '--max-head')
        return
        ;;
    '--max-queue')
        return
        ;;
    '--max-clients')
        return
        ;;
    '--close-timeout')
        return
        ;;
    '--threads')
        return
        ;;
    '--basic-auth')
        return
        ;;
    '--bearer')
        return
        ;;
    '--client-ca')
        __wscope_add_completions -f
        return
        ;;
    '--exit-after')
        return
        ;;
    '--accept-close')
        return
        ;;
    '-m'|'--max-time')
        return
        ;;
    '--slow')
        __wscope_add_completions -W 'close'$'\n''drop'$'\n''wait'
        return
        ;;
    '--keep')
        return
        ;;
    '--script')
        __wscope_add_completions -f
        return
        ;;
    '--rules')
        __wscope_add_completions -f
        return
        ;;
    '--on')
        return
        ;;
    '--wait'|'-w')
        return
        ;;
    '--junit')
        __wscope_add_completions -f
        return
        ;;
    '--exec-grace')
        return
        ;;
    '--exec-stderr')
        __wscope_add_completions -W 'log'$'\n''client'
        return
        ;;
    '--pass-env')
        return
        ;;
    '--pass-header')
        return
        ;;
    '--fault')
        __wscope_add_completions -W 'refuse=503'$'\n''slow-open=2s'$'\n''drop=5%'$'\n''dup=1%'$'\n''corrupt=1%'$'\n''delay=200ms~50ms'$'\n''fragment=16'$'\n''no-pong'$'\n''slow-close=2s'$'\n''close=1011'$'\n''throttle=1KB/s'$'\n''slice=16~8'$'\n''stall'$'\n''no-read'$'\n''rst'$'\n''fin'$'\n''limit=10KB'$'\n''life=30s'
        return
        ;;
    '--seed')
        return
        ;;
    '--compress')
        return
        ;;
    '--format')
        __wscope_add_completions -W 'text'$'\n''jsonl'
        return
        ;;
    '--timestamps')
        __wscope_add_completions -W 'iso'$'\n''rel'$'\n''delta'
        return
        ;;
    '--filter')
        return
        ;;
    '--filter-json')
        return
        ;;
    '--color')
        __wscope_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac
}

_wscope_send() {
    repeating_flags=(--verbose -v)
    non_repeating_flags=(--tap-output --binary -b -0 --null --null-terminated --stdin-whole --raw --raw-terminal -1 --one-message --lint -P --show-ping-pong --show-secrets --force --http2 -4 --ipv4 -6 --ipv6 -k --insecure --no-check --netrc --allow-clear-auth -L --location --follow --allow-downgrade --no-compress --version -h --help)
    repeating_options=(--file --expect --expect-regex --expect-json --expect-binary -x --execute --message -H --header --force-header -s --subprotocol --protocol --resolve --connect-to --pin --pinnedpubkey --cookie)
    non_repeating_options=(--expect-none --expect-count --expect-close --expect-status --expect-subprotocol --within --max-rtt --until --until-json --accept-close --junit --script --replay --timing --wait-up --repeat --interval -m --max-time -w --wait --linger -N --count --max-messages --format --input --record --raw-request --origin -o --unix-socket --open-timeout --interface --connect-timeout --proxy --proxy-user --proxy-cacert --noproxy --close-timeout --max-message --cacert --ca --cert --key --pass --passphrase --tls-min --tls-max --alpn -u --user --auth --bearer --oauth2-bearer --netrc-file --cookie-jar --max-redirects --max-redirs --compress --timestamps --color)
    __wscope_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--file')
        __wscope_add_completions -f
        return
        ;;
    '--expect')
        return
        ;;
    '--expect-regex')
        return
        ;;
    '--expect-json')
        return
        ;;
    '--expect-binary')
        return
        ;;
    '--expect-none')
        return
        ;;
    '--expect-count')
        return
        ;;
    '--expect-close')
        return
        ;;
    '--expect-status')
        return
        ;;
    '--expect-subprotocol')
        return
        ;;
    '--within')
        return
        ;;
    '--max-rtt')
        return
        ;;
    '--until')
        return
        ;;
    '--until-json')
        return
        ;;
    '--accept-close')
        return
        ;;
    '--junit')
        __wscope_add_completions -f
        return
        ;;
    '--script')
        __wscope_add_completions -f
        return
        ;;
    '--replay')
        __wscope_add_completions -f
        return
        ;;
    '--timing')
        __wscope_add_completions -W 'fast'$'\n''recorded'
        return
        ;;
    '--wait-up')
        return
        ;;
    '--repeat')
        return
        ;;
    '--interval')
        return
        ;;
    '-m'|'--max-time')
        return
        ;;
    '-x'|'--execute'|'--message')
        return
        ;;
    '-w'|'--wait')
        return
        ;;
    '--linger')
        return
        ;;
    '-N'|'--count'|'--max-messages')
        return
        ;;
    '--format')
        __wscope_add_completions -W 'text'$'\n''jsonl'
        return
        ;;
    '--input')
        __wscope_add_completions -W 'text'$'\n''jsonl'
        return
        ;;
    '--record')
        __wscope_add_completions -f
        return
        ;;
    '-H'|'--header')
        return
        ;;
    '--force-header')
        return
        ;;
    '--raw-request')
        __wscope_add_completions -f
        return
        ;;
    '-s'|'--subprotocol'|'--protocol')
        return
        ;;
    '--origin'|'-o')
        return
        ;;
    '--unix-socket')
        __wscope_add_completions -f
        return
        ;;
    '--open-timeout')
        return
        ;;
    '--interface')
        return
        ;;
    '--resolve')
        return
        ;;
    '--connect-to')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--proxy')
        return
        ;;
    '--proxy-user')
        return
        ;;
    '--proxy-cacert')
        __wscope_add_completions -f
        return
        ;;
    '--noproxy')
        return
        ;;
    '--close-timeout')
        return
        ;;
    '--max-message')
        return
        ;;
    '--cacert'|'--ca')
        __wscope_add_completions -f
        return
        ;;
    '--cert')
        __wscope_add_completions -f
        return
        ;;
    '--key')
        __wscope_add_completions -f
        return
        ;;
    '--pass'|'--passphrase')
        return
        ;;
    '--tls-min')
        __wscope_add_completions -W '1.0'$'\n''1.1'$'\n''1.2'$'\n''1.3'
        return
        ;;
    '--tls-max')
        __wscope_add_completions -W '1.0'$'\n''1.1'$'\n''1.2'$'\n''1.3'
        return
        ;;
    '--pin'|'--pinnedpubkey')
        return
        ;;
    '--alpn')
        return
        ;;
    '-u'|'--user'|'--auth')
        return
        ;;
    '--bearer'|'--oauth2-bearer')
        return
        ;;
    '--netrc-file')
        __wscope_add_completions -f
        return
        ;;
    '--cookie')
        return
        ;;
    '--cookie-jar')
        __wscope_add_completions -f
        return
        ;;
    '--max-redirects'|'--max-redirs')
        return
        ;;
    '--compress')
        return
        ;;
    '--timestamps')
        __wscope_add_completions -W 'iso'$'\n''rel'$'\n''delta'
        return
        ;;
    '--color')
        __wscope_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac
}

_wscope_bench() {
    repeating_flags=(--verbose -v)
    non_repeating_flags=(--binary -b --heat --schema --no-progress --quiet -q --http2 -4 --ipv4 -6 --ipv6 -k --insecure --no-check --netrc --allow-clear-auth -L --location --follow --allow-downgrade --no-compress --version -h --help)
    repeating_options=(--threshold -H --header --force-header -s --subprotocol --protocol --resolve --connect-to --pin --pinnedpubkey --cookie)
    non_repeating_options=(--mode -c --connections -d --duration -n --messages -R --rate --inflight --arrival --connect-rate --min-open --warmup --max-inflight --timeout --size -x --message --match --seed --threads --local-ips --shard --start-at --run-id --repeat --vs --metric --noise --fail-on --compare-format --format --percentiles --out --html --junit --summary-md --csv --hdr --prometheus --self-check --prometheus-addr --prometheus-linger --raw-request --origin -o --unix-socket --open-timeout --interface --connect-timeout --proxy --proxy-user --proxy-cacert --noproxy --close-timeout --max-message --cacert --ca --cert --key --pass --passphrase --tls-min --tls-max --alpn -u --user --auth --bearer --oauth2-bearer --netrc-file --cookie-jar --max-redirects --max-redirs --compress --color)
    __wscope_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--mode')
        __wscope_add_completions -W 'echo'
        return
        ;;
    '-c'|'--connections')
        return
        ;;
    '-d'|'--duration')
        return
        ;;
    '-n'|'--messages')
        return
        ;;
    '-R'|'--rate')
        return
        ;;
    '--inflight')
        return
        ;;
    '--arrival')
        __wscope_add_completions -W 'constant'$'\n''poisson'
        return
        ;;
    '--connect-rate')
        return
        ;;
    '--min-open')
        return
        ;;
    '--warmup')
        return
        ;;
    '--max-inflight')
        return
        ;;
    '--timeout')
        return
        ;;
    '--size')
        return
        ;;
    '-x'|'--message')
        return
        ;;
    '--match')
        __wscope_add_completions -W 'seq'$'\n''fifo'
        return
        ;;
    '--seed')
        return
        ;;
    '--threads')
        return
        ;;
    '--local-ips')
        return
        ;;
    '--shard')
        return
        ;;
    '--start-at')
        return
        ;;
    '--run-id')
        return
        ;;
    '--repeat')
        return
        ;;
    '--vs')
        return
        ;;
    '--metric')
        return
        ;;
    '--noise')
        return
        ;;
    '--fail-on')
        __wscope_add_completions -W 'worse'$'\n''unknown'$'\n''never'
        return
        ;;
    '--compare-format')
        __wscope_add_completions -W 'text'$'\n''json'
        return
        ;;
    '--format')
        __wscope_add_completions -W 'text'$'\n''json'$'\n''junit'$'\n''html'$'\n''md'$'\n''csv'$'\n''prometheus'
        return
        ;;
    '--percentiles')
        return
        ;;
    '--out')
        __wscope_add_completions -f
        return
        ;;
    '--html')
        __wscope_add_completions -f
        return
        ;;
    '--threshold')
        return
        ;;
    '--junit')
        __wscope_add_completions -f
        return
        ;;
    '--summary-md')
        __wscope_add_completions -f
        return
        ;;
    '--csv')
        __wscope_add_completions -f
        return
        ;;
    '--hdr')
        __wscope_add_completions -f
        return
        ;;
    '--prometheus')
        __wscope_add_completions -f
        return
        ;;
    '--self-check')
        __wscope_add_completions -W 'warn'$'\n''fail'$'\n''off'
        return
        ;;
    '--prometheus-addr')
        return
        ;;
    '--prometheus-linger')
        return
        ;;
    '-H'|'--header')
        return
        ;;
    '--force-header')
        return
        ;;
    '--raw-request')
        __wscope_add_completions -f
        return
        ;;
    '-s'|'--subprotocol'|'--protocol')
        return
        ;;
    '--origin'|'-o')
        return
        ;;
    '--unix-socket')
        __wscope_add_completions -f
        return
        ;;
    '--open-timeout')
        return
        ;;
    '--interface')
        return
        ;;
    '--resolve')
        return
        ;;
    '--connect-to')
        return
        ;;
    '--connect-timeout')
        return
        ;;
    '--proxy')
        return
        ;;
    '--proxy-user')
        return
        ;;
    '--proxy-cacert')
        __wscope_add_completions -f
        return
        ;;
    '--noproxy')
        return
        ;;
    '--close-timeout')
        return
        ;;
    '--max-message')
        return
        ;;
    '--cacert'|'--ca')
        __wscope_add_completions -f
        return
        ;;
    '--cert')
        __wscope_add_completions -f
        return
        ;;
    '--key')
        __wscope_add_completions -f
        return
        ;;
    '--pass'|'--passphrase')
        return
        ;;
    '--tls-min')
        __wscope_add_completions -W '1.0'$'\n''1.1'$'\n''1.2'$'\n''1.3'
        return
        ;;
    '--tls-max')
        __wscope_add_completions -W '1.0'$'\n''1.1'$'\n''1.2'$'\n''1.3'
        return
        ;;
    '--pin'|'--pinnedpubkey')
        return
        ;;
    '--alpn')
        return
        ;;
    '-u'|'--user'|'--auth')
        return
        ;;
    '--bearer'|'--oauth2-bearer')
        return
        ;;
    '--netrc-file')
        __wscope_add_completions -f
        return
        ;;
    '--cookie')
        return
        ;;
    '--cookie-jar')
        __wscope_add_completions -f
        return
        ;;
    '--max-redirects'|'--max-redirs')
        return
        ;;
    '--compress')
        return
        ;;
    '--color')
        __wscope_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    report|merge|compare|transports)
        # Offer subcommand argument completions
        "_wscope_bench_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'report merge compare transports' -- "${cur}"))
        ;;
    esac
}

_wscope_bench_report() {
    repeating_flags=()
    non_repeating_flags=(--heat --version -h --help)
    repeating_options=(--threshold)
    non_repeating_options=(--format --percentiles --out --html --junit --summary-md --csv --hdr --prometheus --self-check --color)
    __wscope_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--format')
        __wscope_add_completions -W 'text'$'\n''json'$'\n''junit'$'\n''html'$'\n''md'$'\n''csv'$'\n''prometheus'
        return
        ;;
    '--percentiles')
        return
        ;;
    '--out')
        __wscope_add_completions -f
        return
        ;;
    '--html')
        __wscope_add_completions -f
        return
        ;;
    '--threshold')
        return
        ;;
    '--junit')
        __wscope_add_completions -f
        return
        ;;
    '--summary-md')
        __wscope_add_completions -f
        return
        ;;
    '--csv')
        __wscope_add_completions -f
        return
        ;;
    '--hdr')
        __wscope_add_completions -f
        return
        ;;
    '--prometheus')
        __wscope_add_completions -f
        return
        ;;
    '--self-check')
        __wscope_add_completions -W 'warn'$'\n''fail'$'\n''off'
        return
        ;;
    '--color')
        __wscope_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __wscope_add_completions -f
        return
        ;;
    esac
}

_wscope_bench_merge() {
    repeating_flags=()
    non_repeating_flags=(--partial --force --heat --quiet -q --version -h --help)
    repeating_options=(--threshold)
    non_repeating_options=(--format --percentiles --out --html --junit --summary-md --csv --hdr --prometheus --self-check --color)
    __wscope_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--format')
        __wscope_add_completions -W 'text'$'\n''json'$'\n''junit'$'\n''html'$'\n''md'$'\n''csv'$'\n''prometheus'
        return
        ;;
    '--percentiles')
        return
        ;;
    '--out')
        __wscope_add_completions -f
        return
        ;;
    '--html')
        __wscope_add_completions -f
        return
        ;;
    '--threshold')
        return
        ;;
    '--junit')
        __wscope_add_completions -f
        return
        ;;
    '--summary-md')
        __wscope_add_completions -f
        return
        ;;
    '--csv')
        __wscope_add_completions -f
        return
        ;;
    '--hdr')
        __wscope_add_completions -f
        return
        ;;
    '--prometheus')
        __wscope_add_completions -f
        return
        ;;
    '--self-check')
        __wscope_add_completions -W 'warn'$'\n''fail'$'\n''off'
        return
        ;;
    '--color')
        __wscope_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __wscope_add_completions -f
        return
        ;;
    esac
}

_wscope_bench_compare() {
    repeating_flags=()
    non_repeating_flags=(--force --quiet -q --version -h --help)
    repeating_options=(--vs)
    non_repeating_options=(--metric --noise --fail-on --compare-format --color)
    __wscope_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--vs')
        __wscope_add_completions -f
        return
        ;;
    '--metric')
        return
        ;;
    '--noise')
        return
        ;;
    '--fail-on')
        __wscope_add_completions -W 'worse'$'\n''unknown'$'\n''never'
        return
        ;;
    '--compare-format')
        __wscope_add_completions -W 'text'$'\n''json'
        return
        ;;
    '--color')
        __wscope_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        __wscope_add_completions -f
        return
        ;;
    esac
}

_wscope_bench_transports() {
    repeating_flags=()
    non_repeating_flags=(--schema --quiet -q --version -h --help)
    repeating_options=()
    non_repeating_options=(--updates -c --clients --poll-every -d --duration --repeat --seed --format --summary-md --color)
    __wscope_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--updates')
        return
        ;;
    '-c'|'--clients')
        return
        ;;
    '--poll-every')
        return
        ;;
    '-d'|'--duration')
        return
        ;;
    '--repeat')
        return
        ;;
    '--seed')
        return
        ;;
    '--format')
        __wscope_add_completions -W 'text'$'\n''json'$'\n''md'
        return
        ;;
    '--summary-md')
        __wscope_add_completions -f
        return
        ;;
    '--color')
        __wscope_add_completions -W 'auto'$'\n''always'$'\n''never'
        return
        ;;
    esac
}

_wscope_help() {
    repeating_flags=()
    non_repeating_flags=(--version)
    repeating_options=()
    non_repeating_options=()
    __wscope_offer_flags_options -1
}

complete -o filenames -F _wscope wscope
