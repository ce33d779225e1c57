import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const DIST = resolve(import.meta.dirname, "../../apps/multipooler/dist");
/** What `multipooler` without a command loads: see `runPooler` in program.ts. */
const SERVING = ["serve.js", "logger.js", "running-config.js"];
/** They load a part for each command. */
const COMMANDS = new Set(["main.js", "program.js"]);

function importsOf(part: string): { readonly now: string[]; readonly later: string[] } {
  const text = readFileSync(join(DIST, part), "utf8");
  const found = (pattern: RegExp): string[] =>
    Array.from(text.matchAll(pattern), ([, name = ""]) => name);
  return {
    now: found(/(?:from|import)\s*["'`]\.\/([\w.-]+\.js)["'`]/g),
    later: COMMANDS.has(part) ? [] : found(/\bimport\s*\(\s*["'`]\.\/([\w.-]+\.js)["'`]\s*\)/g),
  };
}

/** The parts that `first` and what they import may load later, by what loads them. */
function laterParts(first: readonly string[]): ReadonlyMap<string, string> {
  const later = new Map<string, string>();
  const seen = new Set(first);
  // A set goes on with what is added to it meanwhile.
  for (const part of seen) {
    const imports = importsOf(part);
    for (const each of imports.later) {
      later.set(each, part);
    }
    for (const each of [...imports.now, ...imports.later]) {
      seen.add(each);
    }
  }
  return later;
}

/**
 * When a pooler loads each part that it does not load at once. One that is loaded after the start may be of
 * another version by then, because `npm install -g` replaces the files of a running program: a new one needs
 * a reason.
 */
const WHEN: Readonly<Record<string, "at the start" | "when a client asks for reflection">> = {
  "descriptors.js": "when a client asks for reflection",
  "etcd.js": "at the start",
  "memory.js": "at the start",
  "otlp-telemetry.js": "at the start",
  "reflected-files.js": "when a client asks for reflection",
  "sqlite.js": "at the start",
};

test("a pooler loads nothing after its start but reflection", () => {
  expect([...laterParts(SERVING).keys()].toSorted()).toEqual(Object.keys(WHEN));
});
