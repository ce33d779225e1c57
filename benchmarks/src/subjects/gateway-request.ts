import {
  ConcludeTransactionRequest,
  PortalStreamExecuteRequest,
  StreamExecuteRequest,
  StreamExecuteResponse,
  TransactionConclusion,
} from "@multipooler/proto/multipoolerservice";
import { ReservationReason } from "@multipooler/query-service";
import type { Work } from "./work.ts";

/** What a gateway sends in every request: the settings of its client among others. */
export const SETTINGS = { application_name: "bench" };
/** What a transaction begins with. */
export const BEGIN = "begin";

/** The methods that are called. */
export const PATHS = {
  statement: "/multipoolerservice.MultipoolerService/StreamExecute",
  prepared: "/multipoolerservice.MultipoolerService/PortalStreamExecute",
  conclusion: "/multipoolerservice.MultipoolerService/ConcludeTransaction",
} as const;

/** One call. */
export interface GatewayRequest {
  readonly path: string;
  readonly bytes: Buffer;
}

/** The requests for a piece of work. In a transaction all but the first name what that one reserved. */
export type GatewayRequests =
  | { readonly type: "single"; readonly request: GatewayRequest }
  | {
      readonly type: "transaction";
      readonly first: GatewayRequest;
      readonly others: readonly LaterRequest[];
      readonly conclusion: LaterRequest;
    };

type LaterRequest = (reservedConnectionId: bigint) => GatewayRequest;

/** What a gateway makes of `work` that its client `user` sends. */
export function gatewayRequests(user: string, work: Work): GatewayRequests {
  switch (work.type) {
    case "simple":
      return { type: "single", request: statementRequest(user, { query: work.sql }) };
    case "prepared":
      return { type: "single", request: portalRequest(user, work) };
    case "transaction": {
      const [first = "", ...others] = work.statements;
      const reservationOptions = { reasons: ReservationReason.Transaction, beginQuery: BEGIN };
      return {
        type: "transaction",
        first: statementRequest(user, { query: first, reservationOptions }),
        others: others.map((query) => (id) => statementRequest(user, { query }, id)),
        conclusion: (id) => conclusionRequest(user, id),
      };
    }
  }
}

/** The connection that an answer to a statement says is reserved; the last one of a stream does. */
export function reservedIdIn(answer: Buffer): bigint | undefined {
  return StreamExecuteResponse.decode(answer).reservedState?.reservedConnectionId;
}

function origin(user: string, reservedConnectionId: bigint) {
  return {
    target: { shardKey: { database: "postgres" } },
    callerId: { principal: user },
    options: { user, sessionSettings: SETTINGS, reservedConnectionId, passthroughRow: true },
  };
}

function statementRequest(
  user: string,
  message: Parameters<typeof StreamExecuteRequest.fromPartial>[0],
  reservedConnectionId = 0n,
): GatewayRequest {
  const whole = { ...origin(user, reservedConnectionId), ...message };
  const request = StreamExecuteRequest.fromPartial(whole);
  return { path: PATHS.statement, bytes: bufferOf(StreamExecuteRequest.encode(request)) };
}

function portalRequest(
  user: string,
  { sql, parameter }: Extract<Work, { type: "prepared" }>,
): GatewayRequest {
  const paramValues = Buffer.from(parameter);
  const request = PortalStreamExecuteRequest.fromPartial({
    ...origin(user, 0n),
    preparedStatement: { name: "stmt1", query: sql },
    portal: {
      preparedStatementName: "stmt1",
      paramLengths: [BigInt(paramValues.length)],
      paramValues,
    },
    portalOptions: { includeDescribe: true },
  });
  return { path: PATHS.prepared, bytes: bufferOf(PortalStreamExecuteRequest.encode(request)) };
}

function conclusionRequest(user: string, id: bigint): GatewayRequest {
  const request = ConcludeTransactionRequest.fromPartial({
    ...origin(user, id),
    conclusion: TransactionConclusion.TRANSACTION_CONCLUSION_COMMIT,
    rollbackSessionSettings: { vars: SETTINGS },
  });
  return { path: PATHS.conclusion, bytes: bufferOf(ConcludeTransactionRequest.encode(request)) };
}

function bufferOf(writer: { finish(): Uint8Array }): Buffer {
  return Buffer.from(writer.finish());
}
