/** The fields of one whole row (RFC 4180), quotes taken off. */
export function splitCsvRow(row: Uint8Array, separator: number): string[] {
  const text = Buffer.from(row)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  const mark = String.fromCharCode(separator);
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const [field, end] =
      text[at] === '"' ? quotedField(text, at) : plainField(text, at, mark);
    fields.push(field);
    if (end >= text.length) return fields;
    at = end + 1;
  }
}

function plainField(text: string, from: number, mark: string) {
  const found = text.indexOf(mark, from);
  const end = found < 0 ? text.length : found;
  return [text.slice(from, end), end] as const;
}

function quotedField(text: string, from: number) {
  let end = from + 1;
  while (end < text.length && (text[end] !== '"' || text[end + 1] === '"')) {
    end += text[end] === '"' ? 2 : 1;
  }
  const field = text.slice(from + 1, end).replaceAll('""', '"');
  return [field, end + 1] as const;
}
