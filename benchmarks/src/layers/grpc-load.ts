import { Client, credentials } from "@grpc/grpc-js";
import { StreamExecuteRequest } from "@multipooler/proto/multipoolerservice";
import { runLoad } from "./load.ts";
import type { Caller } from "./load.ts";
import { Statements } from "./statements.ts";
import type { Subject } from "./subject.ts";

const asIs = (bytes: Buffer): Buffer => bytes;

/** Callers of one server-streaming method, with messages that stay bytes on this side. */
export function openGrpcCallers(address: string, path: string, callers: number): Subject {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  const statements = new Statements(requestOf);
  const all = Array.from({ length: callers }, () => callerOf(client, path));
  return {
    run: (load) => runLoad(load, statements, all),
    close: () => {
      client.close();
      return Promise.resolve();
    },
  };
}

function requestOf(query: string): Buffer {
  const request = StreamExecuteRequest.fromPartial({ query, options: { passthroughRow: true } });
  return Buffer.from(StreamExecuteRequest.encode(request).finish());
}

function callerOf(client: Client, path: string): Caller<Buffer> {
  return (bytes) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stream = client.makeServerStreamRequest(path, asIs, asIs, bytes);
    stream.on("data", () => undefined);
    stream.on("end", resolve);
    stream.on("error", reject);
    return promise;
  };
}
