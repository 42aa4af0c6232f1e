/**
 * `npm run test:mutations`: plants one bug after another in a copy of the tree, and fails where no test notices. A bug is
 * caught where a test fails that passes without it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startKafka } from "../../deploy/local/components/kafka.ts";
import { judge } from "./judge-mutation.ts";
import type { Mutation } from "./mutation.ts";
import { MUTATIONS } from "./mutations.ts";
import { copyTree } from "./tree-copy.ts";

const USAGE = `npm run test:mutations [-- words]: plants known bugs in a copy of the tree, and fails where no test notices
  With words, only the bugs whose description, or what has to catch them, has all of them: relay.test`;

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  if (words.some((word) => word === "--help" || word === "-h")) {
    console.log(USAGE);
    return 0;
  }
  const chosen = MUTATIONS.filter((mutation) => {
    const described = descriptionOf(mutation);
    return words.every((word) => described.includes(word));
  });
  if (chosen.length > 0) return (await run(chosen)) ? 0 : 1;
  console.error(`no bug has all of: ${words.join(", ")}\n\n${USAGE}`);
  return 2;
}

function descriptionOf({ hole, caughtBy }: Mutation): string {
  return "tests" in caughtBy
    ? [hole, ...caughtBy.tests].join(" ")
    : `${hole} ${caughtBy.points}`;
}

async function run(mutations: readonly Mutation[]): Promise<boolean> {
  await using world = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-mutations-"));
  world.defer(() => rm(directory, { recursive: true, force: true }));
  // Every run has topics of its own, so one broker does for all. A database that a bug has spoiled stays with its run.
  const kafka = world.use(await startKafka({ directory }));
  const copy = world.use(copyTree());
  const env = { WEFT_KAFKA_BROKERS: kafka.brokers.join(",") };
  const sound = new Set<string>();
  let caught = 0;
  for (const mutation of mutations) {
    const startedAt = performance.now();
    const { kind, why } = await judge({ copy, env, sound }, mutation);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const reason = why === undefined ? "" : `: ${why}`;
    console.log(`${kind}  ${mutation.hole} (${seconds} s)${reason}`);
    if (kind === "caught") caught += 1;
  }
  console.log(`${caught} of ${mutations.length} caught`);
  return caught === mutations.length;
}
