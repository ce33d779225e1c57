import { Server, ServerCredentials } from "@grpc/grpc-js";
import { addService } from "../src/server/grpc-js-adapter.ts";
import { limitRequests } from "../src/server/grpc-request-limit.ts";
import { ReceivingBytes } from "../src/server/receiving-bytes.ts";
import type { BidiStreamHandler } from "../src/server/rpc.ts";
import { bidiStream, bindService } from "../src/server/service-binding.ts";
import { UnsentBytes } from "../src/server/unsent-bytes.ts";

const MIB = 1_048_576;

/** A server of the one method {@link ECHO_PATH}, whose messages are texts. */
export interface EchoServer extends AsyncDisposable {
  readonly port: number;
  readonly receiving: ReceivingBytes;
  /** The messages that were logged. */
  readonly log: readonly string[];
}

export const ECHO_PATH = "/test.Echo/Echo";

const echo = {
  name: "Echo",
  requestType: { decode: decodeText },
  requestStream: true,
  responseStream: true,
} as const;

export async function startEchoServer(
  handle: BidiStreamHandler<string, string>,
): Promise<EchoServer> {
  const receiving = new ReceivingBytes({ limitBytes: 4 * MIB, timeoutMs: 30_000 });
  const server = new Server({ interceptors: [limitRequests({ receiving, maxMessageBytes: MIB })] });
  const service = bindService({ fullName: "test.Echo", methods: { echo } }, [
    bidiStream(echo, (text: string) => Buffer.from(text), handle),
  ]);
  const log: string[] = [];
  const note = (_fields: object, message: string): void => void log.push(message);
  const logger = { debug: note, info: note, warn: note, error: note };
  const unsent = new UnsentBytes(64 * MIB);
  addService(server, service, { maxMessageBytes: MIB, unsent, logger });
  const bound = Promise.withResolvers<number>();
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
    error === null ? bound.resolve(port) : bound.reject(error),
  );
  return {
    port: await bound.promise,
    receiving,
    log,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
      receiving.close();
      await Promise.resolve();
    },
  };
}

function decodeText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString();
  if (text === "malformed") {
    throw new TypeError("not a text");
  }
  return text;
}
