import { encodeFields } from "@multipooler/query-service";
import type { Field } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { KnownFields } from "./known-fields.ts";

function description(name: string, dataTypeOid = 23): Uint8Array {
  const field: Field = {
    name,
    tableOid: 1,
    tableAttributeNumber: 2,
    dataTypeOid,
    dataTypeSize: 4,
    typeModifier: -1,
    format: 0,
  };
  return encodeFields([field]);
}

test("equal descriptions are the same columns, different ones are not", () => {
  const known = new KnownFields();
  const fields = known.get(description("a"));
  expect(fields).toMatchObject([{ name: "a", type: "int4", dataTypeOid: 23 }]);
  expect(known.get(description("a"))).toBe(fields);
  expect(known.get(description("a", 25))).toMatchObject([{ name: "a", type: "text" }]);
  expect(known.get(description("ä"))).toMatchObject([{ name: "ä" }]);
});

test("more descriptions than are remembered, and long ones, are read all the same", () => {
  const known = new KnownFields();
  for (let n = 0; n < 1500; n += 1) {
    expect(known.get(description(`column ${n}`))[0]?.name).toBe(`column ${n}`);
  }
  const long = "x".repeat(5000);
  const first = known.get(description(long));
  expect(first[0]?.name).toBe(long);
  expect(known.get(description(long))).not.toBe(first);
});

test("bytes that are no description are refused each time", () => {
  const known = new KnownFields();
  for (let time = 0; time < 2; time += 1) {
    expect(() => known.get(Buffer.from("T\0\0\0\u0006\0\u0001"))).toThrow("RowDescription");
  }
});
