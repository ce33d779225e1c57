import fc from "fast-check";
import { Portal } from "@multipooler/proto/query";
import { expect, test } from "vitest";
import { portalBinding } from "./portal-values.ts";

function portal(paramLengths: bigint[], paramValues: Uint8Array): Portal {
  return Portal.fromPartial({ paramLengths, paramValues });
}

test("values that were put one after the other come apart again", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.uint8Array({ maxLength: 5 }))), (values) => {
      const lengths = values.map((value) => BigInt(value?.length ?? -1));
      const bytes = Buffer.concat(values.map((value) => value ?? new Uint8Array()));
      const { parameters } = portalBinding(portal(lengths, bytes));
      expect(parameters.map((value) => (value === null ? null : [...value]))).toEqual(
        values.map((value) => (value === null ? null : [...value])),
      );
    }),
  );
});

test("formats are passed on", () => {
  const message = Portal.fromPartial({ paramFormats: [1, 0], resultFormats: [1] });
  expect(portalBinding(message)).toEqual({
    parameters: [],
    parameterFormats: [1, 0],
    resultFormats: [1],
  });
});

test.each([
  [[-2n], 0, "portal.param_lengths[0] is -2; -1 for NULL, or 0 to 0 are allowed"],
  [[1n, 3n], 3, "portal.param_lengths[1] is 3; -1 for NULL, or 0 to 2 are allowed"],
  [[2n ** 62n], 3, `portal.param_lengths[0] is ${2n ** 62n}; -1 for NULL, or 0 to 3 are allowed`],
  [[-1n, 1n], 3, "portal.param_values has 3 bytes; portal.param_lengths adds up to 1"],
])("lengths %s are refused for %i bytes", (lengths, bytes, message) => {
  expect(() => portalBinding(portal(lengths, new Uint8Array(bytes)))).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message }),
  );
});
