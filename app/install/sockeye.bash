# Completes `sockeye` in bash. Commands, options and what they may be set to are asked from the
# program that is on the command line, so they are always that program's.
#
# SPDX-License-Identifier: MIT

# The words that a "must be off, shared or dedicated" lists; nothing where it says anything else.
_sockeye_listed() {
  local words="[a-z0-9-]+(, [a-z0-9-]+)* or [a-z0-9-]+"
  [[ $1 =~ "must be "($words)($|" (see") ]] || return
  words=${BASH_REMATCH[1]//,/ }
  echo "${words/ or / }"
}

# Completes `word`, the value of an option which the help calls VALUE_NAME.
_sockeye_value() {
  local program=$1 command=$2 option=$3 value_name=$4 word=$5
  case $value_name in
    FILE)
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      ;;
    DIR)
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      ;;
    *UID*) mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
    *[!A-Z]* | BYTES | SECONDS | N | PID) ;;
    *)
      # A value that is wrong is answered with those that are right. Should it be taken, then the
      # next argument is wrong for certain, and nothing is started.
      local answer
      answer=$("$program" "$command" "$option" '?' '-?' 2>&1)
      mapfile -t COMPREPLY < <(compgen -W "$(_sockeye_listed "$answer")" -- "$word")
      ;;
  esac
}

_sockeye() {
  local program=${COMP_WORDS[0]/#~/$HOME} command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]}
  local previous=${COMP_WORDS[COMP_CWORD - 1]} help commands value_name=
  COMPREPLY=()
  commands=$("$program" help 2> /dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p')
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
    return
  elif [ "$command" = help ]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
    return
  fi

  # bash takes the = of --name=value for a word.
  if [ "$word" = = ]; then
    word=
  elif [ "$previous" = = ]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  help=$("$program" help "$command" 2> /dev/null) || return
  if [[ $previous =~ ^-[a-z0-9-]+$ ]]; then
    value_name=$(sed -n "s/^  $previous \('[^']*'\|[^ ]*\).*/\1/p" <<< "$help")
  fi
  if [ -n "$value_name" ]; then
    _sockeye_value "$program" "$command" "$previous" "$value_name" "$word"
  elif [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(sed -n 's/^  \(-[^ ]*\).*/\1/p' <<< "$help")" -- "$word")
  elif [[ ${help%%$'\n'*} == *URL ]]; then
    mapfile -t COMPREPLY < <(compgen -W ws://127.0.0.1:9000/ -- "$word")
  fi
}

complete -F _sockeye sockeye
