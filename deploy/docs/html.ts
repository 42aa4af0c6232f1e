/** Text that is HTML already. */
export interface Html {
  readonly html: string;
}

type Part = Html | string | number | readonly (Html | string)[];

/** A template, without its own indentation, whose values are escaped unless they are HTML already. */
export function html(text: TemplateStringsArray, ...values: Part[]): Html {
  const parts = text.map((indented, index) => {
    const piece = indented.replaceAll(/\n\s+/g, "\n");
    const value = values[index];
    return value === undefined ? piece : piece + toText(value);
  });
  return { html: parts.join("") };
}

function toText(value: Part): string {
  if (typeof value === "string") return escapeHtml(value);
  if (typeof value === "number") return String(value);
  return "html" in value ? value.html : value.map(toText).join("");
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
