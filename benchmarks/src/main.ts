import { constants } from "node:os";
import { setTimeout } from "node:timers/promises";
import { UsageError } from "./bench-options.ts";
import { idleBench } from "./idle.ts";
import { layersBench } from "./layers.ts";
import { pgwireBench } from "./pgwire/pgwire.ts";
import { queryBench } from "./query.ts";
import { Resources } from "./resources.ts";

/** Measures, and resolves with what is printed. What it starts it opens in `resources`. */
type Bench = (args: readonly string[], resources: Resources) => Promise<string>;

const benches = new Map<string, Bench>([
  ["idle", idleBench],
  ["layers", layersBench],
  ["pgwire", pgwireBench],
  ["query", queryBench],
]);

const SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];
/** How long a bench whose servers were ended may take to notice. */
const NOTICE_LIMIT_MS = 5000;

const [name = "", ...args] = process.argv.slice(2).filter((arg) => arg !== "--");
process.exitCode = await main(name, args);

async function main(benchName: string, benchArgs: readonly string[]): Promise<number> {
  const bench = benches.get(benchName);
  try {
    if (bench === undefined) {
      throw new UsageError(`"${benchName}" is none of ${[...benches.keys()].join(", ")}`);
    }
    return await run(bench, benchArgs);
  } catch (error) {
    if (!(error instanceof UsageError)) {
      throw error;
    }
    const usage = "npm run bench -- query|layers|pgwire|idle [--json] [--rounds <number>]";
    process.stderr.write(`bench: ${error.message} (${usage})\n`);
    return 2;
  }
}

/** Runs a bench to its end or to the first signal, and ends what it has started. */
async function run(bench: Bench, benchArgs: readonly string[]): Promise<number> {
  await using resources = new Resources();
  const { promise: interrupted, resolve } = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of SIGNALS) {
    process.once(signal, resolve);
  }
  const measuring = bench(benchArgs, resources);
  const end = await Promise.race([measuring.then((output) => ({ output })), interrupted]);
  if (typeof end === "object") {
    process.stdout.write(end.output);
    return 0;
  }
  await resources[Symbol.asyncDispose]();
  // It fails, since nothing is there any more, and cleans up what is its own.
  await Promise.race([measuring.catch(() => undefined), setTimeout(NOTICE_LIMIT_MS)]);
  process.exit(128 + constants.signals[end]);
}
