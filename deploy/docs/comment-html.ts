import { html, type Html } from "./html.ts";

/**
 * A comment of a contract as HTML: paragraphs, lists, fenced blocks and `code`, which is all of Markdown that the contracts
 * use.
 */
export function commentHtml(comment: string | undefined): Html {
  if (comment === undefined) return html``;
  const blocks = comment
    .split(/(```[\s\S]*?```)/)
    .flatMap((block) =>
      block.startsWith("```")
        ? [html`<pre>${block.replace(/^```\w*\n?|```$/g, "")}</pre>`]
        : paragraphs(block),
    );
  return html`${blocks}`;
}

function paragraphs(text: string): Html[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => block.trim())
    .filter((block) => block !== "")
    .map((block) =>
      /^[-*] /.test(block)
        ? html`<ul>
            ${items(block).map((item) => html`<li>${inline(item)}</li>`)}
          </ul>`
        : html`<p>${inline(block)}</p>`,
    );
}

function items(block: string): string[] {
  return block.split(/\n(?=[-*] )/).map((item) => item.slice(2));
}

function inline(text: string): Html {
  const parts = text
    .split(/(`[^`]*`)/)
    .map((part) =>
      part.startsWith("`")
        ? html`<code>${part.slice(1, -1)}</code>`
        : html`${part}`,
    );
  return html`${parts}`;
}
