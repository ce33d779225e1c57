import { expect, test } from "vitest";
import { nodeProblem } from "./node-version.ts";

test.each(["24.0.0", "24.11.1", "26.0.0-nightly", "100.1.0"])("%s runs it", (version) => {
  expect(nodeProblem(version)).toBeUndefined();
});

test.each(["12.22.0", "18.20.4", "22.12.0", "23.99.9"])("%s is told what is needed", (version) => {
  expect(nodeProblem(version)).toMatch(
    new RegExp(`^multipooler needs Node\\.js 24 or newer, and this is ${version} \\(.+\\)$`),
  );
});
