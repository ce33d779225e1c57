import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { LoginFailures } from "./login-failures.ts";

function setUp(limit = 3): { failures: LoginFailures; clock: ManualClock } {
  const clock = new ManualClock();
  return {
    failures: new LoginFailures({ loginFailureLimit: limit, loginFailureWindowMs: 60_000, clock }),
    clock,
  };
}

const ALICE = { address: "10.0.0.1", user: "alice" };

test("too many wrong passwords of a user from an address: refused for the rest of the window", async () => {
  const { failures, clock } = setUp();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    expect(() => failures.require(ALICE)).not.toThrow();
    failures.note(ALICE);
    await clock.advance(10_000);
  }
  expect(() => failures.require(ALICE)).toThrow("too many failed login attempts");
  expect(() => failures.require({ ...ALICE, user: "bob" })).not.toThrow();
  expect(() => failures.require({ ...ALICE, address: "10.0.0.2" })).not.toThrow();
  await clock.advance(30_000);
  expect(() => failures.require(ALICE)).not.toThrow();
});

test("names that are tried one after the other are one attack", () => {
  const { failures } = setUp();
  for (let attempt = 0; attempt < 30; attempt += 1) {
    failures.note({ address: "10.0.0.1", user: `user ${attempt}` });
  }
  expect(() => failures.require(ALICE)).toThrow("too many failed login attempts");
});

test.each([
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::9", true],
  ["2001:db8::1", "2001:db8:0:0:ffff::1", true],
  ["2001:db8:1:2::1", "2001:db8:1:3::1", false],
  ["::ffff:10.0.0.1", "10.0.0.1", true],
  ["::1", "::2", true],
])("%s and %s are one network: %s", (one, other, isSame) => {
  const { failures } = setUp(1);
  failures.note({ address: one, user: "alice" });
  const attempt = (): void => failures.require({ address: other, user: "alice" });
  if (isSame) {
    expect(attempt).toThrow("too many failed login attempts");
  } else {
    expect(attempt).not.toThrow();
  }
});

test("memory is bounded, and 0 switches it off", () => {
  const { failures } = setUp();
  for (let address = 0; address < 20_000; address += 1) {
    failures.note({ address: `10.0.${Math.floor(address / 250)}.${address % 250}`, user: "x" });
  }
  expect(failures.size).toBe(10_000);
  const off = setUp(0).failures;
  off.note(ALICE);
  expect(() => off.require(ALICE)).not.toThrow();
  expect(off.size).toBe(0);
});
