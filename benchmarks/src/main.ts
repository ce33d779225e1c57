import { UsageError } from "./bench-options.ts";
import { layersBench } from "./layers/layers.ts";
import { pgwireBench } from "./pgwire/pgwire.ts";
import { queryBench } from "./query.ts";

type Bench = (args: readonly string[]) => Promise<string>;

const benches = new Map<string, Bench>([
  ["layers", layersBench],
  ["pgwire", pgwireBench],
  ["query", queryBench],
]);

const [name = "", ...args] = process.argv.slice(2).filter((arg) => arg !== "--");
try {
  const bench = benches.get(name);
  if (bench === undefined) {
    throw new UsageError(`"${name}" is none of ${[...benches.keys()].join(", ")}`);
  }
  process.stdout.write(await bench(args));
} catch (error) {
  if (!(error instanceof UsageError)) {
    throw error;
  }
  const usage = "npm run bench -- query|layers|pgwire [--json] [--rounds <number>]";
  process.stderr.write(`bench: ${error.message} (${usage})\n`);
  process.exitCode = 2;
}
