import { expect, test } from "vitest";
import { judgeComponents } from "./bill-of-materials.ts";

const component = (license: string): Parameters<typeof judgeComponents>[0][number] => ({
  name: "left-pad",
  version: "1.3.0",
  license,
  integrity: "sha512-AAAA",
});

test.each(["MIT", "Apache-2.0 AND BSD-3-Clause", "(GPL-3.0 OR ISC)", "WTFPL OR 0BSD"])(
  "what is under %s may be shipped",
  (license) => {
    expect(judgeComponents([component(license)])).toEqual({ ok: true, output: "1 components" });
  },
);

test.each(["GPL-3.0", "MIT AND AGPL-3.0", "Unknown", "", "SEE LICENSE IN LICENSE"])(
  "what is under %j may not",
  (license) => {
    expect(judgeComponents([component("MIT"), component(license)])).toEqual({
      ok: false,
      output: `left-pad@1.3.0: license ${license} is not one that is allowed`,
    });
  },
);

test("nothing at all is a fault of the gate", () => {
  expect(judgeComponents([])).toEqual({ ok: false, output: "nothing is shipped" });
});
