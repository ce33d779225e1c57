import { expect, test } from "vitest";
import { RoutingRole } from "../src/gen/multigres/clustermetadata.ts";
import {
  ConcludeTransactionRequest,
  CopyBidiExecuteRequest,
  CopyBidiExecuteRequest_Direction,
  CopyBidiExecuteRequest_Phase,
  CopyBidiExecuteResponse,
  ExecuteQueryRequest,
  ExecuteQueryResponse,
  MultipoolerServiceDefinition,
  NotificationStreamResponse,
  PortalStreamExecuteRequest,
  StreamExecuteRequest,
  StreamExecuteResponse,
  StreamPoolerHealthResponse,
  StreamReplicationResponse,
} from "../src/gen/multigres/multipoolerservice.ts";
import { pin, wire } from "./wire.ts";

test("the service has its name and its methods", () => {
  const { fullName, methods } = MultipoolerServiceDefinition;
  expect(fullName).toBe("multipoolerservice.MultipoolerService");
  const shapes = Object.values(methods).map(
    ({ name, requestStream, responseStream }) =>
      `${name} ${requestStream ? "stream" : "one"} ${responseStream ? "stream" : "one"}`,
  );
  expect(shapes).toEqual([
    "ExecuteQuery one one",
    "StreamExecute one stream",
    "PortalStreamExecute one stream",
    "Describe one one",
    "GetAuthCredentials one one",
    "CopyBidiExecute stream stream",
    "StreamReplication stream stream",
    "ConcludeTransaction one one",
    "DiscardTempTables one one",
    "ReleaseReservedConnection one one",
    "StreamPoolerHealth one stream",
    "NotificationStream stream stream",
  ]);
});

pin(
  "ExecuteQueryRequest: every field",
  ExecuteQueryRequest,
  ExecuteQueryRequest.create({
    query: "q",
    target: { mode: 1 },
    maxRows: 3n,
    callerId: { principal: "p" },
    options: { user: "u" },
  }),
  "0a 01 'q'  12 02 28 01  18 03  22 03 0a 01 'p'  2a 03 12 01 'u'",
);

pin(
  "ExecuteQueryResponse: the reservation is 5",
  ExecuteQueryResponse,
  ExecuteQueryResponse.create({
    result: { commandTag: "BEGIN" },
    reservedState: { reservedConnectionId: 7n },
  }),
  "0a 07 22 05 'BEGIN'  2a 02 08 07",
);

pin(
  "StreamExecuteRequest: every field",
  StreamExecuteRequest,
  StreamExecuteRequest.create({
    query: "q",
    target: { mode: 1 },
    callerId: { principal: "p" },
    options: { passthroughRow: true },
    reservationOptions: { reasons: 1 },
  }),
  "0a 01 'q'  12 02 28 01  1a 03 0a 01 'p'  22 02 40 01  2a 02 08 01",
);

pin(
  "StreamExecuteResponse: a result",
  StreamExecuteResponse,
  StreamExecuteResponse.create({
    result: { payload: { $case: "result", value: { commandTag: "BEGIN" } } },
  }),
  "0a 09 0a 07 22 05 'BEGIN'",
);

pin(
  "StreamExecuteResponse: a reservation alone",
  StreamExecuteResponse,
  StreamExecuteResponse.create({ reservedState: { reservedConnectionId: 7n } }),
  "2a 02 08 07",
);

pin(
  "PortalStreamExecuteRequest: every field",
  PortalStreamExecuteRequest,
  PortalStreamExecuteRequest.create({
    target: { mode: 1 },
    preparedStatement: { query: "q" },
    portal: {
      name: "n",
      preparedStatementName: "s",
      paramLengths: [1n, -1n],
      paramValues: wire("31"),
      paramFormats: [0, 1],
      resultFormats: [1],
    },
    callerId: { principal: "p" },
    options: { maxRows: 5n },
    portalOptions: { includeDescribe: true },
    reservationOptions: { reasons: 4 },
  }),
  `0a 02 28 01
   12 03 12 01 'q'
   1a 14 0a 01 'n' 12 01 's' 1a 02 02 01 22 01 31 2a 02 00 01 32 01 01
   22 03 0a 01 'p'
   2a 02 18 05
   32 02 08 01
   3a 02 08 04`,
);

pin(
  "CopyBidiExecuteRequest: every field",
  CopyBidiExecuteRequest,
  CopyBidiExecuteRequest.create({
    phase: CopyBidiExecuteRequest_Phase.FAIL,
    direction: CopyBidiExecuteRequest_Direction.TO_STDOUT,
    query: "q",
    target: { mode: 1 },
    callerId: { principal: "p" },
    options: { user: "u" },
    data: wire("ff"),
    errorMessage: "e",
    reservationOptions: { reasons: 1 },
  }),
  `08 03  48 01  12 01 'q'  1a 02 28 01  22 03 0a 01 'p'  2a 03 12 01 'u'  32 01 ff  3a 01 'e'
   42 02 08 01`,
);

pin(
  "CopyBidiExecuteResponse: every field",
  CopyBidiExecuteResponse,
  CopyBidiExecuteResponse.create({
    phase: 3,
    reservedState: { reservedConnectionId: 7n },
    format: 1,
    columnFormats: [1, 0],
    data: wire("ff"),
    result: { rowsAffected: 2n },
    error: "e",
    notices: [{ code: "00000" }],
    errorDiagnostic: { code: "22P04" },
  }),
  `08 03  52 02 08 07  20 01  42 02 01 00  2a 01 ff  32 02 10 02  3a 01 'e'
   5a 07 12 05 '00000'  62 07 12 05 '22P04'`,
);

pin(
  "ConcludeTransactionRequest: no snapshot is not an empty one",
  ConcludeTransactionRequest,
  ConcludeTransactionRequest.create({
    options: { reservedConnectionId: 7n },
    conclusion: 2,
    releasePortalNames: ["p"],
    releaseAllPortals: true,
    chain: true,
    rollbackSessionSettings: {},
  }),
  "1a 02 20 07  20 02  2a 01 'p'  30 01  38 01  42 00",
);

pin(
  "StreamPoolerHealthResponse: every field",
  StreamPoolerHealthResponse,
  StreamPoolerHealthResponse.create({
    poolerId: { name: "p" },
    servingStatus: 4,
    routingState: { role: RoutingRole.ROUTING_ROLE_REPLICA },
    recommendedStalenessTimeout: { seconds: 90n, nanos: 0 },
    replicationLagNs: 2n ** 63n - 1n,
  }),
  "12 03 1a 01 'p'  18 04  22 02 08 02  2a 02 08 5a  30 ffffffffffffffff7f",
);

pin(
  "StreamReplicationResponse: bytes",
  StreamReplicationResponse,
  { msg: { $case: "data", value: wire("77") } },
  "12 01 77",
);

pin(
  "NotificationStreamResponse: every field",
  NotificationStreamResponse,
  { notification: { pid: 9, channel: "c", payload: "p" }, ready: true },
  "0a 08 08 09 12 01 'c' 1a 01 'p'  10 01",
);
