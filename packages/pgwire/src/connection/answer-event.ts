import type { ResultEvent } from "@multipooler/query-service";
import type { EventRequest } from "./request.ts";

/**
 * What a COPY from or to the client yields besides the events of a result.
 *
 * | event     | is                                                                                    |
 * | --------- | ------------------------------------------------------------------------------------- |
 * | copyStart | one CopyInResponse (`G`) or CopyOutResponse (`H`)                                      |
 * | copyData  | a run of CopyData (`d`), or a piece of a long one: as "rows" are of DataRow            |
 */
export type CopyEvent =
  | { readonly type: "copyStart"; readonly bytes: Uint8Array }
  | { readonly type: "copyData"; readonly bytes: Uint8Array; readonly inProgress: boolean };

/** What the answer to a request yields. */
export type AnswerEvent = ResultEvent | CopyEvent;

/** Hands an event to the request. A promise says that the receiver is behind. May throw. */
export function handOver(request: EventRequest, event: AnswerEvent): Promise<void> | undefined {
  switch (event.type) {
    case "copyStart":
    case "copyData":
      return request.copy?.event(event);
    default:
      return request.event(event);
  }
}
