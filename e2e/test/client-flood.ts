import { connect as connectHttp2 } from "node:http2";
import type { ClientHttp2Session, OutgoingHttpHeaders } from "node:http2";
import { connect } from "node:net";

/** Calls that a client can make as often as it likes, each of them wrong in one way. */
export const floods: Readonly<Record<string, (address: string, count: number) => Promise<void>>> = {
  "a header that is not ASCII": (address, count) =>
    calls(address, count, { "x-name": "Bj\u00f6rn" }),
  "a header that is not ASCII, with another name each time": (address, count) =>
    calls(address, count, (call) => ({ [`x-name-${call}`]: "Bj\u00f6rn" })),
  "a deadline that is none": (address, count) => calls(address, count, { "grpc-timeout": "soon" }),
  "a compression that is not known": (address, count) =>
    calls(address, count, { "grpc-encoding": "best" }),
  "a content type that is not gRPC's": (address, count) =>
    calls(address, count, { "content-type": "text/plain" }),
  "a method that does not exist": (address, count) =>
    calls(address, count, { ":path": "/multipoolerservice.MultipoolerService/Nothing" }),
  "a request that is no message": (address, count) =>
    calls(address, count, {}, Buffer.from([0, 0, 0, 0, 3, 0xff, 0xff, 0xff])),
  "a request that is larger than allowed": (address, count) =>
    calls(address, count, {}, Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 0])),
  "a connection that does not speak HTTP/2": async (address, count) => {
    for (let call = 0; call < count; call += 1) {
      await speakNonsense(address);
    }
  },
};

/** A message without bytes. */
const EMPTY_MESSAGE = Buffer.alloc(5);

async function calls(
  address: string,
  count: number,
  headers: OutgoingHttpHeaders | ((call: number) => OutgoingHttpHeaders),
  body: Buffer = EMPTY_MESSAGE,
): Promise<void> {
  const session = connectHttp2(`http://${address}`);
  try {
    for (let call = 0; call < count; call += 1) {
      await callOnce(session, typeof headers === "function" ? headers(call) : headers, body);
    }
  } finally {
    session.close();
  }
}

/** Resolves when the call has ended, with whatever. */
async function callOnce(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body: Buffer,
): Promise<void> {
  const call = session.request({
    ":method": "POST",
    ":path": "/multipoolerservice.MultipoolerService/ExecuteQuery",
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  call.once("close", resolve);
  call.on("error", () => undefined);
  call.resume();
  call.end(body);
  await promise;
}

/** Resolves when the server has closed the connection. */
async function speakNonsense(address: string): Promise<void> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect(Number(port), host);
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("close", () => resolve());
  socket.on("error", () => undefined);
  socket.resume();
  socket.end("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await promise;
}
