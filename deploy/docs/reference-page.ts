import type { DescFile, DescService, Registry } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { describe } from "../contracts/describe.ts";
import { commentHtml } from "./comment-html.ts";
import { html, type Html } from "./html.ts";
import { methodHtml } from "./method-html.ts";
import { pageStyle } from "./page-style.ts";
import { enumHtml, messageHtml } from "./type-html.ts";

/**
 * One page, without scripts, of all that the contracts say: services with their methods and policies, messages with their
 * rules, events, and the reasons of errors.
 */
export function referencePage(
  files: readonly DescFile[],
  registry: Registry,
): string {
  const packages = Map.groupBy(files, (file) => file.proto.package);
  const sorted = [...packages].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>weft: contracts</title>
        <style>
          ${{ html: pageStyle }}
        </style>
      </head>
      <body>
        <nav>
          <p><b>weft</b> <a href="/openapi.json">OpenAPI</a></p>
          ${sorted.map(([name, contents]) => navigation(name, contents))}
        </nav>
        <main>
          <h1>Contracts</h1>
          <p>
            Generated from <code>proto/</code>. Every method is there over gRPC,
            Connect and gRPC-Web at <code>/package.Service/Method</code>, and
            over REST where a path is named.
          </p>
          ${sorted.map(([name, contents]) =>
            packageHtml(name, contents, registry),
          )}
        </main>
      </body>
    </html> `;
  return page.html;
}

function navigation(name: string, files: readonly DescFile[]): Html {
  const services = files.flatMap((file) => file.services);
  return html`<p><a href="#${name}">${name}</a></p>
    <ul>
      ${services.flatMap(({ typeName, methods }) =>
        methods.map(
          (method) =>
            html`<li>
              <a href="#${typeName}.${method.name}">${method.name}</a>
            </li> `,
        ),
      )}
    </ul> `;
}

function packageHtml(
  name: string,
  files: readonly DescFile[],
  registry: Registry,
): Html {
  const types = files.flatMap((file) => [...nestedTypes(file)]);
  return html`<h2 id="${name}">${name}</h2>
    ${files
      .flatMap((file) => file.services)
      .map((service) => serviceHtml(service, registry))}
    ${types.flatMap((type) => {
      if (type.kind === "message") return [messageHtml(type, registry)];
      return type.kind === "enum" ? [enumHtml(type)] : [];
    })}`;
}

function serviceHtml(service: DescService, registry: Registry): Html {
  return html`${commentHtml(describe(service))}
  ${service.methods.map((method) => methodHtml(method, registry))}`;
}
