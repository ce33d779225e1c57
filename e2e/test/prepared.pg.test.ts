import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient, PortalStreamExecuteInput } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { flagsFor } from "./flags.ts";

const INT4 = 23;
const SELECT_BY_KEY = "SELECT abalance FROM accounts WHERE aid = $1;";

let postgres: TestPostgres;
let pooler: PoolerProcess;
let client: PoolerClient;

beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.sql("create table accounts (aid int primary key, abalance int)");
  await postgres.sql("insert into accounts select n, n * 2 from generate_series(1, 1000) n");
  pooler = startPooler({ flags: flagsFor(postgres) });
  await pooler.ready(200, { signal: AbortSignal.timeout(20_000) });
  client = connect({ address: await pooler.grpc() });
}, 60_000);

afterAll(async () => {
  client.close();
  await pooler[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

/** A portal of a statement under a name that says nothing, with parameters in text. */
function portalOf(
  query: string,
  values: readonly (string | null)[] = [],
  more: Omit<PortalStreamExecuteInput, "portal" | "preparedStatement"> = {},
): PortalStreamExecuteInput {
  return {
    ...more,
    preparedStatement: { name: "stmt0", query },
    portal: {
      paramLengths: values.map((value) => BigInt(value === null ? -1 : Buffer.byteLength(value))),
      paramValues: Buffer.from(values.filter((value) => value !== null).join("")),
    },
  };
}

/** The results of a portal: rows with their values as text, fields, tag. */
async function results(request: PortalStreamExecuteInput) {
  const messages = await Array.fromAsync(client.portalStreamExecute(request));
  return messages.flatMap(({ result }) =>
    result?.payload?.$case === "result" ? [result.payload.value] : [],
  );
}

async function valueOf(query: string, values: readonly (string | null)[]): Promise<string> {
  const [result] = await results(portalOf(query, values));
  return Buffer.from(result?.rows[0]?.values ?? "").toString();
}

describe("PortalStreamExecute", () => {
  test("runs what pgbench sends, as one message", async () => {
    const found = await results(
      portalOf(SELECT_BY_KEY, ["21"], { portalOptions: { includeDescribe: true } }),
    );
    expect(found).toMatchObject([
      {
        hasFields: true,
        fields: [{ name: "abalance", dataTypeOid: INT4 }],
        rows: [{ lengths: [2n], values: Buffer.from("42") }],
        commandTag: "SELECT 1",
      },
    ]);
  });

  test("gives 20 clients that use one name each its own number, many times", async () => {
    await Promise.all(
      Array.from({ length: 20 }, async (_, own) => {
        for (let round = 0; round < 100; round += 1) {
          expect(await valueOf(SELECT_BY_KEY, [String(own + 1)])).toBe(String(2 * own + 2));
          expect(await valueOf(`select ${own}`, [])).toBe(String(own));
        }
      }),
    );
  }, 60_000);

  test("takes NULL, and tells no fields that were not asked for", async () => {
    const found = await results(portalOf("select $1::text, 'x'", [null]));
    expect(found).toMatchObject([
      { hasFields: false, fields: [], rows: [{ lengths: [-1n, 1n] }], commandTag: "SELECT 1" },
    ]);
  });

  test("passes rows through as PostgreSQL sends them", async () => {
    const [found] = await results(
      portalOf("select $1", ["abc"], { options: { passthroughRow: true } }),
    );
    expect(found?.passthroughRowCount).toBe(1);
    expect(Buffer.from(found?.passthroughBlock ?? "").toString("hex")).toBe(
      "440000000d000100000003616263",
    );
  });

  test("has the fields of a result without a column", async () => {
    const portalOptions = { includeDescribe: true };
    expect(
      await results(portalOf("select from accounts limit 2", [], { portalOptions })),
    ).toMatchObject([{ hasFields: true, fields: [], commandTag: "SELECT 2" }]);
    expect(
      await results(portalOf("delete from accounts where aid = $1", ["0"], { portalOptions })),
    ).toMatchObject([{ hasFields: false, commandTag: "DELETE 0", rowsAffected: 0n }]);
  });

  test.each([
    ["Parse", "selec 1", [], "42601"],
    ["Bind", "select $1::int", ["x"], "22P02"],
    ["Execute", "select 1 / $1::int", ["0"], "22012"],
  ])("fails in the %s as PostgreSQL does", async (_step, query, values, code) => {
    for (let round = 0; round < 2; round += 1) {
      await expect(results(portalOf(query, values))).rejects.toMatchObject({
        code: "UNKNOWN",
        diagnostic: { code },
      });
    }
  });

  test("is cancelled in the database when its client gives up", async () => {
    const query = "select 'given up' from pg_sleep($1::float8)";
    const signal = AbortSignal.timeout(300);
    const call = Array.fromAsync(client.portalStreamExecute(portalOf(query, ["60"]), { signal }));
    await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
    const running = async (): Promise<unknown> =>
      (
        await postgres.sql(
          "select count(*)::int as n from pg_stat_activity where query = $1 and state = 'active'",
          { values: [query] },
        )
      )[0]?.["n"];
    await expect.poll(running).toBe(0);
  });

  test("survives a table that changes", async () => {
    await postgres.sql("create table changing as select 1 as a");
    const query = "select * from changing";
    await Promise.all(Array.from({ length: 8 }, () => results(portalOf(query))));
    await postgres.sql("alter table changing add column b int");
    const found = await Promise.all(
      Array.from({ length: 8 }, () =>
        results(portalOf(query, [], { portalOptions: { includeDescribe: true } })),
      ),
    );
    expect(found.map(([result]) => result?.fields.length)).toEqual(
      Array.from({ length: 8 }, () => 2),
    );
  });
});

describe("Describe", () => {
  test("tells the parameters and columns of a statement", async () => {
    const preparedStatement = { query: SELECT_BY_KEY };
    const { description } = await client.describe({ preparedStatement });
    expect(description).toMatchObject({
      parameters: [{ dataTypeOid: INT4 }],
      fields: [{ name: "abalance", type: expect.stringMatching(/int4/i) }],
      hasFields: true,
    });
  });

  test("tells the columns of a portal, as often as it is asked for", async () => {
    const portal = { paramLengths: [1n], paramValues: Buffer.from("1"), resultFormats: [1] };
    for (let round = 0; round < 2; round += 1) {
      const { description } = await client.describe({
        preparedStatement: { query: SELECT_BY_KEY },
        portal,
      });
      expect(description).toMatchObject({ parameters: [], fields: [{ format: 1 }] });
    }
  });

  test("tells no column from no result", async () => {
    const hasFields = async (query: string): Promise<boolean | undefined> =>
      (await client.describe({ preparedStatement: { query } })).description?.hasFields;
    expect(await hasFields("select from accounts")).toBe(true);
    expect(await hasFields("delete from accounts where aid = $1")).toBe(false);
  });
});

describe("StreamExecute", () => {
  const preparedStatement = { query: "select $1 * 2", paramTypes: [INT4] };

  test("runs SQL that names a prepared statement", async () => {
    const executeSqlPreparedStatement = {
      preparedStatement,
      sqlPrefix: "EXECUTE ",
      sqlSuffix: " ( 3 )",
    };
    const [message] = await Array.fromAsync(
      client.streamExecute({ options: { executeSqlPreparedStatement } }),
    );
    expect(message?.result?.payload?.value).toMatchObject({
      hasFields: true,
      rows: [{ values: Buffer.from("6") }],
      commandTag: "SELECT 1",
    });
  });

  test("refuses an eager Parse outside a reservation", async () => {
    const executeSqlPreparedStatement = { preparedStatement, forceUnnamedParse: true };
    const call = Array.fromAsync(
      client.streamExecute({ options: { executeSqlPreparedStatement } }),
    );
    await expect(call).rejects.toMatchObject({
      message: "eager unnamed Parse requires a reserved transaction",
    });
  });
});

describe("a transaction of a driver that prepares its statements", () => {
  const UPDATE = "UPDATE accounts SET abalance = abalance + $1 WHERE aid = $2;";

  test("runs as the gateway sends it: Parses ahead, portals, and an end", async () => {
    const eager = (query: string) => ({
      preparedStatement: { name: "s", query },
      forceUnnamedParse: true,
    });
    const begun = await Array.fromAsync(
      client.streamExecute({
        options: { executeSqlPreparedStatement: eager(UPDATE) },
        reservationOptions: { reasons: 1, beginQuery: "BEGIN;" },
      }),
    );
    expect(begun).toMatchObject([{ result: undefined, reservedState: { reservationReasons: 1 } }]);
    const reservedConnectionId = begun[0]?.reservedState?.reservedConnectionId ?? 0n;
    const options = { reservedConnectionId };
    const updated = await Array.fromAsync(
      client.portalStreamExecute(portalOf(UPDATE, ["1", "7"], { options })),
    );
    expect(updated).toMatchObject([
      { result: { payload: { value: { commandTag: "UPDATE 1" } } } },
      { reservedState: { reservedConnectionId } },
    ]);
    const { description } = await client.describe({
      preparedStatement: { query: SELECT_BY_KEY },
      options,
    });
    expect(description).toMatchObject({ hasFields: true });
    const refused = Array.fromAsync(
      client.streamExecute({
        options: { ...options, executeSqlPreparedStatement: eager("select bogus") },
      }),
    );
    await expect(refused).rejects.toMatchObject({ diagnostic: { code: "42703" } });
    const { result } = await client.concludeTransaction({ options, conclusion: 1 });
    expect(result?.commandTag).toBe("ROLLBACK");
    expect(await valueOf(SELECT_BY_KEY, ["7"])).toBe("14");
  });

  test("keeps a portal with rows left under the client's name", async () => {
    const series = portalOf("select generate_series(1, 5)", [], { options: { maxRows: 2n } });
    const request = { ...series, portal: { ...series.portal, name: "p" } };
    const [rows, state] = await Array.fromAsync(client.portalStreamExecute(request));
    expect(rows?.result?.payload?.value).toMatchObject({ commandTag: "", rows: [{}, {}] });
    expect(state?.reservedState?.reservationReasons).toBe(4);
    const reservedConnectionId = state?.reservedState?.reservedConnectionId ?? 0n;
    const rest = await Array.fromAsync(
      client.portalStreamExecute({ ...request, options: { maxRows: 9n, reservedConnectionId } }),
    );
    expect(rest).toMatchObject([{ result: { payload: { value: { commandTag: "SELECT 5" } } } }]);
  });
});
