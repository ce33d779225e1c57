import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServerWritableStream } from "@grpc/grpc-js";
import { MARKS } from "./statements.ts";
import type { CaseName } from "./statements.ts";

export const ECHO_PATH = "/bench.Echo/Stream";

/** As large as the one message that StreamExecute answers in each case. */
const ANSWERS: Readonly<Record<CaseName, Buffer>> = {
  select: Buffer.alloc(64, "x"),
  update: Buffer.alloc(24, "x"),
  rows: Buffer.alloc(260_000, "x"),
};

const asIs = (bytes: Buffer): Buffer => bytes;

/** A grpc-js server that answers at once, without a database: what gRPC alone costs. */
export async function openEchoServer(): Promise<{ address: string; close: () => Promise<void> }> {
  const server = new Server();
  const stream = (call: ServerWritableStream<Buffer, Buffer>): void => {
    call.write(ANSWERS[caseOf(call.request)]);
    call.end();
  };
  const method = {
    path: ECHO_PATH,
    requestStream: false,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  server.addService({ stream: method }, { stream });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    close: () => new Promise((resolve) => server.tryShutdown(() => resolve())),
  };
}

function caseOf(request: Buffer): CaseName {
  if (request.includes(MARKS.rows, 0, "latin1")) {
    return "rows";
  }
  return request.includes(MARKS.update, 0, "latin1") ? "update" : "select";
}
