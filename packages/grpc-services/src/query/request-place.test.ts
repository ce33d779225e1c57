import { ReservationOptions } from "@multipooler/proto/query";
import { expect, test } from "vitest";
import { requestPlace } from "./request-place.ts";

type Options = Parameters<typeof ReservationOptions.fromPartial>[0];

function placeOf(id: bigint, options?: Options, portal?: string): unknown {
  const reservationOptions =
    options === undefined ? undefined : ReservationOptions.fromPartial(options);
  return requestPlace({ options: { reservedConnectionId: id }, reservationOptions, portal });
}

test("without an id, reasons and a row limit any backend does", () => {
  expect(requestPlace({ options: undefined })).toEqual({ type: "any" });
  expect(placeOf(0n, { beginQuery: "BEGIN" })).toEqual({ type: "any" });
});

test("reasons reserve a backend", () => {
  const options = { reasons: 5, beginQuery: "begin;", pinPortalNames: ["c"] };
  expect(placeOf(0n, options)).toEqual({
    type: "reserve",
    reasons: 5,
    begin: "begin;",
    pins: ["c"],
    recheckAdvisoryLocks: false,
  });
  expect(placeOf(0n, { reasons: 1 }, "p")).toMatchObject({ type: "reserve", reasons: 1, pins: [] });
});

test.each([1, 2, 128, 255])("reservation reasons %i ask for a new reservation", (reasons) => {
  expect(placeOf(0n, { reasons })).toMatchObject({ type: "reserve", reasons });
});

test("a row limit reserves a backend for the portal", () => {
  expect(placeOf(0n, undefined, "p")).toEqual({ type: "reserve", reasons: 4, pins: ["p"] });
  expect(placeOf(7n, undefined, "p")).toEqual({ type: "reserved", id: 7n });
});

test("an id names a reservation, which may change", () => {
  const options = { reasons: 64, releasePortalNames: ["c"], recheckAdvisoryLocks: true };
  expect(placeOf(2n ** 63n + 7n, options)).toEqual({
    type: "reserved",
    id: 2n ** 63n + 7n,
    reasons: 64,
    begin: undefined,
    pins: [],
    releases: ["c"],
    recheckAdvisoryLocks: true,
  });
});

test.each([
  [256, "invalid reservation reasons: 0x100"],
  [257, "invalid reservation reasons: 0x101"],
  [0xffff_ffff, "invalid reservation reasons: 0xffffffff"],
])("reservation reasons %i are refused as unknown", (reasons, message) => {
  expect(() => placeOf(0n, { reasons })).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message }),
  );
});
