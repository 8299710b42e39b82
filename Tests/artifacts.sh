#!/usr/bin/env bash
# artifacts.sh: what the repository ships beside the sources: its top level, the man pages, the completions, the release build.
# The program is $WSCOPE, default .build/release/wscope. Needs mandoc, zsh and fish.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
program=${WSCOPE:-.build/release/wscope}
passed=0 failed=0

check() {  # check WHAT COMMAND...: the command says nothing and ends with 0, or what it says is what is wrong
  local what=$1 said
  shift
  if said=$("$@" 2>&1) && [ -z "$said" ]; then
    printf '%-46s ok\n' "$what"
    passed=$((passed + 1))
  else
    printf '%-46s FAIL\n' "$what"
    sed 's/^/    /' <<<"${said:-it ends with an error}" | head -n 20
    failed=$((failed + 1))
  fi
}

top_level() {
  local wanted='Package.swift Sources Tests completions man README.md LICENSE' found name
  found=$(git ls-files | cut -d/ -f1 | sort -u)
  for name in $found; do
    case " $wanted " in *" $name "*) ;; *) [ "${name#.}" != "$name" ] || echo "unexpected: $name" ;; esac
  done
  for name in $wanted; do
    grep -qxF "$name" <<<"$found" || echo "missing: $name"
  done
}

readme_commands() {
  local command
  for command in 'Tests/quickstart.sh' 'swift test'; do
    grep -qF "$command" README.md || echo "README.md does not name: $command"
  done
}

links_statically() {  # the Swift and the C++ libraries are inside; what is left is what the README says
  local needed
  needed=$(readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  [ -n "$needed" ] || echo "readelf tells of no library"
  grep -vE '^(libc|libm|libz|libreadline|libpcre2-8|ld-linux-[a-z0-9-]+)\.so\.[0-9]+$' <<<"$needed"
  ldd "$program" | grep 'not found'
  return 0
}

tells_version() {
  local said
  said=$("$program" --version) || echo "exit $?"
  grep -qE '[0-9]+\.[0-9]+' <<<"$said" || echo "no version in: $said"
}

syntax() {  # syntax SHELL FILE
  [ -s "$2" ] || { echo "no file $2"; return 1; }
  "$1" -n "$2"
}

manual() {
  [ -s "$1" ] || { echo "no file $1"; return 1; }
  # EXAMPLES stand early, before what mandoc expects before them: people look for them first.
  mandoc -T lint -W warning "$1" | grep -v 'sections out of conventional order: Sh ENVIRONMENT'
  return 0
}

shopt -s nullglob
check "top level of the repository" top_level
check "README names the two commands" readme_commands
for page in wscope wscope-connect wscope-listen wscope-send wscope-bench; do
  check "man page $page.1" manual "man/$page.1"
done
bash_files=(completions/*.bash) zsh_files=(completions/_*) fish_files=(completions/*.fish)
check "the binary holds the pages of man/" Tests/manual_text.py --check
check "bash completion" syntax bash "${bash_files[0]:-completions/wscope.bash}"
check "zsh completion" syntax zsh "${zsh_files[0]:-completions/_wscope}"
check "fish completion" syntax fish "${fish_files[0]:-completions/wscope.fish}"
check "release build has the Swift libraries inside" links_statically
check "wscope --version" tells_version
echo "$passed passed, $failed failed"
[ $failed = 0 ]
