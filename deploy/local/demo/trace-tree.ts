import { describeSpan } from "./span-text.ts";

export interface Span {
  readonly id: string;
  readonly parentId: string | undefined;
  readonly service: string;
  readonly operation: string;
  readonly startUs: number;
  readonly durationUs: number;
  readonly tags: Readonly<Record<string, string>>;
}

interface Branch {
  readonly span: Span;
  readonly children: readonly Branch[];
}

const BAR_WIDTH = 24;
const MINIMUM_LABEL_WIDTH = 40;

/**
 * Draws a trace as a tree, one span a line with its offset from the trace's
 * beginning and its duration in milliseconds, and a bar on the trace's time
 * scale. Database transactions, and the client's side of a call whose server's
 * side is there, are folded: their children move up to them. The last line
 * counts what was folded.
 */
export function drawTrace(spans: readonly Span[]): string[] {
  const folded = new Map<string, number>();
  const branches = foldAll(grow(spans), folded);
  const rows = branches.flatMap((branch) => layOut(branch, "", ""));
  const begin = Math.min(...spans.map(({ startUs }) => startUs));
  const end = Math.max(...spans.map((s) => s.startUs + s.durationUs));
  const width = Math.max(
    MINIMUM_LABEL_WIDTH,
    ...rows.map(({ label }) => label.length),
  );
  const lines = rows.map(({ label, span }) =>
    [
      label.padEnd(width),
      `+${milliseconds(span.startUs - begin)}`.padStart(9),
      milliseconds(span.durationUs).padStart(8),
      ` ${bar(span, begin, end - begin)}`,
    ]
      .join(" ")
      .trimEnd(),
  );
  return [...lines, ...describeFolded(folded, spans.length)];
}

/** Spans whose parent is missing are roots of their own, so nothing is lost of a torn trace. */
function grow(spans: readonly Span[]): Branch[] {
  const ids = new Set(spans.map(({ id }) => id));
  const byParent = Map.groupBy(spans, ({ parentId }) =>
    parentId !== undefined && ids.has(parentId) ? parentId : undefined,
  );
  const branch = (span: Span): Branch => ({
    span,
    children: (byParent.get(span.id) ?? []).map(branch),
  });
  return (byParent.get(undefined) ?? []).map(branch);
}

/** In the order of their beginnings: what a folded span held may begin after its neighbours. */
function foldAll(
  branches: readonly Branch[],
  folded: Map<string, number>,
): Branch[] {
  return branches
    .flatMap((branch) => fold(branch, folded))
    .toSorted((a, b) => a.span.startUs - b.span.startUs);
}

function fold(branch: Branch, folded: Map<string, number>): Branch[] {
  const children = foldAll(branch.children, folded);
  const kind = foldedKind(branch);
  if (kind === undefined) return [{ span: branch.span, children }];
  folded.set(kind, (folded.get(kind) ?? 0) + 1);
  return children;
}

/** What a folded span counts as; undefined where it is shown. */
function foldedKind({ span, children }: Branch): string | undefined {
  if (span.tags["db.system.name"] !== undefined) return "database transactions";
  const isAnswered =
    span.tags["span.kind"] === "client" &&
    children.some((child) => child.span.tags["span.kind"] === "server");
  return isAnswered ? "client sides of calls" : undefined;
}

function layOut(
  { span, children }: Branch,
  ownPrefix: string,
  childPrefix: string,
): { label: string; span: Span }[] {
  const last = children.length - 1;
  return [
    { label: ownPrefix + describeSpan(span), span },
    ...children.flatMap((child, index) =>
      index === last
        ? layOut(child, `${childPrefix}└─ `, `${childPrefix}   `)
        : layOut(child, `${childPrefix}├─ `, `${childPrefix}│  `),
    ),
  ];
}

function bar(span: Span, begin: number, lengthUs: number): string {
  const scale = BAR_WIDTH / Math.max(lengthUs, 1);
  const from = Math.min(
    Math.floor((span.startUs - begin) * scale),
    BAR_WIDTH - 1,
  );
  const width = Math.max(1, Math.round(span.durationUs * scale));
  return " ".repeat(from) + "▇".repeat(Math.min(width, BAR_WIDTH - from));
}

function milliseconds(microseconds: number): string {
  return (microseconds / 1_000).toFixed(1);
}

function describeFolded(
  folded: ReadonlyMap<string, number>,
  total: number,
): string[] {
  if (folded.size === 0) return [];
  const counts = [...folded]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, count]) => `${count} ${kind}`);
  return [`(of ${total} spans folded: ${counts.join(", ")})`];
}
