import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ConfigError } from "./settings/config.ts";
import { serviceIdOf } from "./service-id.ts";

let poolerDir: string;

beforeEach(() => {
  poolerDir = mkdtempSync(join(tmpdir(), "multipooler-id-"));
});

afterEach(() => rmSync(poolerDir, { recursive: true }));

test("the configured id counts, and nothing is kept of it", () => {
  expect(serviceIdOf({ serviceId: "a", poolerDir })).toBe("a");
  expect(serviceIdOf({ serviceId: undefined, poolerDir })).not.toBe("a");
});

test("without one the pooler's directory keeps the first that was made", () => {
  const id = serviceIdOf({ serviceId: undefined, poolerDir });
  expect(id).toMatch(/^[0-9a-f]{8}$/);
  expect(serviceIdOf({ serviceId: undefined, poolerDir })).toBe(id);
  expect(readFileSync(join(poolerDir, "service-id"), "utf8")).toBe(`${id}\n`);
});

test("without a directory each start has another one", () => {
  const nowhere = { serviceId: undefined, poolerDir: undefined };
  expect(serviceIdOf(nowhere)).not.toBe(serviceIdOf(nowhere));
});

test.each(["", "  \n", "a_b", "a/b", "two words", "-a"])(
  "a file that holds %j is refused by name",
  (text) => {
    writeFileSync(join(poolerDir, "service-id"), text);
    const start = (): string => serviceIdOf({ serviceId: undefined, poolerDir });
    expect(start).toThrow(ConfigError);
    expect(start).toThrow(
      `--pooler-dir: ${join(poolerDir, "service-id")}: does not hold a service id: write one into it, or set --service-id`,
    );
    expect(readFileSync(join(poolerDir, "service-id"), "utf8")).toBe(text);
  },
);

test("a directory that cannot be written is refused by name", () => {
  const missing = join(poolerDir, "missing");
  expect(() => serviceIdOf({ serviceId: undefined, poolerDir: missing })).toThrow(
    `--pooler-dir: ${join(missing, "service-id")}: does not exist`,
  );
});
