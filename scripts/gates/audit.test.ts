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
  expect(judgeAudit(report)).toEqual({
    ok: true,
    output: "no known fault of high or critical severity",
  });
});

function failure(code: string, message: string): string {
  return JSON.stringify({ error: { code, message } });
}

test.each([
  [failure("ERR_PNPM_AUDIT_BAD_RESPONSE", "The endpoint responded with 405: ."), "with 405"],
  [failure("ERR_PNPM_AUDIT_BAD_RESPONSE", "The endpoint responded with 503: ."), "with 503"],
  [failure("ERR_PNPM_AUDIT_ENDPOINT_NOT_EXISTS", "no endpoint"), "no endpoint"],
  [failure("ETIMEDOUT", "request timed out"), "request timed out"],
  ["request to https://registry failed, reason: ECONNREFUSED", "ECONNREFUSED"],
  ["\npnpm was ended by SIGKILL", "ended by SIGKILL"],
])(
  "where %j is all that comes, nobody was asked, and the gate is skipped and says so",
  (output, why) => {
    const { ok, isSkipped, output: said } = judgeAudit(output);
    expect({ ok, isSkipped }).toEqual({ ok: true, isSkipped: true });
    expect(said).toContain("the registry could not be asked");
    expect(said).toContain(why);
  },
);

test.each([
  [failure("ERR_PNPM_AUDIT_BAD_RESPONSE", "The endpoint responded with 401: ."), "with 401"],
  [failure("ERR_PNPM_AUDIT_NO_LOCKFILE", "No pnpm-lock.yaml found"), "No pnpm-lock.yaml"],
  ['{"vulnerabilities":{}}', '{"vulnerabilities":{}}'],
  ["\npnpm: spawn pnpm ENOENT", "ENOENT"],
  ["", "not understood"],
  ["{ broken", "{ broken"],
])("%j is not understood, and fails", (output, why) => {
  const { ok, output: said } = judgeAudit(output);
  expect(ok).toBe(false);
  expect(said).toContain("not understood");
  expect(said).toContain(why);
});
