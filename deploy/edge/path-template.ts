/**
 * A path pattern of `google.api.http`, its variables opened up: `/v1/{name=orders/*}:cancel` has the segments
 * `v1`, `orders`, `*`, the verb `cancel` and the variable `name`.
 *
 * Grammar: google/api/http.proto, "Path template syntax".
 */
export interface PathTemplate {
  readonly segments: readonly string[];
  readonly verb: string;
  readonly variables: readonly string[];
}

const LITERAL = /^[A-Za-z0-9_.~-]+$/;

/** Parses a pattern; throws an error that says what is wrong with it. */
export function parsePathTemplate(pattern: string): PathTemplate {
  const [, path, verb = ""] =
    /^\/(.*?)(?::([A-Za-z0-9_.~-]+))?$/.exec(pattern) ?? [];
  if (path === undefined) throw new Error(`"${pattern}" does not begin with /`);
  const variables: string[] = [];
  const opened = path.replace(
    /\{([A-Za-z0-9_.]+)(?:=([^{}]+))?\}/g,
    (_, name: string, segments = "*") => {
      variables.push(name);
      return String(segments);
    },
  );
  const segments = opened.split("/");
  const wrong = segments.find(
    (segment) => !isWildcard(segment) && !LITERAL.test(segment),
  );
  if (wrong !== undefined) {
    throw new Error(`"${pattern}" has the malformed segment "${wrong}"`);
  }
  return { segments, verb, variables };
}

/**
 * A regular expression (RE2) of the whole path. A wildcard takes no colon: that is what tells `/v1/orders/7:cancel` from
 * an order of that name.
 */
export function pathRegex(template: PathTemplate): string {
  const segments = template.segments.map((segment) => {
    if (segment === "*") return "/[^/:]+";
    if (segment === "**") return "(?:/[^/:]+)*";
    return `/${escapeLiteral(segment)}`;
  });
  const verb = template.verb && `:${escapeLiteral(template.verb)}`;
  return `${segments.join("")}${verb}`;
}

/** Whether some path matches both templates. */
export function pathsOverlap(a: PathTemplate, b: PathTemplate): boolean {
  return a.verb === b.verb && segmentsOverlap(a.segments, b.segments);
}

function segmentsOverlap(
  [a, ...restOfA]: readonly string[],
  [b, ...restOfB]: readonly string[],
): boolean {
  if (a === undefined && b === undefined) return true;
  if (a === "**") {
    if (segmentsOverlap(restOfA, b === undefined ? [] : [b, ...restOfB]))
      return true;
    return b !== undefined && segmentsOverlap([a, ...restOfA], restOfB);
  }
  if (b === "**")
    return segmentsOverlap(
      [b, ...restOfB],
      a === undefined ? [] : [a, ...restOfA],
    );
  if (a === undefined || b === undefined) return false;
  const compatible = a === b || a === "*" || b === "*";
  return compatible && segmentsOverlap(restOfA, restOfB);
}

function isWildcard(segment: string): boolean {
  return segment === "*" || segment === "**";
}

function escapeLiteral(literal: string): string {
  return literal.replaceAll(".", "\\.");
}
