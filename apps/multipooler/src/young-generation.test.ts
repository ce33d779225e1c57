import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const SCRIPT = `
  import { getHeapSpaceStatistics } from "node:v8";
  import { holdYoungGeneration } from ${JSON.stringify(new URL("young-generation.ts", import.meta.url))};
  function sizeAfterLoad() {
    const kept = Array.from({ length: 300_000 }, (_, index) => ({ index, list: [index] }));
    const { space_size } = getHeapSpaceStatistics().find((each) => each.space_name === "new_space");
    return kept.length && space_size;
  }
  const sizes = [];
  if (process.argv.includes("held")) {
    using _ = holdYoungGeneration();
    sizes.push(sizeAfterLoad());
  }
  sizes.push(sizeAfterLoad());
  console.log(JSON.stringify(sizes));
`;

/** The sizes of V8's space for new objects in a process of its own, in bytes. */
async function sizes(flags: readonly string[], ...args: readonly string[]): Promise<number[]> {
  const options = [...flags, "--input-type=module", "--eval", SCRIPT, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, options);
  const found: unknown = JSON.parse(stdout);
  return Array.isArray(found) ? found.map(Number) : [];
}

test("the space for new objects stays small while it is held, and grows as before after that", async () => {
  const [unheld = 0] = await sizes([]);
  const [held = Number.NaN, released] = await sizes([], "held");
  expect(held).toBeLessThan(unheld / 4);
  expect(released).toBeGreaterThan(unheld / 2);
});

test.each(["--semi-space-growth-factor=4", "--semi_space_growth_factor=4"])(
  "with node %s it is not held",
  async (flag) => {
    const [unheld = 0] = await sizes([flag]);
    const [held] = await sizes([flag], "held");
    expect(held).toBeGreaterThan(unheld / 2);
  },
);
