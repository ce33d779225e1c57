import { connect } from "node:http2";
import type { IncomingHttpHeaders } from "node:http2";

const PATH = "/multipoolerservice.MultipoolerService/ExecuteQuery";
/** Field 1, the query, a string. */
const QUERY_FIELD = 0x0a;
const FRAME_HEADER_BYTES = 5;

/** A request with this statement as it is on the wire, to be sent as often as wanted. */
export function statementFrame(sql: string): Buffer {
  const text = Buffer.from(sql);
  const message = Buffer.concat([Buffer.from([QUERY_FIELD]), varint(text.length), text]);
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** Sends a request as a client with a connection of its own; resolves with gRPC's trailers. */
export async function sendStatement(address: string, frame: Buffer): Promise<IncomingHttpHeaders> {
  const session = connect(`http://${address}`);
  const call = session.request({
    ":method": "POST",
    ":path": PATH,
    "content-type": "application/grpc",
    te: "trailers",
  });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingHttpHeaders>();
  // An error without an answer has its status in the headers.
  call.on("response", (headers) => headers["grpc-status"] !== undefined && resolve(headers));
  call.on("trailers", resolve);
  call.on("error", reject);
  call.resume();
  call.end(frame);
  try {
    return await promise;
  } finally {
    session.destroy();
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) {
    bytes.push((left & 0x7f) | 0x80);
  }
  return Buffer.from([...bytes, left]);
}
