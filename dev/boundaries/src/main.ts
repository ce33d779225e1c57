import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { checkBoundaries } from "./check-boundaries.ts";
import { table } from "./table.ts";
import { formatViolation } from "./violation.ts";

const here = fileURLToPath(new URL("../../..", import.meta.url));
const root = resolve(process.argv[2] ?? here);
const { packages, files, imports, violations } = checkBoundaries(root, table);

for (const violation of violations) {
  console.error(formatViolation(violation));
}
console.log(
  `${packages} packages, ${files} files, ${imports} imports checked: ${violations.length} not allowed`,
);
// A check that looked at nothing would always be green.
if (violations.length > 0 || imports === 0) {
  process.exitCode = 1;
}
