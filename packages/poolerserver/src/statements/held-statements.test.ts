import { expect, test } from "vitest";
import { HeldStatements } from "./held-statements.ts";
import { StatementRegistry } from "./statement-registry.ts";
import type { RegisteredStatement } from "./statement-registry.ts";

const registry = new StatementRegistry();

function statement(sql: string): RegisteredStatement {
  return registry.find({ sql, parameterTypes: [] }, "");
}

/** Parses a statement as a request would; returns what is closed before. */
function parse(held: HeldStatements, one: RegisteredStatement): readonly string[] {
  held.makeRoom(one);
  const closed = held.takeOwed();
  held.add(one, { generation: one.generation, ddlCount: registry.ddlCount });
  return closed;
}

function holding(limits: { maxStatements?: number; maxBytes?: number } = {}): HeldStatements {
  return new HeldStatements({ maxStatements: 3, maxBytes: 1000, ...limits });
}

test("what was used least recently is closed by the request that needs the room", () => {
  const held = holding();
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => statement(`select '${name}'`));
  if (a === undefined || b === undefined || c === undefined || d === undefined) {
    expect.unreachable();
  }
  expect([a, b, c].map((one) => parse(held, one))).toEqual([[], [], []]);
  expect(held.use(a, registry.ddlCount)).toBe(true);
  expect(parse(held, d)).toEqual([b.name]);
  expect([a, b, c, d].map((one) => held.use(one, registry.ddlCount))).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect(held.size).toBe(3);
});

test("long texts make more room than short ones", () => {
  const held = holding({ maxBytes: 100, maxStatements: 100 });
  const short = Array.from({ length: 5 }, (_, n) => statement(`select '${n}'`));
  for (const one of short) {
    expect(parse(held, one)).toEqual([]);
  }
  const long = statement(`select '${"x".repeat(80)}'`);
  expect(parse(held, long)).toEqual(short.map(({ name }) => name).slice(0, 4));
  const longer = statement(`select '${"x".repeat(200)}'`);
  expect(parse(held, longer)).toHaveLength(2);
  expect(held.size).toBe(1);
});

test("what a request was to close is left to the next one when it is not sent", () => {
  const held = holding({ maxStatements: 1 });
  const [a, b] = [statement("select 'a'"), statement("select 'b'")];
  parse(held, a);
  held.makeRoom(b);
  const closes = held.takeOwed();
  expect(closes).toEqual([a.name]);
  held.owe(closes);
  expect(held.takeOwed()).toEqual([a.name]);
  expect(held.takeOwed()).toEqual([]);
});

test("a statement that was outdated, doubted or cleaned away is of no use until it is parsed", () => {
  const held = holding();
  const one = statement("select 'one'");
  const isLostAfter = (change: () => void): boolean => {
    parse(held, one);
    const wasThere = held.use(one, registry.ddlCount);
    change();
    return wasThere && !held.use(one, registry.ddlCount);
  };
  expect(isLostAfter(() => held.doubt())).toBe(true);
  expect(isLostAfter(() => held.clear())).toBe(true);
  expect(isLostAfter(() => registry.outdated(one, one.generation))).toBe(true);
  expect(isLostAfter(() => registry.noteDdl())).toBe(true);
});

test("a statement that is parsed again does not count twice", () => {
  const held = holding({ maxBytes: 30 });
  const one = statement("select 'twenty bytes'");
  for (let round = 0; round < 5; round += 1) {
    held.doubt();
    expect(parse(held, one)).toEqual([]);
  }
  expect(held.size).toBe(1);
});
