import type { ServerResponse } from "node:http";
import type { HttpAnswer } from "./http-answer.ts";

/** What of a request an answer may depend on. */
export interface RouteRequest {
  readonly query: URLSearchParams;
}

/**
 * What answers at a path.
 *
 * | type   | answers                                                                                |
 * | ------ | -------------------------------------------------------------------------------------- |
 * | check  | at once, from memory; OPTIONS gets the same status, as load balancers of Patroni expect |
 * | page   | with something to read; OPTIONS says which methods there are, or what `options` answers |
 * | stream | for as long as the client stays; it owns the response and closes it                    |
 */
export type Route =
  | { readonly type: "check"; readonly answer: (request: RouteRequest) => HttpAnswer }
  | {
      readonly type: "page";
      readonly answer: () => HttpAnswer | Promise<HttpAnswer>;
      readonly options?: ((request: RouteRequest) => HttpAnswer) | undefined;
    }
  | { readonly type: "stream"; readonly open: (response: ServerResponse) => void };

/** By path. */
export type Routes = ReadonlyMap<string, Route>;
