import { layersBench } from "./layers/layers.ts";
import { queryBench } from "./query.ts";

const benches: Readonly<Record<string, (args: readonly string[]) => Promise<string>>> = {
  layers: layersBench,
  query: queryBench,
};

const [name = "", ...args] = process.argv.slice(2).filter((arg) => arg !== "--");
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (bench === undefined) {
  process.stderr.write(
    `bench: "${name}" is none of ${Object.keys(benches).join(", ")} (npm run bench -- query)\n`,
  );
  process.exitCode = 2;
} else {
  process.stdout.write(await bench(args));
}
