import { CompatOptionsError, readCompatOptions } from "./compat-options.ts";
import { compare, summaryOf } from "./comparison.ts";
import type { SuiteName } from "./compat-options.ts";
import type { Difference } from "./comparison.ts";
import { KNOWN_DIFFERENCES } from "./known-differences.ts";
import { nodePostgresFiles } from "./node-postgres.ts";
import { postgresJsFiles } from "./postgres-js.ts";
import { SuiteStand } from "./suite-stand.ts";
import type { TestFile } from "./test-file.ts";

const USAGE = "npm run compat -- node-postgres|postgres-js PATH [WORD...]";

const FILES: Readonly<
  Record<SuiteName, (checkout: string, stand: SuiteStand) => readonly TestFile[]>
> = {
  "node-postgres": nodePostgresFiles,
  "postgres-js": (checkout, { direct }) => postgresJsFiles(checkout, direct),
};

/**
 * `npm run compat -- DRIVER PATH [WORD...]`: runs a driver's own tests against PostgreSQL and against
 * the pooler, file by file, and tells where they differ. The exit code is 0 if they differ
 * only in what {@link KNOWN_DIFFERENCES} lists.
 */
async function run(args: readonly string[]): Promise<boolean> {
  const { suite, checkout, words } = readCompatOptions(args);
  await using stand = await SuiteStand.start();
  const files = FILES[suite](checkout, stand).filter(
    ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
  );
  const differences: Difference[] = [];
  for (const file of files) {
    const direct = await file.run(stand.direct);
    const pooled = await file.run(stand.pooled);
    const found = compare({ file: file.name, direct, pooled, known: KNOWN_DIFFERENCES });
    differences.push(...found);
    const worst = found.filter(({ type }) => type === "fault" || type === "stale");
    console.log(`${worst.length === 0 ? "same   " : "DIFFERS"} ${file.name}`);
    const broken = found.filter(({ type }) => type === "broken");
    for (const { type, test, output } of [...worst, ...broken]) {
      console.log(`  ${type}: ${test}\n${output.replaceAll(/^/gm, "    ")}`);
    }
  }
  const { lines, isGood } = summaryOf(differences);
  console.log(["", ...lines].join("\n"));
  return isGood;
}

try {
  process.exitCode = (await run(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  if (!(error instanceof CompatOptionsError)) {
    throw error;
  }
  console.error(`compat: ${error.message} (${USAGE})`);
  process.exitCode = 2;
}
