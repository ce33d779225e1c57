import fc from "fast-check";
import { expect, test } from "vitest";
import { boundValues } from "./bound-values.ts";
import { encodeQuery } from "./frontend-message.ts";

interface Bound {
  readonly formats: readonly number[];
  readonly values: readonly (Uint8Array | null)[];
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function bind({ formats, values }: Bound): Buffer {
  const body = Buffer.concat([
    Buffer.from("portal\0statement\0"),
    int16(formats.length),
    ...formats.map(int16),
    int16(values.length),
    ...values.flatMap((value) => (value === null ? [int32(-1)] : [int32(value.length), value])),
    int16(0),
  ]);
  return Buffer.concat([Buffer.from("B"), int32(body.length + 4), body]);
}

const SYNC = Buffer.from([0x53, 0, 0, 0, 4]);
const anyBound = fc.record({
  formats: fc.array(fc.constantFrom(0, 1), { maxLength: 4 }),
  values: fc.array(fc.option(fc.uint8Array({ maxLength: 20 })), { maxLength: 4 }),
});

test("what the last Bind of a unit says is read", () => {
  fc.assert(
    fc.property(anyBound, anyBound, (first, last) => {
      const unit = Buffer.concat([bind(first), bind(last), SYNC]);
      const found = boundValues(unit);
      expect(found?.parameterFormats).toEqual(last.formats);
      expect(found?.parameters.map((value) => value && Uint8Array.from(value))).toEqual(
        last.values,
      );
    }),
  );
});

test("a unit without a Bind has none, and one that is cut off anywhere is no fault", () => {
  expect(boundValues(encodeQuery("select 1"))).toBeUndefined();
  fc.assert(
    fc.property(anyBound, fc.nat(), fc.uint8Array({ maxLength: 60 }), (bound, cut, noise) => {
      const whole = bind(bound);
      boundValues(whole.subarray(0, cut % whole.length));
      const body = Buffer.from(noise);
      boundValues(Buffer.concat([Buffer.from("B"), int32(body.length + 4), body]));
    }),
  );
});
