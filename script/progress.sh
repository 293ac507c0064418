# Sourced by scripts: with_progress WHAT LOG COMMAND... runs the command with its output in LOG, and on a terminal shows
# LOG's last line until it is done. Returns the command's exit code.
watcher=
show_progress() { # WHAT LOG
  while sleep 0.5; do
    printf '\r\033[K%.79s' "$1: $(tail -n 1 "$2" 2>/dev/null | tr -cd '[:print:]')" >&2
  done
}
hide_progress() {
  if [[ -n $watcher ]]; then
    kill "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
    printf '\r\033[K' >&2
  fi
  watcher=
}
trap hide_progress EXIT
with_progress() {
  local what=$1 log=$2 status=0
  shift 2
  if [[ -t 2 ]]; then
    show_progress "$what" "$log" &
    watcher=$!
  fi
  "$@" >"$log" 2>&1 || status=$?
  hide_progress || true
  return "$status"
}
