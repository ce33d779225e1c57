import { GrpcStatusError } from "@multipooler/grpc-services/client";

/** What grpc-js says when there is no connection, or no more; the pooler says none of it. */
const NO_CONNECTION =
  /^(?:No connection established|Name resolution failed|Connection dropped|read E|The server disconnected)/;
/** What else it says where something that is no gRPC server has answered. */
const NO_GRPC = /Protocol error|Failed to connect|Parse Error/;

/** Words for what is found in it, the first that fits. */
const REASONS: readonly (readonly [sign: RegExp, reason: string])[] = [
  [/ECONNREFUSED/, "nothing listens there"],
  [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, "no such host is known"],
  [/EHOSTUNREACH|ENETUNREACH/, "there is no way to that host"],
  [/ETIMEDOUT/, "the host does not answer"],
  [/disconnected before secure TLS|wrong version number|packet length/, "it does not speak TLS"],
  [/ECONNRESET|socket hang up|dropped|disconnected/, "the connection was cut"],
  [
    NO_GRPC,
    "what listens there does not speak gRPC, or asks for TLS (--tls-ca); the port is that of --grpc-port",
  ],
];

/** One line on a call that failed without an error of PostgreSQL, in an operator's words. */
export function callFault(error: GrpcStatusError, address: string): string {
  switch (error.code) {
    case "UNAVAILABLE":
      return NO_CONNECTION.test(error.message)
        ? `cannot reach the pooler at ${address}: ${reasonOf(error.message)}`
        : error.message;
    case "DEADLINE_EXCEEDED":
      return /^Deadline exceeded/i.test(error.message)
        ? `the pooler at ${address} did not answer within --timeout`
        : error.message;
    default:
      return error.message;
  }
}

function reasonOf(message: string): string {
  const found = REASONS.find(([sign]) => sign.test(message));
  if (found !== undefined) {
    return found[1];
  }
  // Node's own words, as for a certificate, without what grpc-js has put around them.
  return (
    /Last error: (?:Error: )?(.*?)\.? *(?:Resolution note:.*)?$/s.exec(message)?.[1] ?? message
  );
}

/** What is said of a pooler that does not answer and may do so again; `undefined` for another error. */
export function passingFault(error: unknown, address: string): string | undefined {
  const isPassing =
    error instanceof GrpcStatusError &&
    (error.code === "UNAVAILABLE" || error.code === "DEADLINE_EXCEEDED");
  return isPassing ? callFault(error, address) : undefined;
}
