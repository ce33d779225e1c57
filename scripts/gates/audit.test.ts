import { expect, test } from "vitest";
import { judgeAudit } from "./audit.ts";

const ADVISORY = {
  module_name: "left-pad",
  title: "pads the wrong side",
  url: "https://example.test/1",
  patched_versions: ">=1.3.1",
};

test.each(["high", "critical"])("a fault of %s severity stops", (severity) => {
  const report = JSON.stringify({ advisories: { 7: { ...ADVISORY, severity } } });
  expect(judgeAudit(` WARN  something\n${report}`)).toEqual({
    ok: false,
    output: `left-pad: ${severity}: pads the wrong side; patched in >=1.3.1 (https://example.test/1)`,
  });
});

test.each(["info", "low", "moderate"])("a fault of %s severity does not", (severity) => {
  const report = JSON.stringify({ advisories: { 7: { ...ADVISORY, severity } } });
  expect(judgeAudit(report)).toMatchObject({ ok: true });
});

test.each([
  [JSON.stringify({ error: { code: "X", message: "responded with 405" } }), "responded with 405"],
  ["request to https://registry failed, reason: ECONNREFUSED", "ECONNREFUSED"],
  ["", "could not be asked"],
  ["{ broken", "{ broken"],
])("where %j is all that comes, nobody was asked, and the gate says so", (output, why) => {
  const { ok, output: said } = judgeAudit(output);
  expect(ok).toBe(true);
  expect(said).toContain("the registry could not be asked");
  expect(said).toContain(why);
});
