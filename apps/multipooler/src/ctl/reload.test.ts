import { expect, test } from "vitest";
import { reloadText } from "./reload.ts";

test("each change is a line with what sets it, and why one has to wait", () => {
  const source = "log-level in /etc/pooler.yaml";
  expect(
    reloadText({
      changed: [{ name: "log-level", before: "info", after: "debug", source }],
      pending: [
        {
          change: { name: "service-id", before: undefined, after: "a\u001b[31m", source: "" },
          reason: "the pooler is registered under it",
        },
      ],
    }).split("\n"),
  ).toEqual([
    "log-level: info -> debug (log-level in /etc/pooler.yaml)",
    String.raw`service-id: unset -> a\x1b[31m (default) needs a restart: the pooler is registered under it`,
    "",
  ]);
  expect(reloadText({ changed: [], pending: [] })).toBe("no setting has another value\n");
});
