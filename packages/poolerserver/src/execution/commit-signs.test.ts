import { encodeCommandTag, encodeDiagnostic } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { isCommit, tellsOfUnconfirmedCommit } from "./commit-signs.ts";

test.each([
  ["COMMIT", true],
  ["COMMIX", false],
  ["CREATE", false],
  ["COMMENT", false],
  ["COMMIT PREPARED", false],
  ["ROLLBACK", false],
  ["COPY 12", false],
])("the tag %s", (tag, expected) => {
  expect(isCommit(encodeCommandTag(tag))).toBe(expected);
});

/** A NoticeResponse with fields as the server writes them. */
function notice(fields: Readonly<Record<string, string>>): Buffer {
  const texts = Object.entries(fields).map(([code, text]) => `${code}${text}\0`);
  const body = Buffer.from(`${texts.join("")}\0`);
  const head = Buffer.from("N\0\0\0\0");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

test("the routine tells of a wait that was cut, in every language", () => {
  const fields = { S: "WARNUNG", V: "WARNING", C: "01000", M: "Warten abgebrochen" };
  expect(tellsOfUnconfirmedCommit(notice({ ...fields, R: "SyncRepWaitForLSN" }))).toBe(true);
  expect(tellsOfUnconfirmedCommit(notice({ ...fields, R: "exec_stmt_raise" }))).toBe(false);
  expect(tellsOfUnconfirmedCommit(notice({ ...fields, M: "RSyncRepWaitForLSN" }))).toBe(false);
});

test("a notice that only quotes the warning tells of nothing", () => {
  const message = "canceling wait for synchronous replication due to user request";
  const diagnostic = { kind: "notice", severity: "WARNING", code: "01000", message } as const;
  expect(tellsOfUnconfirmedCommit(encodeDiagnostic(diagnostic))).toBe(false);
});
