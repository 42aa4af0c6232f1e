import { relative } from "node:path";
import type { LocalIssuer } from "../mesh-issuer.ts";
import { ROOT } from "../mesh-services.ts";

export interface NextStepsOptions {
  readonly edgeUrl: string;
  readonly caFile: string;
  /** Whose demo token the commands use; none, where the edge asks for none. */
  readonly issuer:
    Pick<LocalIssuer, "demoTokenFile" | "demoHeaderFile"> | undefined;
  /** The program, where it is there already. */
  readonly grpcurl: string | undefined;
  /** An order to ask for, `orders/{order}`. */
  readonly order: string;
}

interface Step {
  readonly title: string;
  readonly command: readonly string[];
}

/** Commands that work as pasted into a shell in the repository's root while the mesh runs. */
export function nextSteps(options: NextStepsOptions): string {
  const steps = [
    ...curlSteps(options),
    ...grpcurlSteps(options),
    connectStep(options),
  ];
  return [
    "",
    "Try next, in this folder, in another terminal while the mesh runs (npm start):",
    // Commands stand at the margin: an indented end of a here-document is none.
    ...steps.flatMap(({ title, command }) => ["", `  ${title}:`, ...command]),
    "",
  ].join("\n");
}

function curlSteps({
  edgeUrl,
  caFile,
  issuer,
  order,
}: NextStepsOptions): Step[] {
  const token = issuer ? ` -H @${quote(fromRoot(issuer.demoHeaderFile))}` : "";
  const curl = `curl -sS --cacert ${quote(fromRoot(caFile))}${token}`;
  const modes = "ORCHESTRATED CHOREOGRAPHED TWO_PHASE_COMMIT";
  const body = (token: string) =>
    `-d '{"lines": [{"sku": "espresso-beans-1kg", "quantity": 1}], "payment_token": "${token}"}'`;
  const json = "-H 'content-type: application/json'";
  return [
    {
      title: "curl: place an order and wait for its end",
      command: [
        `${curl} '${edgeUrl}/v1/orders?wait=true' ${json} \\`,
        `  ${body("tok_visa")}`,
      ],
    },
    {
      title: "curl: the same order, settled in each of the three ways",
      command: [
        `for mode in ${modes}; do`,
        `  ${curl} '${edgeUrl}/v1/orders?wait=true' ${json} \\`,
        `    -d '{"lines": [{"sku": "paper-filters-100", "quantity": 1}], "payment_token": "tok_visa", "coordination": "COORDINATION_'$mode'"}'`,
        "done",
      ],
    },
    {
      title: "curl: one order with its events, and the latest three",
      command: [
        `${curl} ${edgeUrl}/v1/${order}`,
        `${curl} '${edgeUrl}/v1/orders?page_size=3'`,
      ],
    },
    {
      title:
        "curl: place an order and watch it, a line of JSON a change (without ?name=, all orders until Ctrl-C)",
      command: [
        `order=$(${curl} ${edgeUrl}/v1/orders ${json} \\`,
        `  ${body("tok_slow")} | grep -o 'orders/[0-9a-f-]*' | head -n 1)`,
        `${curl} -N "${edgeUrl}/v1/orders:watch?name=$order"`,
      ],
    },
  ];
}

function grpcurlSteps({
  edgeUrl,
  caFile,
  issuer,
  grpcurl,
}: NextStepsOptions): Step[] {
  const token = issuer
    ? ` -H "authorization: Bearer $(cat ${quote(fromRoot(issuer.demoTokenFile))})"`
    : "";
  const program =
    grpcurl === undefined
      ? `"$(node_modules/.bin/node deploy/local/demo/install-grpcurl.ts)"`
      : quote(grpcurl);
  const once =
    grpcurl === undefined ? " (the first time builds it: a minute or two)" : "";
  const contracts = "-protoset gen/edge/weft.binpb";
  return [
    {
      title: `grpcurl: the API${once}`,
      command: [`${program} ${contracts} describe weft.order.v1.OrderService`],
    },
    {
      title: "grpcurl: place an order that is declined",
      command: [
        `${program} -cacert ${quote(fromRoot(caFile))} ${contracts}${token} \\`,
        `  -d '{"order": {"lines": [{"sku": "hand-grinder", "quantity": 1}], "payment_token": "tok_declined"}, "wait": true}' \\`,
        `  ${new URL(edgeUrl).host} weft.order.v1.OrderService/CreateOrder`,
      ],
    },
  ];
}

function connectStep({ edgeUrl, caFile, issuer }: NextStepsOptions): Step {
  const options = issuer
    ? [
        `const token = readFileSync(${JSON.stringify(fromRoot(issuer.demoTokenFile))}, "utf8");`,
        "const asDemo = { headers: { authorization: `Bearer ${token}` } };",
      ]
    : ["const asDemo = {};"];
  return {
    title: "a Connect client in TypeScript",
    command: [
      "node_modules/.bin/node --input-type=module-typescript <<'END'",
      `import { readFileSync } from "node:fs";`,
      `import { createClient } from "@connectrpc/connect";`,
      `import { createConnectTransport } from "@connectrpc/connect-node";`,
      `import { OrderService } from "./gen/ts/weft/order/v1/order_service_pb.ts";`,
      `const ca = readFileSync(${JSON.stringify(fromRoot(caFile))});`,
      `const edge = { baseUrl: ${JSON.stringify(edgeUrl)}, httpVersion: "2" as const, nodeOptions: { ca } };`,
      `const orders = createClient(OrderService, createConnectTransport(edge));`,
      ...options,
      `const lines = [{ sku: "gooseneck-kettle", quantity: 1 }];`,
      `const placed = await orders.createOrder({ order: { lines, paymentToken: "tok_visa" }, wait: true }, asDemo);`,
      `console.log(placed.order?.name, placed.order?.state, placed.order?.total);`,
      "END",
    ],
  };
}

/** A path below the root reads shorter without it; another one stays as it is. */
function fromRoot(path: string): string {
  const short = relative(ROOT, path);
  return short.startsWith("..") ? path : short;
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word)
    ? word
    : `'${word.replaceAll("'", `'\\''`)}'`;
}
