import type { PoolerClient, RequestOptions } from "@multipooler/grpc-services/client";

/** A call of the pooler as it was made. */
export interface RecordedCall {
  /** The name of the method, e.g. "streamExecute". */
  readonly method: string;
  readonly request: unknown;
  /** Its deadline; `undefined` for none. */
  readonly timeoutMs: number | undefined;
}

/** A client that tells of each call before it makes it. */
export function recordingClient(
  client: PoolerClient,
  onCall: (call: RecordedCall) => void,
): PoolerClient {
  const tell = (method: string, request: unknown, options: RequestOptions = {}): void => {
    onCall({ method, request, timeoutMs: options.timeoutMs });
  };
  return {
    ...client,
    streamPoolerHealth: (options) => {
      tell("streamPoolerHealth", {}, options);
      return client.streamPoolerHealth(options);
    },
    getAuthCredentials: (request, options) => {
      tell("getAuthCredentials", request, options);
      return client.getAuthCredentials(request, options);
    },
    streamExecute: (request, options) => {
      tell("streamExecute", request, options);
      return client.streamExecute(request, options);
    },
    portalStreamExecute: (request, options) => {
      tell("portalStreamExecute", request, options);
      return client.portalStreamExecute(request, options);
    },
    copyBidiExecute: (requests, options) => {
      tell("copyBidiExecute", undefined, options);
      return client.copyBidiExecute(requests, options);
    },
    notificationStream: (requests, options) => {
      tell("notificationStream", undefined, options);
      return client.notificationStream(requests, options);
    },
    describe: (request, options) => {
      tell("describe", request, options);
      return client.describe(request, options);
    },
    concludeTransaction: (request, options) => {
      tell("concludeTransaction", request, options);
      return client.concludeTransaction(request, options);
    },
    discardTempTables: (request, options) => {
      tell("discardTempTables", request, options);
      return client.discardTempTables(request, options);
    },
    releaseReservedConnection: (request, options) => {
      tell("releaseReservedConnection", request, options);
      return client.releaseReservedConnection(request, options);
    },
  };
}
