import { StreamExecuteResponse } from "@multipooler/proto/multipoolerservice";
import { QueryResult } from "@multipooler/proto/query";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeResultMessage } from "./result-message.ts";
import type { ResultMessage } from "./result-message.ts";

const results = fc.record({
  fields: fc.array(fc.record({ name: fc.string(), dataTypeOid: fc.nat() }), { maxLength: 3 }),
  commandTag: fc.string(),
  rowsAffected: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  hasFields: fc.boolean(),
  passthroughRowCount: fc.nat(),
  passthroughRowInProgress: fc.boolean(),
});

function decode(bytes: Uint8Array): StreamExecuteResponse {
  return StreamExecuteResponse.decode(new Uint8Array(bytes));
}

function encode(message: ResultMessage): Uint8Array {
  return Buffer.concat([encodeResultMessage(message)].flat());
}

test("a message with a block in parts decodes to what the generated encoder would have said", () => {
  fc.assert(
    fc.property(
      results,
      fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
      (values, block) => {
        const result = QueryResult.fromPartial(values);
        const whole = { ...result, passthroughBlock: Buffer.concat(block) };
        const bytes = encode({ kind: "result", result, block });
        const generated = StreamExecuteResponse.encode({
          result: { payload: { $case: "result", value: whole } },
          reservedState: undefined,
        }).finish();
        expect(decode(bytes)).toEqual(decode(generated));
        expect(bytes.byteLength - generated.byteLength).toBeLessThanOrEqual(2);
      },
    ),
  );
});

test.each([0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 3_000_000])(
  "a block of %i bytes comes out whole",
  (size) => {
    const block = Buffer.alloc(size, "row");
    const bytes = encode({
      kind: "result",
      result: QueryResult.fromPartial({ commandTag: "SELECT 1" }),
      block: [block.subarray(0, size / 2), block.subarray(size / 2)],
    });
    const payload = decode(bytes).result?.payload;
    expect(payload?.$case === "result" && payload.value.commandTag).toBe("SELECT 1");
    expect(payload?.$case === "result" && block.equals(payload.value.passthroughBlock)).toBe(true);
  },
);

/** Parts of a block, of which a message can be made once. */
function partsOf(...sizes: readonly number[]): Uint8Array[] {
  return sizes.map((size, index) => new Uint8Array(size).fill(index));
}

test.each([
  {
    what: "large parts are handed on as they are, small ones between them are put together",
    sizes: [30, 20_000, 30, 30, 20_000],
    lengths: [expect.any(Number), 20_000, 60, 20_000],
  },
  {
    what: "small parts are put together to 64 KiB at most",
    sizes: Array.from({ length: 20 }, () => 10_000),
    lengths: [expect.any(Number), 60_000, 60_000, 20_000],
  },
  {
    what: "the parts of a short message are left to who sends it",
    sizes: [30, 30],
    lengths: [expect.any(Number), 30, 30],
  },
])("of a block $what", ({ sizes, lengths }) => {
  const result = QueryResult.fromPartial({ commandTag: "SELECT 5" });
  const block = partsOf(...sizes);
  const large = block.filter(({ byteLength }) => byteLength >= 20_000);
  const parts = [encodeResultMessage({ kind: "result", result, block })].flat();
  expect(parts.map(({ byteLength }) => byteLength)).toEqual(lengths);
  expect(parts).toEqual(expect.arrayContaining(large));
  expect(decode(Buffer.concat(parts)).result?.payload).toMatchObject({
    value: {
      commandTag: "SELECT 5",
      passthroughBlock: new Uint8Array(Buffer.concat(partsOf(...sizes))),
    },
  });
});
