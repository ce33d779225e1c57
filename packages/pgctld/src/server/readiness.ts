import { connect } from "node:net";
import { onAbort } from "@multipooler/timing";

/**
 * What a server answers to a connection:
 *
 * | answer    | means                                                           |
 * | --------- | --------------------------------------------------------------- |
 * | accepting | it asks for a proof of the user, lets it in, or refuses the user |
 * | rejecting | it starts up, shuts down or recovers (57P03)                     |
 * | none      | nothing listens, or nothing came in time                         |
 */
export type Readiness = "accepting" | "rejecting" | "none";

const PROTOCOL_3 = 196_608;
const SQLSTATE_CANNOT_CONNECT_NOW = "57P03";
/** More than an ErrorResponse of this kind has. */
const MAX_ANSWER_BYTES = 8192;

/** Whom to ask, and for how long. */
export interface ReadinessQuestion {
  /** Path of the unix socket. */
  readonly socketPath: string;
  readonly user: string;
  readonly timeoutMs: number;
}

/** Begins a login on the unix socket and hangs up with the first answer, as `pg_isready` does. */
export async function askReadiness(
  { socketPath, user, timeoutMs }: ReadinessQuestion,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Readiness> {
  const { promise, resolve } = Promise.withResolvers<Readiness>();
  const socket = connect({ path: socketPath });
  socket.setTimeout(timeoutMs, () => resolve("none"));
  socket.on("error", () => resolve("none"));
  socket.on("close", () => resolve("none"));
  const stopListening = onAbort(signal, () => resolve("none"));
  let answer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    answer = Buffer.concat([answer, chunk]);
    const readiness = readAnswer(answer);
    if (readiness !== undefined) {
      resolve(readiness);
    }
  });
  socket.write(startupMessage(user));
  try {
    return await promise;
  } finally {
    stopListening();
    socket.destroy();
  }
}

function startupMessage(user: string): Buffer {
  const parameters = Buffer.from(`user\0${user}\0database\0postgres\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + parameters.length, 0);
  head.writeInt32BE(PROTOCOL_3, 4);
  return Buffer.concat([head, parameters]);
}

/** `undefined`: the answer is not complete. */
function readAnswer(answer: Buffer): Readiness | undefined {
  if (answer.length < 5) {
    return undefined;
  }
  if (answer.toString("latin1", 0, 1) !== "E") {
    return "accepting";
  }
  const length = answer.readInt32BE(1);
  if (length > MAX_ANSWER_BYTES) {
    return "accepting";
  }
  if (answer.length < 1 + length) {
    return undefined;
  }
  const fields = answer.toString("utf8", 5, 1 + length).split("\0");
  return fields.includes(`C${SQLSTATE_CANNOT_CONNECT_NOW}`) ? "rejecting" : "accepting";
}
