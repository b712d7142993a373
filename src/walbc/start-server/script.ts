/**
 * The program that starts a server on its machine, in POSIX sh: the same one here and over ssh. It is
 * given to `/bin/sh -s` on stdin, so the command line holds nothing but quoted words.
 *
 *     /bin/sh -s -- KIND PIDFILE LOGFILE PROGRAM [OPTIONS...]
 *
 * The server is a session of its own and keeps none of our pipes: it outlives the shell, the ssh
 * connection and whoever started it. Its stdout is a FIFO that it can read itself, so nothing it
 * prints later fails when we are gone. The script blocks until the server says that it listens, or
 * until all ends of the FIFO are closed, which is its death. It makes the folder of a storage or proxy, never that
 * of an archive: where its disk is not mounted, an empty archive would be started. It answers with one of
 *
 *     walb-start: running PID
 *     walb-start: started PID LINE
 *     walb-start: failed CODE        followed by the last lines of the log
 */
export const START_SCRIPT = `set -u
kind=$1 pidfile=$2 log=$3
shift 3
data=$(dirname "$pidfile")
if [ "$kind" = archive ] && [ ! -d "$data" ]; then
  echo "walb-start: failed 1"
  echo "its dataDir $data does not exist there: mount its file system, or, for a new archive, make it with mkdir -p"
  exit 0
fi
mkdir -p "$data" "$(dirname "$log")" || exit 1
pid=
[ -f "$pidfile" ] && read -r pid <"$pidfile"
if [ -n "$pid" ] && grep -q -a -e "walb-$kind" -e "$kind-server/main" "/proc/$pid/cmdline" 2>/dev/null; then
  echo "walb-start: running $pid"
  exit 0
fi
: >>"$log" || exit 1
before=$(wc -c <"$log")
folder=$(mktemp -d) || exit 1
mkfifo "$folder/stdout" || exit 1
exec 3<>"$folder/stdout"
session=
command -v setsid >/dev/null 2>&1 && session=setsid
$session "$@" </dev/null >&3 2>>"$log" 3>&- &
pid=$!
exec 4<"$folder/stdout" 3>&-
rm -r "$folder"
echo "$pid" >"$pidfile.new" && mv "$pidfile.new" "$pidfile"
while read -r line <&4; do
  case $line in
    *' listens on '*)
      echo "walb-start: started $pid $line"
      exit 0
      ;;
  esac
  printf '%s\\n' "$line" >>"$log"
done
wait "$pid"
echo "walb-start: failed $?"
rm -f "$pidfile"
tail -c "+$((before + 1))" "$log" | tail -n 12
`;

export type StartAnswer =
  | { readonly kind: 'running'; readonly pid: number }
  | { readonly kind: 'started'; readonly pid: number; readonly line: string }
  | { readonly kind: 'failed'; readonly code: number; readonly lastLines: string };

/** What the script printed, after what a login shell may greet with; undefined without an answer. */
export function parseAnswer(stdout: string): StartAnswer | undefined {
  const match = /^walb-start: (running|started|failed) (\d+)[ \n]?([\s\S]*)$/m.exec(stdout.trim());
  if (match === null) return undefined;
  const [, word, number, rest = ''] = match;
  if (word === 'running') return { kind: 'running', pid: Number(number) };
  if (word === 'started') return { kind: 'started', pid: Number(number), line: rest };
  return { kind: 'failed', code: Number(number), lastLines: readable(rest) };
}

/** Log lines are JSON: of those only what they say. */
function readable(lines: string): string {
  return lines
    .split('\n')
    .map((line) => {
      try {
        const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
        return [msg, err?.message].filter((part) => part !== undefined).join(': ');
      } catch {
        return line;
      }
    })
    .filter((line) => line !== '')
    .join('\n');
}
