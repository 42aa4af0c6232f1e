import { request } from "node:https";
import { text } from "node:stream/consumers";

const MOST_REDIRECTS = 10;

/** A page, and the forms on it as a browser reads them. */
export interface Page {
  readonly url: string;
  readonly status: number;
  readonly html: string;
}

/** As much of a browser as the pages of a sign-in need: cookies, redirects, forms. */
export function openBrowser(ca: Buffer) {
  const cookies = new Map<string, string>();

  async function visit(
    url: string,
    form?: Readonly<Record<string, string>>,
  ): Promise<Page> {
    let next = { url, form };
    for (let count = 0; count < MOST_REDIRECTS; count += 1) {
      const answer = await send(ca, next.url, cookies, next.form);
      for (const cookie of answer.cookies) {
        const [pair = ""] = cookie.split(";");
        const at = pair.indexOf("=");
        cookies.set(pair.slice(0, at), pair.slice(at + 1));
      }
      if (answer.location === undefined)
        return { url: next.url, status: answer.status, html: answer.html };
      const location = new URL(answer.location, next.url).href;
      next = { url: location, form: undefined };
    }
    throw new Error(`too many redirects from ${url}`);
  }

  /** Sends the form of a page, with what it hides and what the user puts in. */
  async function submit(
    page: Page,
    filled: Readonly<Record<string, string>> = {},
  ): Promise<Page> {
    const action = /<form[^>]*action="([^"]+)"/.exec(page.html)?.[1];
    if (action === undefined)
      throw new Error(`no form on ${page.url}: ${page.html}`);
    const hidden: Record<string, string> = {};
    for (const [input] of page.html.matchAll(/<input[^>]*type="hidden"[^>]*>/g))
      hidden[attribute(input, "name")] = attribute(input, "value");
    return visit(new URL(action, page.url).href, { ...hidden, ...filled });
  }

  return { visit, submit };
}

function attribute(tag: string, name: string): string {
  return new RegExp(`${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly cookies: readonly string[];
  readonly html: string;
}

function send(
  ca: Buffer,
  url: string,
  cookies: ReadonlyMap<string, string>,
  form: Readonly<Record<string, string>> | undefined,
): Promise<Answer> {
  const cookie = [...cookies].map((pair) => pair.join("=")).join("; ");
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: form ? "POST" : "GET",
        ca,
        agent: false,
        headers: {
          cookie,
          ...(form
            ? { "content-type": "application/x-www-form-urlencoded" }
            : {}),
        },
      },
      (response) =>
        void text(response).then(
          (html) =>
            resolve({
              status: response.statusCode ?? 0,
              location: response.headers.location,
              cookies: response.headers["set-cookie"] ?? [],
              html,
            }),
          reject,
        ),
    );
    sent.on("error", reject);
    sent.end(form && new URLSearchParams(form).toString());
  });
}
