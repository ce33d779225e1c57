import { setLogger } from "@grpc/grpc-js";
import type { Logger } from "../logger.ts";

/** What is worth keeping of a text that a client may have chosen. */
const MAX_CHARACTERS = 500;

/**
 * Sends what grpc-js itself has to say to `logger` instead of standard error, where it would print
 * e.g. each header of a client that is not ASCII. It has one logger for the whole process, so this
 * is for the program to decide, not for a server.
 */
export function logGrpcLibrary(logger: Logger): void {
  const warn = (text: unknown): void => {
    logger.warn({ text: String(text).slice(0, MAX_CHARACTERS) }, "grpc-js has a complaint");
  };
  const debug = (text: unknown): void => {
    logger.debug({ text: String(text).slice(0, MAX_CHARACTERS) }, "grpc-js traces");
  };
  setLogger({ error: warn, info: debug, debug });
}
