import { setLogger } from "@grpc/grpc-js";
import { LimitedLogger } from "@multipooler/logging";
import type { Logger } from "../logger.ts";

/** What is worth keeping of a text that a client may have chosen. */
const MAX_CHARACTERS = 500;

/**
 * Sends the messages of grpc-js itself to `logger` instead of standard error. A client can cause one
 * with each call, e.g. by a header that is not ASCII, so that warnings are logged at most once a
 * minute, with their number. grpc-js has one logger for the whole process: the program calls this,
 * not a server. Disposing logs the last number.
 */
export function logGrpcLibrary(logger: Logger): Disposable {
  const limited = new LimitedLogger(logger);
  const warn = (text: unknown): void => {
    limited.warn({ text: String(text).slice(0, MAX_CHARACTERS) }, "grpc-js has a complaint");
  };
  const debug = (text: unknown): void => {
    logger.debug({ text: String(text).slice(0, MAX_CHARACTERS) }, "grpc-js traces");
  };
  setLogger({ error: warn, info: debug, debug });
  return { [Symbol.dispose]: () => limited.flush() };
}
