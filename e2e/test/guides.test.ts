import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram, startPooler } from "@multipooler/pooler-process";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./temporary-directory.ts";

const ROOT = join(import.meta.dirname, "..", "..");

function read(document: string): string {
  return readFileSync(join(ROOT, document), "utf8");
}

/** The first fenced block of a language. */
function block(document: string, language: string): string {
  const fence = "```";
  const pattern = new RegExp(`^${fence}${language}\\n([^]*?)^${fence}$`, "m");
  return pattern.exec(read(document))?.[1] ?? "";
}

test("the guide from PgBouncer shows what import-pgbouncer makes of its sample, and says", async () => {
  const guide = "docs/guides/from-pgbouncer.md";
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "pgbouncer.ini");
  await writeFile(path, block(guide, "ini"));
  const { code, stdout, stderr } = await runProgram(["import-pgbouncer", path]);
  const shown = (text: string): string =>
    text.replaceAll(path, "pgbouncer.ini").replaceAll(/^multipooler: /gm, "");
  expect(shown(stdout)).toBe(block(guide, "yaml"));
  expect(shown(stderr)).toBe(block(guide, "text"));
  expect(code).toBe(0);
});

test.each(["docs/guides/from-patroni.md", "deploy/README.md"])(
  "what HAProxy asks as %s has it is answered, and so is every path of Patroni's that it names",
  async (document) => {
    const text = read(document);
    const checks = [...text.matchAll(/^ *option httpchk (\w+) (\S+)$/gm)];
    expect(checks.length).toBeGreaterThan(0);
    await using pooler = startPooler({ flags: { "pg-port": "1", "pg-host": "127.0.0.1" } });
    const http = await pooler.http();
    for (const [, method = "", path = ""] of checks) {
      const { status } = await fetch(`${http}${path}`, { method });
      // There is no PostgreSQL: nobody may be sent here.
      expect([method, path, status]).toEqual([method, path, 503]);
    }
    const rows = text.split("\n").filter((line) => line.startsWith("| `/"));
    const answered = rows.filter((line) => !/\| +none +\|$/.test(line));
    for (const row of answered) {
      const [, names = "", here = ""] = row.split("|");
      const source = here.includes("`/") ? here : names;
      for (const [, path = ""] of source.matchAll(/`(\/[^`\s]*)`/g)) {
        const { status } = await fetch(`${http}${path}`);
        expect([path, [200, 503].includes(status)]).toEqual([path, true]);
      }
    }
  },
);
