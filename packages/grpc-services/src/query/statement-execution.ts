import type { Outcome, Reservation, ResultEvent } from "@multipooler/query-service";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { isPoolerError } from "../errors/pooler-error.ts";

/** Takes what a statement yields. A promise means: wait. May throw. */
export type TakeEvent<Event> = (event: Event) => Promise<void> | undefined;

/** How a statement ended. */
export interface Execution {
  /** What the client holds from now on, also after a failure. */
  readonly reservation: Reservation | undefined;
  /** `undefined` when the statement and its results went through. */
  readonly failure: { readonly error: unknown } | undefined;
}

/** Has a controller do something that yields results and leaves a reservation or none. */
export type Execute<Event = ResultEvent> = (sink: {
  write(event: Event): Promise<void> | undefined;
}) => Promise<Outcome>;

/**
 * Has something executed, and hands what it yields to `take`. When `take` throws, the controller is
 * told to end it, and the failure is what was thrown, not what the controller made of it.
 */
export async function execute<Event = ResultEvent>(
  run: Execute<Event>,
  take: TakeEvent<Event>,
): Promise<Execution> {
  let thrown: Execution["failure"];
  const sink = {
    write(event: Event): Promise<void> | undefined {
      try {
        return take(event);
      } catch (error) {
        thrown ??= { error };
        return Promise.reject(cannotSend(error));
      }
    },
  };
  try {
    const { reservation } = await run(sink);
    return { reservation, failure: thrown };
  } catch (error) {
    const reservation = isPoolerError(error) ? error.reservation : undefined;
    return { reservation, failure: thrown ?? { error } };
  }
}

function cannotSend(cause: unknown): GrpcServicesError {
  return new GrpcServicesError(GrpcServicesErrorCode.Cancelled, "the results cannot be sent", {
    cause,
  });
}
