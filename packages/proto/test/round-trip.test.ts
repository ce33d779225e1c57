import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ID_ComponentType, Multipooler, PoolerType } from "../src/gen/multigres/clustermetadata.ts";
import { StreamExecuteRequest } from "../src/gen/multigres/multipoolerservice.ts";
import { Code, RPCError } from "../src/gen/multigres/mtrpc.ts";
import { PgDiagnostic, QueryResult, ReservedState } from "../src/gen/multigres/query.ts";
import type { Codec } from "./wire.ts";
import { wire } from "./wire.ts";

const text = fc.string({ unit: "grapheme" });
const bytes = fc.uint8Array();
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
// A key that names the prototype is dropped: clustermetadata.test.ts.
const key = text.filter((name) => name !== "__proto__");

const id = fc.record({
  component: fc.constantFrom(...Object.values(ID_ComponentType)),
  cell: text,
  name: text,
});

const diagnostic: fc.Arbitrary<PgDiagnostic> = fc
  .record({ messageType: int32, severity: text, code: text, message: text, position: int32 })
  .map((fields) => PgDiagnostic.create(fields));

const queryResult = fc
  .record({
    rowsAffected: uint64,
    rows: fc.array(fc.record({ lengths: fc.array(int64), values: bytes })),
    commandTag: text,
    hasFields: fc.boolean(),
    notices: fc.array(diagnostic),
    passthroughBlock: bytes,
    passthroughRowCount: uint32,
    parameterStatus: fc.dictionary(key, text, { noNullPrototype: true }),
  })
  .map((fields) => QueryResult.create(fields));

const reservedState = fc
  .record({ reservedConnectionId: uint64, poolerId: id, reservationReasons: uint32 })
  .map((fields) => ReservedState.create(fields));

const multipooler = fc
  .record({
    id,
    type: fc.constantFrom(...Object.values(PoolerType)),
    hostname: text,
    portMap: fc.dictionary(key, int32, { noNullPrototype: true }),
    lifecycleStatus: fc.record({
      reason: text,
      updated: fc.date({ min: new Date(0), noInvalidDate: true }),
    }),
    routingState: fc.record({ rule: fc.record({ coordinatorTerm: int64, leaderSubterm: int64 }) }),
  })
  .map((fields) => Multipooler.create(fields));

const streamExecuteRequest = fc
  .record({
    query: text,
    options: fc.record({
      sessionSettings: fc.dictionary(key, text, { noNullPrototype: true }),
      reservedConnectionId: uint64,
      userAuth: fc.record({ clientKey: bytes, serverKey: bytes }),
    }),
    reservationOptions: fc.record({ reasons: uint32, pinPortalNames: fc.array(text) }),
  })
  .map((fields) => StreamExecuteRequest.create(fields));

const rpcError = fc
  .record({
    message: text,
    code: fc.constantFrom(...Object.values(Code)),
    pgDiagnostic: fc.option(diagnostic, { nil: undefined }),
  })
  .map((fields) => RPCError.create(fields));

/** Fields that no message here has, one of each wire type, a group in the end. */
const unknownFields = wire(`
  c03e 07                    # 1000, varint
  c93e 0102030405060708      # 1001, 64 bits
  d23e 02 'ab'               # 1002, bytes
  dd3e 01020304              # 1003, 32 bits
  e33e 08 01 e43e            # 1004, group`);

function survives<T>(name: string, codec: Codec<T>, messages: fc.Arbitrary<T>): void {
  describe(`a ${name}`, () => {
    test("is decoded to what was encoded", () => {
      fc.assert(
        fc.property(messages, (message) => {
          expect(codec.decode(codec.encode(message).finish())).toEqual(message);
        }),
      );
    });

    test("does not mind fields that it does not know", () => {
      fc.assert(
        fc.property(messages, (message) => {
          const known = codec.encode(message).finish();
          const all = Buffer.concat([unknownFields, known, unknownFields]);
          expect(codec.decode(new Uint8Array(all))).toEqual(message);
        }),
      );
    });

    test("is never read beyond the bytes that are there", () => {
      fc.assert(
        fc.property(messages, fc.nat(), (message, cut) => {
          const encoded = codec.encode(message).finish();
          const length = cut % (encoded.length + 1);
          const inside = new Uint8Array(length + 64).fill(0x22);
          inside.set(encoded.subarray(0, length));
          expect(outcome(codec, inside.subarray(0, length))).toEqual(
            outcome(codec, encoded.slice(0, length)),
          );
        }),
      );
    });
  });
}

/** The message, or that the bytes were refused. */
function outcome<T>(codec: Codec<T>, encoded: Uint8Array): T | "refused" {
  try {
    return codec.decode(encoded);
  } catch {
    return "refused";
  }
}

survives("QueryResult", QueryResult, queryResult);
survives("ReservedState", ReservedState, reservedState);
survives("Multipooler", Multipooler, multipooler);
survives("StreamExecuteRequest", StreamExecuteRequest, streamExecuteRequest);
survives("RPCError", RPCError, rpcError);
