export const HELP = `npm run sort -- [OPTION]... [FILE]...

Sorts files of any size in a fixed amount of memory. Without a FILE, or with -, it reads standard input;
without -o it writes standard output. Flags are named as GNU sort's where it has them; order is by bytes (LC_ALL=C).

Records
  (none)                     lines; -z, --zero-terminated: ended by NUL
      --fixed=BYTES[,KEY[,AT]]  records of BYTES bytes, ordered by KEY bytes at AT
      --csv [--header]       RFC 4180; -t CHAR is its separator
      --ndjson               a JSON object a line
Keys
  -k, --key=KEYDEF           of lines: F[.C][OPTS][,F[.C][OPTS]] with OPTS of bdfghiMnrV; -t CHAR separates fields
  -k, --key=NAME[:RULE...]   of CSV (name or number) and NDJSON (path, as a.b[0]): text, folded, number, version,
                             asc, desc, nulls-first, nulls-last, no-nulls
  -b -d -f -g -h -i -M -n -r -V   for the whole line, and for keys without letters of their own
Result
  -s, --stable               no last resort: equal keys stay in input order
  -u, --unique[=last]        the first (last) of records with equal keys
      --top=N                only the first N records
  -c, --check; -C            say whether the input is sorted (-C: by the exit code alone)
  -m, --merge                the inputs are sorted: nothing is copied to temporary files
  -o, --output=FILE          written beside it, renamed when it is whole; it may be an input; what a link leads to is
                             replaced, and a FIFO, a device or /dev/stdout written to
      --compress-output=gzip|zstd
      --input-compression=auto|gzip|zstd|none
Means
  -S, --buffer-size=SIZE     memory of the whole process (512M); letters b K M G
      --parallel=N           worker threads (cores + 1)
  -T, --temporary-directory=DIR
      --temp-limit=SIZE      what temporary files may take
      --job=DIR              keep what is done in DIR, and go on from there when called again; one sort at a time
      --verify               compare checksums of the records read and written
      --durable              sync runs and output
      --kernel=auto|wasm|typescript
      --progress, --no-progress

Exit codes: 0 done, 1 not sorted (-c, -C), 141 nobody reads the output on, 2 anything else; errors are one line,
"sort: REASON: text".
`;
