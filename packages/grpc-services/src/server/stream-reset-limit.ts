/**
 * How many streams a client may cancel at once, and how many a second after that. Node's own limit
 * is 1000 and 33: beyond it the whole connection is closed.
 */
const RESET_LIMIT = { streamResetBurst: 100_000, streamResetRate: 10_000 };

/**
 * Lets a gateway cancel more than a handful of statements. It has one connection for all of them,
 * so when a database stalls and a thousand statements reach their timeout together, Node would take
 * that for an attack and end the others as well.
 *
 * grpc-js has no option for it; it keeps what it gives to `http2.createServer` in a property that
 * must be changed before the server gets a port. A test notices when that is no longer so.
 *
 * @see https://nodejs.org/docs/latest-v24.x/api/http2.html#http2createserveroptions-onrequesthandler
 */
export function raiseStreamResetLimit(grpcJsServer: object): void {
  const http2Options: unknown = Reflect.get(grpcJsServer, "commonServerOptions");
  if (typeof http2Options === "object" && http2Options !== null) {
    Object.assign(http2Options, RESET_LIMIT);
  }
}
