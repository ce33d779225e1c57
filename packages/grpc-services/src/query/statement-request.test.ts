import { ExecuteOptions, Target } from "@multipooler/proto/query";
import { expect, test } from "vitest";
import { statementRequest } from "./statement-request.ts";

const CONTEXT = { peer: "127.0.0.1:1" };

const request = (
  options?: Parameters<typeof ExecuteOptions.fromPartial>[0],
  target?: Parameters<typeof Target.fromPartial>[0],
): ReturnType<typeof statementRequest> =>
  statementRequest(
    {
      query: "select 1",
      callerId: undefined,
      target: target === undefined ? undefined : Target.fromPartial(target),
      options: options === undefined ? undefined : ExecuteOptions.fromPartial(options),
    },
    CONTEXT,
  );

test("what is left out stands for any target, the configured role and no reservation", () => {
  expect(request()).toEqual({
    target: undefined,
    caller: { user: "", settings: new Map(), origin: "127.0.0.1:1 " },
    place: { type: "any" },
    statement: { type: "simple", sql: "select 1" },
  });
});

test("user, reservation and target reach the controller", () => {
  const shardKey = { database: "db", tableGroup: "default", shard: "0-inf" };
  expect(request({ user: "alice", reservedConnectionId: 7n }, { shardKey, mode: 1 })).toEqual({
    target: { ...shardKey, mode: "WRITABLE" },
    caller: { user: "alice", settings: new Map(), origin: "127.0.0.1:1 " },
    place: { type: "reserved", id: 7n },
    statement: { type: "simple", sql: "select 1" },
  });
});

test("the keys of the user reach the controller where there are both", () => {
  const keys = { clientKey: Buffer.alloc(32, 1), serverKey: Buffer.alloc(32, 2) };
  expect(request({ userAuth: keys }).caller.keys).toEqual(keys);
  expect(request({ userAuth: { clientKey: keys.clientKey } }).caller.keys).toBeUndefined();
  expect(request({}).caller.keys).toBeUndefined();
});

test("settings of the session reach the controller, and none cost nothing", () => {
  const sessionSettings = { application_name: "psql", role: "bob" };
  expect(request({ sessionSettings }).caller.settings).toEqual(
    new Map([
      ["application_name", "psql"],
      ["role", "bob"],
    ]),
  );
  expect(request({ user: "a" }).caller.settings).toBe(request().caller.settings);
});

test("clients behind one connection are told apart by their principal", () => {
  const callerId = { principal: "app", component: "", subcomponent: "", groups: [] };
  const message = { query: "select 1", callerId, target: undefined, options: undefined };
  expect(statementRequest(message, CONTEXT).caller.origin).toBe("127.0.0.1:1 app");
});

test.each([
  [0, "UNSPECIFIED"],
  [1, "WRITABLE"],
  [2, "CONSISTENT"],
  [3, "INCONSISTENT"],
] as const)("mode %i of a target is %s", (mode, name) => {
  expect(request({}, { mode }).target).toEqual({
    database: "",
    tableGroup: "",
    shard: "",
    mode: name,
  });
});

test("a mode that the contract does not know is refused by its number", () => {
  const target = Target.decode(Buffer.from([0x28, 9]));
  expect(() =>
    statementRequest({ query: "", callerId: undefined, target, options: undefined }, CONTEXT),
  ).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message: "target.mode 9 is unknown" }),
  );
});

test("settings reach the controller", () => {
  expect(request({ sessionSettings: { role: "bob", work_mem: "1MB" } }).caller.settings).toEqual(
    new Map([
      ["role", "bob"],
      ["work_mem", "1MB"],
    ]),
  );
});

const PREPARED = { name: "s", query: "select $1", paramTypes: [23] };

test("SQL that names a prepared statement reaches the controller with its text", () => {
  const executeSqlPreparedStatement = {
    preparedStatement: PREPARED,
    sqlPrefix: "EXECUTE ",
    sqlSuffix: " (1)",
  };
  expect(request({ executeSqlPreparedStatement }).statement).toEqual({
    type: "sqlExecute",
    prefix: "EXECUTE ",
    sql: "select $1",
    parameterTypes: [23],
    suffix: " (1)",
  });
});

test("an eager Parse is of the statement alone", () => {
  const executeSqlPreparedStatement = { preparedStatement: PREPARED, forceUnnamedParse: true };
  expect(request({ executeSqlPreparedStatement }).statement).toEqual({
    type: "parse",
    sql: "select $1",
    parameterTypes: [23],
  });
});

test("SQL that names no prepared statement is refused", () => {
  expect(() => request({ executeSqlPreparedStatement: { sqlPrefix: "EXECUTE " } })).toThrow(
    expect.objectContaining({
      code: "MISSING_ARGUMENT",
      message: "prepared statement is required",
    }),
  );
});
