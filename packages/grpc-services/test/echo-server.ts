import { StallWatch, systemClock } from "@multipooler/timing";
import { CallDeadlines } from "../src/server/call/call-deadlines.ts";
import { CallRoutes } from "../src/server/call/call-routes.ts";
import { CallTimes } from "../src/server/call/call-times.ts";
import { ReceivingBytes } from "../src/server/call/receiving-bytes.ts";
import { UnsentBytes } from "../src/server/call/unsent-bytes.ts";
import { GrpcPort } from "../src/server/connection/grpc-port.ts";
import { Http2Connections } from "../src/server/connection/http2-connections.ts";
import type { RequestReader } from "../src/server/request-reader.ts";
import type { BidiStreamHandler } from "../src/server/rpc.ts";
import { bidiStream, bindService } from "../src/server/service-binding.ts";

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
  const deadlines = new CallDeadlines(systemClock);
  const service = bindService({ fullName: "test.Echo", methods: { echo } }, [
    bidiStream(echo, (text: string) => Buffer.from(text), handle),
  ]);
  const log: string[] = [];
  const note = (_fields: object, message: string): void => void log.push(message);
  const logger = { debug: note, info: note, warn: note, error: note };
  const routes = new CallRoutes({
    services: [service],
    subjects: undefined,
    times: new CallTimes(),
    access: undefined,
    limits: {
      maxMessageBytes: MIB,
      unsent: new UnsentBytes(64 * MIB),
      receiving,
      deadlines,
      stalls: new StallWatch({ clock: systemClock, limitMs: 0 }),
      logger,
    },
  });
  const times = { keepaliveIntervalMs: 10_000, keepaliveTimeoutMs: 10_000 };
  const port = await GrpcPort.open({
    connections: new Http2Connections({
      times: () => ({ ...times, maxAgeMs: undefined, maxAgeGraceMs: undefined }),
      onStream: routes.onStream,
      clock: systemClock,
      random: Math.random,
    }),
    host: "127.0.0.1",
    port: 0,
    socketFile: undefined,
    connectionLimit: undefined,
    tls: undefined,
    logger,
  });
  return {
    port: port.port,
    receiving,
    log,
    async [Symbol.asyncDispose]() {
      const closed = port.shutDown();
      port.cut();
      await closed;
      receiving.close();
      deadlines.close();
    },
  };
}

function decodeText({ message }: RequestReader): string {
  const text = Buffer.from(message).toString();
  if (text === "malformed") {
    throw new TypeError("not a text");
  }
  return text;
}
