import type { DescMethod, Registry } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { describe } from "../contracts/describe.ts";
import { readRestBindings } from "../edge/http-rule.ts";
import { readPolicy, type StatedPolicy } from "../edge/method-policy.ts";
import { commentHtml } from "./comment-html.ts";
import { html, type Html } from "./html.ts";
import { linkTo } from "./type-html.ts";

/** One method: how it is called, who may, for how long, and what it says of itself. */
export function methodHtml(method: DescMethod, registry: Registry): Html {
  const policy = readPolicy(method, registry);
  const rest = readRestBindings(method, registry);
  return html`<section
    class="method"
    id="${method.parent.typeName}.${method.name}"
  >
    <h3>${method.name}</h3>
    <p class="call"><code>/${method.parent.typeName}/${method.name}</code></p>
    ${rest.map(
      ({ verb, pattern }) =>
        html`<p class="call">
          <code><b>${verb}</b> ${pattern}</code>
        </p>`,
    )}
    <p>
      ${streamOf("takes", method, "client_streaming")} ${linkTo(method.input)},
      ${streamOf("answers", method, "server_streaming")}
      ${linkTo(method.output)}
    </p>
    <ul class="policy">
      ${policy ? policyWords(policy).map((word) => html`<li>${word}</li>`) : ""}
      <li>${idempotencyWords[method.idempotency]}</li>
    </ul>
    ${commentHtml(describe(method))}
  </section> `;
}

function streamOf(
  verb: string,
  { methodKind }: DescMethod,
  kind: "client_streaming" | "server_streaming",
): string {
  const streams = methodKind === kind || methodKind === "bidi_streaming";
  return streams ? `${verb} a stream of` : verb;
}

function policyWords(policy: StatedPolicy): string[] {
  const seconds = (policy.timeout ?? 0) / 1000;
  return [
    whoMayCall(policy),
    `at most ${seconds} s`,
    `rate class ${policy.rateClass}`,
  ];
}

function whoMayCall({ access, scopes, callers }: StatedPolicy): string {
  const services = callers.length > 0 ? `services: ${callers.join(", ")}` : "";
  switch (access) {
    case "ACCESS_PUBLIC":
      return "anybody may call it";
    case "ACCESS_SERVICE":
      return services;
    case "ACCESS_USER":
    case "ACCESS_UNSPECIFIED":
      return [`scope ${scopes.join(", ")}`, services]
        .filter(Boolean)
        .join("; ");
  }
}

const idempotencyWords = {
  [Level.IDEMPOTENCY_UNKNOWN]: "repeat it only with its request id",
  [Level.NO_SIDE_EFFECTS]: "changes nothing",
  [Level.IDEMPOTENT]: "may be repeated",
} as const;
