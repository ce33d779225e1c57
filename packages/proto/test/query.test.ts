import { expect, test } from "vitest";
import {
  ExecuteOptions,
  Mode,
  PgDiagnostic,
  QueryResult,
  QueryResultPayload,
  ReservationOptions,
  ReservedState,
  Row,
  StatementDescription,
  Target,
} from "../src/gen/multigres/query.ts";
import { pin, wire } from "./wire.ts";

/** A DataRow message of PostgreSQL with the columns "1" and NULL. */
const DATA_ROW = "44 0000000f 0002 00000001 31 ffffffff";

pin(
  "QueryResult: every field",
  QueryResult,
  QueryResult.create({
    fields: [
      {
        name: "n",
        type: "int4",
        tableOid: 16384,
        tableAttributeNumber: 2,
        dataTypeOid: 23,
        dataTypeSize: 4,
        typeModifier: -1,
        format: 1,
      },
    ],
    rowsAffected: 5n,
    rows: [{ lengths: [1n, -1n], values: wire("31") }],
    commandTag: "SELECT 1",
    hasFields: true,
    notices: [{ messageType: 78 }],
    passthroughBlock: wire(DATA_ROW),
    passthroughRowCount: 1,
    parameterStatus: { DateStyle: "ISO" },
    passthroughRowInProgress: true,
  }),
  `0a 20                         # 1 fields
     0a 01 'n'                   #   1 name
     12 04 'int4'                #   2 type
     18 808001                   #   3 table_oid
     20 02                       #   4 table_attribute_number
     28 17                       #   5 data_type_oid
     30 04                       #   6 data_type_size
     38 ffffffffffffffffff01     #   7 type_modifier: int32, ten bytes when negative
     40 01                       #   8 format
   10 05                         # 2 rows_affected
   1a 07                         # 3 rows
     0a 02 02 01                 #   1 lengths: sint64, packed
     12 01 31                    #   2 values
   22 08 'SELECT 1'              # 4 command_tag
   28 01                         # 5 has_fields
   32 02 78 4e                   # 6 notices: 15 message_type
   3a 10 ${DATA_ROW}             # 7 passthrough_block
   40 01                         # 8 passthrough_row_count
   4a 10                         # 9 parameter_status
     0a 09 'DateStyle' 12 03 'ISO'
   50 01                         # 10 passthrough_row_in_progress`,
);

pin(
  "QueryResultPayload: a result",
  QueryResultPayload,
  { payload: { $case: "result", value: QueryResult.create({ commandTag: "BEGIN" }) } },
  "0a 07 22 05 'BEGIN'",
);

pin(
  "QueryResultPayload: a diagnostic",
  QueryResultPayload,
  { payload: { $case: "diagnostic", value: PgDiagnostic.create({ code: "00000" }) } },
  "12 07 12 05 '00000'",
);

pin(
  "PgDiagnostic: every field",
  PgDiagnostic,
  {
    messageType: 69,
    severity: "a",
    code: "b",
    message: "c",
    detail: "d",
    hint: "e",
    position: 6,
    internalPosition: 7,
    internalQuery: "h",
    where: "i",
    schemaName: "j",
    tableName: "k",
    columnName: "l",
    dataTypeName: "m",
    constraintName: "n",
  },
  `78 45
   0a 01 'a'  12 01 'b'  1a 01 'c'  22 01 'd'  2a 01 'e'  30 06  38 07  42 01 'h'
   4a 01 'i'  52 01 'j'  5a 01 'k'  62 01 'l'  6a 01 'm'  72 01 'n'`,
);

pin(
  "StatementDescription: has_fields tells no columns from no result set",
  StatementDescription,
  { parameters: [{ dataTypeOid: 25 }], fields: [], hasFields: true },
  "0a 02 08 19  18 01",
);

pin(
  "Target: its numbers begin at 4",
  Target,
  { shardKey: { database: "d", tableGroup: "g", shard: "s" }, mode: Mode.MODE_INCONSISTENT },
  "22 09 0a 01 'd' 12 01 'g' 1a 01 's'  28 03",
);

pin(
  "ReservedState: an id above 2^53 stays exact",
  ReservedState,
  {
    reservedConnectionId: 0xfedc_ba98_7654_3211n,
    poolerId: { component: 1, cell: "z", name: "p" },
    reservationReasons: 129,
    backendProcessId: 4242,
  },
  `08 91e4d0b287d3aeeefe01  12 08 08 01 12 01 'z' 1a 01 'p'  18 8101  20 9221`,
);

pin(
  "ExecuteOptions: every field",
  ExecuteOptions,
  ExecuteOptions.create({
    sessionSettings: { a: "b" },
    user: "u",
    maxRows: 3n,
    reservedConnectionId: 2n ** 64n - 1n,
    userAuth: { clientKey: wire("c1"), serverKey: wire("c2") },
    clientConnectionId: 6,
    executeSqlPreparedStatement: {
      preparedStatement: { name: "s", query: "q", paramTypes: [23, 0] },
      sqlPrefix: "EXECUTE ",
      sqlSuffix: "(1)",
      forceUnnamedParse: true,
    },
    passthroughRow: true,
  }),
  `0a 06 0a 01 'a' 12 01 'b'
   12 01 'u'
   18 03
   20 ffffffffffffffffff01
   2a 06 0a 01 c1 12 01 c2
   30 06
   3a 1d
     0a 0a 0a 01 's' 12 01 'q' 1a 02 17 00
     12 08 'EXECUTE '
     1a 03 '(1)'
     20 01
   40 01`,
);

pin(
  "ReservationOptions: every field",
  ReservationOptions,
  {
    reasons: 1,
    beginQuery: "BEGIN",
    pinPortalNames: ["p"],
    releasePortalNames: ["q", ""],
    recheckAdvisoryLocks: true,
  },
  "08 01  12 05 'BEGIN'  1a 01 'p'  22 01 'q' 22 00  28 01",
);

test("lengths of a row may come unpacked", () => {
  expect(Row.decode(wire("08 02 08 01"))).toEqual(Row.create({ lengths: [1n, -1n] }));
});

test("a decoded block is a view of the bytes that came in, not a copy", () => {
  const bytes = wire(`3a 10 ${DATA_ROW}`);
  const { passthroughBlock } = QueryResult.decode(bytes);
  expect(passthroughBlock.buffer).toBe(bytes.buffer);
  expect(passthroughBlock.byteOffset).toBe(bytes.byteOffset + 2);
});
