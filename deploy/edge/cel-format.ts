/** A format that gives a request's header where all of it matches a regular expression (RE2), and nothing elsewhere. */
export function headerIfMatches(name: string, regex: string): string {
  return celFormat(`${matches(name, regex)} ? ${header(name)} : ''`);
}

/** A format that gives a text where a request's header matches, and nothing elsewhere. */
export function textIfMatches(
  name: string,
  regex: string,
  text: string,
): string {
  return celFormat(`${matches(name, regex)} ? '${text}' : ''`);
}

function matches(name: string, regex: string): string {
  return `'${name}' in request.headers && ${header(name)}.matches(r'${regex}')`;
}

function header(name: string): string {
  return `request.headers['${name}']`;
}

function celFormat(expression: string): string {
  return `%CEL(${expression})%`;
}
