import { expect, test } from "vitest";
import { Status } from "../src/gen/google/rpc/status.ts";
import { CallerID, Code, RPCError } from "../src/gen/multigres/mtrpc.ts";
import { PgDiagnostic } from "../src/gen/multigres/query.ts";
import { pin, wire } from "./wire.ts";

pin(
  "RPCError: every field",
  RPCError,
  {
    message: "m",
    code: Code.PRE_EXECUTION_UNAVAILABLE,
    pgDiagnostic: PgDiagnostic.create({ code: "57P03" }),
  },
  "0a 01 'm'  10 13  1a 07 12 05 '57P03'",
);

test("an RPCError without a diagnostic differs from one with an empty diagnostic", () => {
  expect(RPCError.decode(wire("10 02")).pgDiagnostic).toBeUndefined();
  expect(RPCError.decode(wire("10 02 1a 00")).pgDiagnostic).toEqual(PgDiagnostic.create());
});

pin(
  "google.rpc.Status: what grpc-status-details-bin carries",
  Status,
  {
    code: 2,
    message: "m",
    details: [{ typeUrl: "type.googleapis.com/mtrpc.RPCError", value: wire("10 13") }],
  },
  "08 02  12 01 'm'  1a 28 0a 22 'type.googleapis.com/mtrpc.RPCError' 12 02 10 13",
);

pin(
  "CallerID: every field",
  CallerID,
  { principal: "p", component: "c", subcomponent: "s", groups: ["g"] },
  "0a 01 'p'  12 01 'c'  1a 01 's'  22 01 'g'",
);
