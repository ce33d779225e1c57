import { expect, test } from "vitest";
import { traceparentIn } from "./statement-tracer.ts";

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test.each([
  [`select 1 /*traceparent='${TRACEPARENT}'*/`, TRACEPARENT],
  [`select 1 /*action='%2Fshop',traceparent='${TRACEPARENT}',route='x'*/`, TRACEPARENT],
  [`select 1 /*traceparent='${TRACEPARENT}'*/;`, TRACEPARENT],
  [`select '${"x".repeat(1_000_000)}' /*traceparent='${TRACEPARENT}'*/`, TRACEPARENT],
  ["select 1", undefined],
  ["select 1 /* traceparent */", undefined],
  [`select 1 /*traceparent='${TRACEPARENT.slice(1)}'*/`, undefined],
  [`select 1 /*traceparent='${TRACEPARENT}'${" ".repeat(600)}*/`, undefined],
  [`select 'traceparent=''${TRACEPARENT}'''`, undefined],
])("the trace of a text is that of its last comment", (text, traceparent) => {
  expect(traceparentIn(text)).toBe(traceparent);
});
