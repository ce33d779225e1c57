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
        const bytes = encode({ kind: "result", result, block });
        const whole = { ...result, passthroughBlock: Buffer.concat(block) };
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

test("large parts of a block are handed on as they are, small ones between them are put together", () => {
  const [large, small] = [new Uint8Array(20_000).fill(1), new Uint8Array(30).fill(2)];
  const result = QueryResult.fromPartial({ commandTag: "SELECT 5" });
  const block = [small, large, small, small, large];
  const message: ResultMessage = { kind: "result", result, block };
  const parts = [encodeResultMessage(message)].flat();
  expect(parts.map(({ byteLength }) => byteLength)).toEqual([
    expect.any(Number),
    20_000,
    60,
    20_000,
  ]);
  expect([parts[1], parts[3]]).toEqual([large, large]);
  expect(parts[1]).toBe(large);
  expect(decode(encode(message)).result?.payload).toMatchObject({
    value: { commandTag: "SELECT 5", passthroughBlock: new Uint8Array(Buffer.concat(block)) },
  });
});
