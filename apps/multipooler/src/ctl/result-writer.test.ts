import { QueryResult } from "@multipooler/proto/query";
import { expect, test } from "vitest";
import { ResultWriter } from "./result-writer.ts";

const FIELDS = [{ name: "n", dataTypeOid: 23 }];

/** DataRow messages of one column each, as PostgreSQL sends them. */
function rows(...values: (string | null)[]): Buffer {
  return Buffer.concat(
    values.map((value) => {
      const bytes = Buffer.from(value ?? "");
      const row = Buffer.alloc(11 + bytes.length);
      row.write("D");
      row.writeInt32BE(row.length - 1, 1);
      row.writeInt16BE(1, 5);
      row.writeInt32BE(value === null ? -1 : bytes.length, 7);
      bytes.copy(row, 11);
      return row;
    }),
  );
}

function print(
  writer: ResultWriter,
  message: Parameters<typeof QueryResult.fromPartial>[0],
): string {
  return [...writer.take(QueryResult.fromPartial(message))].join("");
}

test("a result in one message is a whole table", () => {
  const text = print(new ResultWriter("table", { isTerminal: false }), {
    hasFields: true,
    fields: FIELDS,
    passthroughBlock: rows("1", null, "30"),
    passthroughRowCount: 3,
    commandTag: "SELECT 3",
  });
  expect(text).toBe(" n\n----\n  1\n\n 30\n(3 rows)\n\n");
});

test("many rows of one message come in parts, none is lost", () => {
  const values = Array.from({ length: 2500 }, (_, index) => String(index));
  const parts = [
    ...new ResultWriter("csv", { isTerminal: false }).take(
      QueryResult.fromPartial({
        hasFields: true,
        fields: FIELDS,
        passthroughBlock: rows(...values),
      }),
    ),
  ];
  expect(parts).toHaveLength(4);
  expect(parts.join("")).toBe(`n\n${values.join("\n")}\n`);
});

test("a row that arrives in pieces is one row", () => {
  const writer = new ResultWriter("json", { isTerminal: false });
  const row = rows("abcdef");
  const begin = { hasFields: true, fields: FIELDS, passthroughBlock: row.subarray(0, 12) };
  expect(print(writer, { ...begin, passthroughRowInProgress: true })).toBe("");
  expect(
    print(writer, { hasFields: true, fields: FIELDS, passthroughBlock: row.subarray(12) }),
  ).toBe('{"n":"abcdef"}\n');
});

test("each statement begins a result of its own; one without rows prints its tag", () => {
  const writer = new ResultWriter("table", { isTerminal: false });
  expect(print(writer, { commandTag: "CREATE TABLE" })).toBe("CREATE TABLE\n");
  const empty = { hasFields: true, fields: FIELDS, commandTag: "SELECT 0" };
  expect(print(writer, empty)).toBe(" n\n---\n(0 rows)\n\n");
  expect(print(writer, empty)).toBe(" n\n---\n(0 rows)\n\n");
});

test("bytes that are no rows are refused", () => {
  expect(() =>
    print(new ResultWriter("csv", { isTerminal: false }), {
      hasFields: true,
      fields: FIELDS,
      passthroughBlock: Buffer.from("X"),
    }),
  ).toThrow("malformed rows");
});
